/**
 * Catching up: whom to ask for blocks, and when. Pure, with the shape of the engine: events in, the
 * next state and effects out; the shell asks, verifies, executes and appends.
 *
 * One question is under way at a time, and the next is asked while the answer to the last is being
 * imported. A peer that does not answer, or answers with nothing, waits its turn behind all others; one
 * that answers with blocks that are not the chain's is cut off by the shell. What peers claim may fall
 * as well as rise: only the latest word counts, so nobody can hold us to a height that nobody has.
 */

import type { Address } from '@vellum/evm'
import { CONSENSUS_LIMITS } from './types.ts'

export interface SyncState {
  /** Our head. */
  readonly height: number
  /** Last block that has been received and waits to be imported; at least `height`. */
  readonly received: number
  readonly peers: ReadonlyMap<Address, SyncPeer>
  /** The question under way. */
  readonly asked: { readonly peer: Address; readonly after: number } | undefined
  /** Counts questions, so that peers take turns. */
  readonly turn: number
  /** Head when we fell behind; undefined when we are not behind. */
  readonly startedAt: number | undefined
  /** True while a gap of one block is left to consensus, which mostly closes it by itself. */
  readonly isWaiting: boolean
}

export interface SyncPeer {
  /** The head that it told last; where that is not above ours, perhaps one before it. */
  readonly height: number
  /** The turn in which it failed last; -1: not since it answered. */
  readonly failedAt: number
}

export type SyncEvent =
  /** A peer has told its head, or has shown that it must have one as high as this. */
  | { readonly type: 'peerHead'; readonly peer: Address; readonly height: number }
  | { readonly type: 'peerDown'; readonly peer: Address }
  /** Blocks have come, and are about to be imported. */
  | {
      readonly type: 'answered'
      readonly peer: Address
      readonly after: number
      readonly count: number
    }
  /** No answer, a refusal, or blocks that could not be imported. */
  | { readonly type: 'failed'; readonly peer: Address }
  /** Our head, by whatever way. `isDropped`: what was received beyond it is lost. */
  | { readonly type: 'head'; readonly height: number; readonly isDropped?: boolean }
  /** The wait that `wait` asked for is over. */
  | { readonly type: 'waited' }

export type SyncEffect =
  /** -> answered or failed */
  | {
      readonly type: 'ask'
      readonly peer: Address
      readonly after: number
      readonly count: number
    }
  /** -> waited */
  | { readonly type: 'wait'; readonly afterMs: number }

export interface SyncTransition {
  readonly state: SyncState
  readonly effects: readonly SyncEffect[]
}

/** Received blocks that wait for import: bounds memory while a slow disk catches up. */
const AHEAD_MAX = 2 * CONSENSUS_LIMITS.syncBlocksMax

export function initialSyncState(height: number): SyncState {
  return {
    height,
    received: height,
    peers: new Map(),
    asked: undefined,
    turn: 0,
    startedAt: undefined,
    isWaiting: false,
  }
}

/** @param takesPart true for a validator, to which the next block comes as a proposal */
export function stepSync(state: SyncState, event: SyncEvent, takesPart: boolean): SyncTransition {
  return next(applied(state, event), event.type === 'waited', takesPart)
}

function applied(state: SyncState, event: SyncEvent): SyncState {
  switch (event.type) {
    case 'peerHead': {
      const known = state.peers.get(event.peer)
      if (known === undefined && state.peers.size >= CONSENSUS_LIMITS.syncPeersMax) return state
      // Heads up to ours all say the same: that there is nothing to ask for.
      if (known !== undefined && Math.max(known.height, event.height) <= state.height) return state
      const failedAt = known?.failedAt ?? -1
      const peers = new Map(state.peers).set(event.peer, { height: event.height, failedAt })
      return { ...state, peers }
    }
    case 'peerDown': {
      const peers = new Map(state.peers)
      peers.delete(event.peer)
      return { ...state, peers, asked: askedOther(state, event.peer) }
    }
    case 'answered': {
      if (state.asked?.peer !== event.peer) return state
      // It claimed to be ahead, and has nothing.
      if (event.count === 0) return failed({ ...state, asked: undefined }, event.peer)
      // What came before it was lost meanwhile.
      if (event.after > state.received) return { ...state, asked: undefined }
      const received = Math.max(state.received, event.after + event.count)
      const known = state.peers.get(event.peer)
      const peers = known
        ? new Map(state.peers).set(event.peer, { ...known, failedAt: -1 })
        : state.peers
      return { ...state, received, peers, asked: undefined }
    }
    case 'failed':
      return failed({ ...state, asked: askedOther(state, event.peer) }, event.peer)
    case 'head': {
      const received = event.isDropped ? event.height : Math.max(state.received, event.height)
      return { ...state, height: event.height, received }
    }
    case 'waited':
      return { ...state, isWaiting: false }
  }
}

function askedOther(state: SyncState, peer: Address): SyncState['asked'] {
  return state.asked?.peer === peer ? undefined : state.asked
}

/** Behind all others from now on, and believed again only when it tells its head anew. */
function failed(state: SyncState, peer: Address): SyncState {
  const known = state.peers.get(peer)
  if (known === undefined) return state
  const peers = new Map(state.peers).set(peer, { height: known.height, failedAt: state.turn })
  return { ...state, turn: state.turn + 1, peers }
}

function next(state: SyncState, hasWaited: boolean, takesPart: boolean): SyncTransition {
  const target = highest(state)
  if (target <= state.height) {
    const isDone = state.startedAt === undefined
    return { state: isDone ? state : { ...state, startedAt: undefined }, effects: [] }
  }
  const behind = { ...state, startedAt: state.startedAt ?? state.height }
  if (state.asked !== undefined || state.isWaiting) return { state: behind, effects: [] }
  if (target <= state.received || state.received - state.height >= AHEAD_MAX) {
    return { state: behind, effects: [] }
  }
  if (takesPart && target === state.height + 1 && !hasWaited) {
    const effects = [{ type: 'wait', afterMs: CONSENSUS_LIMITS.syncGraceMs } as const]
    return { state: { ...behind, isWaiting: true }, effects }
  }
  const peer = choose(behind)
  if (peer === undefined) return { state: behind, effects: [] }
  // All who could have failed before: asking at once again would be all that this node does.
  if (behind.peers.get(peer)!.failedAt >= 0 && !hasWaited) {
    const effects = [{ type: 'wait', afterMs: CONSENSUS_LIMITS.syncRetryMs } as const]
    return { state: { ...behind, isWaiting: true }, effects }
  }
  const after = state.received
  return {
    state: { ...behind, asked: { peer, after }, turn: state.turn + 1 },
    effects: [{ type: 'ask', peer, after, count: CONSENSUS_LIMITS.syncBlocksMax }],
  }
}

function highest({ peers }: SyncState): number {
  let height = -1
  for (const peer of peers.values()) height = Math.max(height, peer.height)
  return height
}

/** Of those who have the next block, one that has not failed, in turns; else the one that failed first. */
function choose({ peers, received, turn }: SyncState): Address | undefined {
  const able = [...peers]
    .filter(([, peer]) => peer.height > received)
    .sort(([a, x], [b, y]) => x.failedAt - y.failedAt || (a < b ? -1 : 1))
  const [first] = able
  if (first === undefined) return undefined
  const equal = able.filter(([, peer]) => peer.failedAt === first[1].failedAt)
  return equal[turn % equal.length]![0]
}
