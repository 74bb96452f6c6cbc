/** One step under way: the state so far, the effects so far, and the words that rules are written in. */

import type { Address } from '@vellum/evm'
import type { Message } from './message.ts'
import { proposerOf } from './proposer.ts'
import { quorum } from './quorum.ts'
import {
  CONSENSUS_LIMITS,
  type Effect,
  type Env,
  type RejectReason,
  type State,
  type TimerName,
  type VoteRecord,
} from './types.ts'

/** Lives for one `step`: what it holds is replaced, never changed, so the caller's state stays whole. */
export interface Turn {
  state: State
  readonly effects: Effect[]
  readonly env: Env
}

/** True for a validator of this height that remembers its votes. */
export function takesPart({ state, env }: Turn): boolean {
  return (
    env.self !== undefined &&
    state.abstainsThrough === undefined &&
    state.validators.includes(env.self)
  )
}

export function othersOf({ state, env }: Turn): readonly Address[] {
  return state.validators.filter((each) => each !== env.self)
}

/** True if this node proposes in the round. */
export function isProposer({ state, env }: Turn, round: number): boolean {
  return proposerAt(state, round) === env.self
}

export function proposerAt({ validators, head }: State, round: number): Address {
  return proposerOf({ validators, previous: head.proposer, round })
}

export function isQuorum({ validators }: State, count: number): boolean {
  return count >= quorum(validators.length)
}

/** To all other validators. */
export function say(turn: Turn, message: Message): void {
  const to = othersOf(turn)
  if (to.length > 0) turn.effects.push({ type: 'send', to, message })
}

/**
 * Passes a message on to those who may not be connected to its author. From round 1 on: a round that
 * fails is a sign that links do.
 */
export function relay(turn: Turn, from: Address, message: Message): void {
  if (message.payload.round === 0 || from === turn.env.self) return
  const to = othersOf(turn).filter((each) => each !== from && each !== message.author)
  if (to.length > 0) turn.effects.push({ type: 'relay', to, message })
}

/** Written before what is said next; a validator that is alone says nothing to anyone. */
export function persist(turn: Turn, record: VoteRecord): void {
  if (turn.state.validators.length > 1) turn.effects.push({ type: 'persist', record })
}

export function setTimer(turn: Turn, timer: TimerName, round: number, afterMs: number): void {
  turn.effects.push({ type: 'setTimer', timer, height: turn.state.height, round, afterMs })
}

/** What may have been lost is said again so often. */
export function resendMs({ env }: Turn): number {
  return Math.min(env.settings.requestTimeoutMs / 2, CONSENSUS_LIMITS.resendMsMax)
}

export function reject(
  turn: Turn,
  { from, message }: { readonly from: Address; readonly message: Pick<Message, 'author'> },
  reason: RejectReason,
): void {
  turn.effects.push({ type: 'reject', from, author: message.author, reason })
}
