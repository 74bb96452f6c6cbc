/**
 * A block's transactions and system calls, in one synchronous pass over one world.
 *
 * Spec: `apply_body` of the execution specifications; EIP-2935, 4788, 4895, 6110, 7002, 7251, 7685.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import {
  type Address,
  type BlockContext,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  createEvm,
  createWorld,
  type Fork,
  type Hash,
  hexToBytes,
  isAtLeast,
  NO_BYTES,
  type Precompile,
  type Tracer,
  type World,
  type WorldChanges,
  type WorldReader,
} from '@vellum/evm'
import type { Header, Withdrawal } from './block.ts'
import { LedgerError } from './error.ts'
import { type ExecutionContext, executeTransaction, type TransactionResult } from './execute.ts'
import { blobBaseFee, GAS_PER_BLOB } from './fees.ts'
import { readPermissions } from './permission.ts'
import { BLOOM_BYTES, createReceipt, type Log, type Receipt } from './receipt.ts'
import type { SenderRecovery, SignedTransaction } from './transaction.ts'
import type { BlockRules } from './validate.ts'

/** What execution needs of a header; the rest of it is what execution finds. */
export type BlockEnvironment = Pick<
  Header,
  | 'parentHash'
  | 'coinbase'
  | 'number'
  | 'timestamp'
  | 'gasLimit'
  | 'difficulty'
  | 'mixHash'
  | 'baseFeePerGas'
  | 'excessBlobGas'
  | 'parentBeaconBlockRoot'
>

export interface BlockExecutionPorts {
  readonly reader: WorldReader
  /** What earlier blocks, which are nowhere else, made of the reader's state. */
  readonly world?: World
  /** Wei a blob gas, where it is not what the header says. */
  readonly blobBaseFee?: bigint | undefined
  readonly crypto: SenderRecovery
  /** Native contracts of the block's fork; the machine's own if absent. */
  readonly precompiles?: ReadonlyMap<Address, Precompile>
  /** As of the machine: those that are warm, where that is not all of them. */
  readonly warmPrecompiles?: ReadonlyMap<Address, Precompile>
  /** Hash of an earlier block, at most 256 back. */
  readonly blockHash: (number: number) => Hash
  /** As of the machine: called now and then in a long run, and may throw to end it. */
  readonly pulse?: (() => void) | undefined
  /**
   * Root of the state with these changes: what receipts hold before Byzantium. Without it they hold the
   * status, for those who do not need the receipts' root.
   */
  readonly rootOf?: (changes: WorldChanges) => Hash
}

/** A block being executed: transactions go in one by one, `finish` gives what the header commits to. */
export interface BlockExecution {
  readonly world: World
  readonly context: ExecutionContext
  /** Gas that further transactions may ask for. */
  gasLeft(): bigint
  /**
   * @param tracer sees this transaction run
   * @throws LedgerError if the transaction is not valid here; the block can go on without it
   */
  add(tx: SignedTransaction, tracer?: Tracer): TransactionResult
  /** The same for a transaction that is run by other rules: `run` does it on the context's world. */
  include(
    tx: SignedTransaction,
    run: (context: ExecutionContext) => TransactionResult,
    tracer?: Tracer,
  ): TransactionResult
  finish(withdrawals: readonly Withdrawal[] | undefined, ommers?: readonly Header[]): BlockOutcome
}

export interface BlockOutcome {
  readonly receipts: readonly Receipt[]
  /** EIP-2718 bytes of each receipt. */
  readonly encodedReceipts: readonly Uint8Array[]
  readonly gasUsed: bigint
  readonly blobGasUsed: bigint
  readonly logsBloom: Uint8Array
  /** EIP-7685: those that are not empty. */
  readonly requests: readonly Uint8Array[]
  /** undefined before Prague. */
  readonly requestsHash: Hash | undefined
  readonly changes: WorldChanges
}

const SYSTEM_ADDRESS: Address = '0xfffffffffffffffffffffffffffffffffffffffe'
const SYSTEM_CALL_GAS = 30_000_000n
export const BEACON_ROOTS: Address = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
export const HISTORY_STORAGE: Address = '0x0000f90827f1c53a10cb7a02335b175320002935'
export const WITHDRAWAL_REQUESTS: Address = '0x00000961ef480eb55e80d19ad83579a64c007002'
export const CONSOLIDATION_REQUESTS: Address = '0x0000bbddc7ce488642fb579f8b00f3a590007251'
/** keccak256("DepositEvent(bytes,bytes,bytes,bytes,bytes)") */
const DEPOSIT_TOPIC: Hash = '0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5'
const GWEI = 1_000_000_000n
/** Wei, by the fork since which it is paid. */
const BLOCK_REWARDS: readonly (readonly [since: Fork, reward: bigint])[] = [
  ['constantinople', 2_000_000_000_000_000_000n],
  ['byzantium', 3_000_000_000_000_000_000n],
  ['frontier', 5_000_000_000_000_000_000n],
]

