/**
 * Applies a sorted batch of updates to the nodes of a trie, in one pass: `change` makes the new
 * nodes, `seal` encodes and hashes each of them once, from the bottom up.
 */

import { equalBytes } from '@vellum/evm'
import {
  type BranchNode,
  bitCount,
  changedBranch,
  childAt,
  type ExtensionNode,
  type LeafNode,
  type LoadedNode,
  newBranch,
  newExtension,
  newLeaf,
  REF_BYTES,
  recordOf,
  setRef,
  type TrieNode,
} from './trie-node.ts'
import { commonLength, compareNibbles, endsWith, joinPaths, nibblesOf } from './trie-path.ts'
import { load, loadChild, loadOnly, type NodeSource } from './trie-source.ts'

export interface TrieUpdate {
  readonly key: Uint8Array
  /** undefined (or no bytes) deletes. */
  readonly value: Uint8Array | undefined
}

/** A node to be written to the source. Embedded nodes, and leaves, are part of their parents. */
export interface NewNode {
  /** Nibbles from the root. */
  readonly path: Uint8Array
  /** 32 bytes. Only to be read, like the rest: the trie keeps them. */
  readonly hash: Uint8Array
  /** RLP of the node, and behind it what else its record holds: see `trie-node.ts`. */
  readonly record: Uint8Array
}

/** A stored node that the next version does not refer to. */
export type ReplacedNode = Omit<NewNode, 'record'>

/** An entry whose key is nibbles. */
export interface Pair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Updates in ascending order of their keys, as nibbles; no value deletes. */
export interface Batch {
  readonly keys: readonly Uint8Array[]
  readonly values: readonly (Uint8Array | undefined)[]
  readonly source: NodeSource
  readonly replaced: ReplacedNode[]
}

export function sortedBatch(
  updates: readonly TrieUpdate[],
  source: NodeSource,
  replaced: ReplacedNode[],
): Batch {
  let sorted = updates
  for (let i = 1; i < updates.length; i++) {
    const order = compareNibbles(updates[i - 1]!.key, updates[i]!.key)
    if (order >= 0) {
      sorted = [...updates].sort((a, b) => compareNibbles(a.key, b.key))
      break
    }
  }
  const keys: Uint8Array[] = []
  const values: (Uint8Array | undefined)[] = []
  for (const { key, value } of sorted) {
    const nibbles = nibblesOf(key)
    const last = keys.at(-1)
    if (last !== undefined && equalBytes(last, nibbles)) {
      throw new Error('assertion: the keys of one update differ')
    }
    keys.push(nibbles)
    values.push(value !== undefined && value.length > 0 ? value : undefined)
  }
  return { keys, values, source, replaced }
}

/**
 * Applies the updates `lo` to `hi` (exclusive, at least one), whose keys share their first `depth`
 * nibbles, to the node at that path. The very same node comes back if nothing changed.
 */
export function change(
  batch: Batch,
  node: LoadedNode | undefined,
  depth: number,
  lo: number,
  hi: number,
): LoadedNode | undefined {
  if (node === undefined) {
    const pairs: Pair[] = []
    for (let i = lo; i < hi; i++) {
      const value = batch.values[i]
      if (value !== undefined) pairs.push({ key: batch.keys[i]!, value })
    }
    return build(pairs, depth, 0, pairs.length)
  }
  if (node.kind === 'branch') return changeBranch(batch, node, depth, lo, hi)
  if (node.kind === 'leaf') return changeLeaf(batch, node, depth, lo, hi)
  return changeExtension(batch, node, depth, lo, hi)
}

