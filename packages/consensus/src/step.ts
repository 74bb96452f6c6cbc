/**
 * The QBFT engine: one event in; the next state, and what to do about it, in order, out.
 *
 * The driver's loop: take an event from the mailbox, `step`, perform the effects in order (awaiting
 * `persist` and `commit`), keep the state. Rules have the names of the specification and stand in
 * `rounds.ts` (rounds, proposals) and `votes.ts` (prepares, commits). Where we differ from Besu,
 * docs/protocol/qbft.md says so under "Deviations".
 */

import { type Hash, ZERO_HASH } from '@vellum/evm'
import type { Message, PreparedCertificate } from './message.ts'
import {
  enterRound,
  sayRoundChange,
  uponBlockBuilt,
  uponBlockChecked,
  uponProposal,
  uponRoundChange,
  uponRoundTimeout,
} from './rounds.ts'
import { othersOf, reject, resendMs, setTimer, type Turn, takesPart } from './turn.ts'
import {
  CONSENSUS_LIMITS,
  type Effect,
  type Env,
  type Event,
  type Received,
  type State,
  type Transition,
  type VoteRecord,
} from './types.ts'
import { sayCommit, sayPrepare, uponCommit, uponPrepare } from './votes.ts'

/**
 * The state of an engine that has not been told of any chain.
 * @param abstainsThrough `unknown`: it is not known what was said before; a height: it is known for
 *   those above it only
 */
export function initialState(abstainsThrough?: State['abstainsThrough']): State {
  const nowhere: State['head'] = { height: -1, hash: ZERO_HASH, proposer: NOBODY, timestamp: 0 }
  return { ...freshHeight(nowhere, []), abstainsThrough }
}

const NOBODY = '0x0000000000000000000000000000000000000000'

export function step(state: State, event: Event, env: Env): Transition {
  const turn: Turn = { state, effects: [], env }
  dispatch(turn, event)
  return { state: turn.state, effects: recordsFirst(turn.effects) }
}

/** To write something down before it is due is always safe, and one write costs less than three. */
function recordsFirst(effects: readonly Effect[]): readonly Effect[] {
  const isRecord = ({ type }: Effect): boolean => type === 'persist'
  if (!effects.some(isRecord)) return effects
  return [...effects.filter(isRecord), ...effects.filter((effect) => !isRecord(effect))]
}

function dispatch(turn: Turn, event: Event): void {
  switch (event.type) {
    case 'newHead':
      return uponNewHead(turn, event)
    case 'message':
      return uponMessage(turn, event)
    case 'timeout':
      return uponTimeout(turn, event)
    case 'blockBuilt':
      return uponBlockBuilt(turn, event)
    case 'blockChecked':
      return uponBlockChecked(turn, event)
    case 'work':
      turn.state = { ...turn.state, hasWork: true }
      return beginIfWanted(turn)
    case 'peerUp':
      return sayAgain(turn, [event.peer])
    case 'caughtUp':
      if (turn.state.abstainsThrough === 'unknown') {
        turn.state = { ...turn.state, abstainsThrough: event.height }
      }
      return
  }
}

function freshHeight(head: State['head'], validators: State['validators']): State {
  return {
    head,
    height: head.height + 1,
    validators,
    isDue: false,
    hasWork: false,
    round: undefined,
    isTimed: false,
    isDecided: false,
    isBuilding: false,
    checking: undefined,
    accepted: undefined,
    prepares: new Map(),
    commits: new Map(),
    early: new Map(),
    prepared: undefined,
    roundChanges: new Map(),
    future: new Map(),
    own: {},
    pledges: { proposed: new Map(), voted: new Map() },
    abstainsThrough: undefined,
  }
}

