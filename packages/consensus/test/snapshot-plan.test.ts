import type { Address } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import {
  choosePeer,
  EMPTY_PLAN,
  highestClaim,
  pivotBelow,
  SNAPSHOT_LIMITS,
  type SnapshotEvent,
  type SnapshotPlan,
  stepPlan,
} from '../src/snapshot-plan.ts'

const peer = (n: number): Address => `0x${String(n).padStart(40, '0')}`
const after = (...events: readonly SnapshotEvent[]): SnapshotPlan =>
  events.reduce(stepPlan, EMPTY_PLAN)
const told = (n: number, height: number): SnapshotEvent => ({
  type: 'peerHead',
  peer: peer(n),
  height,
})
const asked = (n: number): SnapshotEvent => ({ type: 'asked', peer: peer(n) })
const answered = (
  n: number,
  outcome: (SnapshotEvent & { type: 'answered' })['outcome'],
): SnapshotEvent => ({ type: 'answered', peer: peer(n), outcome })

describe('choosePeer', () => {
  test('peers take turns, and only those that have the height are asked', () => {
    let plan = after(told(1, 100), told(2, 100), told(3, 50))
    const order: string[] = []
    for (let i = 0; i < 4; i++) {
      const chosen = choosePeer(plan, 80, false) as Address
      order.push(chosen)
      plan = stepPlan(stepPlan(plan, { type: 'asked', peer: chosen }), {
        type: 'answered',
        peer: chosen,
        outcome: 'good',
      })
    }
    expect(order).toEqual([peer(1), peer(2), peer(1), peer(2)])
    expect(choosePeer(plan, 101, false)).toBe('none')
  })

  test('a peer has so many questions at a time, and no more', () => {
    const asks = Array.from({ length: SNAPSHOT_LIMITS.openPerPeerMax }, () => asked(1))
    const plan = after(told(1, 100), ...asks)
    expect(choosePeer(plan, 1, true)).toBe('busy')
    expect(choosePeer(stepPlan(plan, answered(1, 'good')), 1, true)).toBe(peer(1))
  })

  test('one that failed waits for the others, even when they are busy', () => {
    const asks = Array.from({ length: SNAPSHOT_LIMITS.openPerPeerMax }, () => asked(2))
    const plan = after(told(1, 100), told(2, 100), asked(1), answered(1, 'failed'), ...asks)
    expect(choosePeer(plan, 1, false)).toBe('busy')
    expect(choosePeer(stepPlan(plan, { type: 'peerDown', peer: peer(2) }), 1, false)).toBe(peer(1))
  })

  test('one that failed comes last, one that lied never', () => {
    const failed = after(told(1, 100), told(2, 100), asked(1), answered(1, 'failed'))
    expect(choosePeer(failed, 1, false)).toBe(peer(2))
    const lied = after(told(1, 100), told(2, 100), asked(2), answered(2, 'lied'))
    for (let i = 0; i < 3; i++) expect(choosePeer(lied, 1, false)).toBe(peer(1))
    expect(choosePeer(stepPlan(lied, { type: 'peerDown', peer: peer(1) }), 1, false)).toBe('none')
    // A new claim does not wash it clean.
    expect(highestClaim(stepPlan(lied, told(2, 900)))).toBe(100)
  })

  test('one without the pivot is asked for headers, and for the next pivot', () => {
    const plan = after(told(1, 100), asked(1), answered(1, 'unable'))
    expect(choosePeer(plan, 1, true)).toBe('none')
    expect(choosePeer(plan, 1, false)).toBe(peer(1))
    expect(choosePeer(stepPlan(plan, { type: 'newPivot' }), 1, true)).toBe(peer(1))
  })

  test('a claim that nothing stands behind is taken back', () => {
    const plan = after(told(1, 1_000_000), told(2, 90), {
      type: 'headersEnd',
      peer: peer(1),
      height: 10,
    })
    expect(highestClaim(plan)).toBe(90)
    expect(choosePeer(plan, 50, false)).toBe(peer(2))
  })

  test('peers are counted', () => {
    let plan = EMPTY_PLAN
    for (let n = 0; n < SNAPSHOT_LIMITS.peersMax + 5; n++) plan = stepPlan(plan, told(n, n))
    expect(plan.peers.size).toBe(SNAPSHOT_LIMITS.peersMax)
  })
})

describe('pivotBelow', () => {
  test('is some blocks behind the newest header, at a height that others choose, too', () => {
    const { pivotLag, pivotStep } = SNAPSHOT_LIMITS
    for (const height of [0, 1, pivotLag, pivotStep, 1_500, 1_501, 99_999]) {
      const pivot = pivotBelow(height)
      expect(pivot % pivotStep).toBe(0)
      if (pivot > 0) expect(height - pivot).toBeGreaterThanOrEqual(pivotLag)
      // Less than half of what a pruned peer retains at least.
      expect(height - pivot).toBeLessThan(32)
    }
    expect(pivotBelow(1_500)).toBe(1_488)
    expect(pivotBelow(5)).toBe(0)
  })
})
