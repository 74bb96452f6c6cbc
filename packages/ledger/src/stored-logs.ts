/**
 * The logs of one block out of its records, without decoding what is not wanted: of a block of 500
 * receipts a query mostly wants one.
 */

import { type Hash, keccak256Hex } from '@vellum/evm'
import type { LogMatcher } from './log-criteria.ts'
import { ANY_LOG, addressKey, addressKeyAt, type LogKey, topicKey, topicKeyAt } from './log-key.ts'
import { BLOOM_BYTES, decodeReceipt, type Log, type Receipt } from './receipt.ts'
import { plainBytes, rlpBytesAt, rlpListPositions, splitRlpList } from './rlp.ts'

/** A log and where in its block it stands. */
export interface FoundLog {
  readonly log: Log
  readonly transactionIndex: number
  /** Position among all logs of the block. */
  readonly logIndex: number
}

/** Calls `add` with each key that the logs of a block have, some of them more than once. */
export function keysOfReceipts(receipts: readonly Receipt[], add: (key: LogKey) => void): void {
  let isAny = false
  for (const { logs } of receipts) {
    for (const { address, topics } of logs) {
      isAny = true
      add(addressKey(address))
      for (let i = 0; i < topics.length; i++) add(topicKey(topics[i]!, i))
    }
  }
  if (isAny) add(ANY_LOG)
}

/**
 * The same out of the record of receipts.
 * @throws LedgerError LEDGER_RLP_INVALID if it is none
 */
export function keysOfRecord(record: Uint8Array, add: (key: LogKey) => void): void {
  let isAny = false
  eachReceipt(record, (receipt, positions) => {
    const logs = receipt.subarray(positions[3]!)
    eachItem(logs, (log) => {
      isAny = true
      const [address, topics, data] = rlpListPositions(log)
      add(addressKeyAt(rlpBytesAt(log, address!, topics!, 'address'), 0))
      let position = 0
      eachItem(log.subarray(topics, data), (topic) => {
        add(topicKeyAt(rlpBytesAt(topic, 0, topic.length, 'topic'), 0, position++))
      })
    })
  })
  if (isAny) add(ANY_LOG)
}

/** The logs that fit, in their order. */
export function findLogs(receipts: readonly Receipt[], matcher: LogMatcher): FoundLog[] {
  const found: FoundLog[] = []
  let logIndex = 0
  for (let transactionIndex = 0; transactionIndex < receipts.length; transactionIndex++) {
    const { logs, logsBloom } = receipts[transactionIndex]!
    if (logs.length > 0 && matcher.mayMatch(logsBloom)) {
      logs.forEach((log, i) => {
        if (matcher.matches(log)) found.push({ log, transactionIndex, logIndex: logIndex + i })
      })
    }
    logIndex += logs.length
  }
  return found
}

/**
 * The same out of the record of receipts, of which only those that may fit are decoded.
 * @param record the record of the block's receipts
 * @throws LedgerError LEDGER_RLP_INVALID or LEDGER_RECEIPT_INVALID if it is none
 */
export function findLogsInRecord(record: Uint8Array, matcher: LogMatcher): FoundLog[] {
  const found: FoundLog[] = []
  let transactionIndex = 0
  let logIndex = 0
  eachReceipt(record, (receipt, positions, encoded) => {
    const bloom = rlpBytesAt(receipt, positions[2]!, positions[2]! + BLOOM_HEAD + BLOOM_BYTES, '')
    if (!matcher.mayMatch(bloom)) {
      logIndex += rlpListPositions(receipt.subarray(positions[3]!)).length - 1
    } else {
      for (const log of decodeReceipt(encoded.slice()).logs) {
        if (matcher.matches(log)) found.push({ log, transactionIndex, logIndex })
        logIndex += 1
      }
    }
    transactionIndex += 1
  })
  return found
}

/** Bytes before a string of 256. */
const BLOOM_HEAD = 3

/** Hashes of some transactions of a body. @param body the record of the block's body */
export function hashesInBody(body: Uint8Array, indexes: readonly number[]): Hash[] {
  const encoded = splitRlpList(splitRlpList(body)[0]!)
  return indexes.map((index) => {
    const item = encoded[index]!
    // A legacy transaction is a list, a typed one a string that holds it.
    return keccak256Hex(item[0]! >= 0xc0 ? item : rlpBytesAt(item, 0, item.length, 'transaction'))
  })
}

/** Each receipt as its list of four, where its items begin, and as it was encoded. */
function eachReceipt(
  record: Uint8Array,
  visit: (receipt: Uint8Array, positions: readonly number[], encoded: Uint8Array) => void,
): void {
  eachItem(plainBytes(record), (item) => {
    const encoded = rlpBytesAt(item, 0, item.length, 'receipt')
    const receipt = encoded[0]! < 0xc0 ? encoded.subarray(1) : encoded
    visit(receipt, rlpListPositions(receipt), encoded)
  })
}

function eachItem(list: Uint8Array, visit: (item: Uint8Array) => void): void {
  const positions = rlpListPositions(list)
  for (let i = 0; i + 1 < positions.length; i++) {
    visit(list.subarray(positions[i], positions[i + 1]))
  }
}
