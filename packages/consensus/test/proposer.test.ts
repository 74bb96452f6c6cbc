import type { Address } from '@vellum/evm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { proposerOf } from '../src/index.ts'
import { validatorsOf } from './engines.ts'

const [a, b, c, d, e] = validatorsOf(5) as [Address, Address, Address, Address, Address]
const NOBODY: Address = `0x${'00'.repeat(20)}`
const validators = [b, c, d]

const CASES: readonly [string, Address, number, Address][] = [
  ['follows the proposer of the block before', b, 0, c],
  ['is the first again after the last', d, 0, b],
  ['moves on by one each round', b, 1, d],
  ['goes round in later rounds', b, 4, d],
  ['is the first after the genesis block, which nobody made', NOBODY, 0, b],
  ['is the next higher address if the one before has left the set', a, 0, b],
  ['is the first if the one that left was the highest', e, 0, b],
  ['moves on from there in later rounds', e, 1, c],
]
test.for(CASES)('the proposer %s', ([, previous, round, expected]) => {
  expect(proposerOf({ validators, previous, round })).toBe(expected)
})

test('one that has left between two others is followed by the higher of them', () => {
  expect(proposerOf({ validators: [a, c, e], previous: b, round: 0 })).toBe(c)
  expect(proposerOf({ validators: [a, c, e], previous: d, round: 0 })).toBe(e)
})

test('in as many rounds as there are validators each of them proposes once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(200), fc.nat(40), (size, from, last) => {
      const set = validatorsOf(size)
      const previous = validatorsOf(41)[last]!
      const proposers = Array.from({ length: size }, (_, i) =>
        proposerOf({ validators: set, previous, round: from + i }),
      )
      expect(new Set(proposers).size).toBe(size)
    }),
  )
})
