/**
 * The shape of the QBFT engine: `step(state, event, env) → { state, effects }`.
 *
 * - Effects never answer. Slow work goes out as an effect and comes back as an event that carries its
 *   height and round; what is stale is dropped by one comparison, so nothing needs cancelling.
 * - The list is performed in order. `persist` and `commit` are awaited: what follows in the list must
 *   not happen before they are durable. The rest is started.
 * - A height starts by `newHead` alone, whoever made the block. Its `at` is the only time the core sees.
 * - Memory is bounded by construction: one slot for each author, kind and round; a window of rounds
 *   and heights (`CONSENSUS_LIMITS`).
 */

import type { Address, Hash } from '@vellum/evm'
import type {
  Commit,
  CommitPayload,
  Message,
  Prepare,
  PreparedCertificate,
  PreparePayload,
  Proposal,
  ProposedBlock,
  RoundChange,
  Signed,
} from './message.ts'

/** What the engine must know of the chain's head. */
export interface Head {
  readonly height: number
  /** On-chain hash. */
  readonly hash: Hash
  /** Coinbase: the next proposer is counted from it. */
  readonly proposer: Address
  /** Seconds. */
  readonly timestamp: number
}

export type TimerName =
  /** The least time between blocks has passed: a round may begin when work waits. */
  | 'block'
  /** Nothing has waited for long: begin a round for an empty block. */
  | 'heartbeat'
  | 'round'
  /** Say again what may have been lost. */
  | 'resend'

export type Event =
  /** The chain has a new head, or begins; `records`: what was sent at this height before a restart. */
  | {
      readonly type: 'newHead'
      /** Milliseconds since 1970. */
      readonly at: number
      readonly head: Head
      /** The set in force for the next block, ascending. */
      readonly validators: readonly Address[]
      readonly records?: readonly VoteRecord[]
      /** Least milliseconds until the next block, for rhythms finer than seconds; 0: at once. */
      readonly restMs: number
    }
  | { readonly type: 'message'; readonly from: Address; readonly message: Message }
  | {
      readonly type: 'timeout'
      readonly timer: TimerName
      readonly height: number
      readonly round: number
    }
  | {
      readonly type: 'blockBuilt'
      readonly height: number
      readonly round: number
      readonly block: ProposedBlock
    }
  | {
      readonly type: 'blockChecked'
      readonly height: number
      readonly round: number
      readonly digest: Hash
      readonly verdict: { readonly ok: true } | { readonly ok: false; readonly reason: string }
    }
  /** Transactions wait that a block could take. Told again after each `newHead` while it holds. */
  | { readonly type: 'work' }
  /** A peer has (re)connected: it may have missed what we said last. */
  | { readonly type: 'peerUp'; readonly peer: Address }
  /** The abstention ends after a block above this height: the head of the peers when we reached it. */
  | { readonly type: 'caughtUp'; readonly height: number }

export type Effect =
  /** On disk before what follows in the list. */
  | { readonly type: 'persist'; readonly record: VoteRecord }
  | { readonly type: 'send'; readonly to: readonly Address[]; readonly message: Message }
  /** Pass on as it came, to these. */
  | { readonly type: 'relay'; readonly to: readonly Address[]; readonly message: Message }
  /** Replaces the timer of this name. */
  | {
      readonly type: 'setTimer'
      readonly timer: TimerName
      readonly height: number
      readonly round: number
      readonly afterMs: number
    }
  /** -> blockBuilt. Consensus fields of the round are the shell's to fill in. */
  | { readonly type: 'buildBlock'; readonly height: number; readonly round: number }
  /** -> blockChecked */
  | {
      readonly type: 'checkBlock'
      readonly height: number
      readonly round: number
      readonly block: ProposedBlock
    }
  /** -> newHead. Seals: of the block's commit hash, by distinct validators, sorted by address. */
  | {
      readonly type: 'commit'
      readonly block: ProposedBlock
      readonly seals: readonly Uint8Array[]
    }
  /** The peer speaks of a height above ours: it has blocks that we lack. */
  | { readonly type: 'fetchBlocks'; readonly from: Address; readonly height: number }
  /** The peer speaks of a height that is decided: tell it our head. */
  | { readonly type: 'announceHead'; readonly to: Address }
  | { readonly type: 'evidence'; readonly first: Message; readonly second: Message }
  /** `from` brought it; only what its own author brought proves anything about a peer. */
  | {
      readonly type: 'reject'
      readonly from: Address
      readonly author: Address
      readonly reason: RejectReason
    }

/** Why a message was not taken. `late` and `duplicate` are nobody's fault; the rest is counted. */
export type RejectReason =
  | 'late'
  | 'duplicate'
  | 'too far ahead'
  | 'author is not a validator'
  | 'author is not the proposer'
  | 'round out of range'
  | 'justification is not valid'
  | 'block does not fit the proposal'
  | 'block is not valid'
  | 'digest differs'
  | 'seal is not the author’s'

/**
 * What must not be forgotten before it is said (qbft.md §17). `prepared` holds the certificate that
 * a commit claims, `voted` the block that a prepare names.
 */
export type VoteRecord =
  | {
      readonly kind: 'proposed'
      readonly height: number
      readonly round: number
      readonly digest: Hash
    }
  | {
      readonly kind: 'voted'
      readonly height: number
      readonly round: number
      readonly digest: Hash
    }
  | {
      readonly kind: 'prepared'
      readonly height: number
      readonly certificate: PreparedCertificate
    }
  | { readonly kind: 'round'; readonly height: number; readonly round: number }

