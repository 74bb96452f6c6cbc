/** Rounds: proposals, timeouts, round changes. Spec: qbft.md §11–12; QBFT L1 `node.dfy`. */

import type { Address } from '@vellum/evm'
import { signProposal, signRoundChange } from './codec.ts'
import { isSameClaim } from './evidence.ts'
import { highestPrepared, isJustified, isRoundChangeProven } from './justification.ts'
import type {
  Message,
  PreparePayload,
  Proposal,
  ProposedBlock,
  RoundChange,
  Signed,
} from './message.ts'
import { inRound, proposedRound } from './proposed-block.ts'
import { earlyRoundChangeCount, faultsTolerated } from './quorum.ts'
import { roundTimeoutMs } from './timeout.ts'
import {
  isProposer,
  isQuorum,
  persist,
  proposerAt,
  reject,
  relay,
  resendMs,
  say,
  setTimer,
  type Turn,
} from './turn.ts'
import { CONSENSUS_LIMITS, type Event } from './types.ts'
import { accept } from './votes.ts'

interface From<M extends Message> {
  readonly from: Address
  readonly message: M
}

/** Besu's "no block access list": an empty string. */
const NO_ACCESS_LIST = Uint8Array.of(0x80)

/**
 * Enters a round, never an earlier one. In round 0 the proposer builds at once and the timer runs. In
 * a later round the timer waits until a quorum is there (`startTimerWithQuorum`).
 */
export function enterRound(turn: Turn, round: number): void {
  const { state } = turn
  const early = state.early.get(round)
  turn.state = {
    ...state,
    round,
    isTimed: false,
    isBuilding: false,
    checking: undefined,
    accepted: undefined,
    prepares: early?.prepares ?? new Map(),
    commits: early?.commits ?? new Map(),
    early: new Map([...state.early].filter(([each]) => each > round)),
    own: {},
  }
  setTimer(turn, 'resend', round, resendMs(turn))
  if (round > 0) return startTimerWithQuorum(turn)
  startTimer(turn)
  if (isProposer(turn, 0)) build(turn)
}

/**
 * A round that fewer than a quorum have asked for cannot decide, so waiting in it proves nothing:
 * nobody runs ahead of a partition, and rounds stay where they were until enough validators are back.
 */
function startTimerWithQuorum(turn: Turn): void {
  const { state } = turn
  if (state.isTimed || state.round === undefined) return
  const { round } = state
  const there = [...state.roundChanges.values()].filter(({ payload }) => payload.round >= round)
  if (isQuorum(state, there.length)) startTimer(turn)
}

function startTimer(turn: Turn): void {
  const { requestTimeoutMs, requestTimeoutMaxMs } = turn.env.settings
  const round = turn.state.round!
  // As many proposers in a row may be faulty; only after that is it the network that is slow. A
  // proposer that a quorum is waiting for, and that is not in the round itself, gets no more than one.
  const doublings = isProposerThere(turn, round)
    ? Math.max(0, round - faultsTolerated(turn.state.validators.length))
    : 0
  turn.state = { ...turn.state, isTimed: true }
  setTimer(turn, 'round', round, roundTimeoutMs(requestTimeoutMs, doublings, requestTimeoutMaxMs))
}

/** True if the round's proposer has shown itself: by its round change, or its proposal. */
function isProposerThere({ state, env }: Turn, round: number): boolean {
  const proposer = proposerAt(state, round)
  const known = state.roundChanges.get(proposer)
  return (
    proposer === env.self || state.checking !== undefined || (known?.payload.round ?? 0) >= round
  )
}

function build(turn: Turn): void {
  turn.state = { ...turn.state, isBuilding: true }
  turn.effects.push({ type: 'buildBlock', height: turn.state.height, round: turn.state.round! })
}

export function uponBlockBuilt(turn: Turn, event: Event & { type: 'blockBuilt' }): void {
  const { state } = turn
  const { height, round, block } = event
  if (height !== state.height || round !== state.round || !state.isBuilding || state.isDecided)
    return
  turn.state = { ...state, isBuilding: false }
  if (round === 0) return propose(turn, { block, roundChanges: [], prepares: [] })
  // A quorum that has prepared nothing justifies a new block. While it was built, they may have moved.
  const roundChanges = roundChangesOf(turn, round).filter(({ payload }) => !payload.prepared)
  if (isQuorum(state, roundChanges.length)) propose(turn, { block, roundChanges, prepares: [] })
  else uponRoundChangeQuorum(turn, round)
}

