/**
 * A chain on disk: blocks, receipts and state, growing at the head, one atomic batch a block.
 *
 * Blocks are executed once: `execute` (somebody's block) or `build` (ours) gives an
 * `ExecutedBlock`, which holds everything that `append` writes. Nothing is visible before it is
 * durable: `head`, receipts and state move when the batch is on disk.
 *
 * Single writer: the caller (the runner's mailbox) appends one block at a time.
 */

import {
  type Address,
  bytesToHex,
  equalBytes,
  type Fork,
  type Hash,
  hexToBytes,
  type Precompile,
  precompilesOf,
  type RecoverPublicKey,
  type WorldChanges,
  ZERO_HASH,
} from '@vellum/evm'
import {
  type Block,
  decodeBody,
  encodeBody,
  encodeHeader,
  type Header,
  headerSize,
} from './block.ts'
import { blockSize, blockWrites, readHeader } from './block-records.ts'
import { type BuildRequest, buildBlock } from './build.ts'
import { type Cache, createCache } from './cache.ts'
import {
  assertRecentBlocksWhole,
  assertSameChain,
  assertSupported,
  unreadable,
  writeGenesis,
} from './chain-opening.ts'
import { LIMITS } from './config.ts'
import { isRefusal, LedgerError } from './error.ts'
import { type BlockOutcome, beginBlock } from './execute-block.ts'
import { decodeExtraData } from './extra-data.ts'
import { type ForkConfigs, forkConfigsAt } from './fork-config.ts'
import type { Genesis, GenesisAccount } from './genesis.ts'
import type { KeyValue, Write } from './key-value.ts'
import type { LogMatcher } from './log-criteria.ts'
import { type LogIndex, openLogIndex } from './log-index.ts'
import { type BlockLogs, type LogSearch, searchLogs } from './log-search.ts'
import { type Ancestry, verifyOmmers } from './ommers.ts'
import type { Pool } from './pool.ts'
import { decodeReceipt, encodeReceipt, type Receipt } from './receipt.ts'
import { decodeRlp, encodeRlpList, rlpBytes, rlpList, splitRlpList } from './rlp.ts'
import { blockRules, type ChainRules } from './rules.ts'
import type { SealScheme, Verdict } from './seal.ts'
import { progressWrite } from './snapshot-progress.ts'
import { openSnapshot, type SnapshotSource } from './snapshot-source.ts'
import { readSnapshot, snapshotWrite, sweepReplaced } from './snapshot-sweep.ts'
import { createState, flushWrites, type PreparedState, type State } from './state.ts'
import type { StateView } from './state-view.ts'
import { openStatusTree, statusWrites } from './status-store.ts'
import {
  createStatusTree,
  type StatusChanges,
  type StatusProof,
  type StatusTree,
  statusChanges,
  statusCommitment,
} from './status-tree.ts'
import {
  type Crc32,
  createStore,
  type HeadRecord,
  heightKey,
  KIND,
  keyOf,
  readHeight,
  type Store,
} from './store.ts'
import { findLogs, findLogsInRecord, hashesInBody } from './stored-logs.ts'
import { type SenderRecovery, withSender } from './transaction.ts'
import { rootOfList } from './trie.ts'
import { verifyBody, verifyHeader } from './validate.ts'

export interface SealedHeader {
  readonly header: Header
  /** On-chain hash, by the chain's seal scheme. */
  readonly hash: Hash
}

export interface SealedBlock extends Block, SealedHeader {
  /** Bytes of the block's RLP. */
  readonly size: number
}

/** Where a transaction is. */
export interface TransactionLocation {
  readonly number: number
  /** Position in its block, from 0. */
  readonly index: number
}

/** A block with all that it does, ready to be written. */
export interface ExecutedBlock {
  readonly block: Block
  readonly hash: Hash
  readonly outcome: BlockOutcome
  readonly state: PreparedState
  /** What it writes to the status tree; undefined where the chain has none. */
  readonly status: StatusChanges | undefined
  /** RLP of the body. */
  readonly body: Uint8Array
}

/** What listeners learn of a new head. */
export interface NewHead extends SealedHeader {
  readonly block: SealedBlock
  readonly receipts: readonly Receipt[]
}

