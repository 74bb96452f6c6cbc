/** ethereum/tests block tests: a chain of blocks, some of which must be refused without harm. */

import { crc32 } from 'node:zlib'
import { type Address, bytesToHex, hexToBytes } from '@vellum/evm'
import {
  type Block,
  type Chain,
  createMemoryKeyValue,
  decodeBlock,
  FOREIGN,
  LedgerError,
  openChain,
  parseGenesis,
  recoverSender,
  type UnrecoveredTransaction,
} from '@vellum/ledger'
import { curve } from './curve.ts'
import { allocOf, number, type StateTest } from './state-test.ts'

export interface BlockTest {
  readonly network: string
  /** As of the execution-spec-tests. */
  readonly config?: Pick<NonNullable<StateTest['config']>, 'blobSchedule'> & {
    readonly chainid?: string
  }
  readonly pre: StateTest['pre']
  readonly genesisBlockHeader: Readonly<Record<string, string>>
  readonly genesisRLP?: string
  readonly blocks: readonly TestedBlock[]
  readonly lastblockhash: string
  readonly postState?: StateTest['pre'] | null
  readonly postStateHash?: string
}

interface TestedBlock {
  readonly rlp: string
  readonly expectException?: string
  /** Absent where the block must be refused, whether it is said why or not. */
  readonly blockHeader?: unknown
}

/** Networks in order, with the keys of a genesis file that start them; `At5` means the block, `AtTime15k` the time. */
const NETWORKS: readonly (readonly [name: string, ...keys: string[]])[] = [
  ['Frontier'],
  ['Homestead', 'homesteadBlock'],
  ['EIP150', 'eip150Block'],
  ['EIP158', 'eip155Block', 'eip158Block'],
  ['Byzantium', 'byzantiumBlock'],
  ['Constantinople', 'constantinopleBlock'],
  ['ConstantinopleFix', 'constantinopleBlock', 'petersburgBlock'],
  ['Istanbul', 'istanbulBlock'],
  ['Berlin', 'berlinBlock'],
  ['London', 'londonBlock'],
  ['Paris', 'mergeNetsplitBlock'],
  ['Shanghai', 'shanghaiTime'],
  ['Cancun', 'cancunTime'],
  ['Prague', 'pragueTime'],
  ['Osaka', 'osakaTime'],
  ['BPO1', 'bpo1Time'],
  ['BPO2', 'bpo2Time'],
  ['BPO3', 'bpo3Time'],
  ['BPO4', 'bpo4Time'],
]

const LATE = 'timestamp must be below 2^53'

/** That of mainnet, whose rules the tests mean. */
const DEPOSIT_CONTRACT: Address = '0x00000000219ab540356cbb839cbe05303d7705fa'

/** Fork activations of a network's name, such as `Cancun` or `CancunToPragueAtTime15k`; undefined: unknown. */
export function configOf(network: string): Record<string, number> | undefined {
  const [, before = network, after, unit, at] =
    /^(\w+?)To(\w+?)At(Time)?(\d+k?)$/.exec(network) ?? []
  const last = indexOf(before)
  if (last < 0) return undefined
  const config: Record<string, number> = {}
  for (const [, ...keys] of NETWORKS.slice(0, last + 1)) for (const key of keys) config[key] = 0
  if (after !== undefined && at !== undefined) {
    const [, ...keys] = NETWORKS[indexOf(after)] ?? [after]
    const unitOfKeys = unit === undefined ? 'Block' : 'Time'
    if (keys.length === 0 || !keys.every((key) => key.endsWith(unitOfKeys))) return undefined
    for (const key of keys) config[key] = Number(at.replace('k', '000'))
  }
  return config
}

function indexOf(network: string): number {
  const name = network === 'Merge' ? 'Paris' : network
  return NETWORKS.findIndex(([known]) => known === name)
}

/** The blob parameters that a test states, as a genesis file has them. */
function blobScheduleOf({ blobSchedule }: NonNullable<BlockTest['config']>): object {
  if (blobSchedule === undefined) return {}
  const entries = Object.entries(blobSchedule).map(([name, parameters]) => [
    name.toLowerCase(),
    Object.fromEntries(Object.entries(parameters).map(([key, text]) => [key, Number(text)])),
  ])
  return { blobSchedule: Object.fromEntries(entries) }
}

