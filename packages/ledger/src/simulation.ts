/**
 * One request against one state: the environment of a block, replacements, and attempts with one
 * gas limit or another, each on a world of its own.
 */

import {
  type Address,
  type BlockContext,
  createEvm,
  createWorld,
  EvmError,
  type Fork,
  type Halt,
  type Hash,
  isAtLeast,
  NO_BYTES,
  type Precompile,
  precompilesOf,
  type Status,
  type Tracer,
  type World,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@vellum/evm'
import type { Header } from './block.ts'
import type { CallRequest, SimulationQuery, StateOverrides } from './call-request.ts'
import { LedgerError } from './error.ts'
import { type ExecutionContext, runMessage } from './execute.ts'
import { blobBaseFee, GAS_PER_BLOB } from './fees.ts'
import type { ChainRules } from './rules.ts'
import type { StateView } from './state-view.ts'
import type { AccessListEntry, Authorization, SenderRecovery } from './transaction.ts'
import { INITCODE_BYTES_MAX, intrinsicGas } from './transaction-rules.ts'
import { authoritiesOf, type TransactionWatch } from './transaction-watch.ts'

export interface SimulatorPorts {
  header(number: number): { readonly header: Header; readonly hash: Hash } | undefined
  stateAt(number: number): StateView
  /** Rules of the block with this number and time in seconds. */
  rulesAt(number: number, timestamp: number): ChainRules
  readonly crypto: SenderRecovery
  /** Native contracts of a fork, where the host has faster ones than the machine's own. */
  precompiles?(fork: Fork): ReadonlyMap<Address, Precompile>
  /** Milliseconds from any fixed point, never falling. */
  nowMs(): number
}

export interface SimulationLimits {
  /** A simulation may use this much gas, or the block's gas limit if that is more. */
  readonly gasMin: bigint
  /** Milliseconds after which a simulation is given up, all its attempts together. */
  readonly timeMsMax: number
}

export const SIMULATION_LIMITS: SimulationLimits = { gasMin: 50_000_000n, timeMsMax: 5_000 }

const NONCE_MAX = 2n ** 64n - 1n

/** One request against one state, to be tried with one gas limit or another. */
export interface Simulation {
  readonly fork: Fork
  /** Most gas that an attempt may have. */
  readonly gasCap: bigint
  /** Gas that the request named, within the cap; the cap if it named none. */
  readonly gasWanted: bigint
  /** Gas limit of the block, for estimates. */
  readonly blockGasLimit: bigint
  /** Wei a gas that the request is ready to pay; 0n for a free call. */
  readonly feeCap: bigint
  readonly coinbase: Address
  readonly precompiles: ReadonlyMap<Address, Precompile>
  balance(address: Address): bigint
  nonce(address: Address): bigint
  hasCode(address: Address): boolean
  attempt(options: AttemptOptions): Attempt
}

export interface AttemptOptions {
  readonly gas: bigint
  readonly accessList: readonly AccessListEntry[]
  readonly tracer?: Tracer
  /** Sees the attempt from before its fees are taken until they are settled. */
  readonly watch?: TransactionWatch
}

export interface Attempt {
  /** How the outermost call ended; `timeout` and `memory` if the machine was stopped. */
  readonly status: Status | 'timeout' | 'memory'
  readonly output: Uint8Array
  readonly gasUsed: bigint
  /** Gas given back at the end, which was needed until then. */
  readonly refunded: bigint
}

/** Thrown by the machine's pulse when time is up. */
export const TIME_IS_UP: Error = new Error('the simulation took too long')

/** Sets up a query on the state after the block with this header. */
export function prepareSimulation(
  query: SimulationQuery,
  header: Header,
  ports: SimulatorPorts,
  limits: SimulationLimits,
): Simulation {
  const { request, stateOverrides } = query
  const changed = query.blockOverrides ?? {}
  const rules = ports.rulesAt(
    Number(changed.number ?? header.number),
    Number(changed.time ?? header.timestamp),
  )
  const { fork, chainId, blobSchedule } = rules
  const state = ports.stateAt(query.number)
  const native = ports.precompiles?.(fork) ?? precompilesFor(fork)
  const precompiles =
    stateOverrides === undefined ? native : movePrecompiles(native, stateOverrides)
  const baseFee = changed.baseFeePerGas ?? header.baseFeePerGas ?? 0n
  const { price, feeCap } = feesOf(request, baseFee)
  const blobFee =
    changed.blobBaseFee ??
    (header.excessBlobGas === undefined ? 0n : blobBaseFee(header.excessBlobGas, blobSchedule))
  const gasLimit = changed.gasLimit ?? header.gasLimit
  const block: BlockContext = {
    coinbase: changed.feeRecipient ?? header.coinbase,
    number: changed.number ?? header.number,
    timestamp: changed.time ?? header.timestamp,
    gasLimit,
    // A free call must not see a fee that it could not pay (as go-ethereum's NoBaseFee).
    baseFee: feeCap === 0n ? 0n : baseFee,
    prevRandao: changed.prevRandao ?? header.mixHash,
    difficulty: changed.difficulty ?? header.difficulty,
    blobBaseFee: (request.maxFeePerBlobGas ?? 0n) === 0n ? 0n : blobFee,
    blockHash: (number) => ports.header(number)?.hash ?? ZERO_HASH,
  }
  const gasCap = gasLimit > limits.gasMin ? gasLimit : limits.gasMin
  const deadlineMs = ports.nowMs() + limits.timeMsMax
  const pulse = (): void => {
    if (ports.nowMs() > deadlineMs) throw TIME_IS_UP
  }

  function openWorld(): World {
    const world = createWorld(state.reader)
    if (stateOverrides !== undefined) overrideAccounts(world, stateOverrides)
    return world
  }

  // Only estimates and access lists look at accounts outside an attempt.
  let initial: World | undefined
  const world = (): World => {
    initial ??= openWorld()
    return initial
  }

  function attempt({ gas, accessList, tracer: given, watch }: AttemptOptions): Attempt {
    const world = openWorld()
    const message = {
      sender: request.from ?? ZERO_ADDRESS,
      to: request.to,
      value: request.value ?? 0n,
      data: request.data ?? NO_BYTES,
      gasLimit: gas,
      accessList,
      authorizationList: request.authorizationList ?? [],
      blobVersionedHashes: request.blobVersionedHashes ?? [],
    }
    const tracer =
      watch?.start({
        ...message,
        world,
        fork,
        coinbase: block.coinbase,
        precompiles,
        authorities: () => authoritiesOf(message.authorizationList, ports.crypto),
        logsBefore: 0,
      }) ?? given
    const evm = createEvm({
      fork,
      chainId,
      block,
      world,
      precompiles,
      // One that moved takes its name along, and not that it is known to all (as go-ethereum).
      warmPrecompiles: native,
      pulse,
      ...(tracer === undefined ? {} : { tracer }),
    })
    const context: ExecutionContext = {
      fork,
      chainId,
      world,
      evm,
      crypto: ports.crypto,
      coinbase: block.coinbase,
      baseFee: block.baseFee,
      blobBaseFee: block.blobBaseFee,
      blobSchedule,
    }
    assertStartable(message, context, feeCap, request.maxFeePerBlobGas ?? 0n)
    world.beginTransaction()
    world.subtractBalance(message.sender, gas * price)
    world.setNonce(message.sender, world.nonce(message.sender) + 1n)
    try {
      const result = runMessage(message, context, price)
      const refund = world.refund()
      if (watch !== undefined) {
        world.addBalance(message.sender, (gas - result.gasUsed) * price)
        if (price > 0n) {
          world.addBalance(block.coinbase, result.gasUsed * (price - block.baseFee))
        }
        world.endTransaction(fork)
        watch.end(result)
      }
      // At most a fifth of what was spent came back (EIP-3529), a quarter of what is left; before it a
      // half, as much as is left.
      const most = result.gasUsed / (isAtLeast(fork, 'london') ? 4n : 1n) + 1n
      return {
        status: result.halt,
        output: result.output,
        gasUsed: result.gasUsed,
        refunded: refund < most ? refund : most,
      }
    } catch (error) {
      const stopped = { output: NO_BYTES, gasUsed: gas, refunded: 0n }
      if (error === TIME_IS_UP) return { ...stopped, status: 'timeout' }
      if (error instanceof EvmError && error.code === 'EVM_MEMORY_LIMIT') {
        return { ...stopped, status: 'memory' }
      }
      if (error instanceof EvmError) {
        // A balance beyond all bounds, which only an override can come near.
        throw new LedgerError('LEDGER_OVERRIDE_INVALID', error.message, {}, { cause: error })
      }
      throw error
    }
  }

  return {
    fork,
    gasCap,
    gasWanted: request.gas === undefined || request.gas > gasCap ? gasCap : request.gas,
    blockGasLimit: gasLimit,
    feeCap,
    coinbase: block.coinbase,
    precompiles,
    balance: (address) => world().balance(address),
    nonce: (address) => world().nonce(address),
    hasCode: (address) => world().code(address).length > 0,
    attempt,
  }
}

/** Wei a gas that the call pays and at most would pay: both 0n if it names no fee. */
function feesOf(
  request: CallRequest,
  baseFee: bigint,
): { readonly price: bigint; readonly feeCap: bigint } {
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas } = request
  const tip = gasPrice ?? maxPriorityFeePerGas ?? 0n
  const cap = gasPrice ?? maxFeePerGas ?? (tip === 0n ? 0n : baseFee + tip)
  if (cap === 0n) return { price: 0n, feeCap: 0n }
  if (cap < baseFee) {
    throw new LedgerError('LEDGER_FEE_TOO_LOW', 'the fee offered is below the base fee', {
      maxFeePerGas: cap,
      baseFee,
    })
  }
  const offered = gasPrice ?? baseFee + tip
  return { price: offered < cap ? offered : cap, feeCap: cap }
}