export interface Chain {
  readonly genesis: Genesis
  readonly scheme: SealScheme
  /** Blocks behind the head whose state can be read; undefined: all. */
  readonly retainedBlocks: number | undefined
  /**
   * The block whose state was taken over in a snapshot, 0 if none was. Of those between the genesis
   * block and this one there are only headers.
   */
  snapshotHeight(): number
  /** The last durable block. */
  head(): SealedHeader
  /** Transactions in all blocks that are held: those below a snapshot are not counted. */
  transactionCount(): number
  /** Native contracts of a fork, with this host's cryptography. One map for each fork. */
  precompiles(fork: Fork): ReadonlyMap<Address, Precompile>
  /** The rules at the head and those that the genesis plans. */
  forkConfigs(): ForkConfigs
  /** The rules of the block with this number and time. */
  rulesAt(number: number, timestamp: number): ChainRules
  header(number: number): SealedHeader | undefined
  numberOf(hash: Hash): number | undefined
  /** Hash of a block; undefined above the head. */
  hashAt(number: number): Hash | undefined
  /** @throws LedgerError LEDGER_BLOCK_PRUNED below the snapshot; so do the two below */
  block(number: number): SealedBlock | undefined
  encodedBlock(number: number): Uint8Array | undefined
  receipts(number: number): readonly Receipt[] | undefined
  locate(transactionHash: Hash): TransactionLocation | undefined
  /** See `searchLogs`. @param search a range up to the head */
  searchLogs(search: LogSearch): Generator<BlockLogs | undefined, void, void>
  /** Which blocks may hold which logs. What it lacks is made when its owner says so. */
  readonly logIndex: Pick<LogIndex, 'state' | 'hasWork' | 'step' | 'onWork'>
  /** @throws LedgerError LEDGER_STATE_PRUNED below what is retained, LEDGER_BLOCK_UNKNOWN above the head */
  stateAt(number: number): StateView
  /** True if the state of this block can be read now. */
  isStateHeld(number: number): boolean
  /** Opens a state that is held, to serve it: see `openSnapshot` for what the caller owes it. */
  openSnapshot(number: number): Generator<void, SnapshotSource, void>
  /** A leaf of the status tree at the head; undefined where the chain has none. @param index 0 to 2^32 - 1 */
  proveStatus(index: number): StatusProof | undefined
  /** A contract's code; undefined if no state had it. */
  code(codeHash: Hash): Uint8Array | undefined
  /** The state at the head. */
  state(): StateView
  /** Validates a block on top of the head and runs it; its seals and every root are checked. */
  execute(block: Block): Verdict & { readonly executed?: ExecutedBlock }
  /** The same for a block that is still to be decided: without seals. */
  executeProposal(block: Block): Verdict & { readonly executed?: ExecutedBlock }
  /** A block of our own on top of the head, complete but for its seals. */
  build(pool: Pool, request: Omit<BuildRequest, 'parent' | 'parentHash' | 'rules'>): ExecutedBlock
  /** An executed block that has got its seals, and the round in which it got them. */
  sealed(executed: ExecutedBlock, header: Header): ExecutedBlock
  /** Writes the block and makes it the head. @throws what the disk throws; the chain must not go on then */
  append(executed: ExecutedBlock): Promise<void>
  /**
   * Makes a block the head whose headers and state a snapshot sync has brought to this disk. The chain
   * must be at its genesis block, and pruned. Does not return before the genesis state is removed.
   * @throws LedgerError LEDGER_BLOCK_INVALID if body or receipts are not those of its header
   */
  startFrom(block: Block, receipts: readonly Receipt[]): Promise<void>
  /** Called after each append, in order. Returns the way to stop. */
  onHead(listener: (head: NewHead) => void): () => void
  /**
   * Brings the tries on disk up to the head, so that the next start has nothing to apply again.
   * Does nothing while a block is being appended, or after that failed.
   */
  flush(): Promise<void>
}

/** What a block's cost is made of, for metrics and benchmarks. */
export type ChainPart =
  | 'execute'
  | 'root'
  | 'roots of the body'
  | 'encode'
  | 'write'
  | 'index logs'
  | 'flush'

