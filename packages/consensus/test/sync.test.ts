import type { Address } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import {
  initialSyncState,
  type SyncEffect,
  type SyncEvent,
  type SyncState,
  stepSync,
} from '../src/index.ts'

const A: Address = `0x${'aa'.repeat(20)}`
const B: Address = `0x${'bb'.repeat(20)}`

function run(
  state: SyncState,
  events: readonly SyncEvent[],
  takesPart = false,
): { state: SyncState; effects: SyncEffect[] } {
  const effects: SyncEffect[] = []
  for (const event of events) {
    const transition = stepSync(state, event, takesPart)
    state = transition.state
    effects.push(...transition.effects)
  }
  return { state, effects }
}

const ask = (peer: Address, after: number): SyncEffect => ({ type: 'ask', peer, after, count: 128 })

describe('catching up', () => {
  test('asks a peer that is ahead, once', () => {
    const { effects } = run(initialSyncState(5), [
      { type: 'peerHead', peer: A, height: 9 },
      { type: 'peerHead', peer: A, height: 10 },
      { type: 'peerHead', peer: B, height: 4 },
    ])
    expect(effects).toEqual([ask(A, 5)])
  })

  test('asks nobody while nobody is known to be ahead, or has gone again', () => {
    expect(run(initialSyncState(0), [{ type: 'head', height: 1 }]).effects).toEqual([])
    const { effects, state } = run(initialSyncState(5), [
      { type: 'peerHead', peer: A, height: 5 },
      { type: 'peerHead', peer: B, height: 9 },
      { type: 'peerDown', peer: B },
      { type: 'failed', peer: B },
    ])
    expect(effects).toEqual([ask(B, 5)])
    expect(state).toMatchObject({ asked: undefined, startedAt: undefined })
  })

  test('is left as it was by heads that are not above ours', () => {
    const { state } = run(initialSyncState(7), [{ type: 'peerHead', peer: A, height: 5 }])
    const told = run(state, [
      { type: 'peerHead', peer: A, height: 7 },
      { type: 'peerHead', peer: A, height: 6 },
    ])
    expect(told).toEqual({ state, effects: [] })
    expect(run(told.state, [{ type: 'peerHead', peer: A, height: 8 }]).effects).toEqual([ask(A, 7)])
  })

  test('forgets that a peer was ahead when it tells a head up to ours', () => {
    const { state, effects } = run(initialSyncState(7), [
      { type: 'peerHead', peer: A, height: 9 },
      { type: 'peerHead', peer: A, height: 6 },
      { type: 'failed', peer: A },
    ])
    expect(effects).toEqual([ask(A, 7)])
    expect(state).toMatchObject({ asked: undefined, startedAt: undefined })
  })

  test('asks for what follows while the last answer is being imported', () => {
    const { effects, state } = run(initialSyncState(0), [
      { type: 'peerHead', peer: A, height: 1_000 },
      { type: 'answered', peer: A, after: 0, count: 128 },
      { type: 'answered', peer: A, after: 128, count: 128 },
    ])
    expect(effects).toEqual([ask(A, 0), ask(A, 128)])
    expect(state.received).toBe(256)
  })

  test('receives no further ahead of the import than memory allows', () => {
    const { state, effects } = run(initialSyncState(0), [
      { type: 'peerHead', peer: A, height: 10_000 },
      { type: 'answered', peer: A, after: 0, count: 128 },
      { type: 'answered', peer: A, after: 128, count: 128 },
      { type: 'head', height: 100 },
    ])
    expect(effects.at(-1)).toEqual(ask(A, 256))
    expect(state.asked).toEqual({ peer: A, after: 256 })
  })

  test('turns to another peer when one does not answer, or has nothing', () => {
    const heads: SyncEvent[] = [
      { type: 'peerHead', peer: A, height: 10 },
      { type: 'peerHead', peer: B, height: 10 },
    ]
    const silent = run(initialSyncState(0), [...heads, { type: 'failed', peer: A }])
    expect(silent.effects).toEqual([ask(A, 0), ask(B, 0)])
    const empty = run(initialSyncState(0), [
      ...heads,
      { type: 'answered', peer: A, after: 0, count: 0 },
    ])
    expect(empty.effects).toEqual([ask(A, 0), ask(B, 0)])
  })

  test('asks the one peer again that failed, if there is no other, but not at once', () => {
    const events: SyncEvent[] = [
      { type: 'peerHead', peer: A, height: 10 },
      { type: 'failed', peer: A },
      { type: 'peerHead', peer: A, height: 11 },
    ]
    const { effects } = run(initialSyncState(0), events)
    expect(effects).toEqual([ask(A, 0), { type: 'wait', afterMs: 500 }])
    const later = run(initialSyncState(0), [...events, { type: 'waited' }])
    expect(later.effects.at(-1)).toEqual(ask(A, 0))
  })

  test('trusts a peer again that has answered', () => {
    const { state } = run(initialSyncState(0), [
      { type: 'peerHead', peer: A, height: 1_000 },
      { type: 'failed', peer: A },
      { type: 'waited' },
      { type: 'answered', peer: A, after: 0, count: 128 },
    ])
    expect(state.peers.get(A)?.failedAt).toBe(-1)
    expect(state.asked).toEqual({ peer: A, after: 128 })
  })

  test('believes a peer whose head falls, and is held to no height that nobody has', () => {
    const { state } = run(initialSyncState(5), [
      { type: 'peerHead', peer: A, height: 1_000_000 },
      { type: 'answered', peer: A, after: 5, count: 0 },
      { type: 'peerHead', peer: A, height: 5 },
    ])
    expect(state.startedAt).toBeUndefined()
  })

  test('ignores an answer that would leave a gap', () => {
    const { state } = run(initialSyncState(0), [
      { type: 'peerHead', peer: A, height: 1_000 },
      { type: 'answered', peer: A, after: 0, count: 128 },
      { type: 'head', height: 3, isDropped: true },
      { type: 'answered', peer: A, after: 128, count: 128 },
    ])
    expect(state.received).toBe(3)
  })

  test('a validator leaves a gap of one block to consensus for a while', () => {
    const { effects, state } = run(
      initialSyncState(7),
      [{ type: 'peerHead', peer: A, height: 8 }],
      true,
    )
    expect(effects).toEqual([{ type: 'wait', afterMs: 400 }])
    expect(run(state, [{ type: 'waited' }], true).effects).toEqual([ask(A, 7)])
    expect(run(state, [{ type: 'head', height: 8 }, { type: 'waited' }], true).effects).toEqual([])
  })

  test('is done at the height of the peers', () => {
    const { state } = run(initialSyncState(7), [
      { type: 'peerHead', peer: A, height: 9 },
      { type: 'answered', peer: A, after: 7, count: 2 },
      { type: 'head', height: 8 },
      { type: 'head', height: 9 },
    ])
    expect(state).toMatchObject({ startedAt: undefined, asked: undefined, height: 9 })
  })
})
