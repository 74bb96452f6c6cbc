/**
 * Damage to the files of a store (reliability.md, R5): a store with tables and a log is copied, one
 * file of the copy is damaged, the copy is opened, and everything in it is read. Either the damage is
 * reported, with a code and what to do, or it did no harm: every value is right.
 */

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { proposalFields, withSeals } from '@vellum/consensus'
import { type Address, bytesToHex, hexToBytes, keccak256 } from '@vellum/evm'
import {
  addressOfPublicKey,
  type Chain,
  commitHash,
  encodeReceipt,
  LedgerError,
  parseGenesis,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import {
  createNode,
  DEV_ACCOUNTS,
  devGenesis,
  devValidatorKey,
  loadSystemCrypto,
  NodeError,
  type NodePorts,
  openDataDirectory,
  parseConfig,
  signerOf,
  type VellumNode,
  verifyLevelFiles,
} from '@vellum/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSeededRandom, type SeededRandom } from './seeded-random.ts'

const CASES = 100
const SEED = 2026
const BLOCKS = 60
const BLOCK_TRANSACTIONS = 12

const { crypto } = loadSystemCrypto()
const validatorKey = devValidatorKey()
const validator = addressOfPublicKey(crypto.publicKey(validatorKey))
const genesis = parseGenesis(devGenesis([validator]))
const signer = signerOf(validatorKey, crypto)
const silent: NodePorts['log'] = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

interface OpenNode {
  readonly node: VellumNode
  close(): Promise<void>
}

/** Small buffers, so that a small store has several tables. */
async function open(directory: string): Promise<OpenNode> {
  const data = await openDataDirectory(directory, {
    threads: 1,
    level: { writeBufferBytes: 1 << 16 },
  })
  try {
    const node = await createNode(
      {
        blocks: parseConfig({}).blocks,
        retainedBlocks: undefined,
        genesis,
        consensus: parseConfig({}).consensus,
        signer: undefined,
        clientVersion: 'test',
      },
      {
        clock: { now: () => 0, elapsed: () => 0 },
        timers: { after: () => () => {} },
        log: silent,
        disk: data.disk,
        heads: data.heads,
        crc32,
        crypto,
      },
    )
    const close = async (): Promise<void> => {
      await node.stop()
      await data.close()
    }
    return { node, close }
  } catch (error) {
    await data.close()
    throw error
  }
}

const receiver = (index: number): Address =>
  bytesToHex(keccak256(Uint8Array.of(index >> 8, index)).subarray(12))

/** Init code that stores 1 to 8 in as many slots and becomes an empty contract. */
const STORING =
  `0x${Array.from({ length: 8 }, (_, i) => `600${i + 1}600${i}55`).join('')}00` as const
const contracts: Address[] = []

/** Appends blocks of transfers to fresh accounts, and contracts that store. */
async function grow({ chain, pool }: VellumNode, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number++) {
    for (let i = 0; i < BLOCK_TRANSACTIONS; i++) {
      const { address, privateKey } = DEV_ACCOUNTS[i % DEV_ACCOUNTS.length]!
      const isCreation = i === 0
      const tx: Transaction = {
        type: 2,
        chainId: genesis.chainId,
        nonce: pool.nextNonce(address),
        gasLimit: isCreation ? 1_000_000n : 21_000n,
        maxFeePerGas: 0n,
        maxPriorityFeePerGas: 0n,
        to: isCreation ? undefined : receiver(number * BLOCK_TRANSACTIONS + i),
        value: isCreation ? 0n : BigInt(number * 1000 + i),
        data: isCreation ? hexToBytes(STORING) : new Uint8Array(0),
        accessList: [],
        maxFeePerBlobGas: 0n,
        blobVersionedHashes: [],
        authorizationList: [],
      }
      pool.add(signTransaction(tx, hexToBytes(privateKey), crypto))
    }
    const parent = chain.head().header
    const built = chain.build(pool, {
      timestamp: number,
      fields: proposalFields({
        proposer: signer.address,
        validators: [signer.address],
        round: 0,
        vote: undefined,
      }),
      gasLimitTarget: parent.gasLimit,
    })
    const { header, transactions } = built.block
    expect(transactions).toHaveLength(BLOCK_TRANSACTIONS)
    const seal = signer.sign(commitHash(header))
    await chain.append(chain.sealed(built, withSeals(header, [seal])))
    contracts.push(created(chain, number))
  }
}

