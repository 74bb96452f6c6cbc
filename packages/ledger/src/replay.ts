/** A block of the chain run once more, transaction by transaction, to be watched. */

import { ZERO_HASH } from '@vellum/evm'
import type { SealedBlock } from './chain.ts'
import { LedgerError } from './error.ts'
import type { TransactionResult } from './execute.ts'
import { beginBlock } from './execute-block.ts'
import { precompilesFor, type SimulatorPorts, TIME_IS_UP } from './simulation.ts'
import { readerThrough } from './state-view.ts'
import { authoritiesOf, type TransactionWatch } from './transaction-watch.ts'

export interface ReplayPorts extends SimulatorPorts {
  block(number: number): SealedBlock | undefined
}

export interface Replay {
  readonly block: SealedBlock
  /**
   * Runs the next transaction, watched or not. Others may use the chain between two calls.
   * @param timeMsMax milliseconds after which a watched one is given up
   * @throws LedgerError LEDGER_SIMULATION_TIME if its time was up, LEDGER_STATE_PRUNED if the state
   *   below the block went meanwhile; what the watch throws
   */
  next(watch?: TransactionWatch, timeMsMax?: number): TransactionResult
}

/**
 * Begins to run a block on the state of its parent.
 * @throws LedgerError LEDGER_BLOCK_UNKNOWN, also for the genesis block, which nothing can run;
 *   LEDGER_BLOCK_PRUNED or LEDGER_STATE_PRUNED if block or state are not held
 */
export function openReplay(number: number, ports: ReplayPorts): Replay {
  const block = ports.block(number)
  if (block === undefined || number === 0) {
    throw new LedgerError('LEDGER_BLOCK_UNKNOWN', `there is no block ${number} to run`, { number })
  }
  const { header } = block
  const rules = ports.rulesAt(header.number, header.timestamp)
  const precompiles = ports.precompiles?.(rules.fork) ?? precompilesFor(rules.fork)
  let state = ports.stateAt(number - 1)
  let deadlineMs = Number.POSITIVE_INFINITY
  const execution = beginBlock(header, rules, {
    reader: readerThrough(() => state),
    crypto: ports.crypto,
    precompiles,
    blockHash: (height) => ports.header(height)?.hash ?? ZERO_HASH,
    pulse: () => {
      if (ports.nowMs() > deadlineMs) throw TIME_IS_UP
    },
  })
  let index = 0
  let logsBefore = 0

  function next(watch?: TransactionWatch, timeMsMax?: number): TransactionResult {
    const tx = block!.transactions[index++]!
    // The chain may have moved on since: a view is good for as long as its height is held.
    state = ports.stateAt(number - 1)
    deadlineMs = ports.nowMs() + (timeMsMax ?? Number.POSITIVE_INFINITY)
    const tracer = watch?.start({
      world: execution.world,
      fork: rules.fork,
      coinbase: header.coinbase,
      precompiles,
      sender: tx.sender,
      to: tx.to,
      gasLimit: tx.gasLimit,
      authorities: () => authoritiesOf(tx.authorizationList, ports.crypto),
      logsBefore,
    })
    try {
      const result = execution.add(tx, tracer)
      logsBefore += result.logs.length
      watch?.end(result)
      return result
    } catch (error) {
      if (error !== TIME_IS_UP) throw error
      throw new LedgerError('LEDGER_SIMULATION_TIME', 'the transaction takes too long to watch')
    }
  }

  return { block, next }
}