interface SimulatedMessage {
  readonly sender: Address
  readonly to: Address | undefined
  readonly value: bigint
  readonly data: Uint8Array
  readonly gasLimit: bigint
  readonly accessList: readonly AccessListEntry[]
  readonly authorizationList: readonly Authorization[]
  readonly blobVersionedHashes: readonly Hash[]
}

/** What holds for simulations too: enough gas to begin, and the money that the request speaks of. */
function assertStartable(
  message: SimulatedMessage,
  { world, fork }: ExecutionContext,
  feeCap: bigint,
  blobFeeCap: bigint,
): void {
  const { intrinsic, floor } = intrinsicGas(message, fork)
  const required = intrinsic > floor ? intrinsic : floor
  if (message.gasLimit < required) {
    throw new LedgerError('LEDGER_INTRINSIC_GAS', 'the gas does not cover the intrinsic gas', {
      gasLimit: message.gasLimit,
      intrinsic,
      floor,
    })
  }
  const { data, to, sender } = message
  if (to === undefined && data.length > INITCODE_BYTES_MAX && isAtLeast(fork, 'shanghai')) {
    throw new LedgerError(
      'LEDGER_INITCODE_SIZE',
      `initcode has at most ${INITCODE_BYTES_MAX} bytes`,
    )
  }
  const blobGas = BigInt(message.blobVersionedHashes.length) * GAS_PER_BLOB
  const cost = message.gasLimit * feeCap + blobGas * blobFeeCap + message.value
  const balance = world.balance(sender)
  if (balance < cost) {
    throw new LedgerError('LEDGER_INSUFFICIENT_FUNDS', 'the sender cannot pay for gas and value', {
      balance,
      cost,
    })
  }
  if (world.nonce(sender) === NONCE_MAX) {
    throw new LedgerError('LEDGER_OVERRIDE_INVALID', 'the sender’s nonce has its highest value')
  }
}

