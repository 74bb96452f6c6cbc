/**
 * Blocks that never were: what a chain of calls would do, block by block, on the state after a block.
 *
 * Spec: `eth_simulateV1` of execution-apis; where that is silent, as go-ethereum. A simulated block is
 * made like any other, but nobody has sealed it: its hash is the plain hash of its header.
 */

import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  createWorld,
  EvmError,
  type FrameEnd,
  type FrameStart,
  type Hash,
  hexToBytes,
  isAtLeast,
  keccak256Hex,
  type Log,
  NO_BYTES,
  type Status,
  type Tracer,
  type World,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@vellum/evm'
import { encodeBlock, type Header, keccakHeaderHash } from './block.ts'
import type { BlockOverrides, CallRequest, StateOverrides } from './call-request.ts'
import type { SealedBlock, SealedHeader } from './chain.ts'
import { LedgerError } from './error.ts'
import { type ExecutionContext, runMessage, type TransactionResult } from './execute.ts'
import { type BlockEnvironment, beginBlock } from './execute-block.ts'
import { executedHeader } from './executed-header.ts'
import { GAS_PER_BLOB } from './fees.ts'
import type { ChainRules } from './rules.ts'
import {
  movePrecompiles,
  overrideAccounts,
  precompilesFor,
  type SimulationLimits,
  type SimulatorPorts,
  TIME_IS_UP,
} from './simulation.ts'
import { readerThrough } from './state-view.ts'
import {
  encodeTransaction,
  type SignedTransaction,
  signingBytes,
  type Transaction,
  type TransactionType,
} from './transaction.ts'
import { INITCODE_BYTES_MAX, intrinsicGas } from './transaction-rules.ts'
import { expectedBaseFee, expectedExcessBlobGas } from './validate.ts'

export interface BlocksQuery {
  /** The block after which the first one comes. */
  readonly number: number
  readonly blocks: readonly BlockRequest[]
  /** Fees and nonces must be those of real transactions. */
  readonly isValidating: boolean
  /** Moved wei are told as events. */
  readonly isTracingTransfers: boolean
}

export interface BlockRequest {
  /** Numbers and times must rise; blocks between two numbers are made empty. */
  readonly overrides: BlockOverrides
  readonly stateOverrides: StateOverrides | undefined
  readonly calls: readonly CallRequest[]
}

export interface SimulatedBlock {
  readonly block: SealedBlock
  /** One for each transaction. */
  readonly calls: readonly SimulatedCall[]
}

export interface SimulatedCall {
  readonly halt: Status
  readonly output: Uint8Array
  readonly gasUsed: bigint
  /** Before refunds. */
  readonly gasSpent: bigint
  readonly logs: readonly SimulatedLog[]
}

/** An event, or where they are wanted one that tells of moved wei. */
export interface SimulatedLog extends Log {
  /** Among all events of the block, those too that were undone. */
  readonly index: number
}

/** Simulated blocks, made one after another; others may use the chain in between. */
export interface BlockSimulation {
  /**
   * The next block; undefined after the last one.
   * @throws LedgerError with the rule that a call breaks, or LEDGER_SIMULATION_TIME
   */
  next(): SimulatedBlock | undefined
}

/** Blocks of one simulation, those between given ones too. */
export const SIMULATED_BLOCKS_MAX = 256
/** Seconds between blocks whose times are not given. */
const BLOCK_SECONDS = 12
const NONCE_LIMIT = 1n << 64n
const UNSIGNED = { yParity: 0, r: 0n, s: 0n } as const

/**
 * Begins a simulation.
 * @throws LedgerError LEDGER_BLOCK_UNKNOWN, or LEDGER_SIMULATION_BLOCKS, LEDGER_SIMULATION_NUMBER or
 *   LEDGER_SIMULATION_TIMESTAMP for blocks that cannot follow one another
 */
