/** Receipts, logs and their bloom filter (yellow paper 4.3.1, EIP-658, EIP-2718). */

import { bytesToHex, type Hash, type Hex, hashHexInto, keccak256, type Log } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { decodeRlp, type RlpItem, rlpBigInt, rlpBytes, rlpFixed, rlpList } from './rlp.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'
import type { TransactionType } from './transaction.ts'

export type { Log } from '@vellum/evm'

export interface Receipt {
  readonly type: TransactionType
  /** 1 success, 0 failure; the state root after the transaction before Byzantium (EIP-658). */
  readonly status: 0 | 1 | Hash
  /** Gas used in the block up to and with this transaction. */
  readonly cumulativeGasUsed: bigint
  /** 256 bytes. */
  readonly logsBloom: Uint8Array
  readonly logs: readonly Log[]
}

const writer: RlpWriter = createRlpWriter()

/** Bytes of a bloom filter: 2,048 bits. */
export const BLOOM_BYTES = 256

/** EIP-2718 bytes of a receipt: what the receipts root commits to. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const logs = writer.size()
  writeLogs(receipt.logs)
  writer.closeList(logs)
  writer.string(receipt.logsBloom)
  writer.integer(receipt.cumulativeGasUsed)
  if (typeof receipt.status === 'number') writer.integer(receipt.status)
  else writer.hex(receipt.status)
  writer.closeList(0)
  if (receipt.type !== 0) writer.byte(receipt.type)
  return writer.take()
}

/** RLP of a list of logs. */
export function encodeLogs(logs: readonly Log[]): Uint8Array {
  writeLogs(logs)
  writer.closeList(0)
  return writer.take()
}

function writeLogs(logs: readonly Log[]): void {
  for (let i = logs.length - 1; i >= 0; i--) {
    const { address, topics, data } = logs[i]!
    const end = writer.size()
    writer.string(data)
    const topicsEnd = writer.size()
    for (let j = topics.length - 1; j >= 0; j--) writer.hex(topics[j]!)
    writer.closeList(topicsEnd)
    writer.hex(address)
    writer.closeList(end)
  }
}

/**
 * Decodes EIP-2718 receipt bytes. The bloom is taken as it stands, not recomputed.
 * @throws LedgerError LEDGER_RLP_INVALID or LEDGER_RECEIPT_INVALID
 */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  const first = bytes[0] ?? 0
  const typed = first < 0xc0
  if (typed && (first < 1 || first > 4)) throw invalid(`unknown receipt type ${first}`)
  const items = rlpList(decodeRlp(typed ? bytes.subarray(1) : bytes), 'receipt')
  if (items.length !== 4) throw invalid('a receipt must have 4 items')
  return {
    type: (typed ? first : 0) as TransactionType,
    status: decodeStatus(rlpBytes(items[0], 'status')),
    cumulativeGasUsed: rlpBigInt(items[1], 8, 'cumulativeGasUsed'),
    logsBloom: rlpFixed(items[2], BLOOM_BYTES, 'logsBloom'),
    logs: rlpList(items[3], 'logs').map(decodeLog),
  }
}

/** The filter of all addresses and topics of the logs. */
export function bloomOfLogs(logs: readonly Log[]): Uint8Array {
  const bloom = new Uint8Array(BLOOM_BYTES)
  for (const log of logs) {
    setBits(bloom, knownBits(log.address))
    for (const topic of log.topics) setBits(bloom, knownBits(topic))
  }
  return bloom
}

type BloomBits = readonly [number, number, number]

/** Bits of entries seen of late: events repeat their contract, their kind and the busy. */
const known = new Map<Hex, BloomBits>()
const KNOWN_MAX = 4_096
const digest = new Uint8Array(32)

function knownBits(entry: Hex): BloomBits {
  const found = known.get(entry)
  if (found !== undefined) return found
  hashHexInto(entry, digest, 0)
  const bits = bitsOf(digest)
  if (known.size === KNOWN_MAX) known.clear()
  known.set(entry, bits)
  return bits
}

function bitsOf(hash: Uint8Array): BloomBits {
  const bit = (i: number): number => ((hash[i]! & 7) << 8) | hash[i + 1]!
  return [bit(0), bit(2), bit(4)]
}

function setBits(bloom: Uint8Array, bits: BloomBits): void {
  for (let i = 0; i < 3; i++) {
    const bit = bits[i]!
    bloom[BLOOM_BYTES - 1 - (bit >> 3)]! |= 1 << (bit & 7)
  }
}

/** Sets the three bits of an address or topic in the filter. */
export function addToBloom(bloom: Uint8Array, entry: Uint8Array): void {
  setBits(bloom, bloomBits(entry))
}

/** The bits of an address or topic, to test many filters against: hash once, look often. */
export function bloomBits(entry: Uint8Array): BloomBits {
  return bitsOf(keccak256(entry))
}

/** False: the entry is surely not in the filter. True: it may be. */
export function testBloom(bloom: Uint8Array, bits: BloomBits): boolean {
  for (const bit of bits) {
    if ((bloom[BLOOM_BYTES - 1 - (bit >> 3)]! & (1 << (bit & 7))) === 0) return false
  }
  return true
}

/** Adds all bits of `from` to `into`. */
export function mergeBloom(into: Uint8Array, from: Uint8Array): void {
  for (let i = 0; i < BLOOM_BYTES; i++) into[i]! |= from[i]!
}

function decodeLog(item: RlpItem): Log {
  const parts = rlpList(item, 'log')
  if (parts.length !== 3) throw invalid('a log must have 3 items')
  const topics = rlpList(parts[1], 'topics')
  if (topics.length > 4) throw invalid('a log must have at most 4 topics')
  return {
    address: bytesToHex(rlpFixed(parts[0], 20, 'log address')),
    topics: topics.map((topic) => bytesToHex(rlpFixed(topic, 32, 'topic'))),
    data: rlpBytes(parts[2], 'log data'),
  }
}

function decodeStatus(bytes: Uint8Array): 0 | 1 | Hash {
  if (bytes.length === 32) return bytesToHex(bytes)
  if (bytes.length === 0) return 0
  if (bytes.length === 1 && bytes[0] === 1) return 1
  throw invalid('status must be 0, 1 or a state root')
}

function invalid(message: string): LedgerError {
  return new LedgerError('LEDGER_RECEIPT_INVALID', message)
}