/** @throws Error that says what differs */
export async function runBlockTest(test: BlockTest): Promise<{ skip: string } | undefined> {
  const config = configOf(test.network)
  if (config === undefined) return { skip: `network ${test.network} is not executed here` }
  const { genesisBlockHeader: header } = test
  const genesis = {
    ...parseGenesis({
      ...headerJson(header),
      config: {
        chainId: Number(test.config?.chainid ?? 1),
        depositContractAddress: DEPOSIT_CONTRACT,
        ...config,
        ...blobScheduleOf(test.config ?? {}),
      },
      alloc: {},
    }),
    alloc: allocOf(test.pre),
  }
  const chain = await openChain({
    genesis,
    disk: createMemoryKeyValue(),
    crc32,
    scheme: FOREIGN,
    crypto: curve,
    retainedBlocks: undefined,
  })
  if (chain.head().hash !== header.hash) throw new Error(`genesis hash is ${chain.head().hash}`)
  for (const [i, { rlp, expectException, blockHeader }] of test.blocks.entries()) {
    const verdict = await importBlock(chain, rlp)
    const fault = expectException ?? (blockHeader === undefined ? 'a refusal' : undefined)
    if (verdict === 'fork' && fault === undefined) {
      return { skip: 'needs a reorganisation, and blocks here are final' }
    }
    if (verdict?.startsWith('LEDGER_MEMORY_LIMIT') && fault === undefined) {
      return { skip: 'needs over a gibibyte of memory (docs/limits.md)' }
    }
    if (verdict?.includes(LATE) && fault === undefined) {
      return { skip: 'has a timestamp of 285 million years (docs/limits.md)' }
    }
    if (verdict === undefined && fault === 'InvalidDifficulty') {
      return { skip: 'has a wrong difficulty: proof of work is not ours to check' }
    }
    if (verdict === undefined && fault !== undefined) {
      throw new Error(`block ${i} was accepted, but expected ${fault}`)
    }
    if (verdict !== undefined && fault === undefined) {
      throw new Error(`block ${i} was refused: ${verdict}`)
    }
  }
  if (chain.head().hash !== test.lastblockhash) throw new Error(`head is ${chain.head().hash}`)
  if (test.postState) assertPostState(chain, test.postState)
  const root = chain.state().root
  if (test.postStateHash !== undefined && root !== test.postStateHash) {
    throw new Error(`state root is ${root}`)
  }
  return undefined
}

/** Why the block was refused; undefined if it is the head now. */
async function importBlock(chain: Chain, rlp: string): Promise<string | undefined> {
  let decoded: Block<UnrecoveredTransaction>
  let block: Block
  try {
    decoded = decodeBlock(hexToBytes(rlp))
    const transactions = decoded.transactions.map((tx) => recoverSender(tx, curve))
    block = { ...decoded, transactions }
  } catch (error) {
    if (error instanceof LedgerError) return `${error.code}: ${error.message}`
    throw error
  }
  const { parentHash } = decoded.header
  if (parentHash !== chain.head().hash && chain.numberOf(parentHash) !== undefined) return 'fork'
  const verdict = chain.execute(block)
  if (!verdict.ok) return verdict.reason
  if (verdict.executed === undefined) throw new Error('executed nothing')
  await chain.append(verdict.executed)
  return undefined
}

function assertPostState(chain: Chain, post: StateTest['pre']): void {
  const state = chain.state()
  for (const expected of allocOf(post)) {
    const account = state.account(expected.address)
    const same =
      account !== undefined &&
      account.nonce === expected.nonce &&
      account.balance === expected.balance &&
      bytesToHex(state.code(expected.address)) === bytesToHex(expected.code) &&
      [...expected.storage].every(
        ([slot, value]) => state.storage(expected.address, slot) === value,
      )
    if (!same) throw new Error(`account ${expected.address} differs from the post state`)
  }
}

function headerJson(header: Readonly<Record<string, string>>): Record<string, unknown> {
  const json: Record<string, unknown> = {
    coinbase: (header.coinbase ?? '').toLowerCase() as Address,
    difficulty: hex(header.difficulty),
    gasLimit: hex(header.gasLimit),
    gasUsed: hex(header.gasUsed),
    timestamp: hex(header.timestamp),
    extraData: header.extraData,
    mixHash: header.mixHash,
    nonce: header.nonce,
    parentHash: header.parentHash,
  }
  for (const key of ['baseFeePerGas', 'blobGasUsed', 'excessBlobGas'] as const) {
    if (header[key] !== undefined) json[key] = hex(header[key])
  }
  if (header.parentBeaconBlockRoot !== undefined) {
    json.parentBeaconBlockRoot = header.parentBeaconBlockRoot
  }
  return json
}

function hex(text: string | undefined): string {
  return `0x${number(text).toString(16)}`
}
