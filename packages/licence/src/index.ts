export { fromBase45, toBase45 } from './base45.ts'
export { commitmentOf, presentationSeed, SEED_BYTES, tagOf } from './blinding.ts'
export { type Bill, type BillLine, billOf, periodOf } from './chain/billing.ts'
export {
  type ChainReader,
  type ChainWriter,
  CONTRACT_ADDRESSES,
  type ContractEvent,
  type ContractName,
  createChainReader,
  createChainWriter,
  type Done,
  eventNamed,
  waitFor,
} from './chain/contracts.ts'
export {
  creditOf,
  lockCredit,
  type SideAccount,
  sideAccountOf,
  withdrawCredit,
} from './chain/credit.ts'
export {
  bringAnswer,
  listVerifications,
  openLicence,
  requestCancellation,
  type SeenVerification,
  type SignedAnswer,
  signAnswer,
} from './chain/holder.ts'
export {
  createIssuer,
  type HolderOf,
  type Issued,
  type Issuer,
  type IssuerOptions,
  type Successor,
} from './chain/issuer.ts'
export {
  createLicenceIndex,
  type IndexedLicence,
  type LicenceHome,
  type LicenceIndex,
} from './chain/licence-index.ts'
export {
  createLicenceDirectory,
  type LicenceChange,
  type LicenceDirectory,
  type LicenceRecord,
} from './chain/licences.ts'
export { type MessageOutcome, outcomeOfMessage, whenAcknowledged } from './chain/peg-messages.ts'
export {
  createPresenceDirectory,
  createPresenceOffice,
  mainChainIdOf,
  type Presence,
  type PresenceDirectory,
  type PresenceOffice,
  type PresenceWish,
  type SignedPresence,
  signPresence,
} from './chain/presence.ts'
export { createRecorder, type Recorded, type Recorder } from './chain/recorder.ts'
export {
  createIdentityDirectory,
  createIdentityOffice,
  IDENTITY_STATES,
  type IdentityDirectory,
  type IdentityKey,
  type IdentityOffice,
  type IdentityState,
} from './chain/registrar.ts'
export { gatherValidatorHeaders, type NodeProvider } from './chain/validator-headers.ts'
export {
  type Check,
  type HolderReason,
  type IssuerReason,
  type Quote,
  quoteVerification,
  RESULTS,
  type Report,
  recordVerification,
  recordVerifications,
  type VerificationEntry,
  verifyOnline,
} from './chain/verifier.ts'
export { type CitizenNumber, citizenCheckDigit, parseCitizenNumber } from './citizen-number.ts'
export {
  CODE_DICTIONARY,
  type Code,
  codeSize,
  decodeCode,
  decodeCodeBody,
  encodeCode,
  packCredential,
  unpackCredential,
} from './code.ts'
export { LICENCE_LIMITS } from './config.ts'
export {
  CREDENTIAL_TYPE,
  type Credential,
  type CredentialOptions,
  type CredentialReason,
  contentDigestOf,
  fieldsOf,
  issueCredential,
  readCredential,
  selectFields,
} from './credential.ts'
export {
  CREDIT_CODE_ALPHABET,
  type CreditCode,
  creditCheckDigit,
  organisationOfCreditCode,
  parseCreditCode,
} from './credit-code.ts'
export { formatDid, type Identity, parseDid } from './did.ts'
export {
  decryptWith,
  ENVELOPE_OVERHEAD,
  type Envelope,
  type EnvelopeReference,
  encryptTo,
  isReferredTo,
  type PutCiphertext,
  placeCiphertext,
} from './envelope.ts'
export {
  LicenceError,
  type LicenceErrorCode,
  type LicenceErrorDetails,
  type Verdict,
} from './error.ts'
export { type FollowReason, followValidators } from './follow-validators.ts'
export {
  type CountersignedStatement,
  countersignIdentity,
  type IdentityKind,
  type IdentityOptions,
  type IdentityStatement,
  type KeyChange,
  makeIdentity,
  openIdentity,
  type SignedStatement,
  signKeyChange,
  signObjection,
  signRecovery,
  wordsOfKey,
} from './identity.ts'
export {
  type IndexProof,
  type IndexProofReason,
  indexSlotOf,
  type ProvenLicence,
  type ToldLicence,
  verifyIndexProof,
} from './index-proof.ts'
export { addressOfKey, createKeyHolder, type Jwk, jwkOf, type KeyHolder } from './key.ts'
export {
  type BodyValue,
  FOREVER,
  type HolderCodeType,
  type LicenceData,
  OPEN_FIELDS,
  PERSONAL_FIELDS,
  parseLicenceData,
  type Validity,
  validityOf,
} from './licence-data.ts'
export {
  formatLicenceIdentifier,
  identifierDigest,
  type LicenceIdentifier,
  mod3736CheckDigit,
  nextVersion,
  parseLicenceIdentifier,
} from './licence-identifier.ts'
export {
  encodeOfflineCode,
  type OfflineAnswer,
  type OfflineReason,
  STATUS_REASONS,
  type StatusReason,
  verifyOffline,
  verifyOfflineCode,
} from './offline.ts'
export {
  decodeProof,
  encodeProof,
  type ProofReason,
  type ProvenStatus,
  type TrustedChain,
  verifyProof,
} from './offline-proof.ts'
export {
  formatOrganisationCode,
  type OrganisationCode,
  organisationCheckDigit,
  parseOrganisationCode,
} from './organisation-code.ts'
export {
  ANYONE,
  answerRequest,
  type CopyNote,
  isShown,
  type LicenceCopy,
  makeCopy,
  type Presentation,
  type PresentationReason,
  type PresentOptions,
  present,
  verifyAnswer,
  verifyCopy,
  verifyPresentation,
} from './presentation.ts'
export { createReplayMemory, type ReplayAnswer, type ReplayMemory } from './replay.ts'
export {
  type PresentationRequest,
  type RequestOptions,
  type RequestReason,
  readRequest,
  signRequest,
} from './request.ts'
export {
  quorumOf,
  type SealReason,
  type ValidatorSet,
  type VariableHeader,
} from './sealed-header.ts'
export {
  commitmentOfRoot,
  LICENCE_STATUSES,
  type LicenceStatus,
  leafHash,
  pathIn,
  rootOf,
  type StatusLeaf,
  type StatusPath,
  TREE_DEPTH,
} from './status-tree.ts'
export {
  createSubjectRing,
  type DocumentType,
  type PersonDocument,
  type SubjectKey,
  type SubjectRing,
} from './subject.ts'
export { provenStorageRoot, provenValue, provenWord, type TrieProof } from './trie-proof.ts'