function created(chain: Chain, number: number): Address {
  const state = chain.state()
  const found = DEV_ACCOUNTS.flatMap(({ address }) =>
    chain
      .block(number)!
      .transactions.filter((tx) => tx.to === undefined && tx.sender === address)
      .map((tx) => contractOf(address, tx.nonce)),
  )[0]!
  expect(state.account(found)).toBeDefined()
  return found
}

/** keccak256(rlp([sender, nonce])), written out for nonces that this test reaches. */
function contractOf(sender: Address, nonce: bigint): Address {
  const n = Number(nonce)
  expect(n).toBeLessThan(65_536)
  const encoded = n === 0 ? [0x80] : n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255]
  const payload = [0x94, ...hexToBytes(sender), ...encoded]
  return bytesToHex(keccak256(Uint8Array.from([0xc0 + payload.length, ...payload])).subarray(12))
}

/** Everything that a client could ask, as one list of lines. */
function readAll({ chain }: VellumNode): string[] {
  const lines: string[] = []
  const head = chain.head()
  lines.push(`head ${head.header.number} ${head.hash}`)
  for (let number = 0; number <= head.header.number; number++) {
    lines.push(`block ${bytesToHex(keccak256(chain.encodedBlock(number)!))}`)
    for (const receipt of chain.receipts(number) ?? []) {
      lines.push(`receipt ${bytesToHex(encodeReceipt(receipt))}`)
    }
    for (const tx of chain.block(number)!.transactions) {
      lines.push(`at ${JSON.stringify(chain.locate(tx.hash))} from ${tx.sender}`)
    }
  }
  const state = chain.state()
  const line = (address: Address): string => {
    const account = state.account(address)
    return `${address} ${account?.nonce} ${account?.balance} ${account?.codeHash}`
  }
  for (const { address } of DEV_ACCOUNTS) lines.push(line(address))
  for (let i = 0; i < BLOCKS * BLOCK_TRANSACTIONS; i++) lines.push(line(receiver(i)))
  for (const contract of contracts) {
    lines.push(line(contract))
    for (let slot = 0; slot < 9; slot++) {
      const key = `0x${slot.toString(16).padStart(64, '0')}` as const
      lines.push(`slot ${state.storage(contract, key)}`)
    }
  }
  return lines
}

let root: string
let whole: string
let stale: string
let expected: string[]

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'vellum-damage-'))
  whole = join(root, 'whole')
  stale = join(root, 'stale')
  const first = await open(whole)
  await grow(first.node, 1, 40)
  await first.close()
  cpSync(whole, stale, { recursive: true })
  const second = await open(whole)
  await grow(second.node, 41, BLOCKS)
  expected = readAll(second.node)
  await second.close()
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

const KINDS = ['flip', 'truncate', 'zero', 'delete', 'stale'] as const
const FILES = [/\.ldb$/, /\.log$/, /^MANIFEST/, /^CURRENT$/, /^head$/] as const

/** Damages one file; returns what was done, or undefined if it left the file as it was. */
function damage(directory: string, random: SeededRandom, index: number): string | undefined {
  const kind = KINDS[index % KINDS.length]!
  const pattern = FILES[Math.floor(index / KINDS.length) % FILES.length]!
  const folder = pattern.test('head') ? directory : join(directory, 'store')
  const name = random.pick(readdirSync(folder).filter((file) => pattern.test(file)))
  const path = join(folder, name)
  const before = readFileSync(path)
  const at = random.whole(before.length)
  if (kind === 'flip') {
    const bytes = Buffer.from(before)
    bytes[at]! ^= 1 << random.whole(8)
    writeFileSync(path, bytes)
  } else if (kind === 'truncate') truncateSync(path, at)
  else if (kind === 'zero') {
    const bytes = Buffer.from(before)
    bytes.fill(0, at, Math.min(at + 4096, bytes.length))
    writeFileSync(path, bytes)
  } else if (kind === 'delete') rmSync(path)
  else {
    const older = join(stale, folder === directory ? '' : 'store')
    const same = readdirSync(older).filter((file) => pattern.test(file))
    const source = same.includes(name) ? name : random.pick(same)
    cpSync(join(older, source), path)
  }
  const after = kind === 'delete' ? undefined : readFileSync(path)
  return after?.equals(before) ? undefined : `${kind} ${name} at ${at} of ${before.length}`
}

