/**
 * The tries of the head in linear memory: the module's functions. Keys have 32 bytes, so that a branch
 * never has a value. Driven by `src/trie-heap.ts`, whose docstrings say what each function is for.
 */

import { digest } from '../../evm/engine/keccak'
import {
  BRANCH,
  childAt,
  commonWithKey,
  copyHash,
  EMBEDDED,
  EXTENSION,
  FLAGS,
  hasBit,
  HASH_BYTES,
  INPUT,
  isLeafOf,
  KEY,
  KIND,
  LEAF,
  MASK,
  nibbleOf,
  NIBBLES,
  ONLY_CHILD,
  ONLY_SLOT,
  OUTPUT,
  PATH,
  PATH_SIZE,
  ROOT,
  sameBytes,
  setChild,
  slotAt,
  STAGED,
  STAGED_MAX,
  STORED,
  VALUE,
  VALUE_SIZE,
} from './trie-layout'
import { release } from './trie-memory'
import { encodeRecord, loadChild, loadNode, loadOnly } from './trie-codec'
export { bytesUsed, commit, drop, release, track } from './trie-memory'
export { sealRoot, stageWords, update } from './trie-update'

/** A node to be written. */
// @ts-ignore: decorator
@external('host', 'store')
declare function hostStore(path: usize, depth: u32, hash: usize, record: usize, size: u32): void

export function inputAt(): usize {
  return INPUT
}
export function keyAt(): usize {
  return KEY
}
export function rootAt(): usize {
  return ROOT
}
export function nibblesAt(): usize {
  return NIBBLES
}
export function outputAt(): usize {
  return OUTPUT
}
export function stagedAt(): usize {
  return STAGED
}
export function stagedMax(): u32 {
  return STAGED_MAX
}

/** The root whose hash is at `rootAt`. */
export function openRoot(): usize {
  return loadNode(0, KEY, 0, ROOT)
}

// Search.

let foundSize: u32 = 0

/** Where the value of the key at `keyAt` is; 0 if there is none. */
export function find(root: usize): usize {
  let node = root
  let depth: u32 = 0
  while (node != 0) {
    const kind = load<u8>(node, KIND)
    if (kind == BRANCH) {
      node = loadChild(node, nibbleOf(KEY, depth), KEY, depth)
      depth += 1
    } else if (kind == LEAF) {
      if (!isLeafOf(node, KEY, depth)) return 0
      foundSize = load<u16>(node, VALUE_SIZE)
      return node + VALUE
    } else {
      const size: u32 = load<u16>(node, PATH_SIZE)
      if (commonWithKey(node, KEY, depth) < size) return 0
      depth += size
      node = loadOnly(node, KEY, depth)
    }
  }
  return 0
}

/** Bytes of what `find` found. */
export function foundBytes(): u32 {
  return foundSize
}

/** Replaces the key at `keyAt` by its hash. */
export function hashKey(): void {
  copyHash(KEY, digest(KEY, 32))
}

// What is written and read of a whole trie.

/**
 * Hands out the nodes that are not stored, children before parents, and counts them as stored.
 * The root's hash is at `rootAt`.
 */
export function takeNew(root: usize): void {
  if (root != 0) take(root, ROOT, 0)
}

/** @param hash 0 for an embedded node: it is part of its parent */
function take(node: usize, hash: usize, depth: u32): void {
  const flags = load<u8>(node, FLAGS)
  if ((flags & STORED) != 0) return
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) {
    const embedded: u32 = load<u16>(node, EMBEDDED)
    for (let bits: u32 = load<u16>(node, MASK); bits != 0; bits &= bits - 1) {
      const n = ctz(bits)
      const child = childAt(node, n)
      if (child == 0) continue
      store<u8>(NIBBLES + depth, <u8>n)
      take(child, hasBit(embedded, n) ? 0 : slotAt(node, n), depth + 1)
    }
  } else if (kind == EXTENSION) {
    const size: u32 = load<u16>(node, PATH_SIZE)
    memory.copy(NIBBLES + depth, node + PATH, size)
    const child: usize = load<u32>(node, ONLY_CHILD)
    const isEmbedded = load<u16>(node, EMBEDDED) != 0
    if (child != 0) take(child, isEmbedded ? 0 : node + ONLY_SLOT, depth + size)
  }
  store<u8>(node, flags | STORED, FLAGS)
  if (hash == 0 || (kind == LEAF && depth > 0)) return
  hostStore(NIBBLES, depth, hash, OUTPUT, encodeRecord(node))
}

/**
 * Bytes, at `outputAt`, of the record of the node in memory at the path of `depth` nibbles at
 * `nibblesAt` with the hash at `keyAt`; 0 if there is none. The root's hash is at `rootAt`.
 */
export function recordAt(root: usize, depth: u32): u32 {
  let node = root
  let hash = ROOT
  let at: u32 = 0
  while (node != 0 && at < depth) {
    const kind = load<u8>(node, KIND)
    if (kind == LEAF) return 0
    if (kind == BRANCH) {
      const n: u32 = load<u8>(NIBBLES + at)
      if (!hasBit(load<u16>(node, MASK), n)) return 0
      hash = slotAt(node, n)
      node = childAt(node, n)
      at += 1
    } else {
      const size: u32 = load<u16>(node, PATH_SIZE)
      if (at + size > depth || !sameBytes(node + PATH, NIBBLES + at, size)) return 0
      hash = node + ONLY_SLOT
      node = load<u32>(node, ONLY_CHILD)
      at += size
    }
  }
  if (node == 0 || !sameBytes(hash, KEY, HASH_BYTES)) return 0
  return load<u8>(node, KIND) == LEAF && depth > 0 ? 0 : encodeRecord(node)
}

/**
 * Frees the stored nodes of the head's trie whose path is longer than `limit` nibbles. There must be
 * no candidate: it may share them.
 */
export function trim(root: usize, limit: u32): void {
  if (root != 0) trimBelow(root, 0, limit)
}

function trimBelow(node: usize, depth: u32, limit: u32): void {
  const kind = load<u8>(node, KIND)
  if (kind == EXTENSION) {
    const child: usize = load<u32>(node, ONLY_CHILD)
    if (child == 0 || load<u16>(node, EMBEDDED) != 0) return
    if (!mayGo(child, depth + load<u16>(node, PATH_SIZE), limit)) return
    store<u32>(node, 0, ONLY_CHILD)
  } else if (kind == BRANCH) {
    const hashes: u32 = load<u16>(node, MASK) & ~(<u32>load<u16>(node, EMBEDDED))
    for (let bits = hashes; bits != 0; bits &= bits - 1) {
      const n = ctz(bits)
      const child = childAt(node, n)
      if (child == 0 || load<u8>(child, KIND) == LEAF) continue
      if (mayGo(child, depth + 1, limit)) setChild(node, n, 0)
    }
  }
}

/** Frees a node that is stored and deep enough; else trims below it. True if it went. */
function mayGo(node: usize, depth: u32, limit: u32): bool {
  if (depth > limit && (load<u8>(node, FLAGS) & STORED) != 0) {
    release(node)
    return true
  }
  trimBelow(node, depth, limit)
  return false
}
