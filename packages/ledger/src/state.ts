/**
 * The state of a chain: accounts and storage, at the head and behind it.
 *
 * It lies in Merkle Patricia tries and nowhere else, so that every value that is read hangs on the
 * state root by hashes: what a damaged disk lost is missed, not taken for absent. The upper nodes
 * stay in memory, and values that were used of late, so that most reads cost nothing and others one
 * or two records.
 *
 * New nodes are not written with every block. A block writes one record, its diff; nodes stay in
 * memory until some thousand changes have gathered, and then those of the last version are written
 * at once (`flush`): the upper nodes, which every block replaces, are so written once for many.
 * After a crash the diffs since the last flush are applied again. An older state is that of the
 * flush before it and the diffs from there.
 */

import {
  type Address,
  bytesToBigInt,
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
  trieReader,
  triesAfter,
} from './state-view.ts'
import { heightKey, KIND, keyOf, readHeight, type Store, writeHeight } from './store.ts'
import {
  EMPTY_ROOT,
  getTrie,
  type NodeSource,
  openTrie,
  type Trie,
  takeNewNodes,
  unloadTrie,
} from './trie.ts'

/** What a block's changes make of the head state. Nothing has been altered yet. */
export interface PreparedState {
  readonly root: Hash
  /** Root of the state that these changes apply to. */
  readonly parentRoot: Hash
  readonly height: number
  /** To be written in one batch with the block. */
  readonly writes: readonly Write[]
  /** @internal what `commit` needs */
  readonly applied: AppliedChanges
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
}

const ABSENT = Symbol('no such account')

/** What changed between two flushes. */
interface Gathered {
  /** Tries of accounts whose storage changed: they hold nodes that are not on disk. */
  readonly tries: Map<Address, Trie>
  readonly obsolete: Uint8Array[]
  /** Accounts and slots that were changed; one that changed twice counts twice. */
  changes: number
}

function newGathered(): Gathered {
  return { tries: new Map(), obsolete: [], changes: 0 }
}

/**
 * Opens the state of a head whose block is on disk.
 * @throws LedgerError LEDGER_STORE_DAMAGED if diffs are missing or do not lead to the root
 */
