import fc from 'fast-check'
import { expect, test } from 'vitest'
import { earlyRoundChangeCount, faultsTolerated, quorum, voteMajority } from '../src/index.ts'

/** Besu `BftHelpersTest`: validators and prepares or seals needed. */
const QUORUMS = [
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 3],
  [5, 4],
  [7, 5],
  [10, 7],
  [15, 10],
  [20, 14],
] as const
test.for(QUORUMS)('a quorum of %i validators is %i', ([size, needed]) => {
  expect(quorum(size)).toBe(needed)
})

/** Besu `BftHelpersTest`: validators and round changes that are followed early. */
const EARLY = [
  [4, 2],
  [6, 2],
  [7, 3],
  [9, 3],
  [10, 4],
  [13, 5],
  [15, 5],
] as const
test.for(EARLY)('of %i validators %i round changes are followed early', ([size, needed]) => {
  expect(earlyRoundChangeCount(size)).toBe(needed)
})

test('two quorums share an honest validator, and the honest ones alone are a quorum', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), (size) => {
      const faulty = faultsTolerated(size)
      expect(quorum(size)).toBe(Math.ceil((2 * size) / 3))
      expect(2 * quorum(size) - size).toBeGreaterThan(faulty)
      expect(size - faulty).toBeGreaterThanOrEqual(quorum(size))
      // One faulty validator more, and they would not be.
      expect(3 * (faulty + 1)).toBeGreaterThanOrEqual(size)
    }),
  )
})

test('a vote needs more than half of the set', () => {
  expect([1, 2, 3, 4, 5, 6].map(voteMajority)).toEqual([1, 2, 2, 3, 3, 4])
})
