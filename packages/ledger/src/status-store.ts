/** The leaves of the status tree on disk: 64 in a record, those of the head. */

import { bigIntToBytes, bytesToHex } from '@vellum/evm'
import { LedgerError } from './error.ts'
import type { Write } from './key-value.ts'
import type { StateView } from './state-view.ts'
import {
  createStatusTree,
  STATUS_TREE_DEPTH,
  type StatusChanges,
  type StatusTree,
  type StatusTreePlace,
  statusSlot,
} from './status-tree.ts'
import { heightKey, KIND, keyOf, readHeight, type Store } from './store.ts'

const LEAVES_A_RECORD = 64
const LEAF_BYTES = 32
/** Leaves that are put into the tree together while it is made. */
const LEAVES_A_STEP = 4_096

/** The records that hold these leaves, as they will be. */
export function statusWrites(store: Store, tree: StatusTree, changes: StatusChanges): Write[] {
  const records = new Map<number, Uint8Array>()
  for (const [index, leaf] of changes) {
    const number = Math.floor(index / LEAVES_A_RECORD)
    let record = records.get(number)
    if (record === undefined) {
      record = new Uint8Array(LEAVES_A_RECORD * LEAF_BYTES)
      for (let i = 0; i < LEAVES_A_RECORD; i++) {
        record.set(tree.leaf(number * LEAVES_A_RECORD + i), i * LEAF_BYTES)
      }
      records.set(number, record)
    }
    record.set(leaf, (index % LEAVES_A_RECORD) * LEAF_BYTES)
  }
  return [...records].map(([number, record]) =>
    store.write(heightKey(KIND.statusLeaves, number), record),
  )
}

/**
 * The tree at the head, of its leaves on disk or, where these are not those of the head, of the state.
 * @param isHeads whether the head's header says this root; undefined for the genesis block, which says nothing
 * @throws LedgerError LEDGER_STORE_DAMAGED if not even the state gives its root
 */
export async function openStatusTree(
  store: Store,
  place: StatusTreePlace,
  state: StateView,
  isHeads: ((root: Uint8Array) => boolean) | undefined,
): Promise<StatusTree> {
  if (isHeads !== undefined) {
    const stored = await readStatusTree(store)
    if (isHeads(stored.root())) return stored
  }
  const made = makeStatusTree(place, state)
  if (isHeads?.(made.root()) === false) {
    throw new LedgerError(
      'LEDGER_STORE_DAMAGED',
      'the state does not have the status root of the head: restore the directory from a backup, or delete it and synchronise the chain anew',
      { found: bytesToHex(made.root()) },
    )
  }
  await replaceLeaves(store, made)
  return made
}

async function readStatusTree(store: Store): Promise<StatusTree> {
  const tree = createStatusTree()
  // Many at once: nodes above them are made once for all.
  let leaves = new Map<number, Uint8Array>()
  for await (const key of recordKeys(store)) {
    const record = readableRecord(store, key)
    const first = readHeight(key, 1) * LEAVES_A_RECORD
    for (let i = 0; i < LEAVES_A_RECORD && record !== undefined; i++) {
      leaves.set(first + i, record.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES))
    }
    if (leaves.size < LEAVES_A_STEP) continue
    tree.set(leaves)
    leaves = new Map()
  }
  tree.set(leaves)
  return tree
}

/** undefined for a damaged one: the root will not fit then, and all of them are made again. */
function readableRecord(store: Store, key: Uint8Array): Uint8Array | undefined {
  try {
    const record = store.read(key)
    return record?.length === LEAVES_A_RECORD * LEAF_BYTES ? record : undefined
  } catch (error) {
    if (error instanceof LedgerError) return undefined
    throw error
  }
}

/** Reads as many leaves as the array is long. */
function makeStatusTree(place: StatusTreePlace, state: StateView): StatusTree {
  const tree = createStatusTree()
  const slot = bytesToHex(bigIntToBytes(place.slot, 32))
  const length = state.storage(place.contract, slot)
  const count = length < 2n ** BigInt(STATUS_TREE_DEPTH) ? Number(length) : 0
  for (let from = 0; from < count; from += LEAVES_A_STEP) {
    const leaves = new Map<number, Uint8Array>()
    for (let index = from; index < Math.min(count, from + LEAVES_A_STEP); index++) {
      const value = state.storage(place.contract, statusSlot(place, index))
      if (value !== 0n) leaves.set(index, bigIntToBytes(value, LEAF_BYTES))
    }
    if (leaves.size > 0) tree.set(leaves)
  }
  return tree
}

async function replaceLeaves(store: Store, tree: StatusTree): Promise<void> {
  const removed: Write[] = []
  for await (const key of recordKeys(store)) removed.push(store.write(key, undefined))
  if (removed.length > 0) await store.disk.batch(removed)
  for (let from = 0; from < tree.size(); from += LEAVES_A_STEP) {
    const leaves = new Map<number, Uint8Array>()
    for (let index = from; index < Math.min(tree.size(), from + LEAVES_A_STEP); index++) {
      leaves.set(index, tree.leaf(index))
    }
    await store.disk.batch(statusWrites(store, tree, leaves))
  }
}

async function* recordKeys(store: Store): AsyncGenerator<Uint8Array> {
  const range = { from: keyOf(KIND.statusLeaves), to: Uint8Array.of(KIND.statusLeaves + 1) }
  for await (const [key] of store.disk.iterate(range)) yield key
}