export function createState(options: StateOptions): State {
  const { store, retainedBlocks } = options
  const accounts: Cache<Address, StoredAccount | typeof ABSENT> = createCache(LIMITS.cachedAccounts)
  const slots: Cache<string, bigint> = createCache(LIMITS.cachedSlots)
  const codes: Cache<Hash, Uint8Array> = createCache(LIMITS.cachedCodes)
  const storageTries: Cache<Address, Trie> = createCache(LIMITS.cachedStorageTries)

  // Since the last flush, and what a flush under way is writing.
  let gathering = newGathered()
  let writing: Gathered | undefined
  let flushing: Promise<void> = Promise.resolve()

  /** The last flush; in pruned mode also those before it that are still on disk, ascending. */
  const flushes = readFlushes(store, retainedBlocks === undefined ? 1 : Number.POSITIVE_INFINITY)
  const opened = flushes.at(-1)
  let flushedHeight = opened?.height
  /** Height of the last flush that was begun. */
  let flushHeight = flushedHeight
  let height = options.height
  let trie: Trie = openTrie(opened?.root ?? EMPTY_ROOT, countedNodes(NO_BYTES))
  let headView: StateView | undefined
  /** Records of the current tries in memory: those that were read or made, less those replaced. */
  let nodesLoaded = 0
  const historic: Cache<number, TrieState> = createCache(LIMITS.cachedHistoricStates)

  /** Nodes on disk, counted as they come into memory. */
  function countedNodes(owner: Uint8Array): NodeSource {
    const { node } = storedNodes(store, owner)
    return {
      node: (path, hash) => {
        nodesLoaded += 1
        return node(path, hash)
      },
    }
  }

  function account(address: Address): StoredAccount | undefined {
    const known = accounts.get(address)
    if (known !== undefined) return known === ABSENT ? undefined : known
    const owner = placeOf(address)
    const leaf = getTrie(trie, owner)
    const found = leaf && { ...decodeAccount(leaf), address, owner }
    accounts.set(address, found ?? ABSENT)
    return found
  }

  function storageTrie(holder: StoredAccount): Trie {
    const { address, storageRoot } = holder
    for (const known of [gathering.tries.get(address), writing?.tries.get(address)]) {
      if (known?.root === storageRoot) return known
    }
    const cached = storageTries.get(address)
    if (cached?.root === storageRoot) return cached
    const opened = openTrie(storageRoot, countedNodes(holder.owner))
    storageTries.set(address, opened)
    return opened
  }

  function storage(address: Address, slot: Hash): bigint {
    const holder = account(address)
    if (holder === undefined || holder.storageRoot === EMPTY_ROOT) return 0n
    const name = address + slot
    const known = slots.get(name)
    if (known !== undefined) return known
    const leaf = getTrie(storageTrie(holder), placeOf(slot))
    const value = leaf === undefined ? 0n : bytesToBigInt(rlpBytes(decodeRlp(leaf), 'slot'))
    slots.set(name, value)
    return value
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

  function headTries(): TrieState {
    return { trie, account, storageTrie, nodes: countedNodes }
  }

  function prepare(changes: WorldChanges, at: number): PreparedState {
    const applied = applyChanges(headTries(), changes.accounts)
    const writes: Write[] = []
    for (const [hash, bytes] of changes.codes) {
      writes.push(store.write(keyOf(KIND.code, hexToBytes(hash)), bytes))
    }
    const diff = encodeDiff({ base: flushedHeight ?? 0, accounts: changes.accounts })
    writes.push(store.write(heightKey(KIND.diff, at), diff))
    return { root: applied.trie.root, parentRoot: trie.root, height: at, writes, applied }
  }

  function commit({ applied, parentRoot, height: at }: PreparedState): void {
    if (parentRoot !== trie.root) throw new Error('prepared on another state than the head')
    adopt(applied)
    height = at
  }

  function adopt(applied: AppliedChanges): void {
    // Rare (a contract was destroyed): cheaper to forget all slots than to find its own.
    if (applied.isStorageCleared) slots.clear()
    for (const [address, after] of applied.accounts) {
      accounts.set(address, after ?? ABSENT)
      if (after === undefined || after.storageRoot === EMPTY_ROOT) gathering.tries.delete(address)
    }
    for (const { name, value } of applied.slots) slots.set(name, value)
    for (const [address, changed] of applied.storageTries) gathering.tries.set(address, changed)
    gathering.changes += applied.accounts.size + applied.slots.length
    for (const { owner, nodes } of applied.replaced) {
      nodesLoaded -= nodes.length
      if (retainedBlocks === undefined) continue
      for (const { path, hash } of nodes) gathering.obsolete.push(nodeKey(owner, path, hash))
    }
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
    writing = gathering
    gathering = newGathered()
    flushing = store.disk.batch(writes).then(() => {
      if (isAgain) flushes.pop()
      flushes.push(record)
      settle(record.height)
    })
    // Whoever waits for the next flush learns of the failure.
    flushing.catch(() => {})
    if (nodesLoaded > LIMITS.loadedTrieNodes) {
      await flushing
      unload()
    }
  }

  /** The new nodes of all tries that changed. */
  function flushedWrites(): Write[] {
    const writes: Write[] = prunedWrites()
    for (const [address, changed] of gathering.tries) {
      const holder = account(address)
      if (holder?.storageRoot === changed.root) addNewNodes(writes, holder.owner, changed)
    }
    addNewNodes(writes, NO_BYTES, trie)
    if (retainedBlocks !== undefined) {
      writes.push(store.write(heightKey(KIND.obsolete, height), encodeRlp(gathering.obsolete)))
    }
    return writes
  }

  function addNewNodes(writes: Write[], owner: Uint8Array, from: Trie): void {
    for (const node of takeNewNodes(from)) {
      nodesLoaded += 1
      writes.push(writeNode(store, owner, node, height))
    }
  }

  /** What was being written is on disk: tries may be forgotten and opened again. */
  function settle(at: number): void {
    flushedHeight = at
    for (const [address, changed] of writing?.tries ?? []) storageTries.set(address, changed)
    writing = undefined
  }

  /** Drops the lower nodes of all tries. Everything in memory must be on disk. */
  function unload(): void {
    nodesLoaded = 0
    storageTries.clear()
    trie = unloadTrie(trie, LIMITS.loadedTrieDepth)
    headView = undefined
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
  function triesAt(number: number, root: Hash): TrieState {
    if (readFlush(store, number)?.root === root) return storedTries(countedNodes, root)
    const { base } = readDiff(store, number)
    const flush = readFlush(store, base)
    if (flush === undefined) throw damaged(`the state of block ${base} is lost`)
    let tries = storedTries(countedNodes, flush.root)
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
    if (nodesLoaded > LIMITS.loadedTrieNodes) historic.clear()
    historic.set(wanted, tries)
    return createView(root, trieReader(tries, code), () => tries)
  }

  function head(): StateView {
    headView ??= createView(trie.root, reader, headTries)
    return headView
  }

  // What a crash left behind the last flush.
  if (flushedHeight !== undefined) {
    if (flushedHeight > height) throw damaged('the state on disk is ahead of the head')
    for (let number = flushedHeight + 1; number <= height; number++) {
      adopt(applyChanges(headTries(), readDiff(store, number).accounts))
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