export function simulateBlocks(
  query: BlocksQuery,
  ports: SimulatorPorts,
  limits: SimulationLimits,
): BlockSimulation {
  const base = ports.header(query.number)
  if (base === undefined) {
    throw new LedgerError('LEDGER_BLOCK_UNKNOWN', `there is no block ${query.number}`, {
      number: query.number,
    })
  }
  const requests = inOrder(query.blocks, base.header)
  // The chain may move on meanwhile: a view is good for as long as its height is held.
  let state = ports.stateAt(query.number)
  const reader = readerThrough(() => state)
  const world = createWorld(reader)
  const made: SealedHeader[] = []
  let gasBudget = limits.gasMin
  let timeLeftMs = limits.timeMsMax

  function hashOf(number: number): Hash {
    if (number <= query.number) return ports.header(number)?.hash ?? ZERO_HASH
    return made[number - query.number - 1]?.hash ?? ZERO_HASH
  }

  function next(): SimulatedBlock | undefined {
    const request = requests[made.length]
    if (request === undefined) return undefined
    state = ports.stateAt(query.number)
    const beganMs = ports.nowMs()
    const pulse = (): void => {
      if (ports.nowMs() - beganMs > timeLeftMs) throw TIME_IS_UP
    }
    try {
      pulse()
      const simulated = simulate(request, made.at(-1) ?? base!, pulse)
      made.push(simulated.block)
      timeLeftMs -= ports.nowMs() - beganMs
      return simulated
    } catch (error) {
      throw refusalOf(error)
    }
  }

  function simulate(
    { overrides, stateOverrides, calls }: PlacedRequest,
    parent: SealedHeader,
    pulse: () => void,
  ): SimulatedBlock {
    const rules = ports.rulesAt(overrides.number, overrides.time)
    const { fork } = rules
    const environment = environmentOf(overrides, parent, rules, query.isValidating)
    const native = ports.precompiles?.(fork) ?? precompilesFor(fork)
    const precompiles = stateOverrides ? movePrecompiles(native, stateOverrides) : native
    if (stateOverrides !== undefined) overrideAccounts(world, stateOverrides)
    const execution = beginBlock(environment, rules, {
      reader,
      world,
      blobBaseFee: overrides.blobBaseFee,
      crypto: ports.crypto,
      precompiles,
      warmPrecompiles: native,
      blockHash: hashOf,
      pulse,
      rootOf: state.rootAfter,
    })
    const transactions: SignedTransaction[] = []
    const outcomes: SimulatedCall[] = []
    let logCount = 0
    for (const call of calls) {
      pulse()
      const tx = transactionOf(call, world, rules, execution.gasLeft(), gasBudget)
      const log = createCallLog(query.isTracingTransfers, logCount)
      const result = execution.include(
        tx,
        (context) => run(tx, call, context, query.isValidating),
        log.tracer,
      )
      logCount = log.count()
      gasBudget -= result.gasUsed
      transactions.push(tx)
      const { halt, output, gasUsed, gasSpent } = result
      outcomes.push({ halt, output, gasUsed, gasSpent, logs: log.logs })
    }
    const withdrawals = isAtLeast(fork, 'shanghai') ? (overrides.withdrawals ?? []) : undefined
    const outcome = execution.finish(withdrawals)
    const header = executedHeader({
      fork,
      environment,
      outcome,
      stateRoot: state.rootAfter(outcome.changes),
      transactions,
      withdrawals,
      extraData: NO_BYTES,
      nonce: new Uint8Array(8),
    })
    const block = { header, transactions, ommers: [], withdrawals }
    const size = encodeBlock(block).length
    return { block: { ...block, hash: keccakHeaderHash(header), size }, calls: outcomes }
  }

  return { next }
}

/** What was thrown in the middle of a block, as the fault of the request that it is. */
function refusalOf(error: unknown): unknown {
  if (error === TIME_IS_UP) {
    return new LedgerError('LEDGER_SIMULATION_TIME', 'the simulation takes too long')
  }
  if (error instanceof EvmError && error.code === 'EVM_MEMORY_LIMIT') {
    return new LedgerError('LEDGER_MEMORY_LIMIT', error.message, {}, { cause: error })
  }
  // Balances beyond all bounds, a system contract without its code: only overrides make such blocks.
  const isOfOverrides = error instanceof LedgerError && error.code === 'LEDGER_BLOCK_INVALID'
  if (!isOfOverrides && !(error instanceof EvmError)) return error
  return new LedgerError('LEDGER_OVERRIDE_INVALID', error.message, {}, { cause: error })
}

