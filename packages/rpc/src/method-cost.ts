/**
 * What a call costs of its client's budget, in tokens, beside the time that it takes. Set by what one
 * call can make the node do at most: read a row, a block, or many.
 */

import { namespaceOf } from './access.ts'

/** Reading a few rows. */
const ORDINARY = 1
/** From here on a call may hold the event loop for long: few of them run at one time. */
const HEAVY = 5

const COSTS: ReadonlyMap<string, number> = new Map([
  ['eth_getBlockByHash', 2],
  ['eth_getBlockByNumber', 2],
  ['eth_sendRawTransaction', 2],
  ['eth_sendRawTransactionSync', 2],
  ['eth_getFilterChanges', 2],
  ['eth_subscribe', 2],
  ['txpool_contentFrom', 2],
  ['eth_call', HEAVY],
  ['eth_getBlockReceipts', HEAVY],
  ['eth_getProof', HEAVY],
  ['eth_getStorageValues', HEAVY],
  ['eth_feeHistory', HEAVY],
  ['qbft_getSignerMetrics', HEAVY],
  ['peg_getProof', HEAVY],
  ['peg_status', HEAVY],
  ['peg_getMessage', 10],
  ['peg_audit', 20],
  ['eth_createAccessList', 10],
  ['eth_estimateGas', 10],
  ['eth_getFilterLogs', 10],
  ['eth_getLogs', 10],
  ['eth_simulateV1', 20],
  ['txpool_content', 20],
  ['txpool_inspect', 20],
])
/** Those of a namespace that are not named above. */
const COSTS_OF_NAMESPACES: ReadonlyMap<string, number> = new Map([
  ['debug', 20],
  ['testing', 20],
])

/** Tokens of a call. @returns at least 1 */
export function costOf(method: string): number {
  return COSTS.get(method) ?? COSTS_OF_NAMESPACES.get(namespaceOf(method)) ?? ORDINARY
}

/** True if the call may take long. @param cost as `costOf` gives it */
export function isHeavy(cost: number): boolean {
  return cost >= HEAVY
}