interface Draft {
  readonly block: ProposedBlock
  readonly roundChanges: readonly RoundChange[]
  readonly prepares: readonly Signed<PreparePayload>[]
}

function propose(turn: Turn, { block, roundChanges, prepares }: Draft): void {
  const { state, env } = turn
  const { height, pledges } = state
  const round = state.round!
  const pledged = pledges.proposed.get(round)
  // Before a restart we proposed another block in this round: a second one would be a lie.
  if (pledged !== undefined && pledged !== block.digest) return
  const accessList = env.settings.encoding === 'four items' ? NO_ACCESS_LIST : undefined
  const proposal: Proposal = {
    kind: 'proposal',
    ...signProposal({ height, round, block, accessList }, env.self!, env.signMessage),
    roundChanges: roundChanges.map(({ payload, author, signature }) => ({
      payload,
      author,
      signature,
    })),
    prepares,
  }
  const proposed = new Map(pledges.proposed).set(round, block.digest)
  turn.state = {
    ...state,
    own: { ...state.own, proposal },
    pledges: { ...pledges, proposed },
    checking: proposal,
  }
  if (pledged === undefined)
    persist(turn, { kind: 'proposed', height, round, digest: block.digest })
  say(turn, proposal)
  // Ours is executed already; another's, prepared in an earlier round, perhaps not here.
  if (block.header.coinbase === env.self && prepares.length === 0) accept(turn, proposal)
  else turn.effects.push({ type: 'checkBlock', height, round, block })
}

export function uponProposal(turn: Turn, { from, message }: From<Proposal>): void {
  const { state } = turn
  const { round, height, block } = message.payload
  if (state.round !== undefined && round < state.round)
    return reject(turn, { from, message }, 'late')
  if (message.author !== proposerAt(state, round)) {
    return reject(turn, { from, message }, 'author is not the proposer')
  }
  const known = round === state.round ? (state.accepted ?? state.checking) : undefined
  if (known !== undefined) {
    if (known.payload.block.digest === block.digest)
      return reject(turn, { from, message }, 'duplicate')
    turn.effects.push({ type: 'evidence', first: known, second: message })
    return
  }
  if (
    block.header.number !== height ||
    block.header.parentHash !== state.head.hash ||
    proposedRound(block.header) !== round
  ) {
    return reject(turn, { from, message }, 'block does not fit the proposal')
  }
  if (!isJustified(message, state.validators)) {
    return reject(turn, { from, message }, 'justification is not valid')
  }
  if (round !== state.round) enterRound(turn, round)
  turn.state = { ...turn.state, checking: message }
  // A justified proposal shows that a quorum is in the round, and its proposer.
  if (!turn.state.isTimed || round > 0) startTimer(turn)
  turn.effects.push({ type: 'checkBlock', height, round, block })
  relay(turn, from, message)
}

export function uponBlockChecked(turn: Turn, event: Event & { type: 'blockChecked' }): void {
  const { state } = turn
  const { height, round, digest, verdict } = event
  const { checking } = state
  if (height !== state.height || round !== state.round || state.isDecided) return
  if (checking === undefined || checking.payload.block.digest !== digest) return
  if (verdict.ok) return accept(turn, checking)
  reject(turn, { from: checking.author, message: checking }, 'block is not valid')
  // Nothing can come of this round: no need to wait for its end. But more than f proposers are not all
  // liars: something else is wrong, such as the clocks, and haste would only use rounds up.
  if (round <= faultsTolerated(state.validators.length)) nextRound(turn, round)
}

/** Spec: QBFT L1 `UponRoundTimeout`. */
export function uponRoundTimeout(turn: Turn, round: number): void {
  if (round === turn.state.round && turn.state.isTimed) nextRound(turn, round)
}

function nextRound(turn: Turn, round: number): void {
  if (round < CONSENSUS_LIMITS.roundMax) changeRound(turn, round + 1)
}

/** Enters a round and says so, with what we have prepared. */
function changeRound(turn: Turn, round: number): void {
  enterRound(turn, round)
  const { state } = turn
  persist(turn, { kind: 'round', height: state.height, round })
  sayRoundChange(turn)
}

