/** `vellum init`, `export`, `import`, `verify` and `accept-fork`: what is done with a chain that does not run. */

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Address, Hash } from '@vellum/evm'
import {
  type Block,
  type Chain,
  createStore,
  decodeBlock,
  LedgerError,
  lowSignature,
  receiptsRoot,
  signatureBytes,
  signingHash,
  transactionsRoot,
  type UnrecoveredTransaction,
  verifyState,
  withSender,
} from '@vellum/ledger'
import { splitBlocks } from '../block-file.ts'
import type { NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { parseGenesisFile } from '../genesis-file.ts'
import type { Logger } from '../ports.ts'
import { genesisPath } from './data-directory.ts'
import { syncDirectory } from './head-file.ts'
import { type LocalNode, openLocalNode, readGenesis } from './local-node.ts'
import type { Progress } from './progress.ts'
import { createRecoveryPool, type RecoveryPool } from './recovery-pool.ts'

/** What every command is given. */
export interface CommandPorts {
  readonly config: NodeConfig
  readonly log: Logger
  readonly progress: Progress
  /** Writes a line of the command's result. */
  readonly print: (line: string) => void
}

const READ_BYTES = 4 << 20
/** Transactions whose senders are recovered together while blocks before them execute. */
const RECOVERY_BATCH = 2_048

/** Begins a chain in the data directory with a genesis file. */
export async function initChain(file: string, ports: CommandPorts): Promise<void> {
  const { dataDir } = ports.config
  if (existsSync(genesisPath(dataDir))) {
    throw new NodeError(
      'NODE_GENESIS_MISMATCH',
      `${dataDir} holds a chain already; choose another --data-dir, or delete this one`,
      { directory: dataDir },
    )
  }
  await copyGenesis(file, dataDir)
  await withNode(ports, ({ node, genesis }) => {
    const { hash, header } = node.chain.head()
    ports.print(`chain ${genesis.chainId} begun in ${dataDir}`)
    ports.print(`genesis block ${hash}, state root ${header.stateRoot}`)
    ports.print(`next: \`vellum start --data-dir ${dataDir}\``)
  })
}

/** Puts a genesis file into a directory. Apart from the caller, so that a large file is not held while the state is made of it. */
export async function copyGenesis(file: string, dataDir: string): Promise<void> {
  const bytes = readWhole(file)
  parseGenesisFile(bytes, file)
  await writeGenesisFile(dataDir, bytes)
}

/** Puts a genesis file into the directory: whole and durable, or not at all. */
export async function writeGenesisFile(
  dataDir: string,
  content: string | Uint8Array,
): Promise<void> {
  const { mkdir } = await import('node:fs/promises')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const path = genesisPath(dataDir)
  const temporary = `${path}.tmp`
  writeFileSync(temporary, content, { mode: 0o600, flush: true })
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}

export interface BlockRange {
  /** First block; undefined: the one after the genesis block. */
  readonly from: number | undefined
  /** Last block; undefined: the head. */
  readonly to: number | undefined
}

/** Writes blocks into a file, RLP one after another. */
export async function exportBlocks(
  file: string,
  range: BlockRange,
  ports: CommandPorts,
): Promise<void> {
  await withNode(ports, ({ node: { chain } }) => {
    const head = chain.head().header.number
    const from = range.from ?? Math.min(Math.max(1, chain.snapshotHeight()), head)
    const to = range.to ?? head
    if (from > to || to > head) {
      throw new NodeError(
        'NODE_CONFIG_INVALID',
        `blocks ${from} to ${to} cannot be exported: the chain has blocks 0 to ${head}`,
        { from, to, head },
      )
    }
    const report = ports.progress.count('exporting block')
    const descriptor = openNew(file)
    try {
      for (let number = from; number <= to; number++) {
        writeSync(descriptor, chain.encodedBlock(number)!)
        report(number, to)
      }
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    ports.print(`blocks ${from} to ${to} written to ${file}`)
  })
}

/**
 * Reads blocks of files, verifies and executes them, and appends them to the chain.
 * @throws NodeError NODE_CONFIG_INVALID for a chain whose seals this node does not know
 */
export async function importBlocks(files: readonly string[], ports: CommandPorts): Promise<void> {
  const { dataDir } = ports.config
  if (readGenesis(dataDir).genesis.qbft === undefined) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `the chain in ${dataDir} is not sealed by QBFT, so that who made its blocks cannot be checked; if that is what you want, say --foreign`,
      { directory: dataDir },
    )
  }
  await appendFiles(files, ports)
}

/**
 * The same for a chain of other origin: every root is checked, but neither seals nor proof of work.
 * @param genesisFile what a new directory begins with; undefined: it holds the chain already
 * @throws NodeError NODE_GENESIS_MISMATCH if the directory holds a chain with another genesis file,
 *   NODE_CONFIG_INVALID for a QBFT chain
 */