describe('damage to a store', () => {
  it('is not seen where there is none, in a store with tables and a log', async () => {
    const names = readdirSync(join(whole, 'store'))
    const size = (pattern: RegExp): number =>
      names
        .filter((name) => pattern.test(name))
        .reduce((sum, name) => sum + statSync(join(whole, 'store', name)).size, 0)
    expect(size(/\.ldb$/)).toBeGreaterThan(20_000)
    expect(size(/\.log$/)).toBeGreaterThan(1_000)
    const { node, close } = await open(copy('control'))
    expect(readAll(node)).toEqual(expected)
    await close()
  })

  it(`is reported with what to do, or does no harm, in ${CASES} cases`, async () => {
    const random = createSeededRandom(SEED)
    let reported = 0
    let harmless = 0
    for (let index = 0; index < CASES; index++) {
      const directory = copy(`case-${index}`)
      const what = damage(directory, random, index)
      const outcome = await openAndRead(directory)
      if (outcome === 'right') harmless += 1
      else reported += 1
      // An altered table may pass only if the database no longer uses it.
      const table = /^(?:flip|zero|truncate) (\d+\.ldb)/.exec(what ?? '')?.[1]
      if (table !== undefined && outcome === 'right') await expectUnused(table, what!)
      rmSync(directory, { recursive: true, force: true })
    }
    expect(reported + harmless).toBe(CASES)
    // The rest are mostly heads that fall back by a block, and files that came back as they were.
    expect(reported).toBeGreaterThan(CASES / 2)
  })

  it('is seen when the database is gone but the head file is there', async () => {
    const directory = copy('gone')
    rmSync(join(directory, 'store'), { recursive: true })
    mkdirSync(join(directory, 'store'))
    await expect(open(directory)).rejects.toMatchObject({ code: 'NODE_STORE_SHORTENED' })
  })

  it('is seen when an older database is put beside the head file', async () => {
    const directory = copy('older')
    rmSync(join(directory, 'store'), { recursive: true })
    cpSync(join(stale, 'store'), join(directory, 'store'), { recursive: true })
    await expect(open(directory)).rejects.toMatchObject({ code: 'NODE_STORE_SHORTENED' })
  })
})

function copy(name: string): string {
  const directory = join(root, name)
  cpSync(whole, directory, { recursive: true })
  return directory
}

/** A table that can be deleted without anybody missing it: LevelDB leaves such behind when it closes. */
async function expectUnused(table: string, what: string): Promise<void> {
  const directory = copy('unused')
  rmSync(join(directory, 'store', table))
  const report = await verifyLevelFiles(join(directory, 'store'), { threads: 1 })
  expect(report.exists, what).toBe(true)
  rmSync(directory, { recursive: true })
}

/** Fails the test on a wrong value, and on an error without code or advice. */
async function openAndRead(directory: string): Promise<string> {
  let opened: OpenNode | undefined
  try {
    opened = await open(directory)
    expect(readAll(opened.node)).toEqual(expected)
    return 'right'
  } catch (error) {
    if (!(error instanceof NodeError || error instanceof LedgerError)) throw error
    expect(error.code).toMatch(/STORE|TRIE_NODE_MISSING/)
    expect(error.message).toMatch(/restore|delete|--accept-head/i)
    return error.code
  } finally {
    await opened?.close()
  }
}
