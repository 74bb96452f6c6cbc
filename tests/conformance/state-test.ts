/** ethereum/tests state tests: one transaction on a given state, compared by state root and logs. */

import { crc32 } from 'node:zlib'
import {
  type Address,
  bytesToHex,
  createEvm,
  createWorld,
  type Fork,
  type Hash,
  hexToBytes,
  isAtLeast,
  keccak256Hex,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@vellum/evm'
import {
  type AccessListEntry,
  type Authorization,
  type BlobSchedule,
  blobBaseFee,
  createMemoryKeyValue,
  createState,
  createStore,
  decodeTransaction,
  defaultBlobSchedule,
  EMPTY_ROOT,
  type ExecutionContext,
  encodeLogs,
  executeTransaction,
  GAS_PER_BLOB,
  type GenesisAccount,
  genesisChanges,
  LedgerError,
  type Log,
  recoverSender,
  type SignedTransaction,
  type State,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import { curve } from './curve.ts'

/** Name of a fork in the tests, and ours. */
export const TEST_FORKS: Readonly<Record<string, Fork>> = {
  Frontier: 'frontier',
  Homestead: 'homestead',
  EIP150: 'tangerineWhistle',
  EIP158: 'spuriousDragon',
  Byzantium: 'byzantium',
  Constantinople: 'constantinople',
  ConstantinopleFix: 'petersburg',
  Istanbul: 'istanbul',
  Berlin: 'berlin',
  London: 'london',
  Merge: 'paris',
  Paris: 'paris',
  Shanghai: 'shanghai',
  Cancun: 'cancun',
  Prague: 'prague',
  Osaka: 'osaka',
}

export interface StateTest {
  readonly env: Readonly<Record<string, string>>
  readonly pre: Readonly<Record<string, PreAccount>>
  readonly transaction: TransactionTemplate
  readonly post: Readonly<Record<string, readonly PostCase[]>>
  readonly config?: {
    readonly blobSchedule?: Readonly<Record<string, Readonly<Record<string, string>>>>
  }
}

interface PreAccount {
  readonly balance: string
  readonly nonce: string
  readonly code: string
  readonly storage: Readonly<Record<string, string>>
}

interface TransactionTemplate {
  readonly nonce: string
  readonly to: string
  readonly secretKey?: string
  readonly gasPrice?: string
  readonly maxFeePerGas?: string
  readonly maxPriorityFeePerGas?: string
  readonly maxFeePerBlobGas?: string
  readonly blobVersionedHashes?: readonly string[]
  readonly authorizationList?: readonly Readonly<Record<string, string>>[]
  readonly data: readonly string[]
  readonly gasLimit: readonly string[]
  readonly value: readonly string[]
  readonly accessLists?: readonly (
    | readonly { address: string; storageKeys: readonly string[] }[]
    | null
  )[]
}

export interface PostCase {
  readonly indexes: { readonly data: number; readonly gas: number; readonly value: number }
  readonly hash: string
  readonly logs: string
  readonly txbytes?: string
  readonly expectException?: string
}

const CHAIN_ID = 1n

/** @throws Error that says what differs */
export function runStateCase(test: StateTest, forkName: string, expected: PostCase): void {
  const fork = TEST_FORKS[forkName]
  if (fork === undefined) throw new Error(`no such fork: ${forkName}`)
  const state = stateOf(test.pre)
  const schedule = scheduleOf(test, forkName, fork)
  const world = createWorld(state.head().reader)
  let logs: readonly Log[] = []
  let refused: LedgerError | undefined
  try {
    const tx = transactionOf(test.transaction, expected, fork)
    const context = contextOf(test.env, fork, schedule, world)
    logs = executeTransaction(tx, context, {
      gas: number(test.env.currentGasLimit),
      blobGas: BigInt(schedule.max) * GAS_PER_BLOB,
    }).logs
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
    refused = error
  }
  assertVerdict(refused, expected.expectException)
  const root = state.prepare(world.changes(), 1).root
  if (root !== expected.hash) throw new Error(`state root is ${root}, expected ${expected.hash}`)
  const logsHash = keccak256Hex(encodeLogs(logs))
  if (logsHash !== expected.logs) throw new Error(`logs are ${logsHash}, expected ${expected.logs}`)
}

/** Refusals that the tests name, and the codes that we may answer them with. */
const REFUSALS: Readonly<Record<string, readonly string[]>> = {
  GAS_ALLOWANCE_EXCEEDED: ['LEDGER_GAS_LIMIT'],
  INSUFFICIENT_ACCOUNT_FUNDS: ['LEDGER_INSUFFICIENT_FUNDS'],
  GASLIMIT_PRICE_PRODUCT_OVERFLOW: ['LEDGER_INSUFFICIENT_FUNDS', 'LEDGER_TRANSACTION_INVALID'],
  INTRINSIC_GAS_TOO_LOW: ['LEDGER_INTRINSIC_GAS'],
  INTRINSIC_GAS_BELOW_FLOOR_GAS_COST: ['LEDGER_INTRINSIC_GAS'],
  INSUFFICIENT_MAX_FEE_PER_BLOB_GAS: ['LEDGER_FEE_TOO_LOW'],
  INSUFFICIENT_MAX_FEE_PER_GAS: ['LEDGER_FEE_TOO_LOW'],
  PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS: ['LEDGER_TRANSACTION_INVALID'],
  SENDER_NOT_EOA: ['LEDGER_SENDER_HAS_CODE'],
  TYPE_3_TX_BLOB_COUNT_EXCEEDED: ['LEDGER_BLOB_LIMIT'],
  TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED: ['LEDGER_BLOB_LIMIT'],
  TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH: ['LEDGER_TRANSACTION_INVALID'],
  TYPE_3_TX_ZERO_BLOBS: ['LEDGER_TRANSACTION_INVALID'],
  NONCE_MISMATCH_TOO_HIGH: ['LEDGER_NONCE_TOO_HIGH'],
  NONCE_MISMATCH_TOO_LOW: ['LEDGER_NONCE_TOO_LOW'],
  NONCE_IS_MAX: ['LEDGER_RLP_INVALID', 'LEDGER_TRANSACTION_INVALID'],
  INITCODE_SIZE_EXCEEDED: ['LEDGER_INITCODE_SIZE'],
  GAS_LIMIT_EXCEEDS_MAXIMUM: ['LEDGER_GAS_LIMIT'],
}

/** A refusal must be for one of the named reasons; names that are new here only need a refusal. */
export function assertVerdict(
  refused: LedgerError | undefined,
  expected: string | undefined,
): void {
  if (expected === undefined) {
    if (refused !== undefined) throw new Error(`refused: ${refused.code} ${refused.message}`)
    return
  }
  if (refused === undefined) throw new Error(`accepted, but expected ${expected}`)
  const names = expected.split('|').map((name) => name.slice(name.indexOf('.') + 1))
  const codes = names.map((name) => REFUSALS[name])
  if (codes.some((each) => each === undefined || each.includes(refused.code))) return
  throw new Error(`refused as ${refused.code}, expected ${expected}`)
}

export function stateOf(pre: StateTest['pre']): State {
  const store = createStore(createMemoryKeyValue(), crc32)
  const state = createState({ store, height: 0, root: EMPTY_ROOT, retainedBlocks: undefined })
  for (const changes of genesisChanges({ alloc: allocOf(pre) }, Number.MAX_SAFE_INTEGER)) {
    const prepared = state.prepare(changes, 0)
    // The memory disk is written at once; its promise only says so.
    void store.disk.batch(prepared.writes)
    state.commit(prepared)
  }
  return state
}

export function allocOf(pre: StateTest['pre']): GenesisAccount[] {
  return Object.entries(pre).map(([address, account]) => ({
    address: address.toLowerCase() as Address,
    balance: number(account.balance),
    nonce: number(account.nonce),
    code: bytes(account.code),
    storage: new Map(
      Object.entries(account.storage)
        .map(([slot, value]) => [word(slot), number(value)] as const)
        .filter(([, value]) => value !== 0n),
    ),
  }))
}

function contextOf(
  env: StateTest['env'],
  fork: Fork,
  blobSchedule: BlobSchedule,
  world: ReturnType<typeof createWorld>,
): ExecutionContext {
  const coinbase = (env.currentCoinbase ?? ZERO_ADDRESS).toLowerCase() as Address
  const baseFee = number(env.currentBaseFee)
  const blobFee = blobBaseFee(number(env.currentExcessBlobGas), blobSchedule)
  const block = {
    coinbase,
    number: number(env.currentNumber),
    timestamp: number(env.currentTimestamp),
    gasLimit: number(env.currentGasLimit),
    baseFee,
    prevRandao: env.currentRandom === undefined ? ZERO_HASH : word(env.currentRandom),
    difficulty: number(env.currentDifficulty),
    blobBaseFee: blobFee,
    blockHash: (at: number): Hash => keccak256Hex(new TextEncoder().encode(String(at))),
  }
  return {
    fork,
    chainId: CHAIN_ID,
    world,
    evm: createEvm({ fork, chainId: CHAIN_ID, block, world }),
    crypto: curve,
    coinbase,
    baseFee,
    blobBaseFee: blobFee,
    blobSchedule,
  }
}

function scheduleOf(test: StateTest, forkName: string, fork: Fork): BlobSchedule {
  const given = test.config?.blobSchedule?.[forkName]
  if (given === undefined) return defaultBlobSchedule(fork)
  return {
    target: Number(number(given.target)),
    max: Number(number(given.max)),
    baseFeeUpdateFraction: number(given.baseFeeUpdateFraction),
  }
}

/** The signed bytes where the test has them; else its fields, signed here. */
function transactionOf(
  template: TransactionTemplate,
  expected: PostCase,
  fork: Fork,
): SignedTransaction {
  if (expected.txbytes !== undefined && expected.txbytes !== '0x') {
    const tx = recoverSender(decodeTransaction(hexToBytes(expected.txbytes)), curve)
    if (expected.expectException === undefined) assertSameFields(tx, template, expected, fork)
    return tx
  }
  return signTransaction(
    fieldsOf(template, expected, fork),
    hexToBytes(template.secretKey ?? '0x'),
    curve,
  )
}

function fieldsOf(template: TransactionTemplate, { indexes }: PostCase, fork: Fork): Transaction {
  const list = template.accessLists?.[indexes.data]
  const type = template.authorizationList
    ? 4
    : template.maxFeePerBlobGas !== undefined
      ? 3
      : template.maxFeePerGas !== undefined
        ? 2
        : list
          ? 1
          : 0
  const price = number(template.gasPrice)
  return {
    type,
    // EIP-155.
    chainId: isAtLeast(fork, 'spuriousDragon') ? CHAIN_ID : undefined,
    nonce: number(template.nonce),
    gasLimit: number(template.gasLimit[indexes.gas]),
    maxFeePerGas: template.maxFeePerGas === undefined ? price : number(template.maxFeePerGas),
    maxPriorityFeePerGas:
      template.maxPriorityFeePerGas === undefined ? price : number(template.maxPriorityFeePerGas),
    to: template.to === '' ? undefined : (template.to.toLowerCase() as Address),
    value: number(template.value[indexes.value]),
    data: bytes(template.data[indexes.data] ?? '0x'),
    accessList: (list ?? []).map(
      ({ address, storageKeys }): AccessListEntry => ({
        address: address.toLowerCase() as Address,
        storageKeys: storageKeys.map(word),
      }),
    ),
    maxFeePerBlobGas: number(template.maxFeePerBlobGas),
    blobVersionedHashes: (template.blobVersionedHashes ?? []).map(word),
    authorizationList: (template.authorizationList ?? []).map(
      (authorization): Authorization => ({
        chainId: number(authorization.chainId),
        address: (authorization.address ?? '').toLowerCase() as Address,
        nonce: number(authorization.nonce),
        yParity: Number(number(authorization.yParity ?? authorization.v)),
        r: number(authorization.r),
        s: number(authorization.s),
      }),
    ),
  }
}

function assertSameFields(
  tx: SignedTransaction,
  template: TransactionTemplate,
  expected: PostCase,
  fork: Fork,
): void {
  const fields = fieldsOf(template, expected, fork)
  const same =
    tx.nonce === fields.nonce &&
    tx.gasLimit === fields.gasLimit &&
    tx.to === fields.to &&
    tx.value === fields.value &&
    bytesToHex(tx.data) === bytesToHex(fields.data) &&
    tx.maxFeePerGas === fields.maxFeePerGas
  if (!same) throw new Error('the signed bytes decode to other fields than the test has')
}

/** Numbers of these tests may have leading zeros; `0x` and nothing are 0. */
export function number(text: string | undefined): bigint {
  return text === undefined || text === '' || text === '0x' ? 0n : BigInt(text)
}

function bytes(text: string): Uint8Array {
  return hexToBytes(text === '' ? '0x' : text)
}

function word(text: string): Hash {
  return `0x${text.slice(2).toLowerCase().padStart(64, '0')}`
}