interface PlacedRequest extends Omit<BlockRequest, 'overrides'> {
  readonly overrides: Omit<BlockOverrides, 'number' | 'time'> & {
    readonly number: number
    readonly time: number
  }
}

/** The blocks with their numbers and times, and with the empty ones between them. */
function inOrder(blocks: readonly BlockRequest[], base: Header): PlacedRequest[] {
  const placed: PlacedRequest[] = []
  let { number, timestamp } = base
  const place = (request: BlockRequest, time: number): void => {
    number += 1
    timestamp = time
    placed.push({ ...request, overrides: { ...request.overrides, number, time } })
  }
  for (const request of blocks) {
    const { number: numberWanted, time } = request.overrides
    const wanted = numberWanted ?? BigInt(number + 1)
    if (wanted <= BigInt(number)) {
      throw new LedgerError(
        'LEDGER_SIMULATION_NUMBER',
        `block numbers must be in order: ${wanted} <= ${number}`,
      )
    }
    if (wanted - BigInt(base.number) > BigInt(SIMULATED_BLOCKS_MAX)) {
      throw new LedgerError('LEDGER_SIMULATION_BLOCKS', 'too many blocks')
    }
    while (BigInt(number + 1) < wanted) place(EMPTY_REQUEST, timestamp + BLOCK_SECONDS)
    const timeWanted = time ?? BigInt(timestamp + BLOCK_SECONDS)
    if (timeWanted <= BigInt(timestamp) || timeWanted > BigInt(TIMESTAMP_MAX)) {
      throw new LedgerError(
        'LEDGER_SIMULATION_TIMESTAMP',
        `block timestamps must be in order: ${timeWanted} <= ${timestamp}`,
      )
    }
    place(request, Number(timeWanted))
  }
  return placed
}

const EMPTY_REQUEST: BlockRequest = { overrides: {}, stateOverrides: undefined, calls: [] }
/** Leaves room for the blocks after it. */
const TIMESTAMP_MAX = Number.MAX_SAFE_INTEGER - SIMULATED_BLOCKS_MAX * BLOCK_SECONDS

function environmentOf(
  overrides: PlacedRequest['overrides'],
  { header: parent, hash: parentHash }: SealedHeader,
  rules: ChainRules,
  isValidating: boolean,
): BlockEnvironment {
  const { fork } = rules
  const baseFee = (): bigint => (isValidating ? expectedBaseFee(parent, rules) : undefined) ?? 0n
  const cancun = isAtLeast(fork, 'cancun')
  return {
    parentHash,
    coinbase: overrides.feeRecipient ?? parent.coinbase,
    number: overrides.number,
    timestamp: overrides.time,
    gasLimit: overrides.gasLimit ?? parent.gasLimit,
    difficulty: overrides.difficulty ?? parent.difficulty,
    mixHash: overrides.prevRandao ?? ZERO_HASH,
    // Without validation nobody pays, so that nothing may cost.
    baseFeePerGas: isAtLeast(fork, 'london') ? (overrides.baseFeePerGas ?? baseFee()) : undefined,
    excessBlobGas: cancun ? expectedExcessBlobGas(parent, rules) : undefined,
    parentBeaconBlockRoot: cancun
      ? (overrides.parentBeaconBlockRoot ?? rules.domain ?? ZERO_HASH)
      : undefined,
  }
}

/**
 * The call as a transaction that nobody signed.
 * @param gasLeft of the block
 * @param gasBudget of the whole simulation: a call gets no more, whatever it names
 */
