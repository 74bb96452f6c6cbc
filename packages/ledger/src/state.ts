/**
 * The state of a chain: accounts and storage, at the head and behind it.
 *
 * Two forms of the same values lie on disk. Flat rows hold the head only and serve execution: one
 * read an account or slot. The Merkle Patricia tries hold every retained height and serve roots,
 * proofs and older states. A block's changes are prepared first (roots, rows, nodes; nothing is
 * altered), written with the block in one batch, and only then become the head.
 *
 * A row that is missing is believed only if the trie, whose nodes are bound to the root by hash,
 * says so too: a damaged disk may lose rows without a word.
 */

import {
  type Address,
  bigIntToMinimalBytes,
  bytesToBigInt,
  bytesToHex,
  type Hash,
  hexToBytes,
  keccak256,
  NO_BYTES,
  type WorldChanges,
  type WorldReader,
} from '@vellum/evm'
import { type Account, decodeAccount, EMPTY_CODE_HASH, encodeAccount } from './account.ts'
import { type Cache, createCache } from './cache.ts'
import { LIMITS } from './config.ts'
import { LedgerError } from './error.ts'
import type { KeyValueSnapshot, Write } from './key-value.ts'
import { decodeRlp, encodeRlp } from './rlp.ts'
import { heightKey, KIND, keyOf, readHeight, type Store, writeHeight } from './store.ts'
import {
  EMPTY_ROOT,
  getTrie,
  type NodeSource,
  openTrie,
  proveTrie,
  type Trie,
  type TrieUpdate,
  trieEntries,
  unloadTrie,
  updateTrie,
} from './trie.ts'

/** EIP-1186: an account and some of its slots with the trie nodes that prove them. */
export interface StateProof {
  readonly address: Address
  readonly account: Account | undefined
  /** From the state root down. */
  readonly accountProof: readonly Uint8Array[]
  readonly storage: readonly StorageProof[]
}

export interface StorageProof {
  readonly slot: Hash
  readonly value: bigint
  /** From the account's storage root down; empty if the account has no storage. */
  readonly proof: readonly Uint8Array[]
}

/** State at one height, for reading. Valid as long as that height is retained. */
export interface StateView {
  readonly root: Hash
  /** For a `World` to execute on. */
  readonly reader: WorldReader
  account(address: Address): Account | undefined
  storage(address: Address, slot: Hash): bigint
  code(address: Address): Uint8Array
  /** @throws LedgerError LEDGER_TRIE_NODE_MISSING if the disk lost a node */
  prove(address: Address, slots: readonly Hash[]): StateProof
}

/** What a block's changes make of the head state. Nothing has been altered yet. */
export interface PreparedState {
  readonly root: Hash
  /** To be written in one batch with the block. */
  readonly writes: readonly Write[]
  /** Root of the state that these changes apply to. */
  readonly parentRoot: Hash
  /** @internal what `commit` needs */
  readonly next: NextState
}

interface NextState {
  readonly accounts: ReadonlyMap<Address, StoredAccount | undefined>
  readonly slots: ReadonlyMap<Address, ReadonlyMap<Hash, bigint>>
  readonly storageCleared: boolean
  readonly storageTries: ReadonlyMap<Address, Trie>
  readonly trie: Trie
}

interface StoredAccount extends Account {
  readonly address: Address
  /** keccak256(address): its place in the trie and in the flat rows. */
  readonly owner: Uint8Array
}

export interface State {
  /** The state at the head. */
  head(): StateView
  /** The state with this root. The caller knows that its height is retained. */
  at(root: Hash): StateView
  /**
   * What the changes make of the head state.
   * @param height of the block that makes them
   */
  prepare(changes: WorldChanges, height: number): PreparedState
  /** Makes a prepared state the head. Its writes are on disk by now. */
  commit(prepared: PreparedState): void
  /**
   * Deletions of the nodes that the block at this height made obsolete. Pruned mode only. They come
   * before a block's own writes in a batch, as the block may bring a node back.
   */
  prune(height: number): readonly Write[]
  close(): void
}

