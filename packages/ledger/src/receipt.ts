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
  writeReceipt(receipt, receipt.logsBloom)
  return writer.take()
}

/**
 * The receipt of a transaction that was run, and its bytes, of which its filter is a view: one piece of
 * memory. Adds the bits of the logs to the filter of the block, too.
 */
export function createReceipt(
  fields: Omit<Receipt, 'logsBloom'>,
  blockBloom: Uint8Array,
): { receipt: Receipt; encoded: Uint8Array } {
  const { type, status, cumulativeGasUsed, logs } = fields
  passingBloom.fill(0)
  addLogs(logs, passingBloom, blockBloom)
  const behindBloom = writeReceipt(fields, passingBloom)
  const encoded = writer.take()
  const bloomEnd = encoded.length - behindBloom
  const logsBloom = encoded.subarray(bloomEnd - BLOOM_BYTES, bloomEnd)
  return { receipt: { type, status, cumulativeGasUsed, logsBloom, logs }, encoded }
}

/** The filter of a receipt until it lies in the receipt's bytes. */
const passingBloom = new Uint8Array(BLOOM_BYTES)

/** Returns how many bytes follow the filter. */
function writeReceipt(
  { type, status, cumulativeGasUsed, logs }: Omit<Receipt, 'logsBloom'>,
  logsBloom: Uint8Array,
): number {
  writeLogs(logs)
  writer.closeList(0)
  const behindBloom = writer.size()
  writer.string(logsBloom)
  writer.integer(cumulativeGasUsed)
  if (typeof status === 'number') writer.integer(status)
  else writer.hex(status)
  writer.closeList(0)
  if (type !== 0) writer.byte(type)
  return behindBloom
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
  addLogs(logs, bloom, bloom)
  return bloom
}

/** Sets the bits of all addresses and topics of the logs in two filters. */
function addLogs(logs: readonly Log[], bloom: Uint8Array, other: Uint8Array): void {
  for (const { address, topics } of logs) {
    addEntry(address, bloom, other)
    for (let i = 0; i < topics.length; i++) addEntry(topics[i]!, bloom, other)
  }
}

function addEntry(entry: Hex, bloom: Uint8Array, other: Uint8Array): void {
  const from = knownAt(entry)
  for (let i = from; i < from + 3; i++) {
    const bit = knownBits[i]!
    const at = BLOOM_BYTES - 1 - (bit >> 3)
    const mask = 1 << (bit & 7)
    bloom[at]! |= mask
    other[at]! |= mask
  }
}

// Bits of entries seen of late: events repeat their contract, their kind and the busy. When there is no
// more room all are forgotten, which costs less than to forget the oldest each time.
const KNOWN_MAX = 4_096
const known = new Map<Hex, number>()
const knownBits = new Uint16Array(3 * KNOWN_MAX)
const digest = new Uint8Array(32)

/** Where in `knownBits` the three bits of an address or topic are. */
function knownAt(entry: Hex): number {
  const found = known.get(entry)
  if (found !== undefined) return found
  if (known.size === KNOWN_MAX) known.clear()
  const at = 3 * known.size
  known.set(entry, at)
  hashHexInto(entry, digest, 0)
  for (let i = 0; i < 3; i++) knownBits[at + i] = bitAt(digest, 2 * i)
  return at
}

type BloomBits = readonly [number, number, number]

function bitAt(hash: Uint8Array, i: number): number {
  return ((hash[i]! & 7) << 8) | hash[i + 1]!
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
  const hash = keccak256(entry)
  return [bitAt(hash, 0), bitAt(hash, 2), bitAt(hash, 4)]
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
