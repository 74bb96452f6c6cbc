/**
 * Is this header a legal child of that one? Everything but the seal, which is the seal scheme's
 * business, and the roots, which execution finds.
 *
 * Spec: yellow paper 4.4.4, EIP-1559, 3675, 4895, 4844, 4788, 7685, 7918, 7934.
 */

import { type Address, type Fork, type Hash, isAtLeast } from '@vellum/evm'
import {
  type Block,
  EMPTY_OMMERS_HASH,
  type Header,
  ommersHash,
  transactionsRoot,
  withdrawalsRoot,
} from './block.ts'
import {
  type BlobSchedule,
  GAS_PER_BLOB,
  INITIAL_BASE_FEE,
  nextBaseFee,
  nextExcessBlobGas,
} from './fees.ts'
import type { Verdict } from './seal.ts'
import type { UnrecoveredTransaction } from './transaction.ts'

/** The rules in force for one block. */
export interface BlockRules {
  readonly fork: Fork
  readonly chainId: bigint
  readonly blobSchedule: BlobSchedule
  /** True: the base fee is 0 in every block (R1.5). */
  readonly zeroBaseFee: boolean
  /**
   * Who sets difficulty, nonce, extra data and the rhythm: our seal scheme, or elsewhere proof of stake and,
   * before Paris, proof of work.
   */
  readonly consensus: 'qbft' | 'stake'
  /** What `parentBeaconBlockRoot` must be: the hash of the genesis block; undefined: anything. */
  readonly domain?: Hash | undefined
  /** Whose storage says who may send; undefined: everybody. */
  readonly permissionContract?: Address | undefined
  /** Seconds from one block to the next at least; 0 permits equal timestamps (qbft.md §13.2). */
  readonly blockPeriodSeconds: number
}

/** Gas limits move by less than this fraction a block. */
export const GAS_LIMIT_BOUND_DIVISOR = 1024n
export const GAS_LIMIT_MIN = 5000n
const GAS_LIMIT_MAX = 2n ** 63n - 1n
const STAKE_EXTRA_DATA_MAX = 32
/** EIP-7934: 10 MiB less 2 MiB for what travels with a block. */
const BLOCK_BYTES_MAX = 8_388_608

const OK: Verdict = { ok: true }
const no = (reason: string): Verdict => ({ ok: false, reason })

/** Base fee of the block after `parent`; undefined before London. */
export function expectedBaseFee(parent: Header, rules: BlockRules): bigint | undefined {
  if (!isAtLeast(rules.fork, 'london')) return undefined
  if (rules.zeroBaseFee) return 0n
  if (parent.baseFeePerGas === undefined) return INITIAL_BASE_FEE
  const { gasLimit, gasUsed, baseFeePerGas } = parent
  return nextBaseFee({ gasLimit, gasUsed, baseFeePerGas })
}

/** Excess blob gas of the block after `parent`, from Cancun. */
export function expectedExcessBlobGas(parent: Header, rules: BlockRules): bigint {
  return nextExcessBlobGas(
    {
      excessBlobGas: parent.excessBlobGas ?? 0n,
      blobGasUsed: parent.blobGasUsed ?? 0n,
      baseFeePerGas: parent.baseFeePerGas ?? 0n,
    },
    rules.fork,
    rules.blobSchedule,
  )
}

/** The limit from which that of the block after `parent` moves: EIP-1559 made of the limit a half, the target. */
export function gasLimitBefore(parent: Header, { fork }: BlockRules): bigint {
  const doubles = parent.baseFeePerGas === undefined && isAtLeast(fork, 'london')
  return doubles ? 2n * parent.gasLimit : parent.gasLimit
}

