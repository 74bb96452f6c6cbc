/**
 * The state of a chain: accounts and storage, at the head and behind it.
 *
 * It lies in Merkle Patricia tries and nowhere else, so that every value that is read hangs on the
 * state root by hashes: what a damaged disk lost is missed, not taken for absent. The upper nodes
 * stay in memory, and accounts that were used of late, so that most reads cost little and others one
 * or two records.
 *
 * The tries of the head are in a heap of their own (`trie-heap.ts`), where a block that may follow it is
 * prepared beside them. States behind the head are tries of objects.
 *
 * New nodes are not written with every block. A block writes one record, its diff; nodes stay in
 * memory until some thousand changes have gathered, and then those of the last version are written
 * at once (`flush`): the upper nodes, which every block replaces, are so written once for many.
 * After a crash the diffs since the last flush are applied again. An older state is that of the
 * flush before it and the diffs from there.
 */

import {
  type Address,
  bytesToHex,
  type Hash,
  hexToBytes,
  NO_BYTES,
  type WorldChanges,
} from '@vellum/evm'
import { decodeAccount, EMPTY_CODE_HASH } from './account.ts'
import { type Cache, createCache } from './cache.ts'
import { LIMITS } from './config.ts'
import { LedgerError } from './error.ts'
import type { Write } from './key-value.ts'
import { decodeRlp, encodeRlp, rlpBytes, rlpList } from './rlp.ts'
import { decodeDiff, encodeDiff, type StateDiff } from './state-diff.ts'
import {
  type AppliedChanges,
  applyChanges,
  type Holder,
  isStillObsolete,
  nodeKey,
  placeOf,
  type StoredAccount,
  storedNodes,
  type TrieState,
  writeNode,
} from './state-trie.ts'
import {
  createView,
  type StateView,
  type StoredReader,
  storedTries,
  triesAfter,
  viewOfTries,
} from './state-view.ts'
import { heightKey, KIND, keyOf, readHeight, type Store, writeHeight } from './store.ts'
import { EMPTY_ROOT, type NodeSource, type Trie } from './trie.ts'
import { createTrieHeap, type HeapTrie } from './trie-heap.ts'

/** What a block's changes make of the head state. Nothing has been altered yet. */
export interface PreparedState {
  readonly root: Hash
  /** Root of the state that these changes apply to. */
  readonly parentRoot: Hash
  readonly height: number
  /** To be written in one batch with the block. */
  readonly writes: readonly Write[]
  /** @internal what `commit` needs */
  readonly applied: AppliedChanges<HeapTrie>
  /** @internal to apply them again, if another block was prepared in between */
  readonly changes: WorldChanges
}

export interface State {
  /** The state at the head. Valid until the next `commit`. */
  head(): StateView
  /** The state of a block whose height is retained and whose header has this root. */
  at(height: number, root: Hash): StateView
  /** What the changes, made by the block at this height, make of the head state. */
  prepare(changes: WorldChanges, height: number): PreparedState
  /** Makes a prepared state the head. Its writes are on disk by now. */
  commit(prepared: PreparedState): void
  /** True if enough has gathered in memory to be written. */
  isFlushDue(): boolean
  /**
   * Begins to bring the tries on disk up to the head, in one batch. Resolves when the chain may
   * go on: when the flush before is done, and, if memory is to be freed, this one too. Nothing may
   * be committed until then.
   * @throws what the disk threw at the flush before
   */
  flushBehind(): Promise<void>
  /** The same, and resolves when it is on disk. */
  flush(): Promise<void>
}

export interface StateOptions {
  readonly store: Store
  /** Height and state root of the head. */
  readonly height: number
  readonly root: Hash
  /** Heights behind the head whose state must stay; undefined: all. */
  readonly retainedBlocks: number | undefined
  /** Bytes of trie nodes in memory beyond which reads drop some. */
  readonly trieHeapBytesMax?: number
}

const ABSENT = Symbol('no such account')

