/** Receipts, logs and their bloom filter (yellow paper 4.3.1, EIP-658, EIP-2718). */

import { bytesToHex, concatBytes, type Hash, hexToBytes, keccak256, type Log } from '@vellum/evm'
import { LedgerError } from './error.ts'
import {
  decodeRlp,
  encodeRlp,
  type RlpItem,
  rlpBigInt,
  rlpBytes,
  rlpFixed,
  rlpList,
  rlpScalar,
} from './rlp.ts'
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

/** Bytes of a bloom filter: 2,048 bits. */
export const BLOOM_BYTES = 256

/** EIP-2718 bytes of a receipt: what the receipts root commits to. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const status =
    typeof receipt.status === 'number' ? rlpScalar(receipt.status) : hexToBytes(receipt.status)
  const payload = encodeRlp([
    status,
    rlpScalar(receipt.cumulativeGasUsed),
    receipt.logsBloom,
    receipt.logs.map(logItem),
  ])
  return receipt.type === 0 ? payload : concatBytes(Uint8Array.of(receipt.type), payload)
}

/** RLP of a list of logs. */
export function encodeLogs(logs: readonly Log[]): Uint8Array {
  return encodeRlp(logs.map(logItem))
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
    addToBloom(bloom, hexToBytes(log.address))
    for (const topic of log.topics) addToBloom(bloom, hexToBytes(topic))
  }
  return bloom
}

/** Sets the three bits of an address or topic in the filter. */
export function addToBloom(bloom: Uint8Array, entry: Uint8Array): void {
  const hash = keccak256(entry)
  for (let i = 0; i < 6; i += 2) {
    const bit = ((hash[i]! & 7) << 8) | hash[i + 1]!
    bloom[BLOOM_BYTES - 1 - (bit >> 3)]! |= 1 << (bit & 7)
  }
}

/** The bits of an address or topic, to test many filters against: hash once, look often. */
export function bloomBits(entry: Uint8Array): readonly [number, number, number] {
  const hash = keccak256(entry)
  const bit = (i: number): number => ((hash[i]! & 7) << 8) | hash[i + 1]!
  return [bit(0), bit(2), bit(4)]
}

/** False: the entry is surely not in the filter. True: it may be. */
export function testBloom(bloom: Uint8Array, bits: readonly [number, number, number]): boolean {
  for (const bit of bits) {
    if ((bloom[BLOOM_BYTES - 1 - (bit >> 3)]! & (1 << (bit & 7))) === 0) return false
  }
  return true
}

/** Adds all bits of `from` to `into`. */
export function mergeBloom(into: Uint8Array, from: Uint8Array): void {
  for (let i = 0; i < BLOOM_BYTES; i++) into[i]! |= from[i]!
}

function logItem(log: Log): RlpItem {
  return [hexToBytes(log.address), log.topics.map(hexToBytes), log.data]
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
