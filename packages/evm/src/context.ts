/** What a program can see of the block and transaction that it runs in, what starts it and how it ends. */

import type { Address, Hash } from './bytes.ts'

/** The block in which transactions run. All integers are unsigned. */
export interface BlockContext {
  readonly coinbase: Address
  /** Below 2^64. */
  readonly number: number | bigint
  /** Seconds since 1970, below 2^64. */
  readonly timestamp: number | bigint
  readonly gasLimit: bigint
  readonly baseFee: bigint
  /** Opcode 0x44 from Paris on. */
  readonly prevRandao: Hash
  /** Opcode 0x44 in London. */
  readonly difficulty: bigint
  /** Wei a unit of blob gas costs (EIP-7516); 0n before Cancun. */
  readonly blobBaseFee: bigint
  /** Hash of one of the 256 blocks before this one. The machine asks for no others. */
  blockHash(number: number): Hash
}

export interface TransactionContext {
  /** Signer of the transaction. */
  readonly origin: Address
  /** Effective price of a unit of gas, in wei. */
  readonly gasPrice: bigint
  /** Versioned hashes of a blob transaction (EIP-4844); empty for others. */
  readonly blobVersionedHashes: readonly Hash[]
}

/** The outermost call or creation of a transaction. */
export interface Message {
  readonly caller: Address
  /** undefined: create a contract from the init code in `data`. */
  readonly to: Address | undefined
  /** Wei moved from caller to callee, or to the new account. */
  readonly value: bigint
  /** Input of a call, or init code. */
  readonly data: Uint8Array
  /** Gas for this message alone, after intrinsic costs: 0 to 2^64 - 1. */
  readonly gas: bigint
  /** Run this code instead of the callee's own. */
  readonly code?: Uint8Array
  /** True: any change of state is an exceptional halt, as inside STATICCALL. */
  readonly isStatic?: boolean
}

/** Why a frame ended exceptionally: its changes are undone and all its gas is gone. */
export const HALTS = [
  'outOfGas',
  'invalidOpcode',
  'stackUnderflow',
  'stackOverflow',
  'invalidJump',
  'writeProtection',
  'returnDataOutOfBounds',
  'callDepth',
  'insufficientBalance',
  'nonceOverflow',
  'createCollision',
  'codeSizeLimit',
  'initCodeSizeLimit',
  'invalidCodePrefix',
  'precompileFailure',
] as const

export type Halt = (typeof HALTS)[number]

/** How a frame ended. `revert` undoes changes but leaves gas and output. */
export type Status = 'success' | 'revert' | Halt

export interface Outcome {
  readonly status: Status
  /** Of `Message.gas`. */
  readonly gasLeft: bigint
  /**
   * Refund counter of the transaction so far (EIP-3529), before the cap of a fifth of the gas used;
   * may only be applied by the transaction. 0n or more at the end of a transaction.
   */
  readonly gasRefund: bigint
  /** Returned or reverted bytes; the deployed code of a creation. A copy that the caller owns. */
  readonly output: Uint8Array
  /** Address of the new contract, of a successful creation only. */
  readonly created: Address | undefined
}

/** An event that a program emitted. */
export interface Log {
  readonly address: Address
  /** None to four. */
  readonly topics: readonly Hash[]
  readonly data: Uint8Array
}
