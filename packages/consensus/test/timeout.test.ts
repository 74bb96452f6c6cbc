import fc from 'fast-check'
import { expect, test } from 'vitest'
import { roundTimeoutMs } from '../src/index.ts'

test('doubles each round, from the base of round 0', () => {
  const timeouts = [0, 1, 2, 3, 5].map((round) => roundTimeoutMs(2_000, round, 1_000_000))
  expect(timeouts).toEqual([2_000, 4_000, 8_000, 16_000, 64_000])
})

test('never exceeds the cap, at any round, and stays exact', () => {
  const ms = fc.integer({ min: 1, max: 3_600_000 })
  fc.assert(
    fc.property(ms, fc.nat(1_000), ms, (base, round, cap) => {
      const expected = BigInt(base) * 2n ** BigInt(round)
      const bounded = expected < BigInt(cap) ? expected : BigInt(cap)
      expect(BigInt(roundTimeoutMs(base, round, cap))).toBe(bounded)
    }),
  )
})
