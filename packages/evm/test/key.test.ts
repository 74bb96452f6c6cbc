import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Hash } from '../src/bytes.ts'
import { bigIntOfKey, hashOfKey, wordKey, wordKeyOfBigInt } from '../src/key.ts'

const hashOf = (value: bigint): Hash => `0x${value.toString(16).padStart(64, '0')}`

test('a key, its integer and its text stand for one another', () => {
  const check = (value: bigint): void => {
    const key = wordKeyOfBigInt(value)
    expect(key).toBe(wordKey(hashOf(value)))
    expect(hashOfKey(key)).toBe(hashOf(value))
    expect(bigIntOfKey(key)).toBe(value)
  }
  for (let bits = 0n; bits <= 255n; bits++) {
    check(1n << bits)
    check((1n << bits) - 1n)
  }
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), check), { seed: 3 })
})