export async function importForeign(
  genesisFile: string | undefined,
  files: readonly string[],
  ports: CommandPorts,
): Promise<void> {
  const { dataDir } = ports.config
  if (genesisFile !== undefined) await beginForeign(genesisFile, dataDir)
  if (readGenesis(dataDir).genesis.qbft !== undefined) throw notForeign(dataDir)
  await appendFiles(files, ports)
  ports.print('every root was checked; neither seals nor proof of work were')
  ports.print(`next: \`vellum start --data-dir ${dataDir}\` serves the chain, and makes no blocks`)
}

async function beginForeign(genesisFile: string, dataDir: string): Promise<void> {
  const bytes = readWhole(genesisFile)
  if (parseGenesisFile(bytes, genesisFile).genesis.qbft !== undefined) throw notForeign(genesisFile)
  if (!existsSync(genesisPath(dataDir))) return writeGenesisFile(dataDir, bytes)
  if (bytes.equals(readWhole(genesisPath(dataDir)))) return
  throw new NodeError(
    'NODE_GENESIS_MISMATCH',
    `${dataDir} holds a chain that began with another genesis file; choose another --data-dir, or leave --genesis out to go on with that chain`,
    { directory: dataDir },
  )
}

function notForeign(where: string): NodeError {
  return new NodeError(
    'NODE_CONFIG_INVALID',
    `${where} is of a QBFT chain, whose seals are checked: use \`vellum init\`, and \`vellum import\` without --foreign`,
    { where },
  )
}

async function appendFiles(files: readonly string[], ports: CommandPorts): Promise<void> {
  const recovery = createRecoveryPool({ workers: Math.min(4, availableParallelism()) })
  try {
    await withNode(ports, async ({ node: { chain } }) => {
      const before = chain.head().header.number
      const report = ports.progress.count('importing block')
      for (const file of files) {
        for await (const block of recoveredBlocks(file, recovery)) {
          await importBlock(chain, block, file)
          report(block.header.number)
        }
      }
      const { header, hash } = chain.head()
      ports.print(
        `${header.number - before} blocks imported; the head is ${header.number}, ${hash}`,
      )
    })
  } finally {
    await recovery.stop()
  }
}

/** Verifies files, links, roots of all blocks, and the whole state at the head. */
export async function verifyChain(acceptHead: boolean, ports: CommandPorts): Promise<void> {
  await withNode(
    ports,
    async ({ node: { chain }, directory: { disk, report: files } }) => {
      ports.print(`files: ${files.files} of ${files.bytes} bytes are whole`)
      const head = chain.head().header
      const reportBlock = ports.progress.count('verifying block')
      const snapshot = chain.snapshotHeight()
      for (let number = 1; number <= head.number; number++) {
        if (number < snapshot) verifyStoredHeader(chain, number)
        else verifyStoredBlock(chain, number)
        reportBlock(number, head.number)
      }
      if (snapshot > 0) {
        ports.print(`headers: 0 to ${snapshot} are linked; the node began with a snapshot there`)
      }
      ports.print(`blocks: ${snapshot} to ${head.number} are linked, their roots recompute`)
      const reportState = ports.progress.count('verifying account')
      await chain.flush()
      const store = createStore(disk, crc32)
      const count = verifyState(store, head.stateRoot, ({ accounts }) => reportState(accounts))
      ports.print(
        `state: root ${head.stateRoot} recomputes from ${count.accounts} accounts, ${count.slots} slots`,
      )
    },
    acceptHead,
  )
}

/**
 * Goes on with this directory's blocks after a fork: see fork-book.ts.
 * @param ours hash of the block that the directory has at the height of the fork
 */
export async function acceptFork(ours: string, ports: CommandPorts): Promise<void> {
  await withNode(ports, async ({ node }) => {
    if (node.consensus === undefined) {
      throw new NodeError('NODE_CHAIN_FORKED', 'this chain is not sealed by QBFT: it has no forks')
    }
    const { height, theirs } = await node.consensus.forks.accept(ours.toLowerCase() as Hash)
    const head = node.chain.head().header.number
    ports.print(`block ${height} stays ${ours}; ${theirs.hash} is passed over`)
    ports.print(`forks up to block ${head} stop this chain no more; both headers stay on record`)
  })
}

function verifyStoredHeader(chain: Chain, number: number): void {
  const named = chain.header(number)
  const parent = chain.header(number - 1)
  if (named === undefined || parent === undefined) throw damaged(number, 'it is missing')
  if (named.header.parentHash !== parent.hash) {
    throw damaged(number, 'it does not follow the one before')
  }
  if (chain.numberOf(named.hash) !== number) throw damaged(number, 'it is not found by its hash')
}

function damaged(number: number, what: string): NodeError {
  return new NodeError(
    'NODE_STORE_DAMAGED',
    `block ${number}: ${what}; restore a backup of the data directory, or delete it and import the chain again`,
    { number },
  )
}

