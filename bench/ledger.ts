/**
 * `pnpm bench ledger`: blocks of 500 transactions from their bytes to the disk, on one core.
 *
 * A block arrives as bytes, its transactions are decoded, senders recovered, the block executed,
 * every root computed and compared, and all that an archive needs written in one synced batch (while
 * the next block is decoded and its senders are recovered, as a node that is behind does it), over
 * a state of 100,000 accounts (and as many token balances) in LevelDB. The floor is libsecp256k1:
 * bare recovery of the same signatures, without anything else.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { proposalFields, withSeals } from '@vellum/consensus'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  createAddress,
  type Hash,
  hexToBytes,
  keccak256,
  keccak256Hex,
} from '@vellum/evm'
import {
  addressOfPublicKey,
  commitHash,
  createMemoryKeyValue,
  createPool,
  encodeExtraData,
  formatGenesis,
  type Genesis,
  openChain,
  parseGenesis,
  type SignedTransaction,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import { loadSystemCrypto, openLevel, schemeOf, signerOf } from '@vellum/node'
import { compile } from './compile.ts'
import type { Cost } from './ledger-import.ts'
import type { Report, Row, RunOptions } from './table.ts'

const ACCOUNTS = 100_000
const SENDERS = 1_000
const BLOCK_TRANSACTIONS = 500
const WARM_BLOCKS = 30
const MEASURED_BLOCKS = 40
const CHAIN_ID = 1337n
const GAS_LIMIT = 500_000_000n
const BALANCE_SLOT = 1n

const { crypto } = loadSystemCrypto()
const keys = Array.from({ length: SENDERS }, (_, i) => keccak256(bigIntToBytes(BigInt(i) + 1n, 32)))
const senders = keys.map((key) => addressOfPublicKey(crypto.publicKey(key)))
const validatorKey = keccak256(new TextEncoder().encode('validator'))
const validator = addressOfPublicKey(crypto.publicKey(validatorKey))
const signer = signerOf(validatorKey, crypto)
const TOKEN: Address = createAddress(validator, 0n)
const LICENCE: Address = createAddress(validator, 1n)

/** Deterministic, and spread over all accounts. */
function account(i: number): Address {
  if (i < SENDERS) return senders[i]!
  return bytesToHex(keccak256(bigIntToBytes(BigInt(i), 8)).subarray(12))
}

function genesis(): Genesis {
  const alloc: Record<string, unknown> = {}
  const balances: Record<string, string> = {}
  for (let i = 0; i < ACCOUNTS; i++) {
    alloc[account(i)] = { balance: '0xde0b6b3a7640000' }
    balances[mappingSlot(account(i), BALANCE_SLOT)] = '0xffffffff'
  }
  alloc[TOKEN] = { balance: '0x0', code: compile('Erc20').deployedBytecode, storage: balances }
  alloc[LICENCE] = { balance: '0x0', code: compile('Licence').deployedBytecode }
  const extra = {
    vanity: new Uint8Array(32),
    validators: [validator],
    vote: undefined,
    round: 0,
    seals: [],
  }
  return parseGenesis({
    config: {
      chainId: Number(CHAIN_ID),
      londonBlock: 0,
      terminalTotalDifficulty: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      zeroBaseFee: true,
      qbft: { xblockperiodmilliseconds: 50 },
    },
    alloc,
    difficulty: '0x1',
    gasLimit: `0x${GAS_LIMIT.toString(16)}`,
    extraData: bytesToHex(encodeExtraData(extra)),
  })
}

function mappingSlot(address: Address, slot: bigint): Hash {
  return keccak256Hex(concatBytes(new Uint8Array(12), hexToBytes(address), bigIntToBytes(slot, 32)))
}

const word = (value: bigint | Address): string =>
  (typeof value === 'bigint' ? value.toString(16) : value.slice(2)).padStart(64, '0')

type Kind = 'erc20' | 'issue'

function signed(kind: Kind, i: number): SignedTransaction {
  const to = account((i * 7919 + 13) % ACCOUNTS)
  const data =
    kind === 'erc20'
      ? `0xa9059cbb${word(to)}${word(1n)}`
      : `0x${ISSUE_SELECTOR}${word(BigInt(i) + 1n)}${word(to)}${word(BigInt(i))}${word(2n ** 40n)}${word(160n)}${word(64n)}${word(7n)}${word(8n)}`
  const transaction: Transaction = {
    type: 2,
    chainId: CHAIN_ID,
    nonce: BigInt(Math.floor(i / SENDERS)),
    gasLimit: 250_000n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    to: kind === 'erc20' ? TOKEN : LICENCE,
    value: 0n,
    data: hexToBytes(data),
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
  }
  return signTransaction(transaction, keys[i % SENDERS]!, crypto)
}

