/**
 * What a snapshot sync leaves in the store: a record of where the chain goes on from, and trie nodes
 * to be removed. These are those of the genesis state, once the snapshot has taken its place, and
 * those of pivots that were given up. Every node of a pivot carries the
 * pivot's height, so what is older and not of a state that stays is garbage.
 */

import { equalBytes, type Hash, NO_BYTES } from '@vellum/evm'
import { decodeAccount } from './account.ts'
import { LIMITS } from './config.ts'
import type { Write } from './key-value.ts'
import { nodeHeight, storedNodes } from './state-trie.ts'
import { KIND, keyOf, readHeight, type Store, writeHeight } from './store.ts'
import { EMPTY_ROOT, getTrie, openTrie, type Trie } from './trie.ts'
import { childAt, REF_BYTES, type TrieNode } from './trie-node.ts'
import { load } from './trie-source.ts'

/** Where a chain began with a snapshot. */
export interface SnapshotRecord {
  readonly height: number
  /** False while nodes of the genesis state may be left. */
  readonly isSwept: boolean
}

const SNAPSHOT_KEY = keyOf(KIND.snapshot)

export function readSnapshot(store: Store): SnapshotRecord | undefined {
  const record = store.read(SNAPSHOT_KEY)
  return record && { height: readHeight(record, 0), isSwept: record[6] === 1 }
}

export function snapshotWrite(store: Store, { height, isSwept }: SnapshotRecord): Write {
  const record = new Uint8Array(7)
  writeHeight(record, 0, height)
  record[6] = isSwept ? 1 : 0
  return store.write(SNAPSHOT_KEY, record)
}

/** All nodes of the snapshot carry its height: what is older is of no state any more. */
export async function sweepReplaced(store: Store, height: number): Promise<void> {
  await sweepNodes(store, height, undefined)
  await store.disk.batch([snapshotWrite(store, { height, isSwept: true })])
}

const OWNER_SIZE = 32

/**
 * Deletes nodes that were written below a height. Nothing else may write meanwhile.
 * @param genesis root of the genesis state, if it stays: a pivot may have written its nodes again
 */
export async function sweepNodes(
  store: Store,
  below: number,
  genesis: Hash | undefined,
): Promise<void> {
  for (const kind of [KIND.node, KIND.storageNode] as const) {
    let from = keyOf(kind)
    for (;;) {
      const writes: Write[] = []
      let last: Uint8Array | undefined
      const range = { from, to: Uint8Array.of(kind + 1), limit: LIMITS.snapshotSweepNodes }
      for await (const [key] of store.disk.iterate(range)) {
        last = key
        const height = nodeHeight(store, key)
        if (height >= below) continue
        const isKept = genesis !== undefined && (height === 0 || isNodeOf(store, genesis, key))
        if (!isKept) writes.push(store.write(key, undefined))
      }
      if (writes.length > 0) await store.disk.batch(writes)
      if (last === undefined) break
      // The key after it: nothing lies between.
      from = Uint8Array.of(...last, 0)
    }
  }
}

/** True if the state with this root has the node with this key. */
function isNodeOf(store: Store, root: Hash, key: Uint8Array): boolean {
  const owner = key[0] === KIND.node ? NO_BYTES : key.subarray(1, 1 + OWNER_SIZE)
  const hash = key.subarray(key.length - REF_BYTES)
  const pathLength = key[key.length - REF_BYTES - 1]!
  const path = new Uint8Array(pathLength)
  for (let i = 0; i < pathLength; i++) {
    const byte = key[1 + owner.length + (i >> 1)]!
    path[i] = i % 2 === 0 ? byte >> 4 : byte & 15
  }
  const trie = openTrie(root, storedNodes(store, NO_BYTES))
  if (owner.length === 0) return isNodeAt(trie, path, hash)
  const leaf = getTrie(trie, owner)
  const storageRoot = leaf === undefined ? EMPTY_ROOT : decodeAccount(leaf).storageRoot
  return isNodeAt(openTrie(storageRoot, storedNodes(store, owner)), path, hash)
}

function isNodeAt({ loaded, source }: Trie, path: Uint8Array, hash: Uint8Array): boolean {
  let node: TrieNode | undefined = loaded.node
  let depth = 0
  while (node !== undefined && depth < path.length) {
    const held = load(source, node, path.slice(0, depth))
    if (held.kind === 'leaf') return false
    if (held.kind === 'branch') {
      node = childAt(held, path[depth]!)
      depth += 1
    } else {
      const end = depth + held.path.length
      if (!equalBytes(held.path, path.subarray(depth, end))) return false
      node = held.child
      depth = end
    }
  }
  return node?.ref !== undefined && depth === path.length && equalBytes(node.ref, hash)
}