/** Begins a block: the machine is set up and the system calls before its transactions are made. */
export function beginBlock(
  header: BlockEnvironment,
  rules: BlockRules & { readonly depositContract?: Address | undefined },
  ports: BlockExecutionPorts,
): BlockExecution {
  const { fork, chainId, blobSchedule } = rules
  const world = ports.world ?? createWorld(ports.reader)
  const baseFee = header.baseFeePerGas ?? 0n
  const blobFee =
    ports.blobBaseFee ??
    (header.excessBlobGas === undefined ? 0n : blobBaseFee(header.excessBlobGas, blobSchedule))
  const block: BlockContext = {
    coinbase: header.coinbase,
    number: header.number,
    timestamp: header.timestamp,
    gasLimit: header.gasLimit,
    baseFee,
    prevRandao: header.mixHash,
    difficulty: header.difficulty,
    blobBaseFee: blobFee,
    blockHash: ports.blockHash,
  }
  const { precompiles, warmPrecompiles, pulse } = ports
  const rootOf = isAtLeast(fork, 'byzantium') ? undefined : ports.rootOf
  const setting = {
    fork,
    chainId,
    block,
    world,
    ...(precompiles === undefined ? {} : { precompiles }),
    ...(warmPrecompiles === undefined ? {} : { warmPrecompiles }),
    ...(pulse === undefined ? {} : { pulse }),
  }
  const evm = createEvm(setting)
  const { permissionContract } = rules
  const permissions =
    permissionContract && readPermissions((slot) => ports.reader.storage(permissionContract, slot))
  const context: ExecutionContext = {
    fork,
    chainId,
    world,
    evm,
    crypto: ports.crypto,
    coinbase: header.coinbase,
    baseFee,
    blobBaseFee: blobFee,
    blobSchedule,
  }
  const blobGasLimit = BigInt(blobSchedule.max) * GAS_PER_BLOB
  const receipts: Receipt[] = []
  const encodedReceipts: Uint8Array[] = []
  const logsBloom = new Uint8Array(BLOOM_BYTES)
  let gasUsed = 0n
  let blobGasUsed = 0n

  if (isAtLeast(fork, 'cancun') && header.parentBeaconBlockRoot !== undefined) {
    systemCall(context, BEACON_ROOTS, hexToBytes(header.parentBeaconBlockRoot))
  }
  if (isAtLeast(fork, 'prague')) {
    systemCall(context, HISTORY_STORAGE, hexToBytes(header.parentHash))
  }

  const include: BlockExecution['include'] = (tx, run, tracer) => {
    const result = run(
      tracer === undefined ? context : { ...context, evm: createEvm({ ...setting, tracer }) },
    )
    gasUsed += result.gasUsed
    blobGasUsed += BigInt(tx.blobVersionedHashes.length) * GAS_PER_BLOB
    const { receipt, encoded } = createReceipt(
      {
        type: tx.type,
        status: rootOf === undefined ? result.status : rootOf(world.changes()),
        cumulativeGasUsed: gasUsed,
        logs: result.logs,
      },
      logsBloom,
    )
    receipts.push(receipt)
    encodedReceipts.push(encoded)
    return result
  }

  return {
    world,
    context,
    gasLeft: () => header.gasLimit - gasUsed,
    add: (tx, tracer) => {
      permissions?.assertMay(tx.sender, tx.to)
      const left = { gas: header.gasLimit - gasUsed, blobGas: blobGasLimit - blobGasUsed }
      return include(tx, (running) => executeTransaction(tx, running, left), tracer)
    },
    include,
    finish: (withdrawals, ommers = []) => {
      // A step like a transaction: who destroyed himself in the last one may be paid now, and what
      // is touched and left empty goes (EIP-161).
      world.beginTransaction()
      if (rules.consensus === 'stake') payRewards(world, header, ommers, fork)
      for (const { address, amount } of withdrawals ?? []) {
        world.addBalance(address, amount * GWEI)
      }
      world.endTransaction(fork)
      const isPrague = isAtLeast(fork, 'prague')
      const requests = isPrague ? requestsOf(context, receipts, rules) : []
      const requestsHash = isPrague ? hashRequests(requests) : undefined
      return {
        receipts,
        encodedReceipts,
        gasUsed,
        blobGasUsed,
        logsBloom,
        requests,
        requestsHash,
        changes: world.changes(),
      }
    },
  }
}

