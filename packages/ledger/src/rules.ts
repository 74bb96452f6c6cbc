/** The rules of each block of a chain, from its genesis. */

import type { Address, Hash } from '@vellum/evm'
import { blobScheduleAt, forkAt } from './fork-schedule.ts'
import type { Genesis } from './genesis.ts'
import type { BlockRules } from './validate.ts'

export interface ChainRules extends BlockRules {
  /** Whose events are deposits (EIP-6110). */
  readonly depositContract: Address | undefined
}

/** What the rules of a block depend on beside the genesis file. */
export interface ChainFacts {
  /** Hash of the genesis block, where headers name it (`Genesis.chainDomain`). */
  readonly domain?: Hash | undefined
  /** First block without proof of work, where the schedule does not name it. */
  readonly mergedAt?: number | undefined
}

/** Rules of the block with this number and timestamp (seconds). */
export function blockRules(
  genesis: Genesis,
  number: number,
  timestamp: number,
  { domain, mergedAt }: ChainFacts = {},
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
    domain,
    consensus: qbft === undefined ? 'stake' : 'qbft',
    blockPeriodSeconds:
      qbft === undefined || qbft.blockPeriodMilliseconds > 0 ? 0 : qbft.blockPeriodSeconds,
  }
}