/** What must come into memory after nodes were dropped until more are. */
const TRIM_GROWTH = 1.25

/** What changed since the last flush. */
interface Gathered {
  /** Accounts whose storage changed: their tries hold nodes that are not on disk. */
  readonly holders: Set<Address>
  /** Keys of nodes on disk that the head does not refer to. Nothing in archives. */
  readonly obsolete: Uint8Array[]
  /** Accounts and slots that were changed; one that changed twice counts twice. */
  changes: number
}

function newGathered(): Gathered {
  return { holders: new Set(), obsolete: [], changes: 0 }
}

/** Nodes on disk, and whose storage trie they are of; no bytes for the account trie. */
interface OwnedNodes extends NodeSource {
  readonly owner: Uint8Array
}

/**
 * Opens the state of a head whose block is on disk.
 * @throws LedgerError LEDGER_STORE_DAMAGED if diffs are missing or do not lead to the root
 */
export function createState(options: StateOptions): State {
  const { store, retainedBlocks, trieHeapBytesMax = LIMITS.trieHeapBytesMax } = options
  const accounts: Cache<Address, StoredAccount | typeof ABSENT> = createCache(LIMITS.cachedAccounts)
  const codes: Cache<Hash, Uint8Array> = createCache(LIMITS.cachedCodes)

  /** Keys of stored nodes that the candidate in the heap does not refer to. */
  let obsoleted: Uint8Array[] = []
  const heap = createTrieHeap(
    retainedBlocks === undefined
      ? {}
      : {
          onReplaced: ({ source }, { path, hash }) =>
            obsoleted.push(nodeKey((source as OwnedNodes).owner, path, hash)),
        },
  )
  /** Whose nodes are in the heap beside the head's. */
  let candidate: AppliedChanges<HeapTrie> | undefined
  /** True while it is made. */
  let isApplying = false

  let gathering = newGathered()
  let flushing: Promise<void> = Promise.resolve()
  /** True while nodes that count as stored are not on disk. */
  let isFlushing = false
  /** Bytes of nodes beyond which a read drops some. */
  let trimAbove = trieHeapBytesMax

  /** The last flush; in pruned mode also those before it that are still on disk, ascending. */
  const flushes = readFlushes(store, retainedBlocks === undefined ? 1 : Number.POSITIVE_INFINITY)
  const opened = flushes.at(-1)
  let flushedHeight = opened?.height
  /** Height of the last flush that was begun. */
  let flushHeight = flushedHeight
  let height = options.height
  let trie: HeapTrie = heap.open(opened?.root ?? EMPTY_ROOT, nodesOf(NO_BYTES))
  /** Of the head, as far as they were asked for. */
  const storageTries = new Map<Address, HeapTrie>()
  let headView: StateView | undefined
  const historic: Cache<number, TrieState<Trie>> = createCache(LIMITS.cachedHistoricStates)
  /** Records that these hold in memory. */
  let historicNodes = 0

  function nodesOf(owner: Uint8Array): OwnedNodes {
    return { owner, ...storedNodes(store, owner) }
  }

  /** Nodes on disk for states behind the head, counted as they come into memory. */
  function historicSource(holder: Holder | undefined): NodeSource {
    const { node } = storedNodes(store, holder?.owner ?? NO_BYTES)
    return {
      node: (path, hash) => {
        historicNodes += 1
        return node(path, hash)
      },
    }
  }

  function account(address: Address): StoredAccount | undefined {
    const known = accounts.get(address)
    if (known !== undefined) return known === ABSENT ? undefined : known
    const owner = placeOf(address)
    const leaf = heap.value(trie, owner)
    if (heap.bytes > trimAbove) trim()
    const found = leaf && { ...decodeAccount(leaf), address, owner }
    accounts.set(address, found ?? ABSENT)
    return found
  }

  function storageTrie(holder: StoredAccount): HeapTrie {
    const { address, storageRoot } = holder
    const known = storageTries.get(address)
    if (known?.root === storageRoot) return known
    const opened = heap.open(storageRoot, nodesOf(holder.owner))
    storageTries.set(address, opened)
    return opened
  }

  function storage(address: Address, slot: Hash): bigint {
    const holder = account(address)
    if (holder === undefined || holder.storageRoot === EMPTY_ROOT) return 0n
    const value = heap.slot(storageTrie(holder), slot)
    if (heap.bytes > trimAbove) trim()
    return value
  }

  /** Drops the lower nodes of all tries that are on disk: many reads may come between two flushes. */
  function trim(): void {
    if (isApplying || isFlushing) return
    dropCandidate()
    for (const each of storageTries.values()) heap.trim(each, 0)
    heap.trim(trie, LIMITS.loadedTrieDepth)
    // What is not on disk yet stays: it must not be walked at every read.
    trimAbove = Math.max(trieHeapBytesMax, heap.bytes * TRIM_GROWTH)
  }

  function code(codeHash: Hash): Uint8Array {
    if (codeHash === EMPTY_CODE_HASH) return NO_BYTES
    const cached = codes.get(codeHash)
    if (cached !== undefined) return cached
    const key = keyOf(KIND.code, hexToBytes(codeHash))
    const found = store.mustRead(key, `code ${codeHash}`).slice()
    codes.set(codeHash, found)
    return found
  }

  const reader: StoredReader = {
    account,
    storage,
    hasStorage: (address) => (account(address)?.storageRoot ?? EMPTY_ROOT) !== EMPTY_ROOT,
    code,
  }

  /** What the changes make of the head, as the candidate in the heap. */
  function applyToHead({
    accounts: changed,
  }: Pick<WorldChanges, 'accounts'>): AppliedChanges<HeapTrie> {
    dropCandidate()
    const head: TrieState<HeapTrie> = {
      trie,
      account,
      storageTrie,
      emptyTrie: ({ owner }) => heap.open(EMPTY_ROOT, nodesOf(owner)),
      update: heap.update,
      updateSlots: heap.updateSlots,
    }
    isApplying = true
    try {
      candidate = applyChanges(head, changed)
    } finally {
      isApplying = false
      if (candidate === undefined) dropCandidate()
    }
    return candidate
  }

  function dropCandidate(): void {
    heap.drop()
    obsoleted = []
    candidate = undefined
  }

  function prepare(changes: WorldChanges, at: number): PreparedState {
    const applied = applyToHead(changes)
    const writes: Write[] = []
    for (const [hash, bytes] of changes.codes) {
      writes.push(store.write(keyOf(KIND.code, hexToBytes(hash)), bytes))
    }
    const diff = encodeDiff({ base: flushedHeight ?? 0, accounts: changes.accounts })
    writes.push(store.write(heightKey(KIND.diff, at), diff))
    const { root } = applied.trie
    return { root, parentRoot: trie.root, height: at, writes, applied, changes }
  }

  function commit({ applied, changes, parentRoot, height: at }: PreparedState): void {
    if (parentRoot !== trie.root) throw new Error('prepared on another state than the head')
    adopt(candidate === applied ? applied : applyToHead(changes))
    height = at
  }

  /** Makes the candidate the head. */
  function adopt(applied: AppliedChanges<HeapTrie>): void {
    heap.commit()
    candidate = undefined
    for (const former of applied.cleared) heap.release(former)
    for (const [address, after] of applied.accounts) {
      accounts.set(address, after ?? ABSENT)
      if (after === undefined || after.storageRoot === EMPTY_ROOT) {
        storageTries.delete(address)
        gathering.holders.delete(address)
      }
    }
    for (const [address, changed] of applied.storageTries) {
      if (changed.root === EMPTY_ROOT) continue
      storageTries.set(address, changed)
      gathering.holders.add(address)
    }
    gathering.changes += applied.count
    for (const key of obsoleted) gathering.obsolete.push(key)
    obsoleted = []
    trie = applied.trie
    headView = undefined
  }

  async function flushBehind(): Promise<void> {
    await flushing
    if (flushHeight === height && gathering.changes === 0) return
    const isAgain = flushHeight === height
    const before = isAgain ? flushes.at(-2)?.height : flushHeight
    const record: FlushRecord = { height, before, root: trie.root }
    const writes = [...flushedWrites(), ...flushWrites(store, record)]
    flushHeight = height
    gathering = newGathered()
    isFlushing = true
    flushing = store.disk.batch(writes).then(() => {
      isFlushing = false
      if (isAgain) flushes.pop()
      flushes.push(record)
      flushedHeight = record.height
    })
    // Whoever waits for the next flush learns of the failure.
    flushing.catch(() => {})
    if (heap.bytes > LIMITS.trieHeapBytes || storageTries.size > LIMITS.openStorageTries) {
      await flushing
      unload()
    }
  }

  /** The new nodes of all tries that changed. */
  function flushedWrites(): Write[] {
    const writes: Write[] = prunedWrites()
    for (const address of gathering.holders) addNewNodes(writes, storageTries.get(address)!)
    addNewNodes(writes, trie)
    if (retainedBlocks !== undefined) {
      writes.push(store.write(heightKey(KIND.obsolete, height), encodeRlp(gathering.obsolete)))
    }
    return writes
  }

  function addNewNodes(writes: Write[], from: HeapTrie): void {
    const { owner } = from.source as OwnedNodes
    heap.takeNew(from, (node) => writes.push(writeNode(store, owner, node, height)))
  }

  /** Closes all storage tries, and drops the lower nodes of the other one. All must be on disk. */
  function unload(): void {
    dropCandidate()
    for (const each of storageTries.values()) heap.release(each)
    storageTries.clear()
    heap.trim(trie, LIMITS.loadedTrieDepth)
  }

  /**
   * Deletions of what no retained state needs. Blocks made while a flush was under way build on the
   * one before it: so a state may need the last two flushes that are not above it, and none earlier,
   * nor the nodes that they replaced and the diffs that led to them. Deletions stand first in a
   * batch, as the flush itself may bring a node back.
   */
  function prunedWrites(): Write[] {
    const writes: Write[] = []
    if (retainedBlocks === undefined) return writes
    const oldest = height - retainedBlocks
    while (flushes.length > 2 && flushes[2]!.height <= oldest) {
      writes.push(...prunedFlush(store, flushes[0]!.height, flushes[1]!.height))
      flushes.shift()
    }
    return writes
  }

  /** The tries of a height: those of the flush at or before it, and the diffs from there. */
  function triesAt(number: number, root: Hash): TrieState<Trie> {
    if (readFlush(store, number)?.root === root) return storedTries(historicSource, root)
    const { base } = readDiff(store, number)
    const flush = readFlush(store, base)
    if (flush === undefined) throw damaged(`the state of block ${base} is lost`)
    let tries = storedTries(historicSource, flush.root)
    for (let next = base + 1; next <= number; next++) {
      tries = triesAfter(tries, readDiff(store, next))
    }
    if (tries.trie.root !== root) throw damaged(`the diffs do not lead to block ${number}`)
    return tries
  }

  function at(wanted: number, root: Hash): StateView {
    if (wanted === height && root === trie.root) return head()
    const known = historic.get(wanted)
    const tries = known?.trie.root === root ? known : triesAt(wanted, root)
    if (historicNodes > LIMITS.historicTrieNodes) {
      historic.clear()
      historicNodes = 0
    }
    historic.set(wanted, tries)
    return viewOfTries(tries, code)
  }

  function head(): StateView {
    headView ??= createView(trie.root, reader, {
      tries: () => storedTries(headSource, trie.root),
      rootAfter: (changes) => {
        const { root } = applyToHead(changes).trie
        dropCandidate()
        return root
      },
    })
    return headView
  }

  /** Nodes of the head's tries, on disk or not there yet. */
  function headSource(holder: Holder | undefined): NodeSource {
    const stored = nodesOf(holder?.owner ?? NO_BYTES)
    const inHeap = holder === undefined ? trie : storageTries.get(holder.address)
    return {
      node: (path, hash) => (inHeap && heap.record(inHeap, path, hash)) ?? stored.node(path, hash),
    }
  }

  // What a crash left behind the last flush.
  if (flushedHeight !== undefined) {
    if (flushedHeight > height) throw damaged('the state on disk is ahead of the head')
    for (let number = flushedHeight + 1; number <= height; number++) {
      adopt(applyToHead(readDiff(store, number)))
    }
  }
  if (trie.root !== options.root) throw damaged('the diffs do not lead to the state of the head')

  return {
    head,
    at,
    prepare,
    commit,
    isFlushDue: () =>
      gathering.changes >= LIMITS.flushChanges || height - (flushHeight ?? 0) >= LIMITS.flushBlocks,
    flushBehind,
    flush: async () => {
      await flushBehind()
      await flushing
    },
  }
}