function changeLeaf(
  batch: Batch,
  leaf: LeafNode,
  depth: number,
  lo: number,
  hi: number,
): LoadedNode | undefined {
  const firstKey = batch.keys[lo]!
  if (hi - lo === 1) {
    const value = batch.values[lo]
    const isHere = endsWith(firstKey, depth, leaf.path)
    if (isHere ? sameValue(leaf.value, value) : value === undefined) return leaf
    if (isHere) {
      replace(batch, leaf, firstKey, depth)
      return value && newLeaf(leaf.path, value)
    }
  }
  const ownKey = joinPaths(firstKey.subarray(0, depth), leaf.path)
  const pairs: Pair[] = []
  let own: Uint8Array | undefined = leaf.value
  let isPlaced = false
  for (let i = lo; i < hi; i++) {
    const key = batch.keys[i]!
    const value = batch.values[i]
    const order = compareNibbles(ownKey, key)
    if (order === 0) own = value
    if (order <= 0 && !isPlaced) {
      isPlaced = true
      if (own !== undefined) pairs.push({ key: ownKey, value: own })
    }
    if (order !== 0 && value !== undefined) pairs.push({ key, value })
  }
  if (!isPlaced && own !== undefined) pairs.push({ key: ownKey, value: own })
  if (own !== undefined && pairs.length === 1 && equalBytes(own, leaf.value)) return leaf
  replace(batch, leaf, firstKey, depth)
  return build(pairs, depth, 0, pairs.length)
}

function changeExtension(
  batch: Batch,
  node: ExtensionNode,
  depth: number,
  lo: number,
  hi: number,
): LoadedNode | undefined {
  const { keys, values } = batch
  const { path } = node
  // Deletions of what is not there must not split the extension.
  const leavesPath = (i: number): boolean => commonLength(keys[i]!, depth, path) < path.length
  while (lo < hi && values[lo] === undefined && leavesPath(lo)) lo += 1
  while (lo < hi && values[hi - 1] === undefined && leavesPath(hi - 1)) hi -= 1
  if (lo === hi) return node
  // In sorted keys the first and the last share the least.
  const common = Math.min(
    commonLength(keys[lo]!, depth, path),
    commonLength(keys[hi - 1]!, depth, path),
  )
  if (common === path.length) {
    const below = depth + path.length
    const child = loadOnly(batch.source, node, keys[lo]!, below)
    const next = change(batch, child, below, lo, hi)
    if (next === child) return node
    replace(batch, node, keys[lo]!, depth)
    return extend(path, next)
  }
  replace(batch, node, keys[lo]!, depth)
  const children: (TrieNode | undefined)[] = new Array(16).fill(undefined)
  const rest = path.slice(common + 1)
  children[path[common]!] = rest.length === 0 ? node.child : newExtension(rest, node.child)
  const branch = newBranch(children, undefined)
  return extend(path.slice(0, common), changeBranch(batch, branch, depth + common, lo, hi))
}

function changeBranch(
  batch: Batch,
  node: BranchNode,
  depth: number,
  lo: number,
  hi: number,
): LoadedNode | undefined {
  const { keys } = batch
  let children: (TrieNode | undefined)[] | undefined
  let { value, mask, changed } = node
  let from = lo
  if (keys[lo]!.length === depth) {
    value = batch.values[lo]
    from += 1
  }
  while (from < hi) {
    const nibble = keys[from]![depth]!
    let to = from + 1
    while (to < hi && keys[to]![depth] === nibble) to += 1
    const child = loadChild(batch.source, node, keys[from]!, depth)
    const next = change(batch, child, depth + 1, from, to)
    if (next !== child) {
      children ??= node.children?.slice() ?? new Array(16)
      children[nibble] = next
      changed |= 1 << nibble
      mask = next === undefined ? mask & ~(1 << nibble) : mask | (1 << nibble)
    }
    from = to
  }
  if (children === undefined && sameValue(value, node.value)) return node
  replace(batch, node, keys[lo]!, depth)
  changed &= mask
  const next = changedBranch(node, children ?? node.children?.slice(), mask, changed, value)
  return bitCount(mask) + (value === undefined ? 0 : 1) > 1
    ? next
    : collapse(batch, keys[lo]!, depth, next)
}

/**
 * What becomes of a branch with fewer than two ways; its path is the first `depth` nibbles of
 * `key`.
 */