/** Yellow paper 11.3; EIP-649 and EIP-1234 made it less, EIP-3675 nothing. */
function payRewards(
  world: World,
  { number, coinbase }: BlockEnvironment,
  ommers: readonly Header[],
  fork: Fork,
): void {
  if (isAtLeast(fork, 'paris')) return
  const [, reward] = BLOCK_REWARDS.find(([since]) => isAtLeast(fork, since))!
  world.addBalance(coinbase, reward + (reward * BigInt(ommers.length)) / 32n)
  for (const ommer of ommers) {
    world.addBalance(ommer.coinbase, (reward * BigInt(8 - (number - ommer.number))) / 8n)
  }
}

/** EIP-4788 and the like: a call by nobody, outside the block's gas. Skipped where no code is. */
function systemCall(
  { world, evm, fork }: ExecutionContext,
  to: Address,
  data: Uint8Array,
): Uint8Array | undefined {
  if (world.code(to).length === 0) return undefined
  world.beginTransaction()
  const outcome = evm.call(
    { caller: SYSTEM_ADDRESS, to, value: 0n, data, gas: SYSTEM_CALL_GAS },
    { origin: SYSTEM_ADDRESS, gasPrice: 0n, blobVersionedHashes: [] },
  )
  world.endTransaction(fork)
  return outcome.status === 'success' ? outcome.output : undefined
}

/** EIP-7685: each request list behind its type byte; empty ones are left out. */
function requestsOf(
  context: ExecutionContext,
  receipts: readonly Receipt[],
  rules: { readonly consensus: 'qbft' | 'stake'; readonly depositContract?: Address | undefined },
): Uint8Array[] {
  const requests: Uint8Array[] = []
  const add = (type: number, data: Uint8Array): void => {
    if (data.length > 0) requests.push(concatBytes(Uint8Array.of(type), data))
  }
  const { depositContract } = rules
  if (depositContract !== undefined) {
    const deposits = receipts.flatMap(({ logs }) =>
      logs.filter((log) => log.address === depositContract && log.topics[0] === DEPOSIT_TOPIC),
    )
    add(0, concatBytes(...deposits.map(depositOf)))
  }
  for (const [type, contract] of [
    [1, WITHDRAWAL_REQUESTS],
    [2, CONSOLIDATION_REQUESTS],
  ] as const) {
    const output = systemCall(context, contract, NO_BYTES)
    // A chain without beacon chain has no such contracts; one with it is invalid without them.
    if (output === undefined && rules.consensus === 'stake') {
      throw new LedgerError('LEDGER_BLOCK_INVALID', `the system contract ${contract} failed`)
    }
    add(type, output ?? NO_BYTES)
  }
  return requests
}

const NO_REQUESTS_HASH: Hash = bytesToHex(sha256(NO_BYTES))

function hashRequests(requests: readonly Uint8Array[]): Hash {
  if (requests.length === 0) return NO_REQUESTS_HASH
  return bytesToHex(sha256(concatBytes(...requests.map((request) => sha256(request)))))
}

/** EIP-6110: the five fields of the event, without the ABI's offsets, lengths and padding. */
const DEPOSIT_FIELDS = [
  { at: 160, size: 48 },
  { at: 256, size: 32 },
  { at: 320, size: 8 },
  { at: 384, size: 96 },
  { at: 512, size: 8 },
] as const
const DEPOSIT_DATA_SIZE = 576

function depositOf({ data }: Log): Uint8Array {
  const invalid = new LedgerError('LEDGER_BLOCK_INVALID', 'a deposit event has a wrong layout')
  if (data.length !== DEPOSIT_DATA_SIZE) throw invalid
  DEPOSIT_FIELDS.forEach(({ at, size }, i) => {
    const offset = bytesToBigInt(data.subarray(32 * i, 32 * i + 32))
    const length = bytesToBigInt(data.subarray(at, at + 32))
    if (offset !== BigInt(at) || length !== BigInt(size)) throw invalid
  })
  return concatBytes(
    ...DEPOSIT_FIELDS.map(({ at, size }) => data.subarray(at + 32, at + 32 + size)),
  )
}
