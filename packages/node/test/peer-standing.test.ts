import { expect, test } from 'vitest'
import { NETWORK_LIMITS } from '../src/host/network-limits.ts'
import { createPeerStanding, type PeerStanding } from '../src/host/peer-standing.ts'
import type { PeerAddress } from '../src/ports.ts'

const MINUTE = 60_000

function standing(): { peers: PeerStanding; pass: (ms: number) => void } {
  let elapsed = 0
  const clock = { now: () => elapsed, elapsed: () => elapsed }
  return {
    peers: createPeerStanding(NETWORK_LIMITS, clock),
    pass: (ms) => {
      elapsed += ms
    },
  }
}

const peer = (n: number): PeerAddress => `0x${n.toString(16).padStart(40, '0')}`

test('the third severe fault bans for ten minutes', () => {
  const { peers, pass } = standing()
  expect(peers.penalise(peer(1), 'severe')).toBe(false)
  pass(30 * MINUTE)
  expect(peers.penalise(peer(1), 'severe')).toBe(false)
  expect(peers.isBanned(peer(1))).toBe(false)
  expect(peers.penalise(peer(1), 'severe')).toBe(true)
  expect(peers.isBanned(peer(1))).toBe(true)
  expect(peers.isBanned(peer(2))).toBe(false)
  pass(10 * MINUTE - 1)
  expect(peers.isBanned(peer(1))).toBe(true)
  pass(1)
  expect(peers.isBanned(peer(1))).toBe(false)
})

test('severe faults are forgotten after an hour without one', () => {
  const { peers, pass } = standing()
  peers.penalise(peer(1), 'severe')
  peers.penalise(peer(1), 'severe')
  pass(60 * MINUTE + 1)
  expect(peers.penalise(peer(1), 'severe')).toBe(false)
})

test('a hundred slight faults at once ban, and are told once', () => {
  const { peers } = standing()
  const told = Array.from({ length: 150 }, () => peers.penalise(peer(1), 'slight'))
  expect(told.indexOf(true)).toBe(99)
  expect(told.filter(Boolean)).toHaveLength(1)
})

test('slight faults that come as fast as they fade never ban', () => {
  const { peers, pass } = standing()
  for (let i = 0; i < 10_000; i++) {
    pass(1_000)
    expect(peers.penalise(peer(1), 'slight')).toBe(false)
  }
})

test('a channel over its budget for half a minute bans', () => {
  const { peers, pass } = standing()
  let seconds = 0
  while (!peers.penalise(peer(1), 'slight', NETWORK_LIMITS.floodFaults)) {
    pass(1_000)
    seconds++
  }
  expect(seconds).toBeGreaterThan(15)
  expect(seconds).toBeLessThan(30)
})

test('after a ban the count begins anew', () => {
  const { peers, pass } = standing()
  for (let i = 0; i < 3; i++) peers.penalise(peer(1), 'severe')
  pass(10 * MINUTE)
  expect(peers.penalise(peer(1), 'severe')).toBe(false)
})

test('as many peers are remembered as the limit says', () => {
  const { peers } = standing()
  const { standingsMax } = NETWORK_LIMITS
  for (let i = 0; i < 2; i++) peers.penalise(peer(1), 'severe')
  for (let i = 0; i < standingsMax; i++) peers.penalise(peer(100 + i), 'slight')
  // Its two faults had to make room.
  expect(peers.penalise(peer(1), 'severe')).toBe(false)
})