export interface StateOptions {
  readonly store: Store
  readonly root: Hash
  /** True to record, block by block, which trie nodes became obsolete. */
  readonly recordsObsolete: boolean
}

const ABSENT = Symbol('no such account')

export function createState(options: StateOptions): State {
  const { store } = options
  let trie: Trie = openTrie(options.root, accountNodes(store))
  let snapshot: KeyValueSnapshot = store.disk.snapshot()
  const accounts: Cache<Address, StoredAccount | typeof ABSENT> = createCache(LIMITS.cachedAccounts)
  const slots: Cache<string, bigint> = createCache(LIMITS.cachedSlots)
  const codes: Cache<Hash, Uint8Array> = createCache(LIMITS.cachedCodes)
  const storageTries: Cache<Address, Trie> = createCache(LIMITS.cachedStorageTries)

  function account(address: Address): StoredAccount | undefined {
    const cached = accounts.get(address)
    if (cached !== undefined) return cached === ABSENT ? undefined : cached
    const owner = keccak256(hexToBytes(address))
    const row = store.read(keyOf(KIND.account, owner), snapshot)
    if (row === undefined) assertAbsent(trie, owner, `account ${address}`)
    const found = row && { ...decodeAccount(row), address, owner }
    accounts.set(address, found ?? ABSENT)
    return found
  }

  function storageTrie(holder: StoredAccount): Trie {
    const cached = storageTries.get(holder.address)
    if (cached !== undefined && cached.root === holder.storageRoot) return cached
    const opened = openTrie(holder.storageRoot, storageNodes(store, holder.owner))
    storageTries.set(holder.address, opened)
    return opened
  }

  function storage(address: Address, slot: Hash): bigint {
    const holder = account(address)
    if (holder === undefined || holder.storageRoot === EMPTY_ROOT) return 0n
    const name = address + slot
    const cached = slots.get(name)
    if (cached !== undefined) return cached
    const place = keccak256(hexToBytes(slot))
    const row = store.read(keyOf(KIND.slot, holder.owner, place), snapshot)
    if (row === undefined) assertAbsent(storageTrie(holder), place, `slot ${slot} of ${address}`)
    const value = row === undefined ? 0n : bytesToBigInt(row)
    slots.set(name, value)
    return value
  }

  function code(codeHash: Hash): Uint8Array {
    if (codeHash === EMPTY_CODE_HASH) return NO_BYTES
    const cached = codes.get(codeHash)
    if (cached !== undefined) return cached
    const found = store.mustRead(keyOf(KIND.code, hexToBytes(codeHash)), `code ${codeHash}`).slice()
    codes.set(codeHash, found)
    return found
  }

  const headReader = {
    account,
    storage,
    hasStorage: (address: Address) => (account(address)?.storageRoot ?? EMPTY_ROOT) !== EMPTY_ROOT,
    code,
  }

  function prepare(changes: WorldChanges, height: number): PreparedState {
    const writes: Write[] = []
    const obsolete: Uint8Array[] = []
    const nextAccounts = new Map<Address, StoredAccount | undefined>()
    const nextSlots = new Map<Address, ReadonlyMap<Hash, bigint>>()
    const nextTries = new Map<Address, Trie>()
    let storageCleared = false
    const updates: TrieUpdate[] = []

    for (const [hash, bytes] of changes.codes) {
      writes.push(store.write(keyOf(KIND.code, hexToBytes(hash)), bytes))
    }
    for (const change of changes.accounts) {
      const { address } = change
      const before = account(address)
      const owner = before?.owner ?? keccak256(hexToBytes(address))
      let storageRoot = before?.storageRoot ?? EMPTY_ROOT

      if ((change.storageCleared || change.account === undefined) && storageRoot !== EMPTY_ROOT) {
        storageCleared = true
        for (const [place] of trieEntries(openTrie(storageRoot, storageNodes(store, owner)))) {
          writes.push(store.write(keyOf(KIND.slot, owner, place), undefined))
        }
        storageRoot = EMPTY_ROOT
      }
      if (change.account !== undefined && change.slots.size > 0) {
        const base =
          before !== undefined && storageRoot === before.storageRoot
            ? storageTrie(before)
            : openTrie(storageRoot, storageNodes(store, owner))
        const slotUpdates: TrieUpdate[] = []
        for (const [slot, value] of change.slots) {
          const place = keccak256(hexToBytes(slot))
          const bytes = value === 0n ? undefined : bigIntToMinimalBytes(value)
          slotUpdates.push({ key: place, value: bytes && encodeRlp(bytes) })
          writes.push(store.write(keyOf(KIND.slot, owner, place), bytes))
        }
        const updated = updateTrie(base, slotUpdates)
        storageRoot = updated.trie.root
        for (const node of updated.written) {
          writes.push(writeNode(store, owner, node.path, node.hash, node.encoded, height))
        }
        for (const node of updated.replaced) obsolete.push(nodeKey(owner, node.path, node.hash))
        nextTries.set(address, updated.trie)
        nextSlots.set(address, change.slots)
      }

      const after = change.account && { ...change.account, storageRoot, address, owner }
      const encoded = after && encodeAccount(after)
      updates.push({ key: owner, value: encoded })
      writes.push(store.write(keyOf(KIND.account, owner), encoded))
      nextAccounts.set(address, after)
    }

    const updated = updateTrie(trie, updates)
    for (const node of updated.written) {
      writes.push(writeNode(store, NO_BYTES, node.path, node.hash, node.encoded, height))
    }
    if (options.recordsObsolete) {
      for (const node of updated.replaced) obsolete.push(nodeKey(NO_BYTES, node.path, node.hash))
      writes.push(store.write(heightKey(KIND.obsolete, height), encodeRlp(obsolete)))
    }
    return {
      root: updated.trie.root,
      parentRoot: trie.root,
      writes,
      next: {
        accounts: nextAccounts,
        slots: nextSlots,
        storageCleared,
        storageTries: nextTries,
        trie: updated.trie,
      },
    }
  }

  function commit({ next, parentRoot }: PreparedState): void {
    if (parentRoot !== trie.root) throw new Error('prepared on another state than the head')
    // Rare (a contract was destroyed): cheaper to forget all slots than to know each one's name.
    if (next.storageCleared) slots.clear()
    for (const [address, after] of next.accounts) {
      accounts.set(address, after ?? ABSENT)
      const opened = next.storageTries.get(address)
      if (opened !== undefined) {
        storageTries.set(address, unloadTrie(opened, LIMITS.loadedTrieDepth))
      } else if (after === undefined) storageTries.delete(address)
    }
    for (const [address, changed] of next.slots) {
      for (const [slot, value] of changed) slots.set(address + slot, value)
    }
    trie = unloadTrie(next.trie, LIMITS.loadedTrieDepth)
    snapshot.close()
    snapshot = store.disk.snapshot()
  }

  return {
    head: () => view(trie, headReader, storageTrie),
    at: (root) => {
      if (root === trie.root) return view(trie, headReader, storageTrie)
      return trieView(store, root, code)
    },
    prepare,
    commit,
    prune: (height) => pruneNodes(store, height),
    close: () => snapshot.close(),
  }
}

