/**
 * `pnpm bench ledger`: blocks of 500 transactions from their bytes to the disk, on one core.
 *
 * A block arrives as bytes, its transactions are decoded, senders recovered, the block executed,
 * every root computed and compared, and all that an archive needs written in one synced batch, over
 * a state of 100,000 accounts (and as many token balances) in LevelDB. The floor is libsecp256k1:
 * bare recovery of the same signatures, without anything else.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
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
  type Block,
  type Chain,
  type ChainPart,
  createMemoryKeyValue,
  createPool,
  createSingleSealer,
  decodeBlock,
  encodeExtraData,
  type Genesis,
  type Measure,
  openChain,
  parseGenesis,
  recoverSender,
  type Sealer,
  type SignedTransaction,
  signingHash,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import { loadSystemCrypto, openLevel } from '@vellum/node'
import { compile } from './compile.ts'
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
const sealer: Sealer = createSingleSealer({ validator, crypto, key: validatorKey })
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
    scheme: sealer,
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
    const parent = chain.head().header
    const fields = sealer.fields(parent)
    const built = chain.build(pool, { timestamp: n + 1, fields, gasLimitTarget: GAS_LIMIT })
    if (built.transactions.length !== BLOCK_TRANSACTIONS) throw new Error('a block is not full')
    if (built.outcome.receipts.some(({ status }) => status !== 1)) throw new Error('a call failed')
    await chain.append(chain.sealed(built, sealer.seal(built.header)))
    pool.settle(transactions)
    blocks.push(chain.encodedBlock(n + 1)!)
  }
  return blocks
}

interface Cost {
  readonly wallMs: number
  readonly cpuMs: number
  readonly parts: ReadonlyMap<string, number>
  readonly recoverFloorMs: number
}

/** Imports the blocks into a fresh store on disk, and times what follows the first few. */
async function importBlocks(from: Genesis, blocks: readonly Uint8Array[]): Promise<Cost> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-'))
  const disk = await openLevel(join(directory, 'store'))
  const parts = new Map<string, number>()
  const note = (part: string, ms: number): void => {
    parts.set(part, (parts.get(part) ?? 0) + ms)
  }
  const measure: Measure = <T>(part: ChainPart, work: () => T): T => {
    const start = performance.now()
    const result = work()
    if (!(result instanceof Promise)) {
      note(part, performance.now() - start)
      return result
    }
    return result.finally(() => note(part, performance.now() - start)) as T
  }
  try {
    const chain = await openChain({
      genesis: from,
      disk,
      crc32,
      scheme: sealer,
      crypto,
      retainedBlocks: undefined,
      measure,
    })
    for (const bytes of blocks.slice(0, WARM_BLOCKS)) await importBlock(chain, bytes, note)
    parts.clear()
    const cpu = process.cpuUsage()
    const start = performance.now()
    for (const bytes of blocks.slice(WARM_BLOCKS)) await importBlock(chain, bytes, note)
    const wallMs = performance.now() - start
    const used = process.cpuUsage(cpu)
    const cpuMs = (used.user + used.system) / 1000
    const recoverFloorMs = bareRecovery(blocks.slice(WARM_BLOCKS))
    await chain.flush()
    return { wallMs, cpuMs, parts, recoverFloorMs }
  } finally {
    await disk.close()
    rmSync(directory, { recursive: true })
  }
}

async function importBlock(
  chain: Chain,
  bytes: Uint8Array,
  note: (part: string, ms: number) => void,
): Promise<void> {
  const start = performance.now()
  const decoded = decodeBlock(bytes)
  const decodedAt = performance.now()
  const transactions = decoded.transactions.map((tx) => recoverSender(tx, crypto))
  note('decode', decodedAt - start)
  note('recover', performance.now() - decodedAt)
  const block: Block = { ...decoded, transactions }
  const verdict = chain.execute(block)
  if (!verdict.ok || verdict.executed === undefined) throw new Error('a block was refused')
  await chain.append(verdict.executed)
}

/** Milliseconds for libsecp256k1 alone: hashes and signatures lie ready. */
function bareRecovery(blocks: readonly Uint8Array[]): number {
  const prepared = blocks.flatMap((bytes) =>
    decodeBlock(bytes).transactions.map((tx) => ({
      hash: signingHash(tx),
      rs: concatBytes(bigIntToBytes(tx.signature.r, 32), bigIntToBytes(tx.signature.s, 32)),
      yParity: tx.signature.yParity,
    })),
  )
  const start = performance.now()
  for (const { hash, rs, yParity } of prepared) crypto.recoverPublicKey(hash, rs, yParity)
  return performance.now() - start
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
    const count = MEASURED_BLOCKS * BLOCK_TRANSACTIONS
    const rate = (ms: number): number => (count / ms) * 1000
    const [ours, peer] = [rate(cost.wallMs), rate(cost.recoverFloorMs)]
    rows.push({ case: name, unit: 'tx/s', ours, peer, ratio: ours / peer, goal, goalFor: 'ours' })
    const each = (ms: number): string => `${((ms / count) * 1000).toFixed(1)} µs`
    const split = [...cost.parts].map(([part, ms]) => `${part} ${each(ms)}`).join(', ')
    notes.push(
      `${name}: ${each(cost.wallMs)} a transaction: ${split}; ` +
        `CPU of all threads ${each(cost.cpuMs)} (${Math.round(rate(cost.cpuMs))} tx a CPU second)`,
    )
  }
  return {
    name: 'ledger',
    compared: [
      `blocks of ${BLOCK_TRANSACTIONS} over ${ACCOUNTS} accounts in LevelDB: decode, recover, execute, roots, receipts,`,
      'synced commit of all that an archive needs, one after another',
      `peer: bare recovery of the same signatures with libsecp256k1 (${crypto.backend}), the floor`,
    ],
    rows,
    notes,
  }
}
