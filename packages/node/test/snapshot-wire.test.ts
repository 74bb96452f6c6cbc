import { bytesToHex } from '@vellum/evm'
import { encodeRlp, LedgerError, rlpScalar } from '@vellum/ledger'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeEncodedItems,
  decodeRanges,
  decodeSnapshotAnswer,
  decodeSnapshotQuestion,
  decodeStrings,
  encodeEncodedItems,
  encodeRanges,
  encodeSnapshotQuestion,
  encodeSnapshotStatus,
  encodeStrings,
  SNAPSHOT_WIRE_LIMITS,
  type SnapshotQuestion,
} from '../src/snapshot-wire.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const hash = key.map(bytesToHex)
const height = fc.nat()
const state = fc.record({ height, root: hash })
const { ownersMax, codesMax, entriesMax, proofNodesMax } = SNAPSHOT_WIRE_LIMITS

const question: fc.Arbitrary<SnapshotQuestion> = fc.oneof(
  fc.record({ kind: fc.constant('headers' as const), after: height, count: height }),
  fc.record({ kind: fc.constant('accounts' as const), state, from: key, to: key }),
  fc.record({
    kind: fc.constant('storage' as const),
    state,
    owners: fc.array(key, { maxLength: ownersMax }),
    from: key,
  }),
  fc.record({
    kind: fc.constant('codes' as const),
    hashes: fc.array(hash, { maxLength: codesMax }),
  }),
  fc.record({ kind: fc.constant('receipts' as const), number: height }),
)
const value = fc.uint8Array({ minLength: 1, maxLength: 40 })
const ranges = fc.array(
  fc.record({
    entries: fc.array(fc.tuple(key, value), { maxLength: 5 }),
    end: key,
    proof: fc.array(value, { maxLength: 5 }),
  }),
  { maxLength: 4 },
)

describe('questions and answers of the snapshot', () => {
  test('questions come back as they were, and fit what a peer takes', () => {
    const property = fc.property(question, (asked) => {
      const bytes = encodeSnapshotQuestion(asked)
      expect(decodeSnapshotQuestion(bytes)).toEqual(asked)
      expect(bytes.length).toBeLessThanOrEqual(4_096)
    })
    fc.assert(property, { seed: 1, numRuns: 500 })
  })

  test('answers come back as they were', () => {
    const property = fc.property(ranges, fc.array(value, { maxLength: 9 }), (many, strings) => {
      const content = (answer: Uint8Array): Uint8Array => {
        const { status, content: inner } = decodeSnapshotAnswer(answer)
        expect(status).toBe('found')
        return inner
      }
      expect(decodeRanges(content(encodeRanges(many)), 4)).toEqual(many)
      expect(decodeStrings(content(encodeStrings(strings)), 9)).toEqual(strings)
      const items = strings.map((each) => encodeRlp([each]))
      expect(decodeEncodedItems(content(encodeEncodedItems(items)), 9)).toEqual(items)
    })
    fc.assert(property, { seed: 2, numRuns: 300 })
    for (const status of ['unheld', 'busy'] as const) {
      expect(decodeSnapshotAnswer(encodeSnapshotStatus(status)).status).toBe(status)
    }
  })

  test('any other bytes are refused, and nothing else happens', () => {
    const decoders = [
      decodeSnapshotQuestion,
      decodeSnapshotAnswer,
      (bytes: Uint8Array) => decodeRanges(bytes, 4),
      (bytes: Uint8Array) => decodeStrings(bytes, 4),
      (bytes: Uint8Array) => decodeEncodedItems(bytes, 4),
    ]
    const rlp = fc.letrec((tie) => ({
      item: fc.oneof({ depthSize: 'small' }, fc.uint8Array({ maxLength: 33 }), tie('list')),
      list: fc.array(tie('item'), { maxLength: 6 }),
    }))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      rlp.item.map((item) => encodeRlp(item as Uint8Array)),
    )
    const property = fc.property(bytes, (each) => {
      for (const decode of decoders) {
        try {
          decode(each)
        } catch (error) {
          expect(error).toBeInstanceOf(LedgerError)
        }
      }
    })
    fc.assert(property, { seed: 3, numRuns: 3_000 })
  })

  test('more than there may be is refused', () => {
    const refused = expect.objectContaining({ code: 'LEDGER_RLP_INVALID' })
    const one = new Uint8Array(32)
    const many = (count: number): Uint8Array[] => Array.from({ length: count }, () => one)
    const owners = {
      kind: 'storage',
      state: { height: 1, root: bytesToHex(one) },
      from: one,
    } as const
    const tooMany: Uint8Array[] = [
      encodeSnapshotQuestion({ ...owners, owners: many(ownersMax + 1) }),
      encodeSnapshotQuestion({ kind: 'codes', hashes: many(codesMax + 1).map(bytesToHex) }),
      encodeRlp([rlpScalar(9)]),
      encodeRlp([rlpScalar(0), rlpScalar(1)]),
    ]
    for (const bytes of tooMany) expect(() => decodeSnapshotQuestion(bytes)).toThrow(refused)
    const range = { entries: [], end: one, proof: [] }
    for (const altered of [
      { ...range, entries: many(entriesMax + 1).map((each) => [each, each] as const) },
      { ...range, proof: many(proofNodesMax + 1) },
    ]) {
      const { content } = decodeSnapshotAnswer(encodeRanges([altered]))
      expect(() => decodeRanges(content, 1)).toThrow(refused)
    }
    const { content } = decodeSnapshotAnswer(encodeRanges([range, range]))
    expect(() => decodeRanges(content, 1)).toThrow(refused)
    expect(() => decodeSnapshotAnswer(encodeRlp([rlpScalar(3)]))).toThrow(refused)
    expect(() => decodeSnapshotAnswer(encodeRlp([rlpScalar(1), one]))).toThrow(refused)
  })
})
