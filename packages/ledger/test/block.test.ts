import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bytesToHex, type Hash } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Block,
  decodeBlock,
  decodeBody,
  decodeHeader,
  encodeBlock,
  encodeBody,
  encodeHeader,
  type Header,
  keccakHeaderHash,
  ommersHash,
  transactionsRoot,
  withdrawalsRoot,
} from '../src/block.ts'
import { createSecp256k1 } from '../src/crypto.ts'
import { LedgerError } from '../src/error.ts'
import {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  type RlpItem,
  rlpList,
  splitRlpList,
  splitRlpSequence,
} from '../src/rlp.ts'
import { recoverSender, type UnrecoveredTransaction } from '../src/transaction.ts'

const crypto = createSecp256k1()
const COLLECTION = fileURLToPath(new URL('../../../../shared/conformance', import.meta.url))

const itemsOf = (header: Header): readonly RlpItem[] =>
  rlpList(decodeRlp(encodeHeader(header)), 'header')

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => bytesToHex(bytes) as Hash)
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const uint256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
const TAIL = [
  'baseFeePerGas',
  'withdrawalsRoot',
  'blobGasUsed',
  'excessBlobGas',
  'parentBeaconBlockRoot',
  'requestsHash',
] as const

/** Headers with each length of tail that a fork gives: 0, 1, 2, 5 and 6 fields. */
const header: fc.Arbitrary<Header> = fc
  .record({
    parentHash: hash,
    ommersHash: hash,
    coinbase: fc.uint8Array({ minLength: 20, maxLength: 20 }).map(bytesToHex),
    stateRoot: hash,
    transactionsRoot: hash,
    receiptsRoot: hash,
    logsBloom: fc.uint8Array({ minLength: 256, maxLength: 256 }),
    difficulty: uint256,
    number: fc.maxSafeNat(),
    gasLimit: uint64,
    gasUsed: uint64,
    timestamp: fc.maxSafeNat(),
    extraData: fc.uint8Array({ maxLength: 100 }),
    mixHash: hash,
    nonce: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    baseFeePerGas: uint256,
    withdrawalsRoot: hash,
    blobGasUsed: uint64,
    excessBlobGas: uint64,
    parentBeaconBlockRoot: hash,
    requestsHash: hash,
    tail: fc.constantFrom(0, 1, 2, 5, 6),
  })
  .map(({ tail, ...all }) => ({
    ...all,
    ...Object.fromEntries(TAIL.slice(tail).map((field) => [field, undefined])),
  }))

const [SAMPLE] = fc.sample(header, { seed: 9, numRuns: 1 })

describe('headers', () => {
  test('go there and back, with every tail', () => {
    const property = fc.property(header, (value) => {
      expect(decodeHeader(encodeHeader(value))).toEqual(value)
    })
    fc.assert(property, { seed: 1, numRuns: 200 })
  })

  test('altered, are refused with a LedgerError or stay canonical', () => {
    const property = fc.property(
      header,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (value, at, x) => {
        const encoded = encodeHeader(value)
        encoded[at % encoded.length]! ^= x
        let decoded: Header
        try {
          decoded = decodeHeader(encoded)
        } catch (error) {
          expect(error).toBeInstanceOf(LedgerError)
          return
        }
        expect(bytesToHex(encodeHeader(decoded))).toBe(bytesToHex(encoded))
      },
    )
    fc.assert(property, { seed: 2, numRuns: 1_000 })
  })

  test('with a field missing in the tail are not encoded', () => {
    const gap = { ...SAMPLE!, baseFeePerGas: undefined, withdrawalsRoot: SAMPLE!.parentHash }
    expect(() => encodeHeader(gap)).toThrowError(
      expect.objectContaining({ code: 'LEDGER_HEADER_INVALID' }),
    )
  })

  test('with a number of items that no fork has are refused', () => {
    const full = itemsOf({
      ...SAMPLE!,
      baseFeePerGas: 1n,
      withdrawalsRoot: SAMPLE!.parentHash,
      blobGasUsed: 0n,
      excessBlobGas: 0n,
      parentBeaconBlockRoot: SAMPLE!.parentHash,
      requestsHash: SAMPLE!.parentHash,
    })
    for (const count of [14, 18, 19, 22]) {
      const items = [...full, new Uint8Array(32)].slice(0, count)
      expect(() => decodeHeader(encodeRlp(items)), `${count} items`).toThrowError(
        expect.objectContaining({ code: 'LEDGER_HEADER_INVALID' }),
      )
    }
  })

  test('with a height or time that a number cannot hold are refused', () => {
    const items = itemsOf(SAMPLE!)
    for (const index of [8, 11]) {
      const large = items.with(index, Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0))
      expect(() => decodeHeader(encodeRlp(large))).toThrowError(LedgerError)
    }
  })
})

