/** The tries of a state: where their nodes lie on disk, and what a block's changes make of them. */

import { type AccountChange, type Address, type Hash, hashHexInto } from '@vellum/evm'
import { type Account, encodeAccount } from './account.ts'
import type { Write } from './key-value.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'
import { CRC_BYTES, KIND, readHeight, type Store, writeHeight } from './store.ts'
import { EMPTY_ROOT, type NewNode, type NodeSource, type TrieUpdate } from './trie.ts'

export interface StoredAccount extends Account {
  readonly address: Address
  /** keccak256(address): its place in the trie, and the name of its own trie's nodes. */
  readonly owner: Uint8Array
}

/** Whose storage it is. */
export type Holder = Pick<StoredAccount, 'address' | 'owner'>

/** A state that changes can be applied to, in whichever tries it lies. */
export interface TrieState<T extends { readonly root: Hash }> {
  readonly trie: T
  account(address: Address): StoredAccount | undefined
  storageTrie(holder: StoredAccount): T
  /** The trie of an account without storage. */
  emptyTrie(holder: Holder): T
  /** A trie after updates. Nothing is altered. */
  update(trie: T, updates: readonly TrieUpdate[]): T
  /** The same for storage slots: 0n deletes. */
  updateSlots(trie: T, slots: ReadonlyMap<Hash, bigint>): T
}

/** The tries after some changes, and the accounts that they moved. Nothing was altered. */
export interface AppliedChanges<T> {
  readonly trie: T
  readonly accounts: ReadonlyMap<Address, StoredAccount | undefined>
  /** Tries of accounts whose storage changed. */
  readonly storageTries: ReadonlyMap<Address, T>
  /** Former storage tries that went as a whole. */
  readonly cleared: readonly T[]
  /** Accounts and slots that were changed. */
  readonly count: number
}

export function applyChanges<T extends { readonly root: Hash }>(
  before: TrieState<T>,
  changes: readonly AccountChange[],
): AppliedChanges<T> {
  const accounts = new Map<Address, StoredAccount | undefined>()
  const storageTries = new Map<Address, T>()
  const cleared: T[] = []
  const updates: TrieUpdate[] = []
  let count = changes.length

  for (const change of changes) {
    const { address } = change
    const former = before.account(address)
    const owner = former?.owner ?? placeOf(address)
    let storage =
      former === undefined || former.storageRoot === EMPTY_ROOT
        ? undefined
        : before.storageTrie(former)

    if (storage !== undefined && (change.storageCleared || change.account === undefined)) {
      cleared.push(storage)
      storage = undefined
    }
    if (change.account !== undefined && change.slots.size > 0) {
      storage = before.updateSlots(storage ?? before.emptyTrie({ address, owner }), change.slots)
      storageTries.set(address, storage)
      count += change.slots.size
    }
    const storageRoot = storage?.root ?? EMPTY_ROOT
    const after = change.account && { ...change.account, storageRoot, address, owner }
    updates.push({ key: owner, value: after && encodeAccount(after) })
    accounts.set(address, after)
  }
  return { trie: before.update(before.trie, updates), accounts, storageTries, cleared, count }
}

/** Where a slot or an account is in its trie: keccak256 of its key. 32 new bytes. */
export function placeOf(key: Hash | Address): Uint8Array {
  const place = new Uint8Array(32)
  hashHexInto(key, place, 0)
  return place
}

const writer: RlpWriter = createRlpWriter()

/** A slot's leaf; undefined for none. */
export function encodeSlot(value: bigint): Uint8Array | undefined {
  if (value === 0n) return undefined
  writer.integer(value)
  return writer.take()
}

/**
 * Nodes on disk of an account's storage trie; of the account trie for an owner of no bytes.
 * @param heightMin nodes that were written at a lower height count as missing
 */
export function storedNodes(store: Store, owner: Uint8Array, heightMin = 0): NodeSource {
  return {
    node: (path, hash) => {
      const node = store.read(nodeKey(owner, path, hash))
      if (node === undefined || (heightMin > 0 && readHeight(node, 0) < heightMin)) return undefined
      return node.subarray(NODE_HEIGHT_SIZE)
    },
  }
}

const NODE_HEIGHT_SIZE = 6

/** The write of a node, with the height at which it was written. */
export function writeNode(store: Store, owner: Uint8Array, node: NewNode, height: number): Write {
  const stored = store.room(NODE_HEIGHT_SIZE + node.record.length + CRC_BYTES)
  writeHeight(stored, 0, height)
  stored.set(node.record, NODE_HEIGHT_SIZE)
  return store.writeInPlace(nodeKey(owner, node.path, node.hash), stored)
}

/** True if the node was not written again since it became obsolete at this height. */
export function isStillObsolete(store: Store, key: Uint8Array, height: number): boolean {
  const node = store.read(key)
  return node !== undefined && readHeight(node, 0) < height
}

/** Height at which the node with this key was written. @throws LedgerError LEDGER_STORE_DAMAGED */
export function nodeHeight(store: Store, key: Uint8Array): number {
  return readHeight(store.mustRead(key, 'a trie node'), 0)
}

/** Owner (none for the account trie), path, length of the path, hash: versions never meet. */
export function nodeKey(owner: Uint8Array, path: Uint8Array, hash: Uint8Array): Uint8Array {
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
