/** What the machine asks of the state below it: committed values, read synchronously. */

import type { Address, Hash } from './bytes.ts'

/** An account as the state holds it. Non-existent and empty accounts differ: see EIP-161. */
export interface AccountRecord {
  readonly nonce: bigint
  readonly balance: bigint
  /** keccak256 of the code; that of no bytes for an account without code. */
  readonly codeHash: Hash
}

/**
 * State at the start of a block. Every method is synchronous and pure: the same question has the
 * same answer for the reader's whole life. `World` asks each at most once and keeps the answer.
 */
export interface WorldReader {
  account(address: Address): AccountRecord | undefined
  /** Value of a storage slot, 0n if it was never set. `slot` is the raw 32-byte key, not hashed. */
  storage(address: Address, slot: Hash): bigint
  /** True if the account has any non-zero storage slot (EIP-7610 collision rule). */
  hasStorage(address: Address): boolean
  /** Code by its hash. Asked only for hashes that an account record named. */
  code(codeHash: Hash): Uint8Array
}

/** What a block changed, to be written below. Order is that of first touch: deterministic. */
export interface WorldChanges {
  readonly accounts: readonly AccountChange[]
  /** Code that was deployed, by hash. */
  readonly codes: ReadonlyMap<Hash, Uint8Array>
}

export interface AccountChange {
  readonly address: Address
  /** undefined: the account no longer exists. */
  readonly account: AccountRecord | undefined
  /** True if the account's former storage is gone (destroyed or created anew) before `slots` apply. */
  readonly storageCleared: boolean
  /** Raw slot key to new value; 0n deletes. Only slots whose value differs from the start of the block. */
  readonly slots: ReadonlyMap<Hash, bigint>
}
