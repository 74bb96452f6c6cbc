export { type CertificateReason, sealersOf, verifyCertificate } from './certificate.ts'
export {
  decodeMessage,
  encodeMessage,
  type MessageOutline,
  messageHash,
  outlineOf,
  type RecoverAuthor,
  type SignHash,
  signCommit,
  signedContent,
  signPrepare,
  signProposal,
  signRoundChange,
} from './codec.ts'
export { ConsensusError, type ConsensusErrorCode } from './error.ts'
export {
  type Contradiction,
  decodeEvidence,
  EVIDENCE_BYTES_MAX,
  EVIDENCE_CODE,
  encodeEvidence,
  isContradiction,
} from './evidence.ts'
export { highestPrepared, isJustified, isRoundChangeProven } from './justification.ts'
export {
  type Commit,
  type CommitPayload,
  MESSAGE_CODE,
  type Message,
  type MessageKind,
  type Prepare,
  type PreparedCertificate,
  type PreparePayload,
  type Proposal,
  type ProposalPayload,
  type ProposedBlock,
  type RoundChange,
  type RoundChangePayload,
  type Signed,
} from './message.ts'
export { type MessageDomain, recoveryIn, signerIn } from './message-domain.ts'
export {
  decodeProposedBlock,
  encodeProposedBlock,
  inRound,
  proposedBlock,
  proposedRound,
  withSeals,
} from './proposed-block.ts'
export { type ProposerQuestion, proposerOf } from './proposer.ts'
export { earlyRoundChangeCount, faultsTolerated, quorum, voteMajority } from './quorum.ts'
export {
  createQbftScheme,
  proposalFields,
  type QbftReason,
  type QbftScheme,
  type QbftSchemeOptions,
} from './scheme.ts'
export {
  choosePeer,
  EMPTY_PLAN,
  highestClaim,
  pivotBelow,
  SNAPSHOT_LIMITS,
  type SnapshotEvent,
  type SnapshotPeer,
  type SnapshotPlan,
  stepPlan,
} from './snapshot-plan.ts'
export { initialState, step } from './step.ts'
export {
  initialSyncState,
  type SyncEffect,
  type SyncEvent,
  type SyncPeer,
  type SyncState,
  type SyncTransition,
  stepSync,
} from './sync.ts'
export { roundTimeoutMs } from './timeout.ts'
export {
  CONSENSUS_LIMITS,
  type ConsensusSettings,
  type Effect,
  type Env,
  type Event,
  type Head,
  type RejectReason,
  type SignedPrepare,
  type State,
  type TimerName,
  type Transition,
  type VoteRecord,
} from './types.ts'
export {
  afterBlock,
  afterVote,
  createValidatorHistory,
  isEpochBlock,
  type ValidatorHistory,
  type ValidatorState,
  type Vote,
  validatorsWithoutVotes,
} from './validators.ts'
