/** Looking for logs: by place, address and topics, blooms first. */

import { type Address, type Hash, hexToBytes } from '@vellum/evm'
import { bloomBits, type Log, testBloom } from '@vellum/ledger'
import type { ChainReader } from './backend.ts'
import { formatLog, placeIn } from './format.ts'
import type { JsonText } from './json.ts'

/** What a log must have. An empty list admits everything. */
export interface LogCriteria {
  /** Any one of these. */
  readonly addresses: readonly Address[]
  /** Position by position, any one of these; positions beyond the list are free. At most 4. */
  readonly topics: readonly (readonly Hash[])[]
}

/** What eth_getLogs and eth_newFilter ask. Heights as the client named them: `undefined`, the head. */
export type LogQuery =
  | { readonly type: 'block'; readonly hash: Hash; readonly criteria: LogCriteria }
  | {
      readonly type: 'range'
      readonly from: number | undefined
      readonly to: number | undefined
      readonly criteria: LogCriteria
    }

/** The criteria with the bloom bits of each address and topic, hashed once. */
export interface LogMatcher {
  /** False: no log of the block fits. True: one may. */
  mayMatch(bloom: Uint8Array): boolean
  matches(log: Log): boolean
}

export function createLogMatcher({ addresses, topics }: LogCriteria): LogMatcher {
  const wanted = [addresses, ...topics]
    .filter((choices) => choices.length > 0)
    .map((choices) => choices.map((choice) => bloomBits(hexToBytes(choice))))
  const addressSet = new Set(addresses)
  const topicSets = topics.map((choices) => new Set(choices))
  return {
    mayMatch: (bloom) => wanted.every((choices) => choices.some((bits) => testBloom(bloom, bits))),
    matches: (log) =>
      (addressSet.size === 0 || addressSet.has(log.address)) &&
      topicSets.length <= log.topics.length &&
      topicSets.every((choices, i) => choices.size === 0 || choices.has(log.topics[i]!)),
  }
}

/** The logs of one block that fit, as JSON texts in their order. */
export function logsOfBlock(chain: ChainReader, height: number, matcher: LogMatcher): JsonText[] {
  const sealed = chain.header(height)
  if (sealed === undefined || !matcher.mayMatch(sealed.header.logsBloom)) return []
  const block = chain.block(height)
  const receipts = chain.receipts(height)
  if (block === undefined || receipts === undefined) return []
  const found: JsonText[] = []
  let logIndex = 0
  receipts.forEach((receipt, i) => {
    const { hash } = block.transactions[i]!
    for (const log of receipt.logs) {
      if (matcher.matches(log)) found.push(formatLog(log, placeIn(block, i), hash, logIndex))
      logIndex++
    }
  })
  return found
}