/** The one way into a height, whoever made the block. Everything of earlier heights is forgotten. */
function uponNewHead(turn: Turn, event: Event & { type: 'newHead' }): void {
  const { head, validators, at } = event
  if (head.height < turn.state.height) return
  const { abstainsThrough, future } = turn.state
  const mayVoteAgain = typeof abstainsThrough === 'number' && head.height > abstainsThrough
  const waiting = future.get(head.height + 1)
  turn.state = {
    ...freshHeight(head, validators),
    abstainsThrough: mayVoteAgain ? undefined : abstainsThrough,
    future: new Map([...future].filter(([height]) => height > head.height + 1)),
  }
  if (!takesPart(turn)) return
  const { settings } = turn.env
  const dueMs = Math.max(untilDueMs(turn, at), event.restMs)
  setTimer(turn, 'block', 0, dueMs)
  if (settings.heartbeatMs > 0) {
    setTimer(turn, 'heartbeat', 0, Math.max(settings.heartbeatMs, dueMs))
  }
  if (event.records !== undefined) resume(turn, event.records)
  for (const received of waiting?.values() ?? []) uponMessage(turn, received)
}

/** Milliseconds until the next block may come: its timestamp is legal then. */
function untilDueMs({ state, env }: Turn, at: number): number {
  const { blockPeriodSeconds } = env.settings
  if (blockPeriodSeconds === 0) return 0
  const dueMs = (state.head.timestamp + blockPeriodSeconds) * 1_000 - at
  // A quorum has seen the head's time pass, so whoever must wait longer has a slow clock.
  return Math.min(Math.max(0, dueMs), (blockPeriodSeconds + 1) * 1_000)
}

/**
 * Goes on where a restart interrupted: in the highest round of which anything was said, bound by
 * every vote, saying the same things again.
 */
function resume(turn: Turn, records: readonly VoteRecord[]): void {
  const ours = records.filter(({ height }) => height === turn.state.height)
  if (ours.length === 0) return
  const proposed = new Map<number, Hash>()
  const voted = new Map<number, Hash>()
  const certificates: PreparedCertificate[] = []
  for (const record of ours) {
    if (record.kind === 'proposed') proposed.set(record.round, record.digest)
    if (record.kind === 'voted') voted.set(record.round, record.digest)
    if (record.kind === 'prepared') certificates.push(record.certificate)
  }
  const round = Math.max(
    ...ours.map((each) => (each.kind === 'prepared' ? each.certificate.round : each.round)),
  )
  turn.state = { ...turn.state, pledges: { proposed, voted } }
  enterRound(turn, round)
  turn.state = { ...turn.state, prepared: highestOf(certificates, round - 1) }
  if (round > 0) sayRoundChange(turn)
  if (turn.state.round !== round) return
  const vote = voted.get(round)
  if (vote !== undefined) sayPrepare(turn, vote)
  turn.state = { ...turn.state, prepared: highestOf(certificates, round) }
  if (turn.state.prepared?.round === round) sayCommit(turn, turn.state.prepared.block.digest)
}

function highestOf(
  certificates: readonly PreparedCertificate[],
  roundMax: number,
): PreparedCertificate | undefined {
  let highest: PreparedCertificate | undefined
  for (const each of certificates) {
    if (each.round <= roundMax && (highest === undefined || each.round >= highest.round)) {
      highest = each
    }
  }
  return highest
}

function uponTimeout(turn: Turn, { timer, height, round }: Event & { type: 'timeout' }): void {
  const { state } = turn
  if (height !== state.height || state.isDecided || !takesPart(turn)) return
  switch (timer) {
    case 'block':
      turn.state = { ...state, isDue: true }
      return beginIfWanted(turn)
    case 'heartbeat':
      turn.state = { ...state, isDue: true, hasWork: true }
      return beginIfWanted(turn)
    case 'round':
      return uponRoundTimeout(turn, round)
    case 'resend':
      if (round !== state.round) return
      sayAgain(turn, othersOf(turn))
      return setTimer(turn, 'resend', round, resendMs(turn))
  }
}

/** A round begins when a block may come and somebody wants one; nobody is asked for empty blocks. */
function beginIfWanted(turn: Turn): void {
  const { state } = turn
  if (state.round !== undefined || state.isDecided || !state.isDue || !state.hasWork) return
  if (takesPart(turn)) enterRound(turn, 0)
}