/** A reader that also knows where in the tries an account stands. */
interface StoredReader extends WorldReader {
  account(address: Address): StoredAccount | undefined
}

/** A view whose single reads come from `read`, and whose proofs come from the tries. */
function view(
  trie: Trie,
  reader: StoredReader,
  storageTrie: (holder: StoredAccount) => Trie,
): StateView {
  return {
    root: trie.root,
    reader,
    account: (address) => reader.account(address),
    storage: (address, slot) => reader.storage(address, slot),
    code: (address) => {
      const found = reader.account(address)
      return found === undefined ? NO_BYTES : reader.code(found.codeHash)
    },
    prove: (address, slots) => {
      const found = reader.account(address)
      const storage = slots.map((slot): StorageProof => {
        const holder = found?.storageRoot === EMPTY_ROOT ? undefined : found
        return {
          slot,
          value: reader.storage(address, slot),
          proof: holder ? proveTrie(storageTrie(holder), keccak256(hexToBytes(slot))) : [],
        }
      })
      const accountProof = proveTrie(trie, keccak256(hexToBytes(address)))
      return { address, account: found, accountProof, storage }
    },
  }
}

/** A view of a state behind the head, read through its tries alone. */
function trieView(store: Store, root: Hash, code: (codeHash: Hash) => Uint8Array): StateView {
  const trie = openTrie(root, accountNodes(store))
  const tries = new Map<Address, Trie>()

  function account(address: Address): StoredAccount | undefined {
    const owner = keccak256(hexToBytes(address))
    const leaf = getTrie(trie, owner)
    return leaf && { ...decodeAccount(leaf), address, owner }
  }

  function storageTrie(holder: StoredAccount): Trie {
    const known = tries.get(holder.address)
    if (known !== undefined) return known
    const opened = openTrie(holder.storageRoot, storageNodes(store, holder.owner))
    tries.set(holder.address, opened)
    return opened
  }

  const reader = {
    account,
    storage: (address: Address, slot: Hash) => {
      const holder = account(address)
      if (holder === undefined || holder.storageRoot === EMPTY_ROOT) return 0n
      const leaf = getTrie(storageTrie(holder), keccak256(hexToBytes(slot)))
      return leaf === undefined ? 0n : bytesToBigInt(decodeRlp(leaf) as Uint8Array)
    },
    hasStorage: (address: Address) => (account(address)?.storageRoot ?? EMPTY_ROOT) !== EMPTY_ROOT,
    code,
  }
  return view(trie, reader, storageTrie)
}