/** Runs the work, and may note how long it took. The chain itself knows no clock. */
export type Measure = <T>(part: ChainPart, work: () => T) => T

export interface ChainOptions {
  readonly genesis: Genesis
  /** The genesis accounts, where they are too many for `genesis.alloc`; read only for a new chain. */
  readonly allocation?: Iterable<GenesisAccount> | undefined
  readonly disk: KeyValue
  readonly crc32: Crc32
  readonly scheme: SealScheme
  /** Its `recoverPublicKey`, if it has one, serves the ECRECOVER contract. */
  readonly crypto: SenderRecovery & { readonly recoverPublicKey?: RecoverPublicKey }
  /** Keep the state of this many blocks behind the head; undefined keeps all (archive). */
  readonly retainedBlocks: number | undefined
  readonly measure?: Measure
}

/**
 * Opens the chain of a disk, or begins it with the genesis block.
 * @throws LedgerError LEDGER_GENESIS_INVALID (a setting that is not followed here),
 *   LEDGER_STORE_GENESIS (another chain's store), LEDGER_STORE_MODE,
 *   LEDGER_STORE_SCHEMA or LEDGER_STORE_DAMAGED
 */
export async function openChain(options: ChainOptions): Promise<Chain> {
  assertSupported(options.genesis)
  const store = createStore(options.disk, options.crc32)
  const meta = store.meta()
  if (meta === undefined) await writeGenesis(store, options)
  else assertSameChain(store, meta, options)
  const head = store.head()
  if (head === undefined) throw unreadable('the head record is missing')
  const snapshot = readSnapshot(store)
  assertRecentBlocksWhole(store, head, options.scheme, snapshot?.height ?? 0)
  if (snapshot?.isSwept === false) await sweepReplaced(store, snapshot.height)
  let height = (): number => head.height
  const logIndex = await openLogIndex({
    store,
    first: snapshot?.height ?? 0,
    head: () => height(),
  })
  if (logIndex.state().missing <= LIMITS.logsIndexedOnOpen) {
    while (logIndex.hasWork()) await logIndex.step()
  }
  const chain = await createChain(store, head, logIndex, options)
  height = () => chain.head().header.number
  return chain
}