/** The door for peers' messages: old and far ones go back or wait, the author must be of the set. */
function uponMessage(turn: Turn, received: Received): void {
  const { state, env } = turn
  const { from, message } = received
  const { height, round } = message.payload
  if (message.author === env.self) return uponEcho(turn, message)
  if (height < state.height) {
    // A peer that still changes rounds there has missed the block. Late votes are nothing special.
    if (message.kind === 'roundChange') turn.effects.push({ type: 'announceHead', to: from })
    return reject(turn, { from, message }, 'late')
  }
  if (!state.validators.includes(message.author)) {
    if (height > state.height) turn.effects.push({ type: 'fetchBlocks', from, height: height - 1 })
    return reject(turn, { from, message }, 'author is not a validator')
  }
  if (height > state.height) {
    turn.effects.push({ type: 'fetchBlocks', from, height: height - 1 })
    return keepForLater(turn, received)
  }
  if (state.isDecided || !takesPart(turn)) return
  if (round > CONSENSUS_LIMITS.roundMax)
    return reject(turn, { from, message }, 'round out of range')
  receive(turn, received)
}

function receive(turn: Turn, received: Received): void {
  const { message, from } = received
  if (turn.state.isDecided) return
  switch (message.kind) {
    case 'proposal':
      return uponProposal(turn, { from, message })
    case 'prepare':
      return uponPrepare(turn, { from, message })
    case 'commit':
      return uponCommit(turn, { from, message })
    case 'roundChange':
      uponRoundChange(turn, { from, message })
      return askedToBegin(turn)
  }
}

/** Somebody waits for a block while we saw no work: a block is due for all of us. */
function askedToBegin(turn: Turn): void {
  if (turn.state.round !== undefined) return
  turn.state = { ...turn.state, hasWork: true }
  beginIfWanted(turn)
}

/** Our own vote comes back: what a lost memory said before still binds. */
function uponEcho(turn: Turn, message: Message): void {
  const { state } = turn
  const { height, round } = message.payload
  if (height !== state.height || (message.kind !== 'prepare' && message.kind !== 'proposal')) return
  const digest = message.kind === 'prepare' ? message.payload.digest : message.payload.block.digest
  const { pledges } = state
  const key = message.kind === 'prepare' ? 'voted' : 'proposed'
  if (pledges[key].has(round)) return
  turn.state = {
    ...state,
    pledges: { ...pledges, [key]: new Map(pledges[key]).set(round, digest) },
  }
}

/** One slot for each author, kind and round, for a few heights. */
function keepForLater(turn: Turn, received: Received): void {
  const { state } = turn
  const { message, from } = received
  const { height, round } = message.payload
  const { heightsAhead, roundsAhead } = CONSENSUS_LIMITS
  const isVote = message.kind === 'prepare' || message.kind === 'commit'
  if (height > state.height + (isVote ? heightsAhead : 1)) {
    return reject(turn, { from, message }, 'too far ahead')
  }
  // Of round changes the latest counts, so one slot is enough.
  const slot = message.kind === 'roundChange' ? 'roundChange' : `${message.kind} ${round}`
  if (message.kind !== 'roundChange' && round > roundsAhead) {
    return reject(turn, { from, message }, 'too far ahead')
  }
  const known = state.future.get(height)
  const key = `${message.author} ${slot}`
  const present = known?.get(key)?.message
  if (present !== undefined && present.payload.round >= round)
    return reject(turn, { from, message }, 'duplicate')
  turn.state = {
    ...state,
    future: new Map(state.future).set(height, new Map(known).set(key, received)),
  }
}

/** What we said in this round, to peers that may have missed it. */
function sayAgain(turn: Turn, peers: readonly `0x${string}`[]): void {
  const { state } = turn
  if (state.isDecided || !takesPart(turn)) return
  const to = peers.filter((peer) => peer !== turn.env.self && state.validators.includes(peer))
  if (to.length === 0) return
  const { proposal, prepare, commit, roundChange } = state.own
  if (roundChange) turn.effects.push({ type: 'send', to, message: roundChange })
  // A block is large: only to those who have not shown that they know it.
  const without = to.filter((peer) => !state.prepares.has(peer))
  if (proposal && without.length > 0) {
    turn.effects.push({ type: 'send', to: without, message: proposal })
  }
  if (prepare) turn.effects.push({ type: 'send', to, message: prepare })
  if (commit) turn.effects.push({ type: 'send', to, message: commit })
}
