import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  bigIntToBytes,
  bigIntToMinimalBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  equalBytes,
  hexToBytes,
} from '../src/index.ts'

/** Values around every power of two, and any others. */
const anyInteger = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  fc
    .tuple(fc.nat({ max: 255 }), fc.constantFrom(-1n, 0n, 1n))
    .map(([bits, change]) => (1n << BigInt(bits)) + change),
)

test('hex: bytes come back, in lower case, and equal the plain way to write them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      const hex = bytesToHex(bytes)
      expect(hex).toBe(`0x${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`)
      expect(hexToBytes(hex)).toEqual(bytes)
      expect(hexToBytes(`0x${hex.slice(2).toUpperCase()}`)).toEqual(bytes)
    }),
    { numRuns: 60 },
  )
})

test('hexToBytes: refuses whatever is not 0x and pairs of digits', () => {
  const wrong = [
    '',
    '0',
    'x0',
    '00',
    '0x0',
    '0xg0',
    '0x0g',
    '0X00',
    '0x 0',
    '0x0\u0130',
    '0x\u{1f600}',
  ]
  for (const text of wrong) expect(() => hexToBytes(text)).toThrow(RangeError)
})

test('integers: go to bytes of any size and come back', () => {
  fc.assert(
    fc.property(anyInteger, fc.nat({ max: 40 }), (value, size) => {
      const plain = value.toString(16)
      if (plain.length > size * 2) {
        expect(() => bigIntToBytes(value, size)).toThrow(RangeError)
        return
      }
      const bytes = bigIntToBytes(value, size)
      expect(bytesToHex(bytes)).toBe(`0x${plain.padStart(size * 2, '0')}`)
      expect(bytesToBigInt(bytes)).toBe(value)
    }),
    { numRuns: 2000 },
  )
  expect(() => bigIntToBytes(-1n, 32)).toThrow(RangeError)
})

test('bigIntToMinimalBytes: has no leading zero, and none at all for 0', () => {
  fc.assert(
    fc.property(anyInteger, (value) => {
      const bytes = bigIntToMinimalBytes(value)
      expect(bytesToBigInt(bytes)).toBe(value)
      expect(bytes.length).toBe(value === 0n ? 0 : Math.ceil(value.toString(16).length / 2))
    }),
    { numRuns: 1000 },
  )
})

test('concatBytes and equalBytes: join in order, compare length and content', () => {
  const a = Uint8Array.of(1, 2)
  const b = Uint8Array.of(3)
  expect(concatBytes(a, b, new Uint8Array(0))).toEqual(Uint8Array.of(1, 2, 3))
  expect(equalBytes(concatBytes(a, b), Uint8Array.of(1, 2, 3))).toBe(true)
  expect(equalBytes(a, Uint8Array.of(1, 3))).toBe(false)
  expect(equalBytes(a, Uint8Array.of(1, 2, 3))).toBe(false)
})