function transactionOf(
  call: CallRequest,
  world: World,
  rules: ChainRules,
  gasLeft: bigint,
  gasBudget: bigint,
): SignedTransaction {
  const sender = call.from ?? ZERO_ADDRESS
  const gasWanted = call.gas ?? gasLeft
  if (gasWanted > gasLeft) {
    throw new LedgerError('LEDGER_GAS_LIMIT', 'the block has not so much gas left', {
      gasLimit: gasWanted,
      left: gasLeft,
    })
  }
  const type = typeOf(call, rules)
  const isPriced = type < 2
  const transaction: Transaction = {
    type,
    chainId: type === 0 ? undefined : rules.chainId,
    nonce: call.nonce ?? world.nonce(sender),
    gasLimit: gasWanted < gasBudget ? gasWanted : gasBudget,
    maxFeePerGas: (isPriced ? call.gasPrice : call.maxFeePerGas) ?? 0n,
    maxPriorityFeePerGas: (isPriced ? call.gasPrice : call.maxPriorityFeePerGas) ?? 0n,
    to: call.to,
    value: call.value ?? 0n,
    data: call.data ?? NO_BYTES,
    accessList: call.accessList ?? [],
    maxFeePerBlobGas: call.maxFeePerBlobGas ?? 0n,
    blobVersionedHashes: type === 3 ? (call.blobVersionedHashes ?? []) : [],
    authorizationList: type === 4 ? (call.authorizationList ?? []) : [],
  }
  return withoutSignature(transaction, sender)
}

/** The transaction as if this account had sent it: with zeros for a signature. */
export function withoutSignature(transaction: Transaction, sender: Address): SignedTransaction {
  const encoded =
    // A legacy transaction without signature ends in three zeros, as one to be signed for chain 0.
    transaction.type === 0
      ? signingBytes({ ...transaction, chainId: 0n })
      : encodeTransaction(transaction, UNSIGNED)
  return { ...transaction, signature: UNSIGNED, hash: keccak256Hex(encoded), encoded, sender }
}

function typeOf(call: CallRequest, { fork }: ChainRules): TransactionType {
  if (call.gasPrice !== undefined || !isAtLeast(fork, 'london')) return 0
  if (call.authorizationList !== undefined) return 4
  return call.blobVersionedHashes === undefined ? 2 : 3
}

/** Runs a call by the rules of a transaction, as far as they hold for one that nobody signed. */
function run(
  tx: SignedTransaction,
  call: CallRequest,
  context: ExecutionContext,
  isValidating: boolean,
): TransactionResult {
  const { world, fork, coinbase, baseFee } = context
  const isFree = tx.maxFeePerGas === 0n && tx.maxPriorityFeePerGas === 0n
  const offered = call.gasPrice === undefined ? baseFee + tx.maxPriorityFeePerGas : tx.maxFeePerGas
  const capped = offered < tx.maxFeePerGas ? offered : tx.maxFeePerGas
  const price = isFree ? 0n : capped
  const blobGas = BigInt(tx.blobVersionedHashes.length) * GAS_PER_BLOB
  assertRunnable(tx, context, isValidating || !isFree, isValidating)

  world.beginTransaction()
  const blobPrice = isValidating || tx.maxFeePerBlobGas > 0n ? context.blobBaseFee : 0n
  world.subtractBalance(tx.sender, tx.gasLimit * price + blobGas * blobPrice)
  world.setNonce(tx.sender, (world.nonce(tx.sender) + 1n) % NONCE_LIMIT)
  const result = runMessage(tx, context, price)
  world.addBalance(tx.sender, (tx.gasLimit - result.gasUsed) * price)
  if (isValidating || !isFree) world.addBalance(coinbase, result.gasUsed * (price - baseFee))
  world.endTransaction(fork)
  return { ...result, effectiveGasPrice: price, logs: world.logs() }
}