/** What never changes while a node runs, and its key. */
export interface Env {
  /** Our validator's address; undefined: this node follows only. */
  readonly self: Address | undefined
  readonly settings: ConsensusSettings
  /** Deterministic signature of a block's commit hash: 65 bytes. Called for validators only. */
  sign(hash: Uint8Array): Uint8Array
  /** The same of a message's hash, in the chain's domain (message-domain.ts). */
  signMessage(hash: Uint8Array): Uint8Array
  /** Who made a seal: undefined if nobody. Pure. */
  recover(hash: Uint8Array, signature: Uint8Array): Address | undefined
}

export interface ConsensusSettings {
  /** Timeout of round 0, ms; doubled each round. The same on all nodes. */
  readonly requestTimeoutMs: number
  /** Most milliseconds of any round. The same on all nodes. */
  readonly requestTimeoutMaxMs: number
  /** Seconds from one timestamp to the next at least; 0: blocks may share one. From the genesis. */
  readonly blockPeriodSeconds: number
  /** Milliseconds without work after which an empty block is made; 0: never. */
  readonly heartbeatMs: number
  /** Send proposals and round changes with the fourth item of Besu 26.1. */
  readonly encoding: 'three items' | 'four items'
}

/** Everything that the engine holds: plain data, to be printed, compared, stored and replayed. */
export interface State {
  readonly head: Head
  /** Being decided: `head.height + 1`. */
  readonly height: number
  readonly validators: readonly Address[]
  /** True from the block timer on. */
  readonly isDue: boolean
  readonly hasWork: boolean
  /** undefined before the height's first round. */
  readonly round: number | undefined
  /** True while this round's timer runs: it starts when a quorum is in the round (ADR 12). */
  readonly isTimed: boolean
  /** True from the commit until the chain has the block as its head: nothing more is decided here. */
  readonly isDecided: boolean
  /** True while a block is being built for this round. */
  readonly isBuilding: boolean
  /** The round's proposal while its block is being checked, or after it was refused. */
  readonly checking: Proposal | undefined
  /** Of this round, its block checked. */
  readonly accepted: Proposal | undefined
  /** Of this round; until a proposal is accepted unfiltered, one of each author. */
  readonly prepares: ReadonlyMap<Address, Prepare>
  readonly commits: ReadonlyMap<Address, Commit>
  /** Prepares and commits of the next rounds. */
  readonly early: ReadonlyMap<number, EarlyVotes>
  /** Kept until the height is left; replaced by a later round's only. */
  readonly prepared: PreparedCertificate | undefined
  /** The latest of each author. */
  readonly roundChanges: ReadonlyMap<Address, RoundChange>
  /** Of heights above this one; replayed when it comes. */
  readonly future: ReadonlyMap<number, ReadonlyMap<string, Received>>
  /** What we said in this round, for saying it again. */
  readonly own: Own
  /** What we may not contradict, in any round of this height. */
  readonly pledges: Pledges
  /** Undefined: votes. Else our memory of votes is lost, and we vote again after this height. */
  readonly abstainsThrough: number | 'unknown' | undefined
}

export interface EarlyVotes {
  readonly prepares: ReadonlyMap<Address, Prepare>
  readonly commits: ReadonlyMap<Address, Commit>
}

export interface Received {
  readonly from: Address
  readonly message: Message
}

export interface Own {
  readonly proposal?: Proposal
  readonly prepare?: Prepare
  readonly commit?: Commit
  readonly roundChange?: RoundChange
}

/** The digest that we proposed, and voted for, by round. */
export interface Pledges {
  readonly proposed: ReadonlyMap<number, Hash>
  readonly voted: ReadonlyMap<number, Hash>
}

export interface Transition {
  readonly state: State
  readonly effects: readonly Effect[]
}

export type SignedPrepare = Signed<PreparePayload>
export type SignedCommit = Signed<CommitPayload>

/** Every size and window that peers could stretch (qbft.md §14). */
export const CONSENSUS_LIMITS = {
  /** Highest round: a higher one is refused unread. Two years of failing proposers at one height. */
  roundMax: 1_000_000,
  /** Prepares and commits are kept for so many rounds above ours. */
  roundsAhead: 2,
  /** Prepares and commits are kept for so many heights above ours; what holds blocks for one. */
  heightsAhead: 10,
  /** Milliseconds after which what may have been lost is said again, at the latest. */
  resendMsMax: 2_000,
  /** Bytes of the largest message: a block and its justification. */
  messageBytesMax: 8_912_896,
  /** Bytes of a prepare or a commit. */
  voteBytesMax: 4_096,
  /** Validators of one chain. */
  validatorsMax: 128,
  /** Blocks asked for at once. */
  syncBlocksMax: 128,
  /** Bytes of blocks in one answer, unless the first alone is larger. */
  syncBytesMax: 4_194_304,
  /** Peers whose heads are remembered. */
  syncPeersMax: 256,
  /** Milliseconds that a validator leaves a gap of one block to consensus. */
  syncGraceMs: 400,
  /** Milliseconds before a peer that has failed is asked again. */
  syncRetryMs: 500,
} as const
