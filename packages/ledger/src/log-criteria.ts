/** What a client looks for in logs, and whether a log has it. */

import { type Address, type Hash, hexToBytes, type Log } from '@vellum/evm'
import { bloomBits, testBloom } from './receipt.ts'

/** What a log must have. An empty list admits everything. */
export interface LogCriteria {
  /** Any one of these. */
  readonly addresses: readonly Address[]
  /** Position by position, any one of these; positions beyond the list are free. At most 4. */
  readonly topics: readonly (readonly Hash[])[]
}

/** The criteria with the bloom bits of each address and topic, hashed once. */
export interface LogMatcher {
  /** False: no log under this filter fits. True: one may. */
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