/** @throws LedgerError with the rule that does not hold */
function assertRunnable(
  tx: SignedTransaction,
  { world, fork, baseFee, blobBaseFee }: ExecutionContext,
  isPaying: boolean,
  isValidating: boolean,
): void {
  const { sender, to, nonce, maxFeePerGas, maxFeePerBlobGas } = tx
  const expected = world.nonce(sender)
  if (isValidating && nonce !== expected) {
    throw new LedgerError(
      nonce < expected ? 'LEDGER_NONCE_TOO_LOW' : 'LEDGER_NONCE_TOO_HIGH',
      `the sender’s next nonce is ${expected}`,
      { address: sender, found: nonce, expected },
    )
  }
  if (expected + 1n === NONCE_LIMIT && (isValidating || to === undefined)) {
    throw new LedgerError('LEDGER_SENDER_NONCE', 'the sender’s nonce has its highest value')
  }
  if (isPaying && (maxFeePerGas < baseFee || tx.maxPriorityFeePerGas > maxFeePerGas)) {
    throw new LedgerError('LEDGER_FEE_TOO_LOW', 'the fee offered is below base fee or tip', {
      maxFeePerGas,
      baseFee,
    })
  }
  if (tx.type >= 3 && to === undefined) {
    throw new LedgerError('LEDGER_TRANSACTION_INVALID', `type ${tx.type} creates no contract`)
  }
  if (tx.type === 3 && (isValidating || maxFeePerBlobGas > 0n) && maxFeePerBlobGas < blobBaseFee) {
    throw new LedgerError('LEDGER_FEE_TOO_LOW', 'the blob fee offered is below the blob base fee', {
      maxFeePerBlobGas,
      blobBaseFee,
    })
  }
  const blobGas = BigInt(tx.blobVersionedHashes.length) * GAS_PER_BLOB
  const cost = tx.gasLimit * maxFeePerGas + blobGas * maxFeePerBlobGas + tx.value
  const balance = world.balance(sender)
  if (balance < cost) {
    throw new LedgerError('LEDGER_INSUFFICIENT_FUNDS', 'the sender cannot pay for gas and value', {
      address: sender,
      balance,
      cost,
    })
  }
  const { intrinsic, floor } = intrinsicGas(tx, fork)
  if (tx.gasLimit < intrinsic || tx.gasLimit < floor) {
    throw new LedgerError('LEDGER_INTRINSIC_GAS', 'the gas does not cover the intrinsic gas', {
      gasLimit: tx.gasLimit,
      intrinsic,
      floor,
    })
  }
  if (to === undefined && tx.data.length > INITCODE_BYTES_MAX && isAtLeast(fork, 'shanghai')) {
    throw new LedgerError(
      'LEDGER_INITCODE_SIZE',
      `initcode has at most ${INITCODE_BYTES_MAX} bytes`,
    )
  }
}

/** Whom the events of moved wei come from, and their name, as if ether were a token. */
const ETHER: Address = '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'
/** keccak256("Transfer(address,address,uint256)") */
const TRANSFER: Hash = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'

interface CallLog {
  readonly tracer: Tracer
  /** Events that were not undone, in order. */
  readonly logs: readonly SimulatedLog[]
  /** Events of the block so far. */
  count(): number
}

function createCallLog(isTracingTransfers: boolean, countBefore: number): CallLog {
  const logs: SimulatedLog[] = []
  /** How many events there were before each running frame. */
  const before: number[] = []
  let count = countBefore

  const add = (log: Log): void => {
    logs.push({ ...log, index: count++ })
  }

  function enter({ type, from, to, value }: FrameStart): void {
    before.push(logs.length)
    if (!isTracingTransfers || value === 0n || type === 'DELEGATECALL') return
    add({
      address: ETHER,
      topics: [TRANSFER, topicOf(from), topicOf(to)],
      data: bigIntToBytes(value, 32),
    })
  }

  function exit({ status }: FrameEnd): void {
    const kept = before.pop()!
    if (status !== 'success') logs.length = kept
  }

  return { tracer: { enter, exit, log: add }, logs, count: () => count }
}

function topicOf(address: Address): Hash {
  return bytesToHex(concatBytes(new Uint8Array(12), hexToBytes(address)))
}
