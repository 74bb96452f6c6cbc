/** The machine: runs messages against a world under the rules of a fork. */

import { type Address, bigIntToBytes, bytesToBigInt, hexToBytes } from './bytes.ts'
import type { BlockContext, Message, Outcome, TransactionContext } from './context.ts'
import { EvmError } from './error.ts'
import { type Fork, isAtLeast } from './fork.ts'
import { addressKey } from './key.ts'
import { createMachine, type Machine, type Setting } from './machine.ts'
import { type Precompile, precompilesOf } from './precompiles/index.ts'
import type { Tracer } from './tracer.ts'
import type { World } from './world.ts'
import { WorldState } from './world-state.ts'

export interface EvmOptions {
  readonly fork: Fork
  readonly chainId: bigint
  readonly block: BlockContext
  readonly world: World
  readonly tracer?: Tracer
  /** Native contracts by address; those of the fork if absent. The map must not change afterwards. */
  readonly precompiles?: ReadonlyMap<Address, Precompile>
  /** Those whose addresses are warm from the start, where that is not `precompiles`. */
  readonly warmPrecompiles?: ReadonlyMap<Address, Precompile>
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

/** A machine whose memory grew past this is not used again, so that the space returns: 192 MiB. */
const MEMORY_KEPT_BYTES = 192 * 1024 * 1024
/** Idle machines kept for each fork: one for the block at hand, one for a call during a trace. */
const IDLE_MAX = 2
const GAS_LIMIT = 1n << 64n
const VALUE_LIMIT = 1n << 256n

const idle = new Map<Fork, Machine[]>()

/** A machine for one block. Cheap: the engine behind it is shared. */
export function createEvm(options: EvmOptions): Evm {
  const { fork, block, world, tracer, pulse } = options
  if (!(world instanceof WorldState)) {
    throw new EvmError('EVM_ARGUMENT_INVALID', 'the world is not one of createWorld')
  }
  const precompiles = keyed(options.precompiles ?? standardPrecompiles(fork))
  const makeSetting = (): Setting => ({
    fork,
    world,
    block,
    blockWords: wordsOf(options),
    precompiles,
    warmPrecompiles:
      options.warmPrecompiles === undefined ? precompiles : keyed(options.warmPrecompiles),
    tracer,
    pulse,
  })
  // Many blocks run nothing.
  let setting: Setting | undefined
  return {
    call(message, transaction) {
      if (message.gas < 0n || message.gas >= GAS_LIMIT) {
        throw new EvmError('EVM_ARGUMENT_INVALID', `gas ${message.gas} is out of range`)
      }
      if (message.value < 0n || message.value >= VALUE_LIMIT) {
        throw new EvmError('EVM_ARGUMENT_INVALID', `value ${message.value} is out of range`)
      }
      setting ??= makeSetting()
      // A run that throws leaves its machine in the middle: it is not put back.
      const machine = idle.get(fork)?.pop() ?? createMachine(fork)
      const outcome = machine.run(setting, message, transaction)
      keep(fork, machine)
      return outcome
    },
  }
}

const standard = new Map<Fork, ReadonlyMap<Address, Precompile>>()

function standardPrecompiles(fork: Fork): ReadonlyMap<Address, Precompile> {
  let made = standard.get(fork)
  if (made === undefined) {
    made = precompilesOf(fork)
    standard.set(fork, made)
  }
  return made
}

/** Tables as the machine looks into them; a table that comes again is not made again. */
const keyedTables = new WeakMap<ReadonlyMap<Address, Precompile>, ReadonlyMap<string, Precompile>>()

function keyed(precompiles: ReadonlyMap<Address, Precompile>): ReadonlyMap<string, Precompile> {
  let table = keyedTables.get(precompiles)
  if (table === undefined) {
    table = new Map(Array.from(precompiles, ([address, each]) => [addressKey(address), each]))
    keyedTables.set(precompiles, table)
  }
  return table
}

function keep(fork: Fork, machine: Machine): void {
  if (machine.memoryBytes() > MEMORY_KEPT_BYTES) return
  const machines = idle.get(fork)
  if (machines === undefined) idle.set(fork, [machine])
  else if (machines.length < IDLE_MAX) machines.push(machine)
}

/** The block's words for the engine, least significant byte first, in its order. */
function wordsOf({ fork, chainId, block }: EvmOptions): Uint8Array {
  const isPostMerge = isAtLeast(fork, 'paris')
  const values = [
    bytesToBigInt(hexToBytes(block.coinbase)),
    BigInt(block.timestamp),
    BigInt(block.number),
    isPostMerge ? bytesToBigInt(hexToBytes(block.prevRandao)) : block.difficulty,
    block.gasLimit,
    chainId,
    block.baseFee,
    block.blobBaseFee,
  ]
  const words = new Uint8Array(values.length * 32)
  for (const [i, value] of values.entries()) {
    words.set(bigIntToBytes(value, 32).reverse(), i * 32)
  }
  return words
}
