/** Looking for logs: what a client asks, and the logs of a block as it is told of them. */

import type { Hash } from '@vellum/evm'
import type { BlockLogs, LogCriteria, LogMatcher } from '@vellum/ledger'
import type { ChainReader } from './backend.ts'
import { formatLog, placeIn } from './format.ts'
import type { JsonText } from './json.ts'

/** What eth_getLogs and eth_newFilter ask. Heights as the client named them: `undefined`, the head. */
export type LogQuery =
  | { readonly type: 'block'; readonly hash: Hash; readonly criteria: LogCriteria }
  | {
      readonly type: 'range'
      readonly from: number | undefined
      readonly to: number | undefined
      readonly criteria: LogCriteria
    }

/** What an index found in one block, as JSON texts in their order. */
export function formatFound({ number, hash, timestamp, logs }: BlockLogs): JsonText[] {
  return logs.map(({ log, transactionIndex, transactionHash, logIndex }) =>
    formatLog(
      log,
      { blockHash: hash, blockNumber: number, timestamp, transactionIndex },
      transactionHash,
      logIndex,
    ),
  )
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