describe('blocks', () => {
  const parts = (header: Header): Uint8Array[] => [
    encodeHeader(header),
    Uint8Array.of(0xc0),
    Uint8Array.of(0xc0),
  ]

  test('have three or four items, bodies two or three', () => {
    expect(decodeBlock(encodeRlpList(parts(SAMPLE!))).withdrawals).toBeUndefined()
    const four = [...parts(SAMPLE!), Uint8Array.of(0xc0)]
    expect(decodeBlock(encodeRlpList(four)).withdrawals).toEqual([])
    for (const wrong of [parts(SAMPLE!).slice(0, 2), [...four, Uint8Array.of(0xc0)]]) {
      expect(() => decodeBlock(encodeRlpList(wrong))).toThrowError(
        expect.objectContaining({ code: 'LEDGER_BLOCK_INVALID' }),
      )
    }
    expect(() => decodeBody(encodeRlpList([Uint8Array.of(0xc0)]))).toThrowError(LedgerError)
  })

  test('refuse a legacy transaction that is wrapped in a byte string', () => {
    const list = encodeRlp([Uint8Array.of(1)])
    const wrapped = encodeRlp([encodeRlp([list, list])])
    const block = encodeRlpList([encodeHeader(SAMPLE!), wrapped, Uint8Array.of(0xc0)])
    expect(() => decodeBlock(block)).toThrowError(
      expect.objectContaining({ code: 'LEDGER_BLOCK_INVALID' }),
    )
  })

  test('decode arbitrary bytes to a LedgerError', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(() => decodeBlock(bytes)).toThrowError(LedgerError)
    })
    fc.assert(property, { seed: 3, numRuns: 2_000 })
  })
})

// The chains lie beside the repository and are not part of it.
describe.skipIf(!existsSync(COLLECTION)).for([
  ['a chain through every fork', 'rpc-compat/main/chain.rlp', 54],
  ['a chain that starts at Cancun', 'rpc-compat/cancun-genesis/chain.rlp', 20],
  ['a chain that starts at London', 'rpc-compat/london-genesis/chain.rlp', 3],
  ['a chain of Frontier, Shanghai and Cancun', 'besu-jsonrpc/eth-chain/chain.rlp', 35],
] as const)('%s', ([, path, count]) => {
  const blocks = (): [Uint8Array, Block<UnrecoveredTransaction>][] =>
    splitRlpSequence(readFileSync(`${COLLECTION}/${path}`)).map((bytes) => [
      bytes,
      decodeBlock(bytes),
    ])

  test('decodes, encodes back byte for byte, and links by hash', () => {
    const all = blocks()
    expect(all.length).toBe(count)
    all.forEach(([bytes, block], i) => {
      expect(bytesToHex(encodeBlock(block))).toBe(bytesToHex(bytes))
      const body = encodeBody(block)
      expect(bytesToHex(body)).toBe(bytesToHex(encodeRlpList(splitRlpList(bytes).slice(1))))
      expect(encodeBody(decodeBody(body))).toEqual(body)
      const parent = all[i - 1]?.[1]
      if (parent !== undefined) {
        expect(block.header.parentHash).toBe(keccakHeaderHash(parent.header))
        expect(block.header.number).toBe(parent.header.number + 1)
      }
    })
  })

  test('commits to its transactions, ommers and withdrawals by the roots that we compute', () => {
    for (const [, block] of blocks()) {
      const { header, transactions, ommers, withdrawals } = block
      expect(transactionsRoot(transactions)).toBe(header.transactionsRoot)
      expect(ommersHash(ommers)).toBe(header.ommersHash)
      expect(withdrawals && withdrawalsRoot(withdrawals)).toBe(header.withdrawalsRoot)
      for (const transaction of transactions) {
        expect(recoverSender(transaction, crypto).sender).toMatch(/^0x[0-9a-f]{40}$/)
      }
    }
  })
})
