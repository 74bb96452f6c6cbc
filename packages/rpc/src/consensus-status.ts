/**
 * The answer of vellum_consensusStatus: why no block is made, or that nothing is wrong. Plain data, the
 * same in JSON; numbers are numbers here, times milliseconds.
 */

import type { Address, Hash, Hex } from '@vellum/evm'

export type ConsensusStep =
  /** The node has just started: the engine has not been told of the chain. */
  | 'starting'
  /** Two blocks are sealed at one height: the node has stopped this chain. */
  | 'forked'
  /** This node is no validator of the next block: it follows. */
  | 'following'
  /** The peers are two blocks ahead or more. */
  | 'syncing'
  /** The validator's memory of its votes is lost: it does not vote yet. */
  | 'abstaining'
  /** Nothing waits for a block. */
  | 'waiting for work'
  /** Work waits; the least time between two blocks has not passed. */
  | 'waiting for block time'
  /** We propose, and fill the block. */
  | 'building the block'
  | 'waiting for the proposal'
  /** The proposal is here and is being executed. */
  | 'checking the proposal'
  | 'waiting for prepares'
  | 'waiting for commits'
  /** Of this round or a later one: before it, nothing can be decided here. */
  | 'waiting for round changes'
  /** Decided; being made durable. */
  | 'writing the block'

/** Where a validator claims that a block was prepared: a later round must propose it again. */
export interface PreparedAt {
  readonly round: number
  readonly digest: Hash
}

export interface ValidatorStatus {
  readonly address: Address
  readonly isSelf: boolean
  /** For ourselves, that this node votes. */
  readonly isConnected: boolean
  /** Connected, and heard of lately: it counts towards a quorum. */
  readonly isLive: boolean
  /** It is there and does not vote: what it has voted is lost. */
  readonly abstains: boolean
  /** Since it said anything by itself; null: never in this run, or ourselves. */
  readonly lastHeardMs: number | null
  /** Round of its latest round change at this height. */
  readonly roundChange: number | null
  /** What it claims in that round change to have prepared. */
  readonly prepared: PreparedAt | null
  /** True if its prepare, and its commit, for this round are here. */
  readonly hasPrepared: boolean
  readonly hasCommitted: boolean
  /** Its clock minus ours. */
  readonly clockOffsetMs: number | null
  /** Its head, as it told last. */
  readonly height: number | null
  readonly version: string | null
}

/** A header and its name, as proof of what was sealed. */
export interface ProvenHeader {
  readonly hash: Hash
  /** Its RLP, with the seals. */
  readonly header: Hex
}

/** Two blocks at one height, each sealed by a quorum: more validators lie than are tolerated. */
export interface ForkProof {
  /** NODE_CHAIN_FORKED. */
  readonly code: string
  readonly height: number
  /** The block that this node has. */
  readonly ours: ProvenHeader
  readonly theirs: ProvenHeader
  /** Whose seals are in both headers. */
  readonly sealedBoth: readonly Address[]
}

/** All that is found; `ConsensusStatus` adds the words. */
export interface ConsensusFindings {
  readonly step: ConsensusStep
  /** The height being decided, and its round; null before the first one. */
  readonly height: number
  readonly round: number | null
  /** Of this round, or of round 0 before it. null where no validator is known. */
  readonly proposer: Address | null
  /** Whose word the step waits for; empty where it waits for nobody. */
  readonly waitingFor: readonly Address[]
  /** How many of `waitingFor` are enough. */
  readonly lacking: number
  /** This node's own address; null if it has no key. */
  readonly self: Address | null
  /** `validator`: its key is in the set of the next block. */
  readonly role: 'validator' | 'follower'
  readonly validators: readonly ValidatorStatus[]
  readonly quorum: {
    readonly validators: number
    /** So many may be faulty. */
    readonly faulty: number
    readonly needed: number
    readonly live: number
    /** So many more must be live for a block. */
    readonly missing: number
  }
  /** Validators to which there is no connection, or over which nothing has come for long. */
  readonly unreachable: readonly Address[]
  /** What this node has prepared at this height. */
  readonly prepared: PreparedAt | null
  readonly clock: {
    /** Beyond this a proposal may be refused for its time. */
    readonly toleranceMs: number
    /** Our clock minus the middle of all validators' clocks. */
    readonly offsetMs: number
    /** Validators whose clock is further from the middle than the tolerance. */
    readonly beyond: readonly { readonly address: Address; readonly offsetMs: number }[]
  }
  readonly timer: {
    /** `held`: starts when a quorum is in the round. */
    readonly state: 'none' | 'running' | 'held'
    /** Of this round, when it runs; null before the first round. */
    readonly timeoutMs: number | null
    /** Since the round was entered. */
    readonly roundAgeMs: number | null
  }
  readonly head: {
    readonly number: number
    readonly hash: Hash
    /** Since its timestamp. */
    readonly ageMs: number
    readonly transactions: number
  }
  /** Where catching up is; null if this node is not behind. */
  readonly sync: { readonly currentBlock: number; readonly highestBlock: number } | null
  /** Why the chain is stopped here; null if it is not. */
  readonly fork: ForkProof | null
  readonly pool: { readonly ready: number; readonly queued: number }
  readonly peers: number
  /** Height after which this validator votes again; null: it votes. */
  readonly abstainsThrough: number | 'unknown' | null
  /** Contradictions of validators that were proven in this run. */
  readonly evidence: number
  /** What the operator wants: true adds, false removes. */
  readonly votes: Readonly<Record<Address, boolean>>
}

export interface ConsensusStatus extends ConsensusFindings {
  /** The step in words. */
  readonly explanation: string
  /** What would bring a quorum back, or help otherwise; null if nothing needs doing. */
  readonly remedy: string | null
}