function assertAbsent(trie: Trie, place: Uint8Array, what: string): void {
  if (trie.root === EMPTY_ROOT || getTrie(trie, place) === undefined) return
  throw new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `the disk lost ${what}, which the state root proves to exist: restore the directory from a ` +
      'backup, or delete it and import or synchronise the chain anew',
    { place: bytesToHex(place) },
  )
}

/** Nodes of the account trie, as `openTrie` wants them. */
export function accountNodes(store: Store): NodeSource {
  return { node: (path, hash) => readNode(store, nodeKey(NO_BYTES, path, hash)) }
}

/** Nodes of the storage trie of the account with this hashed address. */
export function storageNodes(store: Store, owner: Uint8Array): NodeSource {
  return { node: (path, hash) => readNode(store, nodeKey(owner, path, hash)) }
}

/** Owner (none for the account trie), path length, path, hash: replaced nodes keep their own key. */
function nodeKey(owner: Uint8Array, path: Uint8Array, hash: Uint8Array): Uint8Array {
  const pathSize = (path.length + 1) >> 1
  const key = new Uint8Array(2 + owner.length + pathSize + hash.length)
  key[0] = owner.length === 0 ? KIND.node : KIND.storageNode
  key.set(owner, 1)
  let at = 1 + owner.length
  for (let i = 0; i < path.length; i += 2) key[at++] = (path[i]! << 4) | (path[i + 1] ?? 0)
  key[at++] = path.length
  key.set(hash, at)
  return key
}

const NODE_HEIGHT_SIZE = 6

function readNode(store: Store, key: Uint8Array): Uint8Array | undefined {
  return store.read(key)?.subarray(NODE_HEIGHT_SIZE)
}

function writeNode(
  store: Store,
  owner: Uint8Array,
  path: Uint8Array,
  hash: Uint8Array,
  encoded: Uint8Array,
  height: number,
): Write {
  const value = new Uint8Array(NODE_HEIGHT_SIZE + encoded.length)
  writeHeight(value, 0, height)
  value.set(encoded, NODE_HEIGHT_SIZE)
  return store.write(nodeKey(owner, path, hash), value)
}

/** A node that came back after it was obsolete (a value set and set back) has a later height. */
function pruneNodes(store: Store, height: number): readonly Write[] {
  const list = heightKey(KIND.obsolete, height)
  const encoded = store.read(list)
  if (encoded === undefined) return []
  const writes: Write[] = [store.write(list, undefined)]
  for (const key of decodeRlp(encoded) as readonly Uint8Array[]) {
    const node = store.read(key)
    if (node === undefined || readHeight(node, 0) >= height) continue
    writes.push(store.write(key, undefined))
  }
  return writes
}
