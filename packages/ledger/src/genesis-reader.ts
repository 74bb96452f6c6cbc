/**
 * Reads a genesis file, in the JSON of go-ethereum or Besu.
 *
 * Parsing checks everything once; what comes out is frozen and can be relied on. Keys are taken in
 * any case, as Besu does. Keys that are not known are passed over, except those of forks: a chain
 * whose rules change in a way that this node does not know must not be started.
 */

import {
  type Address,
  bytesToHex,
  type Fork,
  type Hash,
  NO_BYTES,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@vellum/evm'
import { type BlobSchedule, defaultBlobSchedule } from './fees.ts'
import type { BlobActivation, ForkActivation, ForkSchedule } from './fork-schedule.ts'
import type { Genesis, GenesisAccount, QbftConfig, QbftTransition } from './genesis.ts'
import {
  fieldOf,
  invalidJson,
  type JsonField,
  type JsonObject,
  readAddress,
  readArray,
  readBoolean,
  readBytes,
  readHash,
  readNumber,
  readObject,
  readPadded,
  readQuantity,
  readWord,
  requiredField,
} from './json-reader.ts'
import type { StatusTreePlace } from './status-tree.ts'

/** Keys of `config` that start a fork, in order. Those that change no rule are of their fork. */
const FORK_KEYS: readonly (readonly [key: string, fork: Fork])[] = [
  ['homesteadBlock', 'homestead'],
  ['eip150Block', 'tangerineWhistle'],
  ['eip155Block', 'spuriousDragon'],
  ['eip158Block', 'spuriousDragon'],
  ['byzantiumBlock', 'byzantium'],
  ['constantinopleBlock', 'constantinople'],
  ['constantinopleFixBlock', 'petersburg'],
  ['petersburgBlock', 'petersburg'],
  ['istanbulBlock', 'istanbul'],
  ['muirGlacierBlock', 'istanbul'],
  ['berlinBlock', 'berlin'],
  ['londonBlock', 'london'],
  ['arrowGlacierBlock', 'london'],
  ['grayGlacierBlock', 'london'],
  ['mergeNetsplitBlock', 'paris'],
  ['preMergeForkBlock', 'paris'],
  ['shanghaiTime', 'shanghai'],
  ['cancunTime', 'cancun'],
  ['pragueTime', 'prague'],
  ['osakaTime', 'osaka'],
]

const BLOB_FORKS = ['cancun', 'prague', 'osaka'] as const
/** Changes of blob parameters that EIP-7892 chains have so far. */
const BPO_KEYS = ['bpo1', 'bpo2', 'bpo3', 'bpo4', 'bpo5'] as const

const KNOWN_ACTIVATIONS: ReadonlySet<string> = new Set([
  ...FORK_KEYS.map(([key]) => key.toLowerCase()),
  ...BPO_KEYS.map((name) => `${name}time`),
  // These change no rule of a chain that this node could run.
  'daoforkblock',
  'terminalblocknumber',
])

/**
 * Parses the JSON value of a genesis file, of go-ethereum's or Besu's kind.
 * @throws LedgerError LEDGER_GENESIS_INVALID whose `details.path` names the place
 */
export function parseGenesis(json: unknown): Genesis {
  const top = readObject({ path: '', value: json })
  const config = readObject(requiredField(top, 'config'))
  const optional = <T>(key: string, read: (field: JsonField) => T): T | undefined => {
    const field = fieldOf(top, key)
    return field === undefined ? undefined : read(field)
  }
  const uint256 = (field: JsonField): bigint => readQuantity(field, 256)
  const uint64 = (field: JsonField): bigint => readQuantity(field, 64)
  const zeroBaseFee = fieldOf(config, 'zeroBaseFee')
  const total = fieldOf(config, 'terminalTotalDifficulty')
  const depositContract = fieldOf(config, 'depositContractAddress')
  const ours = fieldOf(config, 'vellum')
  const permissionContract = ours && fieldOf(readObject(ours), 'permissionContract')
  const statusTree = ours && fieldOf(readObject(ours), 'statusTree')
  const chainDomain = ours && fieldOf(readObject(ours), 'chainDomain')
  return Object.freeze({
    chainId: readQuantity(requiredField(config, 'chainId'), 256),
    schedule: readSchedule(config),
    terminalTotalDifficulty: total === undefined ? undefined : readQuantity(total, 256),
    depositContract: depositContract === undefined ? undefined : readAddress(depositContract),
    permissionContract:
      permissionContract === undefined ? undefined : readAddress(permissionContract),
    statusTree: statusTree === undefined ? undefined : readStatusTree(statusTree),
    chainDomain: chainDomain === undefined ? false : readChainDomain(chainDomain, config),
    zeroBaseFee: zeroBaseFee === undefined ? false : readBoolean(zeroBaseFee),
    qbft: readQbft(config),
    number: optional('number', readNumber) ?? 0,
    parentHash: optional('parentHash', readHash) ?? ZERO_HASH,
    coinbase: optional('coinbase', readAddress) ?? ZERO_ADDRESS,
    difficulty: uint256(requiredField(top, 'difficulty')),
    gasLimit: uint64(requiredField(top, 'gasLimit')),
    gasUsed: optional('gasUsed', uint64) ?? 0n,
    timestamp: optional('timestamp', readNumber) ?? 0,
    extraData: optional('extraData', readBytes) ?? new Uint8Array(0),
    mixHash: optional('mixHash', readHash) ?? ZERO_HASH,
    nonce: optional('nonce', readHeaderNonce) ?? new Uint8Array(8),
    baseFeePerGas: optional('baseFeePerGas', uint256),
    blobGasUsed: optional('blobGasUsed', uint64),
    excessBlobGas: optional('excessBlobGas', uint64),
    parentBeaconBlockRoot: optional('parentBeaconBlockRoot', readHash),
    alloc: Object.freeze(readAlloc(requiredField(top, 'alloc'))),
  })
}

/** Other consensus pays otherwise than proof of work does, so that no state root would fit. */
const UNKNOWN_CONSENSUS = ['clique', 'ibft', 'ibft2', 'istanbul'] as const

function assertKnownConsensus(config: JsonObject): void {
  if (fieldOf(config, 'qbft') !== undefined) return
  for (const name of UNKNOWN_CONSENSUS) {
    const field = fieldOf(config, name)
    if (field !== undefined) throw invalidJson(field.path, 'is a consensus this node does not know')
  }
}

/** The DAO fork moved the money of some accounts by hand; where it is only mentioned, nothing happens. */
function assertNoDaoFork(config: JsonObject): void {
  const block = fieldOf(config, 'daoForkBlock')
  const support = fieldOf(config, 'daoForkSupport')
  if (block === undefined || readNumber(block) === 0) return
  if (support !== undefined && !readBoolean(support)) return
  throw invalidJson(block.path, 'changes accounts by hand, in a way that this node does not know')
}

function readSchedule(config: JsonObject): ForkSchedule {
  assertKnownConsensus(config)
  assertNoDaoFork(config)
  for (const [key, { path, value }] of config.fields) {
    const startsRules = key.endsWith('time') || key.endsWith('block')
    if (startsRules && value !== null && !KNOWN_ACTIVATIONS.has(key)) {
      throw invalidJson(path, 'starts rules that this node does not know')
    }
  }
  const forks: ForkActivation[] = []
  const idleForks: (readonly [key: string, at: number])[] = []
  for (const [key, fork] of FORK_KEYS) {
    const field = fieldOf(config, key)
    if (field === undefined) continue
    const at = readNumber(field)
    const by = key.endsWith('Time') ? 'time' : 'block'
    const last = forks.at(-1)
    if (last?.by === by && last.at > at) {
      throw invalidJson(field.path, `is before ${last.fork}, which must not start later`)
    }
    // Two keys of one fork: it starts with the first of them.
    if (last?.fork !== fork) forks.push(Object.freeze({ fork, by, at }))
    else if (last.at !== at) idleForks.push([key, at])
  }
  addMergeAtGenesis(config, forks)
  return Object.freeze({
    forks: Object.freeze(forks),
    blobs: Object.freeze(readBlobs(config, forks)),
    idleForks: Object.freeze(idleForks),
  })
}

/** A terminal total difficulty of zero: the chain never had proof of work. */
function addMergeAtGenesis(config: JsonObject, forks: ForkActivation[]): void {
  const total = fieldOf(config, 'terminalTotalDifficulty')
  if (total === undefined || readQuantity(total, 256) !== 0n) return
  if (forks.some(({ fork }) => fork === 'paris')) return
  const firstLater = forks.findIndex(({ by }) => by === 'time')
  const paris: ForkActivation = Object.freeze({ fork: 'paris', by: 'block', at: 0 })
  // Only where London is there from the start, too: forks do not overtake one another.
  const before = firstLater < 0 ? forks : forks.slice(0, firstLater)
  if (before.some(({ at }) => at > 0)) {
    throw invalidJson(total.path, 'is 0, but a fork before the merge starts after block 0')
  }
  forks.splice(firstLater < 0 ? forks.length : firstLater, 0, paris)
}

function readBlobs(config: JsonObject, forks: readonly ForkActivation[]): BlobActivation[] {
  const field = fieldOf(config, 'blobSchedule')
  const given = field === undefined ? undefined : readObject(field)
  const blobs: BlobActivation[] = []
  for (const name of BLOB_FORKS) {
    const activation = forks.find(({ fork }) => fork === name)
    if (activation === undefined) continue
    const entry = given === undefined ? undefined : fieldOf(given, name)
    // EIP-7840: Osaka alone changes no parameters, so it keeps Prague's.
    const inherited = name === 'osaka' ? blobs.at(-1) : undefined
    const schedule =
      entry !== undefined ? readBlobSchedule(entry) : (inherited ?? defaultBlobSchedule(name))
    blobs.push(Object.freeze({ ...parametersOf(schedule), name, at: activation.at }))
  }
  for (const name of BPO_KEYS) {
    const time = fieldOf(config, `${name}Time`)
    if (time === undefined) continue
    const at = readNumber(time)
    const last = blobs.at(-1)
    if (last === undefined || last.at > at) {
      throw invalidJson(time.path, 'must not be before the forks and changes that precede it')
    }
    if (given === undefined) throw invalidJson('config.blobSchedule', 'is missing')
    const schedule = readBlobSchedule(requiredField(given, name))
    blobs.push(Object.freeze({ ...schedule, name, at }))
  }
  return blobs
}

function parametersOf({ target, max, baseFeeUpdateFraction }: BlobSchedule): BlobSchedule {
  return { target, max, baseFeeUpdateFraction }
}

function readBlobSchedule(field: JsonField): BlobSchedule {
  const entry = readObject(field)
  const schedule = {
    target: readNumber(requiredField(entry, 'target')),
    max: readNumber(requiredField(entry, 'max')),
    baseFeeUpdateFraction: readQuantity(requiredField(entry, 'baseFeeUpdateFraction'), 53),
  }
  if (schedule.target > schedule.max) throw invalidJson(field.path, 'has a target above its max')
  if (schedule.baseFeeUpdateFraction === 0n) {
    throw invalidJson(`${field.path}.baseFeeUpdateFraction`, 'must not be 0')
  }
  return schedule
}

/** The header field that names the chain is Cancun's. */
function readChainDomain(field: JsonField, config: JsonObject): boolean {
  if (!readBoolean(field)) return false
  const cancun = fieldOf(config, 'cancunTime')
  if (cancun === undefined || readNumber(cancun) !== 0 || readQbft(config) === undefined) {
    throw invalidJson(
      field.path,
      'is for QBFT chains with the rules of Cancun from the first block on',
    )
  }
  return true
}

function readStatusTree(field: JsonField): StatusTreePlace {
  const place = readObject(field)
  return Object.freeze({
    contract: readAddress(requiredField(place, 'contract')),
    slot: readQuantity(requiredField(place, 'slot'), 256),
  })
}

function readQbft(config: JsonObject): QbftConfig | undefined {
  const field = fieldOf(config, 'qbft')
  if (field === undefined) return undefined
  const qbft = readObject(field)
  const number = (key: string, otherwise: number): number => {
    const given = fieldOf(qbft, key)
    return given === undefined ? otherwise : readNumber(given)
  }
  const positive = (key: string, otherwise: number): number => {
    const value = number(key, otherwise)
    if (value < 1) throw invalidJson(`${field.path}.${key}`, 'must be at least 1')
    return value
  }
  const reward = fieldOf(qbft, 'blockReward')
  if (number('pertxgaslimit', 0) !== 0) {
    throw invalidJson(
      `${field.path}.pertxgaslimit`,
      'limits the gas of transactions, which this version does not',
    )
  }
  return Object.freeze({
    blockPeriodSeconds: positive('blockperiodseconds', 1),
    emptyBlockPeriodSeconds: number('emptyblockperiodseconds', 0),
    blockPeriodMilliseconds: number('xblockperiodmilliseconds', 0),
    requestTimeoutSeconds: positive('requesttimeoutseconds', 1),
    epochLength: positive('epochlength', 30_000),
    validatorContract: readAddressOf(qbft, 'validatorcontractaddress'),
    startBlock: number('startblock', 0),
    blockReward: reward === undefined ? 0n : readQuantity(reward, 256),
    miningBeneficiary: readAddressOf(qbft, 'miningbeneficiary'),
    transitions: Object.freeze(readTransitions(config)),
  })
}

function readTransitions(config: JsonObject): QbftTransition[] {
  const field = fieldOf(config, 'transitions')
  const list = field === undefined ? undefined : fieldOf(readObject(field), 'qbft')
  if (list === undefined) return []
  const transitions = readArray(list).map(readTransition)
  transitions.forEach(({ block }, i) => {
    if (i > 0 && transitions[i - 1]!.block >= block) {
      throw invalidJson(`${list.path}[${i}].block`, 'must be above that of the entry before it')
    }
  })
  return transitions
}

function readTransition(field: JsonField): QbftTransition {
  const entry = readObject(field)
  const read = <T>(key: string, reader: (inner: JsonField) => T): T | undefined => {
    const inner = fieldOf(entry, key)
    return inner === undefined ? undefined : reader(inner)
  }
  return Object.freeze({
    block: readNumber(requiredField(entry, 'block')),
    blockPeriodSeconds: read('blockperiodseconds', readNumber),
    emptyBlockPeriodSeconds: read('emptyblockperiodseconds', readNumber),
    blockPeriodMilliseconds: read('xblockperiodmilliseconds', readNumber),
    blockReward: read('blockreward', (inner) => readQuantity(inner, 256)),
    miningBeneficiary: readAddressOf(entry, 'miningbeneficiary'),
    validatorSelection: read('validatorselectionmode', readSelection),
    validatorContract: readAddressOf(entry, 'validatorcontractaddress'),
    validators: read('validators', (inner) => Object.freeze(readArray(inner).map(readAddress))),
  })
}

function readSelection({ path, value }: JsonField): 'blockheader' | 'contract' {
  if (value === 'blockheader' || value === 'contract') return value
  throw invalidJson(path, 'must be "blockheader" or "contract"')
}

/** An address; undefined if it is absent, empty or zero, which all mean none. */
function readAddressOf(object: JsonObject, key: string): Address | undefined {
  const field = fieldOf(object, key)
  if (field === undefined || field.value === '') return undefined
  const address = readAddress(field)
  return address === ZERO_ADDRESS ? undefined : address
}

function readHeaderNonce(field: JsonField): Uint8Array {
  return readPadded(field, 8)
}

function readAlloc(field: JsonField): GenesisAccount[] {
  const seen = new Set<Address>()
  const accounts: GenesisAccount[] = []
  for (const [key, inner] of readObject(field).fields) {
    const address = readAddress({ path: inner.path, value: key })
    if (seen.has(address)) throw invalidJson(inner.path, 'is there twice, with and without 0x')
    seen.add(address)
    accounts.push(readAccount(address, readObject(inner)))
  }
  return accounts
}

/**
 * One entry of `alloc`, for files with more accounts than fit into memory as objects.
 * @param key the address, as the file has it
 * @throws LedgerError LEDGER_GENESIS_INVALID whose `details.path` names the place
 */
export function parseGenesisAccount(key: string, json: unknown): GenesisAccount {
  const path = `alloc.${key}`
  return readAccount(readAddress({ path, value: key }), readObject({ path, value: json }))
}

const NO_STORAGE: ReadonlyMap<Hash, bigint> = new Map()

function readAccount(address: Address, account: JsonObject): GenesisAccount {
  const balance = fieldOf(account, 'balance')
  const nonce = fieldOf(account, 'nonce')
  const code = fieldOf(account, 'code')
  const storage = fieldOf(account, 'storage')
  return Object.freeze({
    address,
    balance: balance === undefined ? 0n : readQuantity(balance, 256),
    nonce: nonce === undefined ? 0n : readQuantity(nonce, 64),
    code: code === undefined ? NO_BYTES : readBytes(code),
    storage: storage === undefined ? NO_STORAGE : readStorage(storage),
  })
}

function readStorage(field: JsonField): ReadonlyMap<Hash, bigint> {
  const slots = new Map<Hash, bigint>()
  for (const [key, inner] of readObject(field).fields) {
    const slot = bytesToHex(readPadded({ path: inner.path, value: key }, 32))
    if (slots.has(slot)) throw invalidJson(inner.path, 'is there twice, written differently')
    slots.set(slot, readWord(inner))
  }
  for (const [slot, value] of slots) if (value === 0n) slots.delete(slot)
  return slots
}