const ISSUE_SELECTOR = keccak256Hex(
  new TextEncoder().encode('issue(bytes32,address,bytes32,uint64,bytes)'),
).slice(2, 10)

/** The blocks, made by a node with its state in memory. */
async function makeBlocks(from: Genesis, kind: Kind, count: number): Promise<Uint8Array[]> {
  const chain = await openChain({
    genesis: from,
    disk: createMemoryKeyValue(),
    crc32,
    scheme: schemeOf(from, crypto),
    crypto,
    retainedBlocks: undefined,
  })
  const next = () => {
    const { header } = chain.head()
    return { rules: chain.rulesAt(header.number + 1, header.timestamp), gasLimit: GAS_LIMIT }
  }
  const pool = createPool({ state: () => chain.state(), next })
  const blocks: Uint8Array[] = []
  for (let n = 0; n < count; n++) {
    const transactions: SignedTransaction[] = []
    for (let i = 0; i < BLOCK_TRANSACTIONS; i++) {
      const tx = signed(kind, n * BLOCK_TRANSACTIONS + i)
      pool.add(tx)
      transactions.push(tx)
    }
    const fields = proposalFields({
      proposer: validator,
      validators: [validator],
      round: 0,
      vote: undefined,
    })
    const built = chain.build(pool, { timestamp: n + 1, fields, gasLimitTarget: GAS_LIMIT })
    const { header, transactions: included } = built.block
    if (included.length !== BLOCK_TRANSACTIONS) throw new Error('a block is not full')
    if (built.outcome.receipts.some(({ status }) => status !== 1)) throw new Error('a call failed')
    const seal = signer.sign(commitHash(header))
    await chain.append(chain.sealed(built, withSeals(header, [seal])))
    pool.settle(transactions)
    blocks.push(chain.encodedBlock(n + 1)!)
  }
  return blocks
}

/** A store with the genesis in it, the blocks beside it, and the process that imports them. */
async function importBlocks(from: Genesis, blocks: readonly Uint8Array[]): Promise<Cost> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-'))
  try {
    const disk = await openLevel(join(directory, 'store'))
    await openChain({
      genesis: from,
      disk,
      crc32,
      scheme: schemeOf(from, crypto),
      crypto,
      retainedBlocks: undefined,
    })
    await disk.close()
    const withoutAccounts = formatGenesis({ ...from, alloc: [] })
    writeFileSync(join(directory, 'genesis.json'), JSON.stringify(withoutAccounts))
    writeFileSync(join(directory, 'blocks.rlp'), concatBytes(...blocks))
    const script = fileURLToPath(new URL('./ledger-import.ts', import.meta.url))
    const flags = ['--conditions=source', '--max-semi-space-size=32']
    const output = execFileSync(process.execPath, [
      ...flags,
      script,
      directory,
      String(WARM_BLOCKS),
    ])
    return JSON.parse(output.toString()) as Cost
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export async function run({ progress }: RunOptions): Promise<Report> {
  progress(`a genesis of ${ACCOUNTS} accounts`)
  const from = genesis()
  const rows: Row[] = []
  const notes: string[] = []
  for (const [kind, name, goal] of [
    ['erc20', 'ERC-20 transfers', 7_000],
    ['issue', 'issuing calls', 5_000],
  ] as const) {
    progress(`${name}: making ${WARM_BLOCKS + MEASURED_BLOCKS} blocks`)
    const blocks = await makeBlocks(from, kind, WARM_BLOCKS + MEASURED_BLOCKS)
    progress(`${name}: importing them`)
    const cost = await importBlocks(from, blocks)
    const count = cost.transactions
    const rate = (ms: number): number => (count / ms) * 1000
    const [ours, peer] = [rate(cost.wallMs), rate(cost.recoverFloorMs)]
    rows.push({ case: name, unit: 'tx/s', ours, peer, ratio: ours / peer, goal, goalFor: 'ours' })
    const each = (ms: number): string => `${((ms / count) * 1000).toFixed(1)} µs`
    const split = Object.entries(cost.parts)
      .map(([part, ms]) => `${part} ${each(ms)}`)
      .join(', ')
    notes.push(
      `${name}: ${each(cost.wallMs)} a transaction: ${split}; ` +
        `CPU of all threads ${each(cost.cpuMs)} (${Math.round(rate(cost.cpuMs))} tx a CPU second)`,
    )
  }
  return {
    name: 'ledger',
    compared: [
      `blocks of ${BLOCK_TRANSACTIONS} over ${ACCOUNTS} accounts in LevelDB: decode, recover, execute, roots, receipts,`,
      'synced commit of all that an archive needs; the next block is decoded meanwhile',
      `peer: bare recovery of the same signatures with libsecp256k1 (${crypto.backend}), the floor`,
    ],
    rows,
    notes,
  }
}
