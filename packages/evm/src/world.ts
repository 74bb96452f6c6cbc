/** State as one block's transactions see and change it: journaled, so that any frame can be undone. */

import type { Address, Hash } from './bytes.ts'
import type { Log } from './context.ts'
import type { Fork } from './fork.ts'
import type { WorldChanges, WorldReader } from './world-reader.ts'
import { WorldState } from './world-state.ts'

/** Position in the journal; valid until the transaction ends or an earlier one is reverted to. */
export type Checkpoint = number

/** An address that a transaction accessed, with its accessed storage slots (EIP-2930). */
export interface Access {
  readonly address: Address
  readonly slots: readonly Hash[]
}

/**
 * Accounts and storage of one block (or one `eth_call`) over a `WorldReader`. Transactions run one after
 * another. Every setter is journaled; outside a transaction too (system calls, overrides,
 * withdrawals), where `beginTransaction` makes what was done so far final.
 */
export interface World {
  /** True if the account is in the state, be it empty. */
  exists(address: Address): boolean
  /** True if nonce and balance are 0 and there is no code, or no account (EIP-161). */
  isEmpty(address: Address): boolean
  nonce(address: Address): bigint
  balance(address: Address): bigint
  /** keccak256 of the code; of no bytes for an account without code; zero hash for no account (EIP-1052). */
  codeHash(address: Address): Hash
  /** Code as stored: a delegation designator is not followed. */
  code(address: Address): Uint8Array
  storage(address: Address, slot: Hash): bigint
  /** True if any slot is non-zero. */
  hasStorage(address: Address): boolean
  transientStorage(address: Address, slot: Hash): bigint

  /** Creates the account if need be. 0 to 2^64 - 1. */
  setNonce(address: Address, nonce: bigint): void
  /** Creates and touches the account. 0 to 2^256 - 1. */
  setBalance(address: Address, balance: bigint): void
  /** Adds wei, possibly none, and touches the account: an empty one goes at the transaction's end. */
  addBalance(address: Address, wei: bigint): void
  /** @throws EvmError `EVM_ARGUMENT_INVALID` if the balance is less */
  subtractBalance(address: Address, wei: bigint): void
  setCode(address: Address, code: Uint8Array): void
  setStorage(address: Address, slot: Hash, value: bigint): void
  /** Drops all storage of the account: for overrides of `eth_call`. Not to be used within a transaction. */
  clearStorage(address: Address): void
  setTransientStorage(address: Address, slot: Hash, value: bigint): void

  /** Marks as accessed in this transaction (EIP-2929). */
  warmAddress(address: Address): void
  warmSlot(address: Address, slot: Hash): void
  isWarmAddress(address: Address): boolean
  isWarmSlot(address: Address, slot: Hash): boolean
  /** All that is warm in this transaction, in order of first access; precompiles only if warmed explicitly. */
  accesses(): Access[]

  checkpoint(): Checkpoint
  /** Undoes everything since the checkpoint: accounts, storage, warmth, logs, refund, destructions. */
  revertTo(checkpoint: Checkpoint): void

  /** Refund counter of the transaction (EIP-3529); never below 0n between frames. */
  refund(): bigint
  /** @param gas may be negative */
  addRefund(gas: bigint): void
  /** Events of the transaction so far. A copy. */
  logs(): Log[]

  /** Starts a transaction: nothing warm, no logs, no refund; current storage becomes the original. */
  beginTransaction(): void
  /**
   * Applies destructions (EIP-6780 from Cancun on) and, from Spurious Dragon on, deletes touched accounts
   * that are empty (EIP-161). `logs`, `refund` and `accesses` stay readable until the next `beginTransaction`.
   */
  endTransaction(fork: Fork): void
  /** Net changes since the world was created. */
  changes(): WorldChanges
}

/** A world over committed state, which it asks each question at most once. */
export function createWorld(reader: WorldReader): World {
  return new WorldState(reader)
}
