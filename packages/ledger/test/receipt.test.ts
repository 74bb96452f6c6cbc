import { bigIntToBytes, bytesToHex, equalBytes, type Hash, hexToBytes } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LedgerError } from '../src/error.ts'
import {
  addToBloom,
  BLOOM_BYTES,
  bloomBits,
  bloomOfLogs,
  createReceipt,
  decodeReceipt,
  encodeReceipt,
  type Log,
  mergeBloom,
  type Receipt,
  testBloom,
} from '../src/receipt.ts'
import type { TransactionType } from '../src/transaction.ts'

const hexOf = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => bytesToHex(bytes) as Hash)
const log: fc.Arbitrary<Log> = fc.record({
  address: hexOf(20),
  topics: fc.array(hexOf(32), { maxLength: 4 }),
  data: fc.uint8Array({ maxLength: 80 }),
})
const receipt: fc.Arbitrary<Receipt> = fc.record({
  type: fc.constantFrom<TransactionType>(0, 1, 2, 3, 4),
  status: fc.oneof(fc.constantFrom<0 | 1>(0, 1), hexOf(32)),
  cumulativeGasUsed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  logsBloom: fc.uint8Array({ minLength: BLOOM_BYTES, maxLength: BLOOM_BYTES }),
  logs: fc.array(log, { maxLength: 4 }),
})

describe('receipts', () => {
  test('go there and back', () => {
    const property = fc.property(receipt, (value) => {
      expect(decodeReceipt(encodeReceipt(value))).toEqual(value)
    })
    fc.assert(property, { seed: 1, numRuns: 200 })
  })

  test('altered, are refused with a LedgerError or are another receipt', () => {
    const property = fc.property(
      receipt,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (value, at, x) => {
        const encoded = encodeReceipt(value)
        encoded[at % encoded.length]! ^= x
        let decoded: Receipt
        try {
          decoded = decodeReceipt(encoded)
        } catch (error) {
          expect(error).toBeInstanceOf(LedgerError)
          return
        }
        expect(bytesToHex(encodeReceipt(decoded))).toBe(bytesToHex(encoded))
      },
    )
    fc.assert(property, { seed: 2, numRuns: 1_000 })
  })
})

describe('bloom filters', () => {
  test('set the three bits that keccak256 of an entry names (yellow paper 4.3.1)', () => {
    // The bits follow from keccak256 of the entry:
    // keccak256('') = c5d2 4601 86f7 ..., and each pair's low 11 bits name a bit from the right.
    const bloom = new Uint8Array(BLOOM_BYTES)
    addToBloom(bloom, new Uint8Array(0))
    const set = [0xc5d2, 0x4601, 0x86f7].map((pair) => pair & 0x7ff)
    const value = BigInt(bytesToHex(bloom))
    expect(value).toBe(set.reduce((all, bit) => all | (1n << BigInt(bit)), 0n))
  })

  test('never miss an entry, of a log or of merged filters', () => {
    const property = fc.property(fc.array(log, { maxLength: 6 }), (logs) => {
      const bloom = bloomOfLogs(logs)
      const merged = new Uint8Array(BLOOM_BYTES)
      for (const one of logs) mergeBloom(merged, bloomOfLogs([one]))
      expect(merged).toEqual(bloom)
      for (const { address, topics } of logs) {
        for (const entry of [address, ...topics]) {
          expect(testBloom(bloom, bloomBits(hexToBytes(entry)))).toBe(true)
        }
      }
    })
    fc.assert(property, { seed: 3, numRuns: 100 })
  })

  test('createReceipt: the filter is that of the logs, and lies in the bytes', () => {
    const address = bytesToHex(new Uint8Array(20).fill(7))
    const block = new Uint8Array(BLOOM_BYTES)
    const expected = new Uint8Array(BLOOM_BYTES)
    // More entries than are kept: each is hashed anew when it comes again.
    const topics = Array.from({ length: 5_000 }, (_, i) => bytesToHex(bigIntToBytes(BigInt(i), 32)))
    for (const topic of [...topics, ...topics.slice(0, 10)]) {
      const logs = [{ address, topics: [topic], data: new Uint8Array(3) }]
      const fields = { type: 2, status: 1, cumulativeGasUsed: 21_000n, logs } as const
      const { receipt, encoded } = createReceipt(fields, block)
      const slow = new Uint8Array(BLOOM_BYTES)
      addToBloom(slow, hexToBytes(address))
      addToBloom(slow, hexToBytes(topic))
      mergeBloom(expected, slow)
      if (!equalBytes(receipt.logsBloom, slow)) throw new Error(`the filter of ${topic} is wrong`)
      if (!equalBytes(encoded, encodeReceipt(receipt))) throw new Error('the bytes are wrong')
      if (!equalBytes(block, expected)) throw new Error('the filter of the block is wrong')
    }
  })

  test('refuse most of what is not there', () => {
    const topics = Array.from({ length: 4 }, (_, i) => `0x${i}`.padEnd(66, '0') as Hash)
    const bloom = bloomOfLogs([
      { address: `0x${'11'.repeat(20)}` as Hash, topics, data: new Uint8Array() },
    ])
    let hits = 0
    for (let i = 0; i < 1_000; i++) {
      if (testBloom(bloom, bloomBits(Uint8Array.of(i, i >> 8)))) hits += 1
    }
    expect(hits).toBeLessThan(5)
  })
})