function verifyStoredBlock(chain: Chain, number: number): void {
  verifyStoredHeader(chain, number)
  const block = chain.block(number)
  const receipts = chain.receipts(number)
  const failed = (what: string): NodeError => damaged(number, what)
  if (block === undefined || receipts === undefined) throw failed('it is missing')
  if (transactionsRoot(block.transactions) !== block.header.transactionsRoot) {
    throw failed('its transactions are not those of its header')
  }
  if (receiptsRoot(receipts) !== block.header.receiptsRoot) {
    throw failed('its receipts are not those of its header')
  }
  block.transactions.forEach(({ hash }, index) => {
    const found = chain.locate(hash)
    if (found?.number !== number || found.index !== index) {
      throw failed(`its transaction ${hash} is not found by its hash`)
    }
  })
}

async function importBlock(chain: Chain, block: Block, file: string): Promise<void> {
  const { number } = block.header
  const head = chain.head().header.number
  if (number <= head) {
    const hash = chain.scheme.hash(block.header)
    if (chain.hashAt(number) === hash) return
    throw refused(file, number, 'the chain has another block at this height')
  }
  if (number > head + 1)
    throw refused(file, number, `blocks ${head + 1} to ${number - 1} come first`)
  const verdict = chain.execute(block)
  if (!verdict.ok) throw refused(file, number, verdict.reason)
  if (verdict.executed === undefined) throw new Error('a valid block is executed')
  await chain.append(verdict.executed)
}

function refused(file: string, number: number, reason: string): NodeError {
  return new NodeError(
    'NODE_IMPORT_REFUSED',
    `block ${number} of ${file} is refused: ${reason}; blocks before it are imported`,
    { file, number, reason },
  )
}

/** Blocks of a file with their senders, which threads recover for the blocks to come. */
async function* recoveredBlocks(file: string, recovery: RecoveryPool): AsyncGenerator<Block> {
  let next: Promise<Block[]> | undefined
  for (const batch of blockBatches(file)) {
    const recovered = recoverSenders(batch, recovery, file)
    // Awaited one batch later; until then a failure must not count as unhandled.
    recovered.catch(() => {})
    if (next !== undefined) yield* await next
    next = recovered
  }
  if (next !== undefined) yield* await next
}

function* blockBatches(file: string): Generator<Block<UnrecoveredTransaction>[]> {
  let batch: Block<UnrecoveredTransaction>[] = []
  let transactions = 0
  for (const encoded of splitBlocks(chunksOf(file))) {
    const block = decoded(encoded, file)
    batch.push(block)
    transactions += block.transactions.length
    if (transactions >= RECOVERY_BATCH || batch.length >= RECOVERY_BATCH) {
      yield batch
      batch = []
      transactions = 0
    }
  }
  if (batch.length > 0) yield batch
}

function decoded(encoded: Uint8Array, file: string): Block<UnrecoveredTransaction> {
  try {
    return decodeBlock(encoded)
  } catch (cause) {
    if (!(cause instanceof LedgerError)) throw cause
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${file} holds something that is no block: ${cause.message}`,
      { file, code: cause.code },
      { cause },
    )
  }
}

async function recoverSenders(
  blocks: readonly Block<UnrecoveredTransaction>[],
  recovery: RecoveryPool,
  file: string,
): Promise<Block[]> {
  const tasks = blocks.flatMap(({ transactions }) =>
    transactions.map((tx) => {
      // Recovery takes low s only; a high one of Frontier has a twin by the same signer.
      const signature = lowSignature(tx.signature)
      return {
        hash: signingHash(tx),
        rs: signatureBytes(signature),
        yParity: signature.yParity,
      }
    }),
  )
  const senders = await recovery.recover(tasks)
  let at = 0
  return blocks.map((block) => ({
    ...block,
    transactions: block.transactions.map((tx) => {
      const sender: Address | undefined = senders[at++]
      if (sender === undefined) {
        throw refused(file, block.header.number, `nobody signed its transaction ${tx.hash}`)
      }
      return withSender(tx, sender)
    }),
  }))
}

function* chunksOf(file: string): Generator<Uint8Array> {
  const descriptor = openExisting(file)
  try {
    for (;;) {
      const chunk = new Uint8Array(READ_BYTES)
      const count = readSync(descriptor, chunk, 0, READ_BYTES, null)
      if (count === 0) return
      yield chunk.subarray(0, count)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Opens the directory's chain for the time of a call. */
async function withNode(
  { config, log, progress }: CommandPorts,
  use: (local: LocalNode) => void | Promise<void>,
  acceptHead = false,
): Promise<void> {
  const local = await openLocalNode({ config, log, progress, acceptHead })
  try {
    await use(local)
  } finally {
    await local.close()
  }
}

/** @throws NodeError NODE_FILE_INVALID */
export function readWhole(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw fileFailed(file, cause)
  }
}

function openExisting(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (cause) {
    throw fileFailed(file, cause)
  }
}

function openNew(file: string): number {
  try {
    return openSync(file, 'wx', 0o644)
  } catch (cause) {
    throw fileFailed(file, cause)
  }
}

function fileFailed(file: string, cause: unknown): NodeError {
  const { code, message } = cause as { code?: string; message: string }
  const reason = code === 'EEXIST' ? 'it exists already; choose another name' : message
  return new NodeError('NODE_FILE_INVALID', `${file}: ${reason}`, { file, code }, { cause })
}
