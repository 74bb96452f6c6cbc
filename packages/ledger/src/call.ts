/**
 * Execution that leaves no trace: what eth_call, eth_estimateGas and eth_createAccessList ask.
 *
 * A simulated transaction needs no signature, no matching nonce and, when it names no fee, no
 * money for gas. Everything else is as in a block: the same machine, the same rules.
 */

import { type Address, createAddress, isAtLeast, NO_BYTES, ZERO_ADDRESS } from '@vellum/evm'
import type {
  AccessListOutcome,
  CallOutcome,
  CallRequest,
  EstimateOutcome,
  SimulationQuery,
} from './call-request.ts'
import { LedgerError } from './error.ts'
import { GAS_PER_BLOB } from './fees.ts'
import { openReplay, type Replay, type ReplayPorts } from './replay.ts'
import { type BlockSimulation, type BlocksQuery, simulateBlocks } from './simulate-blocks.ts'
import {
  type Attempt,
  prepareSimulation,
  SIMULATION_LIMITS,
  type Simulation,
  type SimulationLimits,
  TIME_IS_UP,
  wordsOf,
} from './simulation.ts'
import { createTouchTracer } from './touch-tracer.ts'
import type { AccessListEntry } from './transaction.ts'
import { TRANSACTION_GAS_MAX } from './transaction-rules.ts'
import type { TransactionWatch } from './transaction-watch.ts'

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
  /**
   * A call that is watched, otherwise as `call`.
   * @throws LedgerError LEDGER_SIMULATION_TIME if its time was up; what the watch throws
   */
  trace(query: SimulationQuery, watch: TransactionWatch): void
  /** A block of the chain, to be run once more and watched: see `openReplay`. */
  openReplay(number: number): Replay
  /** Blocks that never were: see `simulateBlocks`. */
  simulateBlocks(query: BlocksQuery): BlockSimulation
}

const TRANSFER_GAS = 21_000n
const CALL_STIPEND = 2_300n
/** The search for a gas limit stops when what is left to search is this part of the limit. */
const ESTIMATE_PRECISION_PER_MILLE = 15n
/** Lists grow with every attempt; a program that walks on for ever gets no list. */
const ACCESS_LIST_ATTEMPTS_MAX = 32

export function createSimulator(
  ports: ReplayPorts,
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
    trace(query, watch) {
      const simulation = prepare(query)
      const { status } = simulation.attempt({
        gas: simulation.gasWanted,
        accessList: query.request.accessList ?? [],
        watch,
      })
      if (status === 'timeout' || status === 'memory') {
        throw new LedgerError('LEDGER_SIMULATION_TIME', wordsOf(status))
      }
    },
    openReplay: (number) => openReplay(number, ports),
    simulateBlocks: (query) => simulateBlocks(query, ports, limits),
  }
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