/** The tries as they were brought to disk at one height. */
export interface FlushRecord {
  readonly height: number
  /** Height of the flush before it; undefined for the first one. */
  readonly before: number | undefined
  readonly root: Hash
}

/** Height of the last flush. */
const FLUSHED_KEY = keyOf(KIND.flushed)
const NO_HEIGHT = 2 ** 48 - 1

export function flushWrites(store: Store, { height, before, root }: FlushRecord): Write[] {
  const record = new Uint8Array(38)
  writeHeight(record, 0, before ?? NO_HEIGHT)
  record.set(hexToBytes(root), 6)
  const last = new Uint8Array(6)
  writeHeight(last, 0, height)
  return [store.write(heightKey(KIND.flush, height), record), store.write(FLUSHED_KEY, last)]
}

export function readFlush(store: Store, height: number): FlushRecord | undefined {
  const record = store.read(heightKey(KIND.flush, height))
  if (record === undefined) return undefined
  const before = readHeight(record, 0)
  return {
    height,
    before: before === NO_HEIGHT ? undefined : before,
    root: bytesToHex(record.subarray(6)),
  }
}

/** The last flushes that are still on disk, oldest first: each names the one before it. */
function readFlushes(store: Store, countMax: number): FlushRecord[] {
  const last = store.read(FLUSHED_KEY)
  if (last === undefined) return []
  const flushes: FlushRecord[] = []
  let next: number | undefined = readHeight(last, 0)
  while (next !== undefined && flushes.length < countMax) {
    const found = readFlush(store, next)
    if (found === undefined) break
    flushes.push(found)
    next = found.before
  }
  if (flushes.length === 0) throw damaged('the record of the last flush is lost')
  return flushes.reverse()
}

export function readDiff(store: Store, height: number): StateDiff {
  const key = heightKey(KIND.diff, height)
  return decodeDiff(store.mustRead(key, `state changes of block ${height}`).slice())
}

/** Deletions of the states from one flush up to the next. */
function prunedFlush(store: Store, from: number, to: number): Write[] {
  const writes: Write[] = []
  const listKey = heightKey(KIND.obsolete, to)
  const list = store.read(listKey)
  if (list !== undefined) {
    for (const item of rlpList(decodeRlp(list), 'obsolete nodes')) {
      const key = rlpBytes(item, 'node key')
      if (isStillObsolete(store, key, to)) writes.push(store.write(key, undefined))
    }
    writes.push(store.write(listKey, undefined))
  }
  writes.push(store.write(heightKey(KIND.flush, from), undefined))
  for (let number = from + 1; number <= to; number++) {
    writes.push(store.write(heightKey(KIND.diff, number), undefined))
  }
  return writes
}

function damaged(what: string): LedgerError {
  return new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `${what}: restore the directory from a backup, ` +
      'or delete it and import or synchronise the chain anew',
  )
}
