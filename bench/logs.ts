/**
 * `pnpm bench logs`: eth_getLogs over a chain of 1,000,000 blocks, by the index and by looking at the
 * header's filter of each block.
 *
 * The blocks are written into a store of LevelDB as `append` writes them, without being executed: the
 * index takes nothing of them but their receipts. It is built by the node's own steps, as for a store
 * that was written before there was an index. Queries go through the whole facade, from the bytes of
 * the request to the text of the answer.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  type Hash,
  hexToBytes,
  keccak256,
} from '@vellum/evm'
import {
  bloomOfLogs,
  type Chain,
  createLogMatcher,
  createStore,
  encodeBody,
  encodeHeader,
  encodeReceipt,
  encodeRlp,
  FOREIGN,
  type Header,
  heightKey,
  KIND,
  type Log,
  type LogCriteria,
  openChain,
  parseGenesis,
  recoverSender,
  type SignedTransaction,
  signTransaction,
  type Write,
} from '@vellum/ledger'
import {
  createNode,
  type LevelKeyValue,
  type Logger,
  loadSystemCrypto,
  openLevel,
} from '@vellum/node'
import { createRpc, type Dispatch } from '@vellum/rpc'
import type { Report, Row, RunOptions } from './table.ts'

const BLOCKS = 1_000_000
/** Blocks that the scan looks at; its time is scaled up to all of them. */
const SCANNED = 25_000
const QUERIES = 200
const BATCH_BLOCKS = 500
/** Every tenth block is empty, the others have one to three events. */
const CONTRACTS = 50
const HOLDERS = 20_000
/** How often what is rare happens. */
const RARE_COUNT = 8

const { crypto } = loadSystemCrypto()
const GENESIS = parseGenesis({
  config: { chainId: 7, londonBlock: 0, terminalTotalDifficulty: 0, zeroBaseFee: true },
  alloc: {},
  difficulty: '0x0',
  gasLimit: '0x1c9c380',
})

const word = (n: number): Hash => bytesToHex(keccak256(bigIntToBytes(BigInt(n), 6)))
const contracts = Array.from({ length: CONTRACTS }, (_, i) => addressOf(i))
const holders = Array.from({ length: HOLDERS }, (_, i) => word(1_000_000 + i))
const TRANSFER = word(2)
const RARE_EVENT = word(3)
const RARE_CONTRACT = addressOf(900)
/** A contract that emits the common event now and then. */
const SELDOM_CONTRACT = addressOf(901)

function addressOf(n: number): Address {
  return word(5_000_000 + n).slice(0, 42) as Address
}

/** Events of a block: deterministic, nine of ten blocks have some. */
function eventsOf(height: number): Log[] {
  const logs: Log[] = []
  const count = height % 10 === 0 ? 0 : 1 + (height % 3)
  for (let i = 0; i < count; i++) {
    const draw = (height * 7_919 + i * 104_729) >>> 0
    const holder = (n: number): Hash => holders[(draw * n) % HOLDERS]!
    const address = contracts[draw % 3 === 0 ? draw % CONTRACTS : 0]!
    logs.push(event(address, TRANSFER, holder(3), holder(5)))
  }
  if (height % (BLOCKS / RARE_COUNT) === 77) {
    logs.push(event(RARE_CONTRACT, TRANSFER, holders[1]!))
    logs.push(event(contracts[0]!, RARE_EVENT, holders[1]!))
  }
  if (height % 20_011 === 5) logs.push(event(SELDOM_CONTRACT, TRANSFER, holders[2]!, holders[3]!))
  return logs
}

function event(address: Address, ...topics: readonly Hash[]): Log {
  return { address, topics, data: hexToBytes(holders[0]!) }
}

