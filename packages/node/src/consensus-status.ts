/**
 * "Why is no block made?": one pure function from what a node knows to what it finds. The words are
 * in `consensus-words.ts`.
 */

import {
  type ConsensusSettings,
  faultsTolerated,
  proposerOf,
  quorum,
  roundTimeoutMs,
  type State,
  type Vote,
} from '@vellum/consensus'
import { type Address, bytesToHex, type Hash, type Hex } from '@vellum/evm'
import { encodeHeader } from '@vellum/ledger'
import type { ConsensusFindings, ConsensusStep, ValidatorStatus } from '@vellum/rpc'
import type { NodeErrorCode } from './error.ts'
import type { Fork, NamedHeader } from './fork-book.ts'
import type { PeerView } from './network.ts'

export interface ConsensusFacts {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Of the clock that never goes back; the times below are of it. */
  readonly elapsedMs: number
  readonly self: Address | undefined
  readonly state: State
  readonly settings: Pick<ConsensusSettings, 'requestTimeoutMs' | 'requestTimeoutMaxMs'>
  /** Everybody to whom there is a connection. */
  readonly connected: readonly Address[]
  readonly views: ReadonlyMap<Address, PeerView>
  readonly heardAt: (validator: Address) => number | undefined
  readonly roundBeganAt: number
  /** undefined: not behind by more than the block under way. */
  readonly sync: { readonly currentBlock: number; readonly highestBlock: number } | undefined
  readonly pool: { readonly ready: number; readonly queued: number }
  /** Transactions of the head. */
  readonly headTransactions: number
  readonly evidence: number
  readonly fork: Fork | undefined
  readonly votes: ReadonlyMap<Address, Vote['kind']>
}

/** A proposal's time may be one second ahead of our clock (qbft.md §13.2). */
export const CLOCK_TOLERANCE_MS = 1_000
/** Peers are asked how they are every 5 s: who has missed three of these is not there. */
export const HEARD_MS = 15_000

export function consensusFindings(facts: ConsensusFacts): ConsensusFindings {
  const { state, self, settings, sync } = facts
  const { head, height, round, prepared } = state
  const validators = state.validators.map((address) => validatorStatus(address, facts))
  const live = validators.filter(({ isLive }) => isLive).length
  const size = validators.length
  const needed = size === 0 ? 0 : quorum(size)
  const { step, waitingFor, lacking } = stepOf(facts, needed)
  const hasRound = round !== undefined
  return {
    step,
    height,
    round: round ?? null,
    proposer: size === 0 ? null : proposerIn(state),
    waitingFor,
    lacking,
    self: self ?? null,
    role: self !== undefined && state.validators.includes(self) ? 'validator' : 'follower',
    validators,
    quorum: {
      validators: size,
      faulty: size === 0 ? 0 : faultsTolerated(size),
      needed,
      live,
      missing: Math.max(0, needed - live),
    },
    unreachable: validators
      .filter(({ isLive, isSelf, abstains }) => !isLive && !isSelf && !abstains)
      .map(({ address }) => address),
    prepared: prepared ? { round: prepared.round, digest: prepared.block.digest } : null,
    clock: clockOf(validators),
    timer: {
      state: !hasRound ? 'none' : state.isTimed ? 'running' : 'held',
      timeoutMs: hasRound
        ? roundTimeoutMs(settings.requestTimeoutMs, round, settings.requestTimeoutMaxMs)
        : null,
      roundAgeMs: hasRound ? Math.max(0, Math.round(facts.elapsedMs - facts.roundBeganAt)) : null,
    },
    head: {
      number: head.height,
      hash: head.hash,
      ageMs: Math.max(0, Math.round(facts.nowMs - head.timestamp * 1_000)),
      transactions: facts.headTransactions,
    },
    sync: sync === undefined ? null : { ...sync },
    fork: facts.fork === undefined ? null : proofOf(facts.fork),
    pool: { ...facts.pool },
    peers: facts.connected.length,
    abstainsThrough: state.abstainsThrough ?? null,
    evidence: facts.evidence,
    votes: Object.fromEntries([...facts.votes].map(([subject, kind]) => [subject, kind === 'add'])),
  }
}

/** The validators that count towards a quorum now: ourselves if we vote, and those heard of lately. */
export function liveValidators(
  facts: Pick<ConsensusFacts, 'state' | 'self' | 'connected' | 'views' | 'heardAt' | 'elapsedMs'>,
  candidates: readonly Address[] = facts.state.validators,
): ReadonlySet<Address> {
  return new Set(candidates.filter((each) => isLive(each, facts)))
}

type LiveFacts = Parameters<typeof liveValidators>[0]

function isLive(validator: Address, facts: LiveFacts): boolean {
  if (validator === facts.self) return facts.state.abstainsThrough === undefined
  if (facts.views.get(validator)?.abstains) return false
  const heardMs = lastHeardMs(validator, facts)
  return facts.connected.includes(validator) && heardMs !== undefined && heardMs <= HEARD_MS
}

