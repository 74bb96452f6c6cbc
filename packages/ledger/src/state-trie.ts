/** The tries of a state: where their nodes lie on disk, and what a block's changes make of them. */

import { type AccountChange, type Address, type Hash, hashHexInto, NO_BYTES } from '@vellum/evm'
import { type Account, encodeAccount } from './account.ts'
import type { Write } from './key-value.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'
import { CRC_BYTES, KIND, readHeight, type Store, writeHeight } from './store.ts'
import {
  EMPTY_ROOT,
  type NewNode,
  type NodeSource,
  openTrie,
  type ReplacedNode,
  type Trie,
  type TrieUpdate,
  updateTrie,
} from './trie.ts'

export interface StoredAccount extends Account {
  readonly address: Address
  /** keccak256(address): its place in the trie, and the name of its own trie's nodes. */
  readonly owner: Uint8Array
}

/** A state that changes can be applied to. */
export interface TrieState {
  readonly trie: Trie
  account(address: Address): StoredAccount | undefined
  storageTrie(holder: StoredAccount): Trie
  /** Nodes of an account's storage trie; of the account trie without owner. */
  nodes(owner: Uint8Array): NodeSource
}

/** The tries after some changes, and the accounts that they moved. Nothing was altered. */
export interface AppliedChanges {
  readonly trie: Trie
  readonly accounts: ReadonlyMap<Address, StoredAccount | undefined>
  /** Tries of accounts whose storage changed. */
  readonly storageTries: ReadonlyMap<Address, Trie>
  readonly slots: readonly ChangedSlot[]
  /** True if the former storage of an account went as a whole. */
  readonly isStorageCleared: boolean
  /** Stored nodes that this version does not refer to. */
  readonly replaced: readonly ReplacedNodes[]
}

export interface ReplacedNodes {
  /** Whose storage trie they are of; no bytes for the account trie. */
  readonly owner: Uint8Array
  readonly nodes: readonly ReplacedNode[]
}

export interface ChangedSlot {
  /** Address and slot, as the cache names it. */
  readonly name: string
  readonly value: bigint
}

export function applyChanges(before: TrieState, changes: readonly AccountChange[]): AppliedChanges {
  const accounts = new Map<Address, StoredAccount | undefined>()
  const storageTries = new Map<Address, Trie>()
  const slots: ChangedSlot[] = []
  let isStorageCleared = false
  const replaced: ReplacedNodes[] = []
  const updates: TrieUpdate[] = []

  for (const change of changes) {
    const { address } = change
    const former = before.account(address)
    const owner = former?.owner ?? placeOf(address)
    let storage =
      former === undefined || former.storageRoot === EMPTY_ROOT
        ? undefined
        : before.storageTrie(former)

    if (storage !== undefined && (change.storageCleared || change.account === undefined)) {
      isStorageCleared = true
      storage = undefined
    }
    if (change.account !== undefined && change.slots.size > 0) {
      const slotUpdates: TrieUpdate[] = []
      for (const [slot, value] of change.slots) {
        slotUpdates.push({ key: placeOf(slot), value: encodeSlot(value) })
        slots.push({ name: address + slot, value })
      }
      const updated = updateTrie(storage ?? openTrie(EMPTY_ROOT, before.nodes(owner)), slotUpdates)
      replaced.push({ owner, nodes: updated.replaced })
      storage = updated.trie
      storageTries.set(address, storage)
    }
    const storageRoot = storage?.root ?? EMPTY_ROOT
    const after = change.account && { ...change.account, storageRoot, address, owner }
    updates.push({ key: owner, value: after && encodeAccount(after) })
    accounts.set(address, after)
  }
  const updated = updateTrie(before.trie, updates)
  replaced.push({ owner: NO_BYTES, nodes: updated.replaced })
  return { trie: updated.trie, accounts, storageTries, slots, isStorageCleared, replaced }
}

/** Where a slot or an account is in its trie: keccak256 of its key. 32 new bytes. */
export function placeOf(key: Hash | Address): Uint8Array {
  const place = new Uint8Array(32)
  hashHexInto(key, place, 0)
  return place
}

const writer: RlpWriter = createRlpWriter()

/** A slot's leaf; undefined for none. */
function encodeSlot(value: bigint): Uint8Array | undefined {
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
  const stored = room(NODE_HEIGHT_SIZE + node.record.length + CRC_BYTES)
  writeHeight(stored, 0, height)
  stored.set(node.record, NODE_HEIGHT_SIZE)
  return store.writeInPlace(nodeKey(owner, node.path, node.hash), stored)
}

/** What is written takes its bytes from one buffer after the other: each of its own would cost a microsecond. */
const ROOM_BYTES = 65_536
let roomBuffer = new Uint8Array(0)
let roomUsed = 0

function room(size: number): Uint8Array {
  if (size > ROOM_BYTES) return new Uint8Array(size)
  if (roomUsed + size > roomBuffer.length) {
    roomBuffer = new Uint8Array(ROOM_BYTES)
    roomUsed = 0
  }
  roomUsed += size
  return roomBuffer.subarray(roomUsed - size, roomUsed)
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
