import { bytesToHex, hexToBytes } from '@vellum/evm'
import fc from 'fast-check'
import * as oracle from 'rlp'
import { describe, expect, test } from 'vitest'
import { LedgerError } from '../src/error.ts'
import {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  RLP_DEPTH_MAX,
  type RlpItem,
  rlpBigInt,
  rlpFixed,
  rlpList,
  rlpNumber,
  rlpScalar,
  splitRlpList,
  splitRlpSequence,
} from '../src/rlp.ts'

const { item } = fc.letrec<{ item: RlpItem }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie('item'), { maxLength: 6 }),
  ),
}))

/** As plain values, since views and copies of bytes differ in more than their content. */
function plain(value: RlpItem | oracle.NestedUint8Array): unknown {
  return value instanceof Uint8Array
    ? bytesToHex(value)
    : (value as readonly RlpItem[]).map((inner) => plain(inner))
}

const invalid = expect.objectContaining({ code: 'LEDGER_RLP_INVALID' })

describe('encodeRlp', () => {
  test('equals the npm package, and decoding gives the item back', () => {
    const property = fc.property(item, (value) => {
      const encoded = encodeRlp(value)
      expect(bytesToHex(encoded)).toBe(bytesToHex(oracle.encode(value as oracle.Input)))
      expect(plain(decodeRlp(encoded))).toEqual(plain(value))
    })
    fc.assert(property, { seed: 1, numRuns: 500 })
  })

  test('writes lengths of one to four bytes', () => {
    for (const size of [0, 1, 55, 56, 255, 256, 65_535, 65_536, 16_777_216]) {
      const bytes = new Uint8Array(size).fill(0x80)
      const encoded = encodeRlp([bytes, bytes])
      expect(encoded.length).toBe(oracle.encode([bytes, bytes]).length)
      expect(rlpList(decodeRlp(encoded), 'list').map((inner) => inner.length)).toEqual([size, size])
    }
  })
})

describe('decodeRlp', () => {
  test('accepts only what encoding gives, and refuses the rest with a LedgerError', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      let decoded: RlpItem
      try {
        decoded = decodeRlp(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(LedgerError)
        return
      }
      expect(bytesToHex(encodeRlp(decoded))).toBe(bytesToHex(bytes))
    })
    fc.assert(property, { seed: 2, numRuns: 5_000 })
  })

  test('refuses an encoding with a byte changed, or decodes it to something else', () => {
    const property = fc.property(
      item,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (value, at, x) => {
        const encoded = encodeRlp(value)
        encoded[at % encoded.length]! ^= x
        let decoded: RlpItem
        try {
          decoded = decodeRlp(encoded)
        } catch (error) {
          expect(error).toBeInstanceOf(LedgerError)
          return
        }
        expect(plain(decoded)).not.toEqual(plain(value))
      },
    )
    fc.assert(property, { seed: 3, numRuns: 1_000 })
  })

  test.for([
    ['nothing', '0x'],
    ['a byte with a head', '0x817f'],
    ['a short string in long form', '0xb801ff'],
    ['a length with leading zeros', `0xb90038${'ff'.repeat(56)}`],
    ['a string cut short', '0x83ffff'],
    ['a list whose item is too long', '0xc283ffff'],
    ['bytes after the item', '0xc000'],
    ['a length of eight bytes', '0xbfffffffffffffffff'],
    ['a list length of eight bytes', '0xffffffffffffffffff'],
    ['a length cut short', '0xf9ff'],
  ] as const)('refuses %s', ([, hex]) => {
    expect(() => decodeRlp(hexToBytes(hex))).toThrowError(invalid)
  })

  test('gives plain byte arrays for the views that files and databases give', () => {
    const buffer = Buffer.from('c483616263c0', 'hex').subarray(0, 5)
    const [text] = rlpList(decodeRlp(buffer), 'list')
    expect((text as Uint8Array).constructor).toBe(Uint8Array)
    const copy = (text as Uint8Array).slice()
    copy[0] = 0
    expect(bytesToHex(text as Uint8Array)).toBe('0x616263')
    expect(splitRlpSequence(buffer)[0]!.constructor).toBe(Uint8Array)
  })

  test('refuses lists nested more deeply than the limit, and takes those up to it', () => {
    let nested: RlpItem = new Uint8Array(0)
    for (let i = 0; i < RLP_DEPTH_MAX; i++) nested = [nested]
    expect(plain(decodeRlp(encodeRlp(nested)))).toEqual(plain(nested))
    expect(() => decodeRlp(encodeRlp([nested]))).toThrowError(invalid)
    // A megabyte of openings must not exhaust the stack.
    let deep = new Uint8Array(0)
    for (let i = 0; i < 2_000; i++) deep = encodeRlpList([deep]) as Uint8Array<ArrayBuffer>
    expect(() => decodeRlp(deep)).toThrowError(invalid)
  })
})

describe('splitRlpList and splitRlpSequence', () => {
  test('give the encodings that encodeRlpList joins', () => {
    const property = fc.property(fc.array(item, { maxLength: 8 }), (items) => {
      const parts = items.map(encodeRlp)
      const list = encodeRlpList(parts)
      expect(bytesToHex(list)).toBe(bytesToHex(encodeRlp(items)))
      expect(splitRlpList(list).map(bytesToHex)).toEqual(parts.map(bytesToHex))
      const sequence = parts.flatMap((part) => [...part])
      expect(splitRlpSequence(Uint8Array.from(sequence)).map(bytesToHex)).toEqual(
        parts.map(bytesToHex),
      )
    })
    fc.assert(property, { seed: 4, numRuns: 300 })
  })

  test('refuse a string, and an item that is cut short', () => {
    expect(() => splitRlpList(hexToBytes('0x80'))).toThrowError(invalid)
    expect(() => splitRlpList(hexToBytes('0xc182'))).toThrowError(invalid)
    expect(() => splitRlpSequence(hexToBytes('0x80c1'))).toThrowError(invalid)
  })
})

describe('scalars', () => {
  test('go there and back at every size', () => {
    const property = fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
      const bytes = rlpScalar(value)
      expect(rlpBigInt(bytes, 32, 'value')).toBe(value)
      if (value > 0n)
        expect(() => rlpBigInt(bytes, bytes.length - 1, 'value')).toThrowError(invalid)
    })
    fc.assert(property, { seed: 5, numRuns: 500 })
    for (let size = 0; size <= 32; size++) {
      const value = (1n << BigInt(size * 8)) - 1n
      expect(rlpBigInt(rlpScalar(value), 32, 'value')).toBe(value)
    }
    expect(rlpScalar(0).length).toBe(0)
    expect(rlpScalar(Number.MAX_SAFE_INTEGER)).toEqual(rlpScalar(2n ** 53n - 1n))
  })

  test('have no leading zeros, fit their size and are not lists', () => {
    expect(() => rlpBigInt(Uint8Array.of(0, 1), 32, 'value')).toThrowError(invalid)
    expect(() => rlpBigInt(Uint8Array.of(0), 32, 'value')).toThrowError(invalid)
    expect(() => rlpBigInt([], 32, 'value')).toThrowError(invalid)
    expect(() => rlpNumber(rlpScalar(2n ** 53n), 'height')).toThrowError(invalid)
    expect(rlpNumber(rlpScalar(2n ** 53n - 1n), 'height')).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => rlpFixed(Uint8Array.of(1), 2, 'hash')).toThrowError(invalid)
    expect(() => rlpList(undefined, 'list')).toThrowError(invalid)
  })
})