function lastHeardMs(validator: Address, facts: LiveFacts): number | undefined {
  const times = [facts.heardAt(validator), facts.views.get(validator)?.heardAt]
  const known = times.filter((each) => each !== undefined)
  return known.length === 0 ? undefined : Math.max(0, facts.elapsedMs - Math.max(...known))
}

function validatorStatus(address: Address, facts: ConsensusFacts): ValidatorStatus {
  const { state, self, connected, views } = facts
  const isSelf = address === self
  const view = views.get(address)
  const heardMs = isSelf ? undefined : lastHeardMs(address, facts)
  const roundChange = state.roundChanges.get(address)?.payload
  const isOfRound = state.accepted !== undefined || state.round !== undefined
  return {
    address,
    isSelf,
    isConnected: isSelf ? state.abstainsThrough === undefined : connected.includes(address),
    isLive: isLive(address, facts),
    abstains: isSelf
      ? state.abstainsThrough !== undefined
      : connected.includes(address) && view?.abstains === true,
    lastHeardMs: heardMs === undefined ? null : Math.round(heardMs),
    roundChange: roundChange?.round ?? null,
    prepared: roundChange?.prepared
      ? { round: roundChange.prepared.round, digest: roundChange.prepared.digest }
      : null,
    hasPrepared: isOfRound && state.prepares.has(address),
    hasCommitted: isOfRound && state.commits.has(address),
    clockOffsetMs: isSelf ? 0 : (view?.clockOffsetMs ?? null),
    height: isSelf ? state.head.height : (view?.height ?? null),
    version: view?.clientVersion ?? null,
  }
}

interface Wait {
  readonly step: ConsensusStep
  readonly waitingFor: readonly Address[]
  readonly lacking: number
}

/** In the order in which one thing hides another. */
function stepOf(facts: ConsensusFacts, needed: number): Wait {
  const { state, self, sync } = facts
  const { validators, round } = state
  if (facts.fork !== undefined) return nobody('forked')
  if (validators.length === 0) return nobody('starting')
  if (sync !== undefined) return nobody('syncing')
  if (self === undefined || !validators.includes(self)) return nobody('following')
  if (state.abstainsThrough !== undefined) return nobody('abstaining')
  if (state.isDecided) return nobody('writing the block')
  if (round === undefined) {
    return nobody(state.hasWork && !state.isDue ? 'waiting for block time' : 'waiting for work')
  }
  if (state.isBuilding) return nobody('building the block')
  if (state.checking !== undefined) return nobody('checking the proposal')
  if (state.accepted === undefined) {
    if (state.isTimed) {
      return { step: 'waiting for the proposal', waitingFor: [proposerIn(state)], lacking: 1 }
    }
    const there = [...state.roundChanges]
      .filter(([, { payload }]) => payload.round >= round)
      .map(([author]) => author)
    return waiting('waiting for round changes', validators, there, needed)
  }
  if (state.own.commit === undefined && state.prepares.size < needed) {
    return waiting('waiting for prepares', validators, [...state.prepares.keys()], needed)
  }
  return waiting('waiting for commits', validators, [...state.commits.keys()], needed)
}

function proofOf({ height, ours, theirs, sealedBoth }: Fork): ConsensusFindings['fork'] {
  const proven = ({ hash, header }: NamedHeader): { hash: Hash; header: Hex } => ({
    hash,
    header: bytesToHex(encodeHeader(header)),
  })
  const code: NodeErrorCode = 'NODE_CHAIN_FORKED'
  return { code, height, ours: proven(ours), theirs: proven(theirs), sealedBoth }
}

function nobody(step: ConsensusStep): Wait {
  return { step, waitingFor: [], lacking: 0 }
}

function waiting(
  step: ConsensusStep,
  validators: readonly Address[],
  there: readonly Address[],
  needed: number,
): Wait {
  return {
    step,
    waitingFor: validators.filter((each) => !there.includes(each)),
    lacking: Math.max(0, needed - there.length),
  }
}

function proposerIn({ validators, head, round }: State): Address {
  return proposerOf({ validators, previous: head.proposer, round: round ?? 0 })
}

/** Everybody's clock against the middle of all: one that is wrong does not make the others wrong. */
function clockOf(validators: readonly ValidatorStatus[]): ConsensusFindings['clock'] {
  const known = validators.flatMap(({ address, clockOffsetMs, isConnected, isSelf }) =>
    clockOffsetMs !== null && (isSelf || isConnected) ? [{ address, clockOffsetMs }] : [],
  )
  const sorted = known.map(({ clockOffsetMs }) => clockOffsetMs).sort((a, b) => a - b)
  // Of an even number the one nearer to us: with two clocks nobody can say which is wrong.
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
  const high = sorted[Math.floor(sorted.length / 2)] ?? 0
  const middle = Math.abs(low) <= Math.abs(high) ? low : high
  return {
    toleranceMs: CLOCK_TOLERANCE_MS,
    offsetMs: 0 - middle,
    beyond: known
      .map(({ address, clockOffsetMs }) => ({ address, offsetMs: clockOffsetMs - middle }))
      .filter(({ offsetMs }) => Math.abs(offsetMs) > CLOCK_TOLERANCE_MS),
  }
}