/** One transaction, the same in every block: nothing here looks at more than its hash. */
const transaction: SignedTransaction = recoverSender(
  signTransaction(
    {
      type: 2,
      chainId: 7n,
      nonce: 0n,
      gasLimit: 100_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: contracts[0]!,
      value: 0n,
      data: new Uint8Array(68),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    keccak256(new Uint8Array(1)),
    crypto,
  ),
  crypto,
)

/** Blocks as `append` writes them, and what says that the last one is the head. */
async function writeBlocks(disk: LevelKeyValue, progress: (line: string) => void): Promise<void> {
  const store = createStore(disk, crc32)
  const chain = await open(disk)
  let parent = chain.head()
  await chain.flush()
  const bodies = [[], [transaction]].map((transactions) =>
    encodeBody({ transactions, ommers: [], withdrawals: undefined }),
  )
  const senders = [new Uint8Array(0), hexToBytes(transaction.sender)]
  let writes: Write[] = []
  for (let height = 1; height <= BLOCKS; height++) {
    const logs = eventsOf(height)
    const logsBloom = bloomOfLogs(logs)
    const header: Header = {
      ...parent.header,
      parentHash: parent.hash,
      number: height,
      timestamp: height,
      logsBloom,
    }
    const hash = FOREIGN.hash(header)
    const receipt = { type: 2, status: 1, cumulativeGasUsed: 50_000n, logsBloom, logs } as const
    const count = logs.length === 0 ? 0 : 1
    const place = heightKey(KIND.header, height).subarray(1)
    writes.push(
      store.write(heightKey(KIND.header, height), encodeHeader(header)),
      store.write(heightKey(KIND.body, height), bodies[count]!),
      store.write(heightKey(KIND.senders, height), senders[count]!),
      store.write(
        heightKey(KIND.receipts, height),
        encodeRlp(count === 0 ? [] : [encodeReceipt(receipt)]),
      ),
      store.write(Uint8Array.of(KIND.blockHash, ...hexToBytes(hash)), place),
    )
    if (height % BATCH_BLOCKS === 0 || height === BLOCKS) {
      const { stateRoot } = header
      const flush = new Uint8Array(38)
      flush.set(hexToBytes(stateRoot), 6)
      const head = { height, hash, stateRoot, parentHash: parent.hash, transactionCount: height }
      await disk.batch([
        ...writes,
        store.write(heightKey(KIND.flush, height), flush),
        store.write(Uint8Array.of(KIND.flushed), place),
        store.writeHead(head),
      ])
      writes = []
    }
    if (height % 100_000 === 0) progress(`${height} blocks`)
    parent = { header, hash }
  }
}

function open(disk: LevelKeyValue): Promise<Chain> {
  return openChain({
    genesis: GENESIS,
    disk,
    crc32,
    scheme: FOREIGN,
    crypto,
    retainedBlocks: undefined,
  })
}

const SILENT: Logger = {
  error: (message) => process.stderr.write(`${message}\n`),
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => SILENT,
}

async function facade(disk: LevelKeyValue): Promise<{ chain: Chain; dispatch: Dispatch }> {
  const { chain, backend } = await createNode(
    {
      genesis: GENESIS,
      blocks: { periodMs: 0, gatherMs: 0, heartbeatMs: 0, buildMs: 200, gasLimit: undefined },
      consensus: { requestTimeoutMaxMs: 60_000, encoding: 'three items' },
      retainedBlocks: undefined,
      signer: undefined,
      clientVersion: 'bench',
    },
    {
      clock: { now: () => Date.now(), elapsed: () => performance.now() },
      timers: {
        after: (afterMs, run) => {
          const timer = setTimeout(run, afterMs)
          return () => clearTimeout(timer)
        },
      },
      log: SILENT,
      disk,
      heads: { found: 'unknown', write: () => {} },
      crypto,
      crc32,
    },
  )
  const dispatch = createRpc({
    backend,
    limits: { logResultsMax: 100_000 },
    ports: {
      nowMs: () => performance.now(),
      nextTurn: () => new Promise((turn) => setImmediate(turn)),
      randomBytes: (size) => new Uint8Array(size),
      setTimer: (afterMs, run) => {
        const timer = setTimeout(run, afterMs)
        return () => clearTimeout(timer)
      },
      onInternalError: (error) => {
        throw error
      },
    },
  })
  return { chain, dispatch }
}

interface Case {
  readonly name: string
  /** The criteria of the n-th query. */
  readonly criteria: (n: number) => LogCriteria
  readonly from?: (n: number) => number
  readonly span?: number
}

const CASES: readonly Case[] = [
  { name: 'rare address', criteria: () => ({ addresses: [RARE_CONTRACT], topics: [] }) },
  { name: 'rare topic', criteria: () => ({ addresses: [], topics: [[RARE_EVENT]] }) },
  {
    name: 'common topic, seldom address',
    criteria: () => ({ addresses: [SELDOM_CONTRACT], topics: [[TRANSFER]] }),
  },
  {
    name: 'one holder of the commonest token',
    criteria: (n) => ({
      addresses: [contracts[0]!],
      topics: [[TRANSFER], [holders[(n * 37) % HOLDERS]!]],
    }),
  },
  {
    name: '100 addresses, one of them rare',
    criteria: (n) => ({
      addresses: [RARE_CONTRACT, ...Array.from({ length: 99 }, (_, i) => addressOf(2_000 + n + i))],
      topics: [],
    }),
  },
  {
    name: 'nothing found',
    criteria: (n) => ({ addresses: [addressOf(7_000 + n)], topics: [[TRANSFER]] }),
  },
]

async function ask(dispatch: Dispatch, { addresses, topics }: LogCriteria): Promise<unknown[]> {
  const params = [{ fromBlock: '0x0', toBlock: 'latest', address: addresses, topics }]
  const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getLogs', params })
  const answer = JSON.parse(await dispatch(new TextEncoder().encode(request))) as {
    result?: unknown[]
    error?: { message: string }
  }
  if (answer.result === undefined) throw new Error(answer.error?.message)
  return answer.result
}

/** What was done before there was an index. @returns logs found */
function scan(chain: Chain, criteria: LogCriteria, from: number, to: number): number {
  const matcher = createLogMatcher(criteria)
  let count = 0
  for (let height = from; height <= to; height++) {
    if (!matcher.mayMatch(chain.header(height)!.header.logsBloom)) continue
    const block = chain.block(height)!
    for (const { logs } of chain.receipts(block.header.number)!) {
      for (const log of logs) if (matcher.matches(log)) count += 1
    }
  }
  return count
}

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-'))
  try {
    return await compare(directory, progress)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function compare(directory: string, progress: (line: string) => void): Promise<Report> {
  const disk = await openLevel(directory)
  progress(`writing ${BLOCKS} blocks`)
  await writeBlocks(disk, progress)
  progress('indexing')
  const { chain, dispatch } = await facade(disk)
  const before = performance.now()
  let longest = 0
  while (chain.logIndex.hasWork()) {
    const start = performance.now()
    await chain.logIndex.step()
    longest = Math.max(longest, performance.now() - start)
  }
  const buildMs = performance.now() - before
  const { sections } = chain.logIndex.state()
  const rows: Row[] = []
  for (const { name, criteria } of CASES) {
    progress(name)
    const times: number[] = []
    let found = 0
    for (let n = 0; n < QUERIES; n++) {
      const start = performance.now()
      found += (await ask(dispatch, criteria(n))).length
      times.push(performance.now() - start)
    }
    times.sort((a, b) => a - b)
    const start = performance.now()
    const from = BLOCKS - SCANNED + 1
    scan(chain, criteria(0), from, BLOCKS)
    const peer = ((performance.now() - start) * BLOCKS) / SCANNED
    const [p50, p99] = [times[QUERIES / 2]!, times[Math.floor(QUERIES * 0.99)]!]
    const label = `${name} (${Math.round(found / QUERIES)} found)`
    const common = { unit: 'ms', peer, goalFor: 'ours at most' } as const
    rows.push({ case: `${label}, p50`, ours: p50, ratio: peer / p50, goal: 100, ...common })
    rows.push({ case: `${label}, p99`, ours: p99, ratio: peer / p99, goal: 250, ...common })
  }
  const size = await sizeOf(disk)
  await disk.close()
  return {
    name: 'logs',
    compared: [
      `eth_getLogs over ${BLOCKS} blocks (nine of ten with one to three events) in LevelDB, ${QUERIES} queries each`,
      `peer: looking at the filter of each header, measured over ${SCANNED} blocks and scaled up`,
    ],
    rows,
    notes: [
      `the index: ${sections} sections, ${size.entries} records of ${size.bytes} bytes on disk, ` +
        `${(size.bytes / BLOCKS).toFixed(1)} bytes a block`,
      `built in ${(buildMs / 1000).toFixed(1)} s of work, ${((buildMs * 1000) / BLOCKS).toFixed(1)} µs a block; ` +
        `the longest step took ${longest.toFixed(1)} ms, waits for the disk included`,
    ],
  }
}

async function sizeOf(disk: LevelKeyValue): Promise<{ entries: number; bytes: number }> {
  let entries = 0
  let bytes = 0
  for (const kind of [KIND.logSection, KIND.logRecord]) {
    const range = { from: Uint8Array.of(kind), to: Uint8Array.of(kind + 1) }
    for await (const [key, value] of disk.iterate(range)) {
      entries += 1
      bytes += key.length + value.length
    }
  }
  return { entries, bytes }
}