/** Outside a transaction of the world. */
export function overrideAccounts(world: World, overrides: StateOverrides): void {
  for (const [address, override] of overrides) {
    const { nonce, balance, code, state, stateDiff } = override
    if (nonce !== undefined) world.setNonce(address, nonce)
    if (balance !== undefined) world.setBalance(address, balance)
    if (code !== undefined) world.setCode(address, code)
    if (state !== undefined) world.clearStorage(address)
    for (const [slot, value] of state ?? stateDiff ?? []) world.setStorage(address, slot, value)
  }
}

/** An overridden account is an ordinary one; its native contract moves, or goes (as go-ethereum). */
export function movePrecompiles(
  original: ReadonlyMap<Address, Precompile>,
  overrides: StateOverrides,
): ReadonlyMap<Address, Precompile> {
  const precompiles = new Map(original)
  for (const [address, { movePrecompileTo }] of overrides) {
    const precompile = original.get(address)
    if (movePrecompileTo !== undefined) {
      if (precompile === undefined) {
        throw new LedgerError('LEDGER_OVERRIDE_INVALID', 'the account is not a precompile', {
          address,
        })
      }
      precompiles.set(movePrecompileTo, precompile)
    }
    if (precompile !== undefined && movePrecompileTo !== address) precompiles.delete(address)
  }
  return precompiles
}

const PRECOMPILES = new Map<Fork, ReadonlyMap<Address, Precompile>>()

/** The machine's own native contracts, made once a fork. */
export function precompilesFor(fork: Fork): ReadonlyMap<Address, Precompile> {
  const known = PRECOMPILES.get(fork)
  if (known !== undefined) return known
  const made = precompilesOf(fork)
  PRECOMPILES.set(fork, made)
  return made
}

/** Words of go-ethereum, which tools and people recognise. */
const WORDS: Readonly<Record<Halt | 'revert' | 'timeout' | 'memory', string>> = {
  revert: 'execution reverted',
  outOfGas: 'out of gas',
  invalidOpcode: 'invalid opcode',
  stackUnderflow: 'stack underflow',
  stackOverflow: 'stack limit reached 1024',
  invalidJump: 'invalid jump destination',
  writeProtection: 'write protection',
  returnDataOutOfBounds: 'return data out of bounds',
  callDepth: 'max call depth exceeded',
  insufficientBalance: 'insufficient balance for transfer',
  nonceOverflow: 'nonce uint64 overflow',
  createCollision: 'contract address collision',
  codeSizeLimit: 'max code size exceeded',
  initCodeSizeLimit: 'max initcode size exceeded',
  invalidCodePrefix: 'invalid code: must not begin with 0xef',
  precompileFailure: 'precompiled contract failed',
  timeout: 'execution aborted (timeout)',
  memory: 'execution aborted (memory limit)',
}

/** How an attempt that did not succeed ended, in words. */
export function wordsOf(status: Exclude<Attempt['status'], 'success'>): string {
  return WORDS[status]
}