async function createChain(
  store: Store,
  opened: HeadRecord,
  logIndex: LogIndex,
  options: ChainOptions,
): Promise<Chain> {
  const { genesis, scheme, crypto, retainedBlocks } = options
  const measure: Measure = options.measure ?? ((_, work) => work())
  let state: State = createState({
    store,
    height: opened.height,
    root: opened.stateRoot,
    retainedBlocks,
  })
  let snapshotHeight = readSnapshot(store)?.height ?? 0
  const blocks: Cache<number, SealedBlock> = createCache(LIMITS.cachedBlocks)
  const receiptLists: Cache<number, readonly Receipt[]> = createCache(LIMITS.cachedBlocks)
  const headers: Cache<number, SealedHeader> = createCache(LIMITS.cachedHeaders)
  const listeners = new Set<(head: NewHead) => void>()
  let head: SealedHeader = readHeader(store, opened.height, scheme)
  let mergedAt = genesis.terminalTotalDifficulty === undefined ? undefined : findMerge()
  let transactionCount = opened.transactionCount
  let appending = false
  const { statusTree: statusPlace } = genesis
  let status: StatusTree = createStatusTree()

  async function openStatus(): Promise<void> {
    if (statusPlace === undefined) return
    const { contract } = statusPlace
    const vanity = head.header.number === 0 ? undefined : vanityOf(head.header)
    const isHeads = (root: Uint8Array): boolean =>
      equalBytes(statusCommitment(genesis.chainId, contract, root), vanity!)
    const known = vanity === undefined ? undefined : isHeads
    status = await openStatusTree(store, statusPlace, state.head(), known)
  }

  /** The first block of difficulty 0: none before it has it, all after it do. */
  function findMerge(): number | undefined {
    if (head.header.difficulty > 0n) return undefined
    let [work, stake] = [-1, head.header.number]
    while (stake - work > 1) {
      const middle = (work + stake) >> 1
      if (readHeader(store, middle, scheme).header.difficulty > 0n) work = middle
      else stake = middle
    }
    return stake
  }

  function header(number: number): SealedHeader | undefined {
    if (!isHeight(number, head.header.number)) return undefined
    const cached = headers.get(number)
    if (cached !== undefined) return cached
    const found = readHeader(store, number, scheme)
    headers.set(number, found)
    return found
  }

  function hashAt(number: number): Hash | undefined {
    return number === head.header.number ? head.hash : header(number)?.hash
  }

  function block(number: number): SealedBlock | undefined {
    const named = header(number)
    if (named === undefined) return undefined
    const cached = blocks.get(number)
    if (cached !== undefined) return cached
    assertBlockHeld(number)
    const bytes = store.mustRead(heightKey(KIND.body, number), `body of block ${number}`)
    const senders = store.mustRead(heightKey(KIND.senders, number), `senders of block ${number}`)
    const body = decodeBody(bytes.slice())
    const found: SealedBlock = {
      ...named,
      ...body,
      transactions: body.transactions.map((tx, i) =>
        withSender(tx, bytesToHex(senders.subarray(20 * i, 20 * i + 20))),
      ),
      size: encodedBlock(number)!.length,
    }
    blocks.set(number, found)
    return found
  }

  function assertBlockHeld(number: number): void {
    if (number === 0 || number >= snapshotHeight) return
    throw new LedgerError(
      'LEDGER_BLOCK_PRUNED',
      `block ${number} is below the snapshot that this node began with: ask another node`,
      { number, oldest: snapshotHeight },
    )
  }

  function isStateHeld(number: number): boolean {
    const current = head.header.number
    if (!isHeight(number, current)) return false
    return number === current || retainedBlocks === undefined || number >= oldestState()
  }

  function oldestState(): number {
    return Math.max(snapshotHeight, head.header.number - (retainedBlocks ?? 0), 0)
  }

  function encodedBlock(number: number): Uint8Array | undefined {
    const named = header(number)
    if (named === undefined) return undefined
    assertBlockHeld(number)
    const body = store.mustRead(heightKey(KIND.body, number), `body of block ${number}`)
    return encodeRlpList([encodeHeader(named.header), ...splitRlpList(body)])
  }

  function receipts(number: number): readonly Receipt[] | undefined {
    if (!isHeight(number, head.header.number)) return undefined
    const cached = receiptLists.get(number)
    if (cached !== undefined) return cached
    assertBlockHeld(number)
    const bytes = store.mustRead(heightKey(KIND.receipts, number), `receipts of block ${number}`)
    const items = rlpList(decodeRlp(bytes.slice()), 'receipts')
    const found = items.map((item) => decodeReceipt(rlpBytes(item, 'receipt')))
    receiptLists.set(number, found)
    return found
  }

  function logsOf(number: number, matcher: LogMatcher): BlockLogs | undefined {
    assertBlockHeld(number)
    const decoded = receiptLists.get(number)
    const key = heightKey(KIND.receipts, number)
    const found = decoded
      ? findLogs(decoded, matcher)
      : findLogsInRecord(store.mustRead(key, `receipts of block ${number}`), matcher)
    const named = found.length === 0 ? undefined : header(number)
    if (named === undefined) return undefined
    const hashes = transactionHashes(
      number,
      found.map(({ transactionIndex }) => transactionIndex),
    )
    return {
      number,
      hash: named.hash,
      timestamp: named.header.timestamp,
      logs: found.map((each, i) => ({ ...each, transactionHash: hashes[i]! })),
    }
  }

  function transactionHashes(number: number, indexes: readonly number[]): Hash[] {
    const decoded = blocks.get(number)
    if (decoded !== undefined) return indexes.map((index) => decoded.transactions[index]!.hash)
    const body = store.mustRead(heightKey(KIND.body, number), `body of block ${number}`)
    return hashesInBody(body, indexes)
  }

  const domain = genesis.chainDomain ? hashAt(genesis.number) : undefined

  const rulesAt = (number: number, timestamp: number): ChainRules =>
    blockRules(genesis, number, timestamp, { domain, mergedAt })

  /** Is a block of this difficulty on top of the head the first without proof of work, which some chains await? */
  function isMergeNext(difficulty: bigint): boolean {
    const isAwaited = genesis.terminalTotalDifficulty !== undefined && mergedAt === undefined
    return isAwaited && difficulty === 0n && head.header.difficulty > 0n
  }

  /** Rules of a block of this time and difficulty on top of the head. */
  function nextRules(timestamp: number, difficulty: bigint): ChainRules {
    const number = head.header.number + 1
    const since = isMergeNext(difficulty) ? number : mergedAt
    return blockRules(genesis, number, timestamp, { domain, mergedAt: since })
  }

  /** Has the work up to the head reached what the genesis asks for? Reads all headers: once in a chain's life. */
  function isWorkDone(): boolean {
    let total = 0n
    for (let number = 0; number <= head.header.number; number++) {
      total += header(number)!.header.difficulty
    }
    return total >= (genesis.terminalTotalDifficulty ?? 0n)
  }

  const nativeContracts = new Map<Fork, ReadonlyMap<Address, Precompile>>()
  function precompiles(fork: Fork): ReadonlyMap<Address, Precompile> {
    const known = nativeContracts.get(fork)
    if (known !== undefined) return known
    const { recoverPublicKey } = crypto
    const made = precompilesOf(fork, recoverPublicKey ? { recover: recoverPublicKey } : {})
    nativeContracts.set(fork, made)
    return made
  }

  const executionPorts = (fork: Fork) => ({
    reader: state.head().reader,
    crypto,
    precompiles: precompiles(fork),
    blockHash: (number: number): Hash => hashAt(number) ?? ZERO_HASH,
    rootOf: (changes: WorldChanges): Hash => state.prepare(changes, head.header.number + 1).root,
  })

  const ancestor = (number: number): Header => {
    const found = header(number)
    if (found === undefined) throw new Error(`block ${number} is not an ancestor`)
    return found.header
  }

  const ancestry: Ancestry = {
    header,
    ommers: (number) => block(number)?.ommers ?? [],
    hash: (of) => scheme.hash(of),
    verifyChild: (child, parent) =>
      verifyHeader(child, parent, rulesAt(child.number, child.timestamp)),
  }

  function execute(
    block: Block,
    verifySeals: SealScheme['verify'],
  ): Verdict & { executed?: ExecutedBlock } {
    const { header } = block
    if (header.parentHash !== head.hash) return { ok: false, reason: 'parent is not the head' }
    try {
      const rules = nextRules(header.timestamp, header.difficulty)
      if (isMergeNext(header.difficulty) && !isWorkDone()) {
        return {
          ok: false,
          reason: 'it has no proof of work, before the terminal total difficulty',
        }
      }
      const body = encodeBody(block)
      const verdicts = [
        () => verifyHeader(header, head.header, rules),
        () => verifySeals(header, head.header, ancestor),
        () =>
          measure('roots of the body', () =>
            verifyBody(block, blockSize(headerSize(header), body), rules),
          ),
        () => verifyOmmers(block, ancestry),
      ]
      for (const verify of verdicts) {
        const verdict = verify()
        if (!verdict.ok) return verdict
      }
      const execution = beginBlock(header, rules, executionPorts(rules.fork))
      const outcome = measure('execute', () => {
        for (const tx of block.transactions) execution.add(tx)
        return execution.finish(block.withdrawals, block.ommers)
      })
      const mismatch = measure('roots of the body', () => compareOutcome(header, outcome))
      if (mismatch !== undefined) return { ok: false, reason: `${mismatch} differs from execution` }
      const prepared = measure('root', () => state.prepare(outcome.changes, header.number))
      if (prepared.root !== header.stateRoot) {
        return { ok: false, reason: 'state root differs from execution' }
      }
      const status = statusOf(outcome)
      if (status && !equalBytes(vanityOf(header), commitmentWith(status))) {
        return { ok: false, reason: 'status root differs from execution' }
      }
      const hash = scheme.hash(header)
      return { ok: true, executed: { block, hash, outcome, state: prepared, status, body } }
    } catch (error) {
      if (!isRefusal(error)) throw error
      return { ok: false, reason: `${error.code}: ${error.message}` }
    }
  }

  const statusOf = ({ changes }: BlockOutcome): StatusChanges | undefined =>
    statusPlace && statusChanges(changes, statusPlace)
  const commitmentWith = (changes: StatusChanges): Uint8Array =>
    statusCommitment(genesis.chainId, statusPlace!.contract, status.rootWith(changes))

  async function append(executed: ExecutedBlock): Promise<void> {
    if (appending) throw new Error('blocks are appended one at a time')
    const { block, hash, outcome, body } = executed
    if (block.header.parentHash !== head.hash)
      throw new Error('the block is not a child of the head')
    appending = true
    const number = block.header.number
    const count = transactionCount + block.transactions.length
    const riders = measure('index logs', logIndex.riders)
    const header = encodeHeader(block.header)
    const encoded = { header, body, receipts: outcome.encodedReceipts }
    const writes: Write[] = [
      ...measure('encode', () => blockWrites(store, block, hash, encoded)),
      ...executed.state.writes,
      store.writeHead({
        height: number,
        hash,
        stateRoot: block.header.stateRoot,
        parentHash: block.header.parentHash,
        transactionCount: count,
      }),
      ...riders.writes,
      ...(executed.status ? statusWrites(store, status, executed.status) : []),
    ]
    await measure('write', () => store.disk.batch(writes))
    state.commit(executed.state)
    if (executed.status) status.set(executed.status)
    if (isMergeNext(block.header.difficulty)) mergedAt = number
    const sealed: SealedBlock = { ...block, hash, size: blockSize(header.length, body) }
    head = { header: block.header, hash }
    transactionCount = count
    headers.set(number, head)
    blocks.set(number, sealed)
    receiptLists.set(number, outcome.receipts)
    measure('index logs', () => logIndex.added(number, outcome.receipts, riders))
    if (state.isFlushDue()) await measure('flush', () => state.flushBehind())
    appending = false
    const news: NewHead = { ...head, block: sealed, receipts: outcome.receipts }
    for (const listener of listeners) listener(news)
  }

  async function startFrom(block: Block, receipts: readonly Receipt[]): Promise<void> {
    if (appending) throw new Error('blocks are appended one at a time')
    if (head.header.number !== 0 || retainedBlocks === undefined) {
      throw new Error('a snapshot is for a pruned chain at its genesis block')
    }
    const { number, stateRoot, parentHash } = block.header
    const named = readHeader(store, number, scheme)
    const body = encodeBody(block)
    const rules = rulesAt(number, block.header.timestamp)
    const verdict = verifyBody(block, blockSize(headerSize(block.header), body), rules)
    const header = encodeHeader(named.header)
    const encodedReceipts = receipts.map(encodeReceipt)
    if (!verdict.ok || named.hash !== scheme.hash(block.header)) throw notOfHeader('block', number)
    if (rootOfList(encodedReceipts) !== block.header.receiptsRoot) {
      throw notOfHeader('receipts', number)
    }
    appending = true
    const count = block.transactions.length
    const { hash } = named
    await store.disk.batch([
      ...blockWrites(store, { ...block, header: named.header }, hash, {
        header,
        body,
        receipts: encodedReceipts,
      }),
      ...[KIND.flush, KIND.obsolete, KIND.diff].map((kind) =>
        store.write(heightKey(kind, 0), undefined),
      ),
      ...flushWrites(store, { height: number, before: undefined, root: stateRoot }),
      progressWrite(store, undefined),
      snapshotWrite(store, { height: number, isSwept: false }),
      store.writeHead({ height: number, hash, stateRoot, parentHash, transactionCount: count }),
    ])
    await sweepReplaced(store, number)
    state = createState({ store, height: number, root: stateRoot, retainedBlocks })
    snapshotHeight = number
    head = named
    transactionCount = count
    await openStatus()
    logIndex.restart(number)
    while (logIndex.hasWork()) await logIndex.step()
    appending = false
    const sealed: SealedBlock = { ...block, ...named, size: blockSize(header.length, body) }
    for (const listener of listeners) listener({ ...named, block: sealed, receipts })
  }

  await openStatus()
  return {
    genesis,
    scheme,
    retainedBlocks,
    snapshotHeight: () => snapshotHeight,
    head: () => head,
    transactionCount: () => transactionCount,
    precompiles,
    forkConfigs: () =>
      forkConfigsAt(genesis, hashAt(0) ?? ZERO_HASH, head.header.timestamp, options.crc32),
    rulesAt,
    header,
    numberOf: (hash) => {
      const bytes = store.read(keyOf(KIND.blockHash, hexToBytes(hash)))
      const number = bytes && readHeight(bytes, 0)
      return number !== undefined && number <= head.header.number ? number : undefined
    },
    hashAt,
    block,
    encodedBlock,
    receipts,
    locate: (hash) => {
      const bytes = store.read(keyOf(KIND.transaction, hexToBytes(hash)))
      if (bytes === undefined) return undefined
      const number = readHeight(bytes, 0)
      if (number > head.header.number) return undefined
      return { number, index: readHeight(bytes, 6) }
    },
    searchLogs: (search) =>
      searchLogs(
        {
          index: logIndex,
          first: () => snapshotHeight,
          bloom: (number) => header(number)?.header.logsBloom,
          logsOf,
        },
        search,
      ),
    logIndex,
    stateAt: (number) => {
      if (number === head.header.number) return state.head()
      const named = header(number)
      if (named === undefined) {
        throw new LedgerError('LEDGER_BLOCK_UNKNOWN', `block ${number} is above the head`, {
          number,
        })
      }
      if (!isStateHeld(number)) {
        throw new LedgerError(
          'LEDGER_STATE_PRUNED',
          `the state of block ${number} is no longer kept: ask an archive node`,
          { number, oldest: oldestState() },
        )
      }
      return state.at(number, named.header.stateRoot)
    },
    isStateHeld,
    openSnapshot: (number) => {
      const named = header(number)
      if (named === undefined || !isStateHeld(number)) {
        throw new Error('only a state that is held can be served')
      }
      return openSnapshot(store, number, named.header.stateRoot)
    },
    code: (codeHash) => store.read(keyOf(KIND.code, hexToBytes(codeHash)))?.slice(),
    state: () => state.head(),
    execute: (block) => execute(block, scheme.verify),
    executeProposal: (block) => execute(block, scheme.verifyUnsealed),
    build: (pool, request) => {
      const rules = nextRules(request.timestamp, request.fields.difficulty)
      const {
        header,
        transactions,
        outcome,
        state: prepared,
      } = buildBlock(
        { ...request, parent: head.header, parentHash: head.hash, rules },
        {
          ...executionPorts(rules.fork),
          pool,
          prepare: (out, height) => state.prepare(out.changes, height),
          vanity: statusPlace && ((out) => commitmentWith(statusChanges(out.changes, statusPlace))),
        },
      )
      const withdrawals = header.withdrawalsRoot === undefined ? undefined : []
      const block: Block = { header, transactions, ommers: [], withdrawals }
      const hash = scheme.hash(header)
      const body = encodeBody(block)
      return { block, hash, outcome, state: prepared, status: statusOf(outcome), body }
    },
    sealed: (executed, header) => ({ ...executed, block: { ...executed.block, header } }),
    append,
    startFrom,
    proveStatus: (index) => (statusPlace === undefined ? undefined : status.prove(index)),
    onHead: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    flush: () => (appending ? Promise.resolve() : state.flush()),
  }
}

function vanityOf(header: Header): Uint8Array {
  return decodeExtraData(header.extraData).vanity
}

function isHeight(number: number, head: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= head
}

/** The first field in which the header is not what execution found. */
function compareOutcome(header: Header, outcome: BlockOutcome): string | undefined {
  if (header.gasUsed !== outcome.gasUsed) return 'gas used'
  if ((header.blobGasUsed ?? 0n) !== outcome.blobGasUsed) return 'blob gas used'
  if (header.requestsHash !== outcome.requestsHash) return 'requests hash'
  if (!equalBytes(header.logsBloom, outcome.logsBloom)) return 'logs bloom'
  if (header.receiptsRoot !== rootOfList(outcome.encodedReceipts)) return 'receipts root'
  return undefined
}

function notOfHeader(what: string, number: number): LedgerError {
  return new LedgerError(
    'LEDGER_BLOCK_INVALID',
    `the ${what} of block ${number} are not its header’s`,
  )
}
