import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bigIntToBytes,
  bigIntToMinimalBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  equalBytes,
  hexToBytes,
} from '../src/bytes.ts'

describe('hex', () => {
  test('text and bytes go over into one another, of any length', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
      const text = bytesToHex(bytes)
      expect(text).toBe(`0x${Buffer.from(bytes).toString('hex')}`)
      expect(hexToBytes(text)).toEqual(bytes)
      expect(hexToBytes(`0x${text.slice(2).toUpperCase()}`)).toEqual(bytes)
    })
    fc.assert(property)
  })

  test.for(['', '0', '0x0', '1x00', '0X00', '0x0g', '0xg0', '0x0ı', '0x0\u0130', '0x-1', '0x 1'])(
    'refuses %j',
    (text) => {
      expect(() => hexToBytes(text)).toThrow(RangeError)
    },
  )
})

describe('integers', () => {
  test('fixed and minimal bytes hold the value', () => {
    const property = fc.property(fc.bigInt(0n, 2n ** 256n - 1n), (value) => {
      expect(bytesToBigInt(bigIntToBytes(value, 32))).toBe(value)
      const minimal = bigIntToMinimalBytes(value)
      expect(bytesToBigInt(minimal)).toBe(value)
      expect(minimal[0]).not.toBe(0)
    })
    fc.assert(property)
  })

  test('a value that does not fit is refused', () => {
    expect(() => bigIntToBytes(256n, 1)).toThrow(RangeError)
    expect(() => bigIntToBytes(-1n, 1)).toThrow(RangeError)
  })
})

test('bytes are joined in order and compared', () => {
  const joined = concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))
  expect(equalBytes(joined, Uint8Array.of(1, 2, 3))).toBe(true)
  expect(equalBytes(joined, Uint8Array.of(1, 2))).toBe(false)
  expect(equalBytes(joined, Uint8Array.of(1, 2, 4))).toBe(false)
})
