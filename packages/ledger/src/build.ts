/** A new block out of waiting transactions. */

import { type Hash, isAtLeast, ZERO_HASH } from '@vellum/evm'
import type { Header } from './block.ts'
import { LIMITS } from './config.ts'
import { isRefusal } from './error.ts'
import { type BlockExecutionPorts, type BlockOutcome, beginBlock } from './execute-block.ts'
import { executedHeader } from './executed-header.ts'
import { withVanity } from './extra-data.ts'
import type { Pool } from './pool.ts'
import type { ConsensusFields } from './seal.ts'
import type { PreparedState } from './state.ts'
import type { SignedTransaction } from './transaction.ts'
import {
  type BlockRules,
  expectedBaseFee,
  expectedExcessBlobGas,
  GAS_LIMIT_BOUND_DIVISOR,
  GAS_LIMIT_MIN,
  gasLimitBefore,
} from './validate.ts'

export interface BuildRequest {
  readonly parent: Header
  readonly parentHash: Hash
  readonly rules: BlockRules
  /** Seconds since 1970; legal after the parent. */
  readonly timestamp: number
  readonly fields: ConsensusFields
  /** The gas limit moves from the parent's towards this one, as fast as the rules let it. */
  readonly gasLimitTarget: bigint
  /** undefined: it may take any time. */
  readonly budget?: BuildBudget
}

/** What a proposer may spend: the others wait for him, and each of them executes the block again. */
export interface BuildBudget {
  /** Milliseconds that went by, since whenever. */
  readonly elapsed: () => number
  /** After so many no other transaction is begun. One that runs for `LIMITS.slowFactor` times as long is given up. */
  readonly blockMs: number
}

export interface BuildPorts extends BlockExecutionPorts {
  readonly pool: Pool
  readonly prepare: (outcome: BlockOutcome, height: number) => PreparedState
  /** What the vanity says of the status tree after the block; absent where a chain has none. */
  readonly vanity?: ((outcome: BlockOutcome) => Uint8Array) | undefined
}

export interface BuiltBlock {
  /** Complete but for its seals. */
  readonly header: Header
  readonly transactions: readonly SignedTransaction[]
  readonly outcome: BlockOutcome
  readonly state: PreparedState
}

/** Gas limit of the block after `parent`, a legal step nearer to `target`. */
export function nextGasLimit(parent: bigint, target: bigint): bigint {
  const step = parent / GAS_LIMIT_BOUND_DIVISOR - 1n
  if (step <= 0n || parent === target) return parent
  if (target > parent) return target - parent < step ? target : parent + step
  const floor = target > GAS_LIMIT_MIN ? target : GAS_LIMIT_MIN
  return parent - floor < step ? floor : parent - step
}

/** Fills a block from the pool. Transactions that turn out to be invalid leave the pool. */
export function buildBlock(request: BuildRequest, ports: BuildPorts): BuiltBlock {
  const { parent, rules, fields } = request
  const cancun = isAtLeast(rules.fork, 'cancun')
  const baseFeePerGas = expectedBaseFee(parent, rules)
  const environment = {
    parentHash: request.parentHash,
    coinbase: fields.coinbase,
    difficulty: fields.difficulty,
    number: parent.number + 1,
    gasLimit: nextGasLimit(gasLimitBefore(parent, rules), request.gasLimitTarget),
    timestamp: request.timestamp,
    mixHash: fields.mixHash,
    baseFeePerGas,
    excessBlobGas: cancun ? expectedExcessBlobGas(parent, rules) : undefined,
    // There is no beacon chain to name (qbft.md §2): the chain's own name has the place, where it is wanted.
    parentBeaconBlockRoot: cancun ? (rules.domain ?? ZERO_HASH) : undefined,
  }
  const watch = createWatch(request.budget)
  const execution = beginBlock(environment, rules, { ...ports, pulse: watch.pulse })
  const transactions: SignedTransaction[] = []
  let bytes = 0
  const selection = ports.pool.select(baseFeePerGas ?? 0n)
  for (let tx = selection.peek(); tx !== undefined; tx = selection.peek()) {
    if (watch.isLate() || execution.gasLeft() < TRANSACTION_GAS_MIN) break
    if (tx.gasLimit > execution.gasLeft() || bytes + tx.encoded.length > LIMITS.builtBlockBytes) {
      // A smaller one of another sender may still fit.
      selection.leave()
      continue
    }
    const next = tx
    try {
      watch.run(() => execution.add(next))
    } catch (error) {
      if (error === TOO_SLOW) ports.pool.gaveUp(tx.hash)
      else if (isRefusal(error)) ports.pool.remove(tx.hash)
      else throw error
      selection.leave()
      continue
    }
    transactions.push(tx)
    bytes += tx.encoded.length
    selection.take()
  }

  const withdrawals = isAtLeast(rules.fork, 'shanghai') ? [] : undefined
  const outcome = execution.finish(withdrawals)
  const state = ports.prepare(outcome, environment.number)
  const header = executedHeader({
    fork: rules.fork,
    environment,
    outcome,
    stateRoot: state.root,
    transactions,
    withdrawals,
    extraData:
      ports.vanity === undefined
        ? fields.extraData
        : withVanity(fields.extraData, ports.vanity(outcome)),
    nonce: fields.nonce,
  })
  return { header, transactions, outcome, state }
}

const TRANSACTION_GAS_MIN = 21_000n

/** Thrown by the machine's pulse out of a transaction that is given up. */
const TOO_SLOW: Error = new Error('the transaction takes too long')

interface Watch {
  readonly pulse: (() => void) | undefined
  isLate(): boolean
  /** Runs a transaction. @throws TOO_SLOW out of one that takes too long, and what it throws itself */
  run(transaction: () => void): void
}

/** A watch over a block being filled, and over each of its transactions. */
function createWatch(budget: BuildBudget | undefined): Watch {
  if (budget === undefined) {
    return { pulse: undefined, isLate: () => false, run: (transaction) => transaction() }
  }
  const { elapsed, blockMs } = budget
  let blockBegan = elapsed()
  // Calls of the system run between transactions, and are never given up.
  let transactionBegan = Number.POSITIVE_INFINITY
  let isForgiven = false
  return {
    pulse: () => {
      if (elapsed() - transactionBegan > LIMITS.slowFactor * blockMs) throw TOO_SLOW
    },
    isLate: () => elapsed() - blockBegan > blockMs,
    run: (transaction) => {
      transactionBegan = elapsed()
      try {
        transaction()
      } catch (error) {
        // What one of them took in vain is not taken from the others. The next one's time is.
        if (error === TOO_SLOW && !isForgiven) {
          blockBegan += elapsed() - transactionBegan
          isForgiven = true
        }
        throw error
      } finally {
        transactionBegan = Number.POSITIVE_INFINITY
      }
    },
  }
}
