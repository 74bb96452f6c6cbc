/** Prices that a block derives from its parent: base fee (EIP-1559) and blob gas (EIP-4844, 7691, 7892, 7918). */

import { type Fork, isAtLeast } from '@vellum/evm'

const ELASTICITY = 2n
const BASE_FEE_CHANGE_DENOMINATOR = 8n
export const INITIAL_BASE_FEE = 1_000_000_000n

/** Wei a gas in the block after one with these values. */
export function nextBaseFee(parent: {
  readonly gasLimit: bigint
  readonly gasUsed: bigint
  readonly baseFeePerGas: bigint
}): bigint {
  const target = parent.gasLimit / ELASTICITY
  const fee = parent.baseFeePerGas
  if (parent.gasUsed === target || target === 0n) return fee
  if (parent.gasUsed > target) {
    const rise = (fee * (parent.gasUsed - target)) / target / BASE_FEE_CHANGE_DENOMINATOR
    return fee + (rise > 0n ? rise : 1n)
  }
  return fee - (fee * (target - parent.gasUsed)) / target / BASE_FEE_CHANGE_DENOMINATOR
}

/** How many blobs blocks carry, and how their price moves. Differs by fork and by schedule (EIP-7892). */
export interface BlobSchedule {
  /** Blobs a block at which the price stays. */
  readonly target: number
  /** Most blobs in a block. */
  readonly max: number
  readonly baseFeeUpdateFraction: bigint
}

export const GAS_PER_BLOB = 131_072n
/** Most blobs of one transaction from Osaka (EIP-7594). */
export const BLOBS_PER_TRANSACTION_MAX = 6
const BLOB_BASE_COST = 8_192n
const MIN_BLOB_BASE_FEE = 1n

/** Schedules of the forks where a genesis says nothing else. Before Cancun there are no blobs. */
export function defaultBlobSchedule(fork: Fork): BlobSchedule {
  if (isAtLeast(fork, 'prague')) return { target: 6, max: 9, baseFeeUpdateFraction: 5_007_716n }
  if (isAtLeast(fork, 'cancun')) return { target: 3, max: 6, baseFeeUpdateFraction: 3_338_477n }
  return { target: 0, max: 0, baseFeeUpdateFraction: 1n }
}

/** Wei a blob gas: `fake_exponential(1, excessBlobGas, updateFraction)`. */
export function blobBaseFee(excessBlobGas: bigint, schedule: BlobSchedule): bigint {
  const denominator = schedule.baseFeeUpdateFraction
  let sum = 0n
  let term = MIN_BLOB_BASE_FEE * denominator
  // Converges: `i` outgrows the fixed ratio of excess to denominator.
  for (let i = 1n; term > 0n; i++) {
    sum += term
    term = (term * excessBlobGas) / (denominator * i)
  }
  return sum / denominator
}

/** `excessBlobGas` of the block after one with these values. */
export function nextExcessBlobGas(
  parent: {
    readonly excessBlobGas: bigint
    readonly blobGasUsed: bigint
    readonly baseFeePerGas: bigint
  },
  fork: Fork,
  schedule: BlobSchedule,
): bigint {
  const target = BigInt(schedule.target) * GAS_PER_BLOB
  const sum = parent.excessBlobGas + parent.blobGasUsed
  if (sum < target) return 0n
  const price = blobBaseFee(parent.excessBlobGas, schedule)
  // EIP-7918: while execution costs more than blobs, the blob price may not fall on.
  if (isAtLeast(fork, 'osaka') && BLOB_BASE_COST * parent.baseFeePerGas > GAS_PER_BLOB * price) {
    const { max, target: blobs } = schedule
    return parent.excessBlobGas + (parent.blobGasUsed * BigInt(max - blobs)) / BigInt(max)
  }
  return sum - target
}
