/** The machine: runs messages against a world under the rules of a fork. */

import type { Address } from './bytes.ts'
import type { BlockContext, Message, Outcome, TransactionContext } from './context.ts'
import type { Fork } from './fork.ts'
import type { Precompile } from './precompiles/index.ts'
import type { Tracer } from './tracer.ts'
import type { World } from './world.ts'

export interface EvmOptions {
  readonly fork: Fork
  readonly chainId: bigint
  readonly block: BlockContext
  readonly world: World
  readonly tracer?: Tracer
  /** Native contracts by address; those of the fork if absent. */
  readonly precompiles?: ReadonlyMap<Address, Precompile>
  /**
   * Called every few million gas of a long run; may throw to give it up (a call's time limit). What it
   * throws leaves `call` after the world was turned back to where the message began.
   */
  readonly pulse?: () => void
}

export interface Evm {
  /**
   * Runs one message to its end. Between `world.beginTransaction` and `endTransaction`.
   *
   * The caller has already charged intrinsic gas and fees, raised the sender's nonce, processed
   * EIP-7702 authorisations and warmed sender, callee, coinbase and access list (EIP-2929, EIP-2930,
   * EIP-3651). The machine moves `value`, follows and warms a delegation of the callee, and
   * treats precompiles as warm. On anything but success the world is as before, warm addresses too.
   *
   * A creation uses the caller's nonce minus one, as the sender's nonce was raised before; it
   * checks collision (EIP-684, EIP-7610) but not the size of init code, which the transaction's
   * validity rules bound (EIP-3860).
   * @throws EvmError `EVM_ARGUMENT_INVALID` for gas outside 0 to 2^64 - 1 or a value over 2^256 - 1
   * @throws EvmError `EVM_MEMORY_LIMIT` if a program pays for over a gibibyte of memory
   */
  call(message: Message, transaction: TransactionContext): Outcome
}
