/**
 * Execution that leaves no trace: what eth_call, eth_estimateGas and eth_createAccessList ask.
 *
 * A simulated transaction needs no signature, no matching nonce and, when it names no fee, no
 * money for gas. Everything else is as in a block: the same machine, the same rules.
 */

import {
  type Address,
  type BlockContext,
  createAddress,
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
import { LedgerError } from './error.ts'
import { type ExecutionContext, runMessage } from './execute.ts'
import { blobBaseFee, GAS_PER_BLOB } from './fees.ts'
import type { ChainRules } from './rules.ts'
import type { StateView } from './state.ts'
import { createTouchTracer } from './touch-tracer.ts'
import type { AccessListEntry, Authorization, SenderRecovery } from './transaction.ts'
import { INITCODE_BYTES_MAX, intrinsicGas, TRANSACTION_GAS_MAX } from './transaction-rules.ts'

/** A transaction as a caller sketches it; what is left out takes the value said here. */
export interface CallRequest {
  /** Default: the zero address. */
  readonly from?: Address
  /** Left out: a contract creation. */
  readonly to?: Address
  /** Gas limit. Default: the gas cap of the simulation. */
  readonly gas?: bigint
  /** Fee in wei per gas. Left out, as the two below: the call is free and GASPRICE is 0. */
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly value?: bigint
  readonly data?: Uint8Array
  /** Accepted and ignored in calls: the nonce is that of the state. */
  readonly nonce?: bigint
  readonly accessList?: readonly AccessListEntry[]
  readonly maxFeePerBlobGas?: bigint
  readonly blobVersionedHashes?: readonly Hash[]
  readonly authorizationList?: readonly Authorization[]
}

/** Replacements in the state that a simulation meets, by account. */
export type StateOverrides = ReadonlyMap<Address, AccountOverride>

/** What is left out stays as it is. `state` and `stateDiff` exclude each other. */
export interface AccountOverride {
  readonly nonce?: bigint
  readonly balance?: bigint
  readonly code?: Uint8Array
  /** The whole storage: slots not named are 0. */
  readonly state?: ReadonlyMap<Hash, bigint>
  /** Single slots: those not named keep their values. */
  readonly stateDiff?: ReadonlyMap<Hash, bigint>
  /** The native contract at this address answers at that one instead. */
  readonly movePrecompileTo?: Address
}

/** Replacements in the block environment that a simulation meets. */
export interface BlockOverrides {
  readonly number?: bigint
  /** Seconds since 1970. */
  readonly time?: bigint
  readonly gasLimit?: bigint
  readonly feeRecipient?: Address
  readonly prevRandao?: Hash
  readonly difficulty?: bigint
  readonly baseFeePerGas?: bigint
  readonly blobBaseFee?: bigint
}

/** How a simulated execution ended. */
export type CallOutcome =
  | { readonly status: 'success'; readonly output: Uint8Array; readonly gasUsed: bigint }
  /** The code called REVERT; `output` is its revert data. */
  | { readonly status: 'reverted'; readonly output: Uint8Array; readonly gasUsed: bigint }
  /** The machine stopped it: `reason` in words, such as `out of gas`. */
  | { readonly status: 'failed'; readonly reason: string; readonly gasUsed: bigint }

/** The least sufficient gas limit, or how the execution fails with all the gas there is. */
export type EstimateOutcome =
  | { readonly status: 'success'; readonly gas: bigint }
  | { readonly status: 'reverted'; readonly output: Uint8Array }
  | { readonly status: 'failed'; readonly reason: string }

/** What an execution touches beyond what every transaction may; `failure` if it did not succeed. */
export interface AccessListOutcome {
  readonly accessList: readonly AccessListEntry[]
  readonly gasUsed: bigint
  readonly failure: string | undefined
}

export interface SimulationQuery {
  readonly request: CallRequest
  /** The block whose state and environment the request meets. */
  readonly number: number
  readonly stateOverrides: StateOverrides | undefined
  readonly blockOverrides: BlockOverrides | undefined
}

/**
 * Each method throws a LedgerError if the request cannot start: LEDGER_INSUFFICIENT_FUNDS,
 * LEDGER_FEE_TOO_LOW, LEDGER_INTRINSIC_GAS, LEDGER_INITCODE_SIZE, LEDGER_OVERRIDE_INVALID, or what
 * the chain says of the block (LEDGER_BLOCK_UNKNOWN, LEDGER_STATE_PRUNED).
 */
export interface CallSimulator {
  call(query: SimulationQuery): CallOutcome
  /**
   * A gas limit with which the request succeeds, at most 1.5 % above the least one.
   * Spec: none; the search of go-ethereum's `gasestimator`.
   */
  estimateGas(query: SimulationQuery): EstimateOutcome
  /** The EIP-2930 list with which the request touches nothing that is not listed. */
  createAccessList(query: SimulationQuery): AccessListOutcome
}

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

const TRANSFER_GAS = 21_000n
const CALL_STIPEND = 2_300n
/** The search for a gas limit stops when what is left to search is this part of the limit. */
const ESTIMATE_PRECISION_PER_MILLE = 15n
/** Lists grow with every attempt; a program that walks on for ever gets no list. */
const ACCESS_LIST_ATTEMPTS_MAX = 32
const NONCE_MAX = 2n ** 64n - 1n

export function createSimulator(
  ports: SimulatorPorts,
  limits: SimulationLimits = SIMULATION_LIMITS,
): CallSimulator {
  function prepare(query: SimulationQuery): Simulation {
    const sealed = ports.header(query.number)
    if (sealed === undefined) {
      throw new LedgerError('LEDGER_BLOCK_UNKNOWN', `there is no block ${query.number}`, {
        number: query.number,
      })
    }
    return prepareSimulation(query, sealed.header, ports, limits)
  }

  return {
    call(query) {
      const simulation = prepare(query)
      const attempt = simulation.attempt({
        gas: simulation.gasWanted,
        accessList: query.request.accessList ?? [],
      })
      const { status, output, gasUsed } = attempt
      if (status === 'success') return { status, output, gasUsed }
      if (status === 'revert') return { status: 'reverted', output, gasUsed }
      return { status: 'failed', reason: wordsOf(status), gasUsed }
    },
    estimateGas(query) {
      try {
        return estimate(prepare(query), query.request)
      } catch (error) {
        if (error !== TIME_IS_UP) throw error
        return { status: 'failed', reason: wordsOf('timeout') }
      }
    },
    createAccessList: (query) => gatherAccessList(prepare(query), query.request),
  }
}

/** One request against one state, to be tried with one gas limit or another. */
interface Simulation {
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

interface AttemptOptions {
  readonly gas: bigint
  readonly accessList: readonly AccessListEntry[]
  readonly tracer?: Tracer
}

interface Attempt {
  /** How the outermost call ended; `timeout` and `memory` if the machine was stopped. */
  readonly status: Status | 'timeout' | 'memory'
  readonly output: Uint8Array
  readonly gasUsed: bigint
  /** Gas given back at the end, which was needed until then. */
  readonly refunded: bigint
}

/** Thrown by the machine's pulse when time is up. */
const TIME_IS_UP = new Error('the simulation took too long')

function prepareSimulation(
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

  function attempt({ gas, accessList, tracer }: AttemptOptions): Attempt {
    const world = openWorld()
    const evm = createEvm({
      fork,
      chainId,
      block,
      world,
      precompiles,
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
    assertStartable(message, context, feeCap, request.maxFeePerBlobGas ?? 0n)
    world.beginTransaction()
    world.subtractBalance(message.sender, gas * price)
    world.setNonce(message.sender, world.nonce(message.sender) + 1n)
    try {
      const result = runMessage(message, context, price)
      const refund = world.refund()
      // At most a fifth of what was spent came back (EIP-3529): a quarter of what is left.
      const most = result.gasUsed / 4n + 1n
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

function overrideAccounts(world: World, overrides: StateOverrides): void {
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
function movePrecompiles(
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
function precompilesFor(fork: Fork): ReadonlyMap<Address, Precompile> {
  const known = PRECOMPILES.get(fork)
  if (known !== undefined) return known
  const made = precompilesOf(fork)
  PRECOMPILES.set(fork, made)
  return made
}

/** Spec: go-ethereum `eth/gasestimator`, `Estimate`. */
function estimate(simulation: Simulation, request: CallRequest): EstimateOutcome {
  const accessList = request.accessList ?? []
  let high = gasCeiling(simulation, request)

  /** undefined: not enough to begin with. */
  function attempt(gas: bigint): Attempt | undefined {
    try {
      const tried = simulation.attempt({ gas, accessList })
      // What was cut off says nothing about the gas.
      if (tried.status === 'timeout') throw TIME_IS_UP
      return tried
    } catch (error) {
      if (error instanceof LedgerError && error.code === 'LEDGER_INTRINSIC_GAS') return undefined
      throw error
    }
  }
  const suffices = (gas: bigint): boolean => attempt(gas)?.status === 'success'

  const { to, data = NO_BYTES } = request
  const isTransfer = to !== undefined && data.length === 0 && !simulation.hasCode(to)
  if (isTransfer && high >= TRANSFER_GAS && suffices(TRANSFER_GAS)) {
    return { status: 'success', gas: TRANSFER_GAS }
  }

  const best = attempt(high)
  if (best === undefined || best.status === 'outOfGas') {
    return { status: 'failed', reason: `gas required exceeds allowance (${high})` }
  }
  if (best.status === 'revert') return { status: 'reverted', output: best.output }
  if (best.status !== 'success') return { status: 'failed', reason: wordsOf(best.status) }

  // Refunds come at the end only, and 63/64 of what is left goes into each inner call (EIP-150).
  let low = best.gasUsed - 1n
  const guess = ((best.gasUsed + best.refunded + CALL_STIPEND) * 64n) / 63n
  if (guess < high) {
    if (suffices(guess)) high = guess
    else low = guess
  }
  while (low + 1n < high) {
    if ((high - low) * 1000n < high * ESTIMATE_PRECISION_PER_MILLE) break
    // Most limits lie near the gas used: look there before halving the whole range.
    const middle = (high + low) / 2n
    const probe = middle > low * 2n ? low * 2n : middle
    if (suffices(probe)) high = probe
    else low = probe
  }
  return { status: 'success', gas: high }
}

/** Most gas that a transaction like the request could have: by block, fork, cap and money. */
function gasCeiling(simulation: Simulation, request: CallRequest): bigint {
  const { feeCap, gasCap, fork } = simulation
  const ceilings = [gasCap]
  const named = request.gas !== undefined && request.gas >= TRANSFER_GAS
  ceilings.push(named ? request.gas : simulation.blockGasLimit)
  if (isAtLeast(fork, 'osaka')) ceilings.push(TRANSACTION_GAS_MAX)
  if (feeCap > 0n) {
    const blobGas = BigInt(request.blobVersionedHashes?.length ?? 0) * GAS_PER_BLOB
    const spoken = (request.value ?? 0n) + blobGas * (request.maxFeePerBlobGas ?? 0n)
    const balance = simulation.balance(request.from ?? ZERO_ADDRESS)
    if (balance <= spoken) {
      throw new LedgerError('LEDGER_INSUFFICIENT_FUNDS', 'the sender cannot pay for the value', {
        balance,
        cost: spoken,
      })
    }
    ceilings.push((balance - spoken) / feeCap)
  }
  return ceilings.reduce((least, ceiling) => (ceiling < least ? ceiling : least))
}

/** Listing what was touched may change what is touched: repeats until the list stays the same. */
function gatherAccessList(simulation: Simulation, request: CallRequest): AccessListOutcome {
  const sender = request.from ?? ZERO_ADDRESS
  const free = new Set<Address>([sender, ...simulation.precompiles.keys()])
  free.add(request.to ?? createAddress(sender, simulation.nonce(sender)))
  if (isAtLeast(simulation.fork, 'shanghai')) free.add(simulation.coinbase)
  let accessList = createTouchTracer(request.accessList ?? [], free).accessList()
  for (let attempts = 1; ; attempts++) {
    const touched = createTouchTracer(accessList, free)
    const { tracer } = touched
    const result = simulation.attempt({ gas: simulation.gasWanted, accessList, tracer })
    const next = touched.accessList()
    const isStable = sizeOf(next) === sizeOf(accessList)
    accessList = next
    if (isStable || attempts === ACCESS_LIST_ATTEMPTS_MAX) {
      const { status, gasUsed } = result
      return {
        accessList,
        gasUsed,
        failure: status === 'success' ? undefined : wordsOf(status),
      }
    }
  }
}

/** Addresses and slots of a list: lists only grow, so equal sizes mean equal lists. */
function sizeOf(list: readonly AccessListEntry[]): number {
  return list.reduce((size, { storageKeys }) => size + 1 + storageKeys.length, 0)
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

function wordsOf(status: Exclude<Attempt['status'], 'success'>): string {
  return WORDS[status]
}