/** Says that we are in this round, with what we have prepared before it; also after a restart. */
export function sayRoundChange(turn: Turn): void {
  const { state, env } = turn
  const { height, prepared } = state
  const round = state.round!
  const claim = prepared !== undefined && prepared.round < round ? prepared : undefined
  const roundChange: RoundChange = {
    kind: 'roundChange',
    ...signRoundChange(
      { height, round, prepared: claim && { round: claim.round, digest: claim.block.digest } },
      env.self!,
      env.signMessage,
    ),
    block: claim?.block,
    accessList: env.settings.encoding === 'four items' ? NO_ACCESS_LIST : undefined,
    prepares: claim?.prepares ?? [],
  }
  turn.state = { ...state, own: { ...state.own, roundChange } }
  say(turn, roundChange)
  takeRoundChange(turn, roundChange)
}

export function uponRoundChange(turn: Turn, { from, message }: From<RoundChange>): void {
  const { state } = turn
  const { round } = message.payload
  if (round < 1) return reject(turn, { from, message }, 'round out of range')
  const known = state.roundChanges.get(message.author)
  if (known !== undefined && known.payload.round >= round) {
    if (known.payload.round === round && !isSameClaim(known.payload, message.payload)) {
      turn.effects.push({ type: 'evidence', first: known, second: message })
      return
    }
    reject(turn, { from, message }, known.payload.round === round ? 'duplicate' : 'late')
    return answerLate(turn, { from, message })
  }
  if (!isRoundChangeProven(message, state.validators)) {
    return reject(turn, { from, message }, 'justification is not valid')
  }
  relay(turn, from, message)
  takeRoundChange(turn, message)
  answerLate(turn, { from, message })
}

/**
 * A validator of an earlier round gets what brings it here: a justified proposal, or our word. It is
 * answered when it speaks itself: copies that others pass on would be answered by everybody each time.
 */
function answerLate(turn: Turn, { from, message }: From<RoundChange>): void {
  const { state } = turn
  const { author, payload } = message
  if (from !== author) return
  if (state.round === undefined || payload.round >= state.round) return
  const answer = state.accepted ?? state.own.roundChange
  if (answer === undefined) return
  turn.effects.push({ type: 'relay', to: [author], message: answer })
}

/** Keeps the author's latest, and follows: rules A and B of qbft.md §12. */
function takeRoundChange(turn: Turn, message: RoundChange): void {
  const { state } = turn
  turn.state = {
    ...state,
    roundChanges: new Map(state.roundChanges).set(message.author, message),
  }
  uponRoundChangeQuorum(turn, message.payload.round)
  uponEarlyRoundChanges(turn)
  startTimerWithQuorum(turn)
}

/** Rule A: a quorum wants the round. Its proposer proposes what was prepared highest, or a new block. */
function uponRoundChangeQuorum(turn: Turn, round: number): void {
  const before = turn.state
  if (before.round !== undefined && round < before.round) return
  const wanting = roundChangesOf(turn, round)
  if (!isQuorum(before, wanting.length)) return
  if (round !== before.round) enterRound(turn, round)
  const { own, isBuilding, accepted, checking } = turn.state
  if (!isProposer(turn, round)) return
  if (
    own.proposal !== undefined ||
    isBuilding ||
    accepted !== undefined ||
    checking !== undefined
  ) {
    return
  }
  const highest = highestPrepared(wanting)
  if (highest === undefined) return build(turn)
  const best = wanting.find(
    ({ payload: { prepared } }) =>
      prepared?.round === highest.round && prepared.digest === highest.digest,
  )!
  propose(turn, {
    block: inRound(best.block!, round),
    roundChanges: wanting,
    prepares: best.prepares,
  })
}

/** Rule B: an honest validator is among f + 1, so the lowest round of theirs is worth being in. */
function uponEarlyRoundChanges(turn: Turn): void {
  const { state } = turn
  if (state.isDecided) return
  const ahead = [...state.roundChanges.values()]
    .map(({ payload }) => payload.round)
    .filter((round) => round > (state.round ?? 0))
  if (ahead.length < earlyRoundChangeCount(state.validators.length)) return
  changeRound(turn, Math.min(...ahead))
}

function roundChangesOf({ state }: Turn, round: number): RoundChange[] {
  return [...state.roundChanges.values()].filter(({ payload }) => payload.round === round)
}
