export { type CitizenNumber, citizenCheckDigit, parseCitizenNumber } from './citizen-number.ts'
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
export { addressOfKey, createKeyHolder, type Jwk, jwkOf, type KeyHolder } from './key.ts'
export {
  type BodyValue,
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
  formatOrganisationCode,
  type OrganisationCode,
  organisationCheckDigit,
  parseOrganisationCode,
} from './organisation-code.ts'
export {
  createSubjectRing,
  type DocumentType,
  type PersonDocument,
  type SubjectKey,
  type SubjectRing,
} from './subject.ts'