export function verifyHeader(header: Header, parent: Header, rules: BlockRules): Verdict {
  if (header.number !== parent.number + 1) return no('number does not follow the parent’s')
  if (rules.consensus === 'stake' || rules.blockPeriodSeconds > 0) {
    const earliest = parent.timestamp + Math.max(1, rules.blockPeriodSeconds)
    if (header.timestamp < earliest) return no('timestamp is too close to the parent’s')
  } else if (header.timestamp < parent.timestamp) return no('timestamp is before the parent’s')

  if (header.gasUsed > header.gasLimit) return no('gas used is above the gas limit')
  if (header.gasLimit < GAS_LIMIT_MIN) return no('gas limit is below 5000')
  if (header.gasLimit > GAS_LIMIT_MAX) return no('gas limit is above 2^63 - 1')
  const before = gasLimitBefore(parent, rules)
  const step = header.gasLimit - before
  if ((step < 0n ? -step : step) >= before / GAS_LIMIT_BOUND_DIVISOR && step !== 0n) {
    return no('gas limit moves too far from the parent’s')
  }
  if (header.baseFeePerGas !== expectedBaseFee(parent, rules)) {
    return no('base fee does not follow from the parent')
  }
  if (header.ommersHash !== EMPTY_OMMERS_HASH && !allowsOmmers(header, rules)) {
    return no('ommers are not allowed')
  }
  if (rules.consensus === 'stake') {
    // EIP-3675. Chains made for tests go on with proof of work under later rules.
    const merged = isAtLeast(rules.fork, 'paris') && parent.difficulty === 0n
    if (merged && header.difficulty !== 0n) return no('difficulty must be 0')
    const isWork = header.difficulty !== 0n
    if (!isWork && !isAtLeast(rules.fork, 'paris')) return no('difficulty must not be 0')
    if (!isWork && header.nonce.some((byte) => byte !== 0)) return no('nonce must be 0')
    if (header.extraData.length > STAKE_EXTRA_DATA_MAX) return no('extra data is over 32 bytes')
  }
  return verifyTail(header, parent, rules)
}

/** The fields that forks appended: each is there exactly from its fork on. */
function verifyTail(header: Header, parent: Header, rules: BlockRules): Verdict {
  const since = (fork: Fork): boolean => isAtLeast(rules.fork, fork)
  if ((header.withdrawalsRoot !== undefined) !== since('shanghai')) {
    return no('withdrawals root does not fit the fork')
  }
  if ((header.requestsHash !== undefined) !== since('prague')) {
    return no('requests hash does not fit the fork')
  }
  const { blobGasUsed, excessBlobGas } = header
  if (!since('cancun')) {
    const absent =
      blobGasUsed === undefined &&
      excessBlobGas === undefined &&
      header.parentBeaconBlockRoot === undefined
    return absent ? OK : no('blob fields do not fit the fork')
  }
  if (
    blobGasUsed === undefined ||
    excessBlobGas === undefined ||
    header.parentBeaconBlockRoot === undefined
  ) {
    return no('blob fields do not fit the fork')
  }
  if (rules.domain !== undefined && header.parentBeaconBlockRoot !== rules.domain) {
    return no('the header is of another chain')
  }
  if (blobGasUsed > BigInt(rules.blobSchedule.max) * GAS_PER_BLOB) {
    return no('blob gas used is above the limit')
  }
  if (blobGasUsed % GAS_PER_BLOB !== 0n) return no('blob gas used is not of whole blobs')
  if (excessBlobGas !== expectedExcessBlobGas(parent, rules)) {
    return no('excess blob gas does not follow from the parent')
  }
  return OK
}

/** Proof of work has them until the merge. */
function allowsOmmers(header: Header, { consensus, fork }: BlockRules): boolean {
  return consensus === 'stake' && header.difficulty !== 0n && !isAtLeast(fork, 'paris')
}

/** Does the body belong to the header, and is it of this fork? */
export function verifyBody(
  block: Block<UnrecoveredTransaction>,
  size: number,
  rules: BlockRules,
): Verdict {
  const { header } = block
  if (isAtLeast(rules.fork, 'osaka') && size > BLOCK_BYTES_MAX) return no('block is too large')
  if (header.ommersHash !== ommersHash(block.ommers)) return no('ommers hash does not match')
  if (header.transactionsRoot !== transactionsRoot(block.transactions)) {
    return no('transactions root does not match')
  }
  const { withdrawals } = block
  // They make money out of nothing. No beacon chain has ordered them here, so a proposer would.
  if (rules.consensus === 'qbft' && withdrawals !== undefined && withdrawals.length > 0) {
    return no('withdrawals are not allowed')
  }
  const root = withdrawals && withdrawalsRoot(withdrawals)
  if (header.withdrawalsRoot !== root) return no('withdrawals root does not match')
  return OK
}
