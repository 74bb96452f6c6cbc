/** What a fork allows and charges before a transaction runs: rules that need no state. */

import { type Fork, isAtLeast } from '@vellum/evm'
import { LedgerError, type LedgerErrorCode, type LedgerErrorDetails } from './error.ts'
import { BLOBS_PER_TRANSACTION_MAX } from './fees.ts'
import { isHighSignature } from './signature.ts'
import type { Transaction, UnrecoveredTransaction } from './transaction.ts'

const TRANSACTION_GAS = 21_000n
/** EIP-2: from Homestead on. */
const CREATION_GAS = 32_000n
/** EIP-7623: a zero byte is one token of calldata, another byte four. */
const TOKENS_PER_NON_ZERO_BYTE = 4
/** 68 gas, until EIP-2028. */
const TOKENS_BEFORE_ISTANBUL = 17
const GAS_PER_TOKEN = 4n
const FLOOR_GAS_PER_TOKEN = 10n
const GAS_PER_INITCODE_WORD = 2n
const GAS_PER_LISTED_ADDRESS = 2_400n
const GAS_PER_LISTED_SLOT = 1_900n
/** EIP-7702, PER_EMPTY_ACCOUNT_COST: charged first, partly refunded for accounts that exist. */
const GAS_PER_AUTHORIZATION = 25_000n
/** Bytes (EIP-3860): twice the most that a contract may have. */
export const INITCODE_BYTES_MAX = 49_152
/** EIP-7825. */
export const TRANSACTION_GAS_MAX = 16_777_216n
const VERSIONED_HASH_PREFIX = '0x01'

/** The first fork with each type of transaction. */
const SINCE = ['frontier', 'berlin', 'london', 'cancun', 'prague'] as const

export interface IntrinsicGas {
  /** Charged at the start (EIP-2028, 2930, 3860, 7702). */
  readonly intrinsic: bigint
  /** The least that the transaction pays in the end (EIP-7623), 0n before Prague. */
  readonly floor: bigint
}

/** Gas that a transaction costs before its first opcode. */
export function intrinsicGas(
  transaction: Pick<Transaction, 'to' | 'data' | 'accessList' | 'authorizationList'>,
  fork: Fork,
): IntrinsicGas {
  const { to, data, accessList, authorizationList } = transaction
  let nonZero = 0
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) nonZero += 1
  const perByte = isAtLeast(fork, 'istanbul') ? TOKENS_PER_NON_ZERO_BYTE : TOKENS_BEFORE_ISTANBUL
  const tokens = BigInt(data.length - nonZero + perByte * nonZero)
  let intrinsic = TRANSACTION_GAS + tokens * GAS_PER_TOKEN
  if (to === undefined && isAtLeast(fork, 'homestead')) {
    intrinsic += CREATION_GAS
    if (isAtLeast(fork, 'shanghai')) {
      intrinsic += BigInt(Math.ceil(data.length / 32)) * GAS_PER_INITCODE_WORD
    }
  }
  for (const { storageKeys } of accessList) {
    intrinsic += GAS_PER_LISTED_ADDRESS + BigInt(storageKeys.length) * GAS_PER_LISTED_SLOT
  }
  intrinsic += BigInt(authorizationList.length) * GAS_PER_AUTHORIZATION
  const floor = isAtLeast(fork, 'prague') ? TRANSACTION_GAS + tokens * FLOOR_GAS_PER_TOKEN : 0n
  return { intrinsic, floor }
}

/**
 * Checks what the fork asks of a transaction, whatever the state and the block.
 * @returns its `intrinsicGas`, which is among it
 * @throws LedgerError LEDGER_TRANSACTION_TYPE_UNSUPPORTED, LEDGER_CHAIN_ID,
 *   LEDGER_SIGNATURE_INVALID, LEDGER_INTRINSIC_GAS,
 *   LEDGER_INITCODE_SIZE, LEDGER_GAS_LIMIT (EIP-7825), LEDGER_BLOB_LIMIT or
 *   LEDGER_TRANSACTION_INVALID
 */
export function assertTransactionRules(
  transaction: Transaction | UnrecoveredTransaction,
  fork: Fork,
): IntrinsicGas {
  const { type, to, data, gasLimit, maxFeePerGas, blobVersionedHashes } = transaction
  if (!isAtLeast(fork, SINCE[type])) {
    throw refused('LEDGER_TRANSACTION_TYPE_UNSUPPORTED', `${fork} has no type ${type}`, { type })
  }
  if (type === 0 && transaction.chainId !== undefined && !isAtLeast(fork, 'spuriousDragon')) {
    throw refused('LEDGER_CHAIN_ID', `${fork} has no chain ids in signatures (EIP-155)`, {})
  }
  const isSigned = 'signature' in transaction
  if (isSigned && isHighSignature(transaction.signature) && isAtLeast(fork, 'homestead')) {
    throw refused('LEDGER_SIGNATURE_INVALID', 's is above half the order of the curve (EIP-2)', {})
  }
  if (transaction.maxPriorityFeePerGas > maxFeePerGas) {
    throw refused('LEDGER_TRANSACTION_INVALID', 'maxPriorityFeePerGas exceeds maxFeePerGas', {})
  }
  if (isAtLeast(fork, 'osaka') && gasLimit > TRANSACTION_GAS_MAX) {
    throw refused('LEDGER_GAS_LIMIT', `a transaction has at most ${TRANSACTION_GAS_MAX} gas`, {
      gasLimit,
      limit: TRANSACTION_GAS_MAX,
    })
  }
  const charge = intrinsicGas(transaction, fork)
  const { intrinsic, floor } = charge
  if (gasLimit < intrinsic || gasLimit < floor) {
    throw refused('LEDGER_INTRINSIC_GAS', 'the gas limit does not cover the intrinsic gas', {
      gasLimit,
      intrinsic,
      floor,
    })
  }
  if (to === undefined && data.length > INITCODE_BYTES_MAX && isAtLeast(fork, 'shanghai')) {
    throw refused('LEDGER_INITCODE_SIZE', `initcode has at most ${INITCODE_BYTES_MAX} bytes`, {
      size: data.length,
    })
  }
  if (type === 3) assertBlobs(blobVersionedHashes, fork)
  if (type === 4 && transaction.authorizationList.length === 0) {
    throw refused('LEDGER_TRANSACTION_INVALID', 'authorizationList must not be empty', {})
  }
  if (type >= 3 && to === undefined) {
    throw refused('LEDGER_TRANSACTION_INVALID', `type ${type} cannot create a contract`, {})
  }
  return charge
}

function assertBlobs(hashes: readonly string[], fork: Fork): void {
  if (hashes.length === 0) {
    throw refused('LEDGER_TRANSACTION_INVALID', 'blobVersionedHashes must not be empty', {})
  }
  if (hashes.some((hash) => !hash.startsWith(VERSIONED_HASH_PREFIX))) {
    throw refused('LEDGER_TRANSACTION_INVALID', 'a versioned hash must have version 1', {})
  }
  if (isAtLeast(fork, 'osaka') && hashes.length > BLOBS_PER_TRANSACTION_MAX) {
    throw refused('LEDGER_BLOB_LIMIT', `at most ${BLOBS_PER_TRANSACTION_MAX} blobs`, {
      count: hashes.length,
    })
  }
}

function refused(code: LedgerErrorCode, message: string, details: LedgerErrorDetails): LedgerError {
  return new LedgerError(code, message, details)
}
