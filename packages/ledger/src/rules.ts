/** The rules of each block of a chain, from its genesis. */

import type { Address } from '@vellum/evm'
import { blobScheduleAt, forkAt } from './fork-schedule.ts'
import type { Genesis } from './genesis.ts'
import type { BlockRules } from './validate.ts'

export interface ChainRules extends BlockRules {
  /** Whose events are deposits (EIP-6110). */
  readonly depositContract: Address | undefined
}

/**
 * Rules of the block with this number and timestamp (seconds).
 * @param mergedAt first block without proof of work, where the schedule does not name it
 */
export function blockRules(
  genesis: Genesis,
  number: number,
  timestamp: number,
  mergedAt?: number,
): ChainRules {
  const { schedule, qbft, chainId, zeroBaseFee, depositContract, permissionContract } = genesis
  const fork = forkAt(schedule, number, timestamp, mergedAt)
  return {
    fork,
    chainId,
    blobSchedule: blobScheduleAt(schedule, timestamp),
    zeroBaseFee,
    depositContract,
    permissionContract,
    consensus: qbft === undefined ? 'stake' : 'qbft',
    blockPeriodSeconds:
      qbft === undefined || qbft.blockPeriodMilliseconds > 0 ? 0 : qbft.blockPeriodSeconds,
  }
}
