/** The rules of each block of a chain, from its genesis. */

import type { Address } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { blobScheduleAt, forkAt, isExecutableFork } from './fork-schedule.ts'
import type { Genesis } from './genesis.ts'
import type { BlockRules } from './validate.ts'

export interface ChainRules extends BlockRules {
  /** Whose events are deposits (EIP-6110). */
  readonly depositContract: Address | undefined
}

/**
 * Rules of the block with this number and timestamp (seconds).
 * @throws LedgerError LEDGER_BLOCK_INVALID if its fork is older than London
 */
export function blockRules(genesis: Genesis, number: number, timestamp: number): ChainRules {
  const { schedule, qbft, chainId, zeroBaseFee, depositContract } = genesis
  const fork = forkAt(schedule, number, timestamp)
  if (!isExecutableFork(fork)) {
    throw new LedgerError(
      'LEDGER_BLOCK_INVALID',
      `block ${number} has the rules of ${fork}; this node executes London and later`,
      { number, fork },
    )
  }
  return {
    fork,
    chainId,
    blobSchedule: blobScheduleAt(schedule, timestamp),
    zeroBaseFee,
    depositContract,
    consensus: qbft === undefined ? 'stake' : 'qbft',
    blockPeriodSeconds:
      qbft === undefined || qbft.blockPeriodMilliseconds > 0 ? 0 : qbft.blockPeriodSeconds,
  }
}
