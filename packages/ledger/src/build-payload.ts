/**
 * A block as a beacon chain would ask for it, built on any block and kept nowhere: for tests of other
 * software against a chain of another origin. A chain with seals of its own builds blocks by build.ts.
 *
 * Spec: `testing_buildBlockV1` of execution-apis.
 */

import { type Address, type Hash, isAtLeast, ZERO_HASH } from '@vellum/evm'
import { type Block, keccakHeaderHash, type Withdrawal } from './block.ts'
import { nextGasLimit } from './build.ts'
import type { SealedHeader } from './chain.ts'
import { isRefusal, LedgerError } from './error.ts'
import { beginBlock } from './execute-block.ts'
import { executedHeader } from './executed-header.ts'
import type { SimulatorPorts } from './simulation.ts'
import { precompilesFor } from './simulation.ts'
import type { SignedTransaction } from './transaction.ts'
import { expectedBaseFee, expectedExcessBlobGas, gasLimitBefore } from './validate.ts'

/** EIP-7935: what block authors vote for unless told otherwise. */
const GAS_LIMIT_TARGET = 60_000_000n

export interface PayloadQuery {
  /** The block to build on. */
  readonly number: number
  /** Seconds since 1970, after the parent's. */
  readonly timestamp: number
  readonly prevRandao: Hash
  readonly feeRecipient: Address
  readonly withdrawals: readonly Withdrawal[]
  readonly parentBeaconBlockRoot: Hash
  readonly extraData: Uint8Array
  /** In order. */
  readonly transactions: readonly SignedTransaction[]
  /** What to do about one that is not valid: the block fails, or goes on without it. */
  readonly ifInvalid: 'fail' | 'leave out'
}

export interface Payload {
  readonly block: Block
  /** Plain hash of the header. */
  readonly hash: Hash
  /** Wei that the block's author earns in tips. */
  readonly value: bigint
  /** EIP-7685, those that are not empty. */
  readonly requests: readonly Uint8Array[]
}

/**
 * Builds the block.
 * @throws LedgerError LEDGER_BLOCK_UNKNOWN, LEDGER_BLOCK_INVALID if the rules there are older than the
 *   merge or the time is not after the parent's, or what is wrong with a transaction
 */
export function buildPayload(query: PayloadQuery, ports: SimulatorPorts): Payload {
  const parent: SealedHeader | undefined = ports.header(query.number)
  if (parent === undefined) {
    throw new LedgerError('LEDGER_BLOCK_UNKNOWN', `there is no block ${query.number}`)
  }
  const number = query.number + 1
  const rules = ports.rulesAt(number, query.timestamp)
  const { fork } = rules
  if (!isAtLeast(fork, 'paris') || query.timestamp <= parent.header.timestamp) {
    throw new LedgerError('LEDGER_PAYLOAD_INVALID', 'no such block can follow this one')
  }
  const cancun = isAtLeast(fork, 'cancun')
  const environment = {
    parentHash: parent.hash,
    coinbase: query.feeRecipient,
    number,
    timestamp: query.timestamp,
    gasLimit: nextGasLimit(gasLimitBefore(parent.header, rules), GAS_LIMIT_TARGET),
    difficulty: 0n,
    mixHash: query.prevRandao,
    baseFeePerGas: expectedBaseFee(parent.header, rules),
    excessBlobGas: cancun ? expectedExcessBlobGas(parent.header, rules) : undefined,
    parentBeaconBlockRoot: cancun ? query.parentBeaconBlockRoot : undefined,
  }
  const state = ports.stateAt(query.number)
  const execution = beginBlock(environment, rules, {
    reader: state.reader,
    crypto: ports.crypto,
    precompiles: ports.precompiles?.(fork) ?? precompilesFor(fork),
    blockHash: (height) => ports.header(height)?.hash ?? ZERO_HASH,
  })
  const transactions: SignedTransaction[] = []
  let value = 0n
  for (const tx of query.transactions) {
    try {
      const { gasUsed, effectiveGasPrice } = execution.add(tx)
      value += gasUsed * (effectiveGasPrice - (environment.baseFeePerGas ?? 0n))
      transactions.push(tx)
    } catch (error) {
      if (query.ifInvalid === 'fail' || !isRefusal(error)) throw error
    }
  }
  const withdrawals = isAtLeast(fork, 'shanghai') ? query.withdrawals : undefined
  const outcome = execution.finish(withdrawals)
  const header = executedHeader({
    fork,
    environment,
    outcome,
    stateRoot: state.rootAfter(outcome.changes),
    transactions,
    withdrawals,
    extraData: query.extraData,
    nonce: new Uint8Array(8),
  })
  const block = { header, transactions, ommers: [], withdrawals }
  return { block, hash: keccakHeaderHash(header), value, requests: outcome.requests }
}