function collapse(
  batch: Batch,
  key: Uint8Array,
  depth: number,
  node: BranchNode,
): LoadedNode | undefined {
  const { mask, value } = node
  if (mask === 0) return value && newLeaf(new Uint8Array(0), value)
  const nibble = 31 - Math.clz32(mask)
  const step = Uint8Array.of(nibble)
  const path = joinPaths(key.subarray(0, depth), step)
  const child = load(batch.source, childAt(node, nibble)!, path)
  // A leaf or extension takes the nibble into its own path and so becomes another node.
  if (child.kind !== 'branch') replace(batch, child, path, path.length)
  return extend(step, child)
}

/** The node with more nibbles in front of it. */
function extend(path: Uint8Array, node: LoadedNode | undefined): LoadedNode | undefined {
  if (node === undefined || path.length === 0) return node
  if (node.kind === 'branch') return newExtension(path, node)
  const joined = joinPaths(path, node.path)
  return node.kind === 'leaf' ? newLeaf(joined, node.value) : newExtension(joined, node.child)
}

/** The node of the pairs `lo` to `hi`, ascending, whose keys share their first `depth` nibbles. */
export function build(
  pairs: readonly Pair[],
  depth: number,
  lo: number,
  hi: number,
): LoadedNode | undefined {
  if (lo === hi) return undefined
  const first = pairs[lo]!
  if (hi - lo === 1) return newLeaf(first.key.slice(depth), first.value)
  const last = pairs[hi - 1]!.key
  let split = depth
  while (split < first.key.length && first.key[split] === last[split]) split += 1
  const children: (TrieNode | undefined)[] = new Array(16).fill(undefined)
  const ends = first.key.length === split
  let from = ends ? lo + 1 : lo
  while (from < hi) {
    const nibble = pairs[from]!.key[split]!
    let to = from + 1
    while (to < hi && pairs[to]!.key[split] === nibble) to += 1
    children[nibble] = build(pairs, split + 1, from, to)
    from = to
  }
  const branch = newBranch(children, ends ? first.value : undefined)
  return split === depth ? branch : newExtension(first.key.slice(depth, split), branch)
}

/** Notes a node that was stored and had a record: embedded ones, with a short ref, had none. */
function replace(batch: Batch, node: LoadedNode, key: Uint8Array, depth: number): void {
  const { ref } = node
  if (!node.stored || ref?.length !== REF_BYTES || isInBranch(node, depth)) return
  batch.replaced.push({ path: key.slice(0, depth), hash: ref })
}

/** Leaves lie in their branch's record, but for one that is the root. */
function isInBranch(node: LoadedNode, depth: number): boolean {
  return node.kind === 'leaf' && depth > 0
}

/** Gives every new node its ref, from the bottom up. The root has a hash however short it is. */
export function seal(node: LoadedNode, isRoot: boolean): void {
  if (node.kind === 'branch') {
    let bits = node.changed
    while (bits !== 0) {
      const nibble = 31 - Math.clz32(bits & -bits)
      const child = node.children![nibble]!
      if (child.kind !== 'stub' && child.ref === undefined) seal(child, false)
      bits &= bits - 1
    }
  } else if (
    node.kind === 'extension' &&
    node.child.kind !== 'stub' &&
    node.child.ref === undefined
  ) {
    seal(node.child, false)
  }
  setRef(node, isRoot)
}

/**
 * Collects the nodes that are not stored, children before parents, and counts them as stored from
 * now on. All of them must have their refs.
 * @param path nibbles to the node in its first `depth` places
 */
export function takeNew(node: TrieNode, path: Uint8Array, depth: number, taken: NewNode[]): void {
  if (node.kind === 'stub' || node.stored) return
  if (node.kind === 'branch' && node.children !== undefined) {
    for (let bits = node.mask; bits !== 0; bits &= bits - 1) {
      const nibble = 31 - Math.clz32(bits & -bits)
      const child = node.children[nibble]
      if (child === undefined) continue
      path[depth] = nibble
      takeNew(child, path, depth + 1, taken)
    }
  } else if (node.kind === 'extension') {
    path.set(node.path, depth)
    takeNew(node.child, path, depth + node.path.length, taken)
  }
  node.stored = true
  const hash = node.ref!
  if (hash.length === REF_BYTES && !isInBranch(node, depth)) {
    taken.push({ path: path.slice(0, depth), hash, record: recordOf(node) })
  }
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(a, b)
}
