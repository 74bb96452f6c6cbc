/**
 * The hexary Merkle Patricia trie (yellow paper, appendix D), immutable: an update gives another
 * trie, which shares what did not change.
 *
 * Nodes are decoded once and kept; those not yet read are stubs that are loaded on demand. A
 * block's updates are applied in one sorted pass, after which each new node is encoded and hashed
 * once, from the bottom up.
 */

import { bytesToHex, equalBytes, type Hash, hexToBytes, keccak256, keccak256Hex } from '@vellum/evm'
import { rlpScalar } from './rlp.ts'
import {
  type BranchNode,
  bitCount,
  bytesOfNibbles,
  changedBranch,
  childAt,
  decodeNode,
  type ExtensionNode,
  encodeNode,
  type LeafNode,
  type LoadedNode,
  missingNode,
  NOT_TRIMMED,
  newBranch,
  newExtension,
  newLeaf,
  nibblesOf,
  REF_BYTES,
  settleBranch,
  type TrieNode,
  withLoaded,
} from './trie-node.ts'

/** Where nodes that are not in memory come from. */
export interface NodeSource {
  /**
   * RLP of a node, or undefined if it is not there. The trie trusts the bytes: the store answers
   * for their integrity.
   * @param path nibbles from the root to the node
   * @param hash 32 bytes
   */
  node(path: Uint8Array, hash: Uint8Array): Uint8Array | undefined
}

/** A trie at one root. Treat `loaded` as private: it is filled as nodes are read. */
export interface Trie {
  readonly root: Hash
  readonly source: NodeSource
  readonly loaded: { node: TrieNode | undefined }
}

export interface TrieUpdate {
  readonly key: Uint8Array
  /** undefined (or no bytes) deletes. */
  readonly value: Uint8Array | undefined
}

/** A node that is new in a version of the trie. Embedded nodes are part of their parents. */
export interface WrittenNode {
  /** Nibbles from the root. */
  readonly path: Uint8Array
  /** 32 bytes. Only to be read, like the rest: the trie keeps them. */
  readonly hash: Uint8Array
  readonly encoded: Uint8Array
}

/** A stored node that the next version does not refer to. */
export type ReplacedNode = Omit<WrittenNode, 'encoded'>

export interface TrieChange {
  readonly trie: Trie
  /** Children before parents; the root last. */
  readonly written: readonly WrittenNode[]
  readonly replaced: readonly ReplacedNode[]
}

/** Root of the trie without entries: keccak256 of the RLP of no bytes. */
export const EMPTY_ROOT: Hash = keccak256Hex(Uint8Array.of(0x80))

/** A source of nothing, for tries built from scratch. */
export const NO_NODES: NodeSource = { node: () => undefined }

/** The trie with this root; nothing is read until it is needed. */
export function openTrie(root: Hash, source: NodeSource): Trie {
  const node: TrieNode | undefined =
    root === EMPTY_ROOT ? undefined : { kind: 'stub', ref: hexToBytes(root) }
  return { root, source, loaded: { node } }
}

/**
 * The value at a key, undefined if there is none.
 * @throws LedgerError LEDGER_TRIE_NODE_MISSING or of decoding, if the store is damaged
 */
export function getTrie(trie: Trie, key: Uint8Array): Uint8Array | undefined {
  let found: Uint8Array | undefined
  walk(trie, nibblesOf(key), (node, rest) => {
    if (node.kind === 'leaf') found = equalBytes(node.path, rest) ? node.value : undefined
    else if (node.kind === 'branch' && rest.length === 0) found = node.value
  })
  return found
}

/**
 * The encodings of the nodes on the way to a key, root first, embedded ones left out (they are in
 * their parents). Proves the value, or that there is none. No nodes for the empty trie.
 * @throws LedgerError as `getTrie`
 */
export function proveTrie(trie: Trie, key: Uint8Array): Uint8Array[] {
  const proof: Uint8Array[] = []
  walk(trie, nibblesOf(key), (node) => {
    // A copy, since the node may keep its encoding.
    if (node.ref?.length === REF_BYTES) proof.push(encodeNode(node).slice())
  })
  return proof
}

/**
 * All entries with a key not below `from`, in ascending order of their keys. Nodes read on the way
 * are not kept, so that a large trie can be walked in little memory.
 * @throws LedgerError as `getTrie`
 */
export function* trieEntries(
  trie: Trie,
  from: Uint8Array = new Uint8Array(0),
): Generator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
  const { node } = trie.loaded
  if (node !== undefined) yield* entriesOf(trie.source, node, [], nibblesOf(from))
}

/**
 * Applies updates. Keys must differ from one another; they are sorted here if they are not yet.
 * A value that is already there changes nothing.
 * @throws LedgerError as `getTrie`
 */
export function updateTrie(trie: Trie, updates: readonly TrieUpdate[]): TrieChange {
  const replaced: ReplacedNode[] = []
  const written: WrittenNode[] = []
  const before = loadRoot(trie)
  const batch = sortedBatch(updates, trie.source, replaced)
  const count = batch.keys.length
  const after = count === 0 ? before : change(batch, before, 0, 0, count)
  if (after === before) return { trie, written, replaced }
  let root = EMPTY_ROOT
  if (after !== undefined) {
    seal(after, new Uint8Array(batch.keyLengthMax + 2), 0, written)
    root = bytesToHex(after.ref!)
  }
  return { trie: { root, source: trie.source, loaded: { node: after } }, written, replaced }
}

/**
 * The same trie without the decoded nodes whose path is longer than `depth` nibbles, to bound
 * memory. All its nodes must be in the source by now.
 */
export function unloadTrie(trie: Trie, depth: number): Trie {
  const { node } = trie.loaded
  if (node === undefined) return trie
  const trimmed = trim(node, 0, depth)
  return trimmed === node ? trie : { ...trie, loaded: { node: trimmed } }
}

/**
 * Root of the trie that maps RLP of each index to a value: that of transactions, receipts and
 * withdrawals. Nothing is stored.
 */
export function rootOfList(values: readonly Uint8Array[]): Hash {
  const pairs: Pair[] = []
  const push = (i: number): void => {
    const index = i === 0 ? Uint8Array.of(0x80) : encodedIndex(i)
    pairs.push({ key: nibblesOf(index), value: values[i]! })
  }
  // The order of the encodings: 1 to 127 are themselves, 0 is 0x80, the others start above that.
  for (let i = 1; i < Math.min(values.length, 0x80); i++) push(i)
  if (values.length > 0) push(0)
  for (let i = 0x80; i < values.length; i++) push(i)
  const node = build(pairs, 0, 0, pairs.length)
  if (node === undefined) return EMPTY_ROOT
  seal(node, new Uint8Array(16), 0, undefined)
  return bytesToHex(node.ref!)
}

function encodedIndex(i: number): Uint8Array {
  const bytes = rlpScalar(i)
  if (i < 0x80) return bytes
  const out = new Uint8Array(bytes.length + 1)
  out[0] = 0x80 + bytes.length
  out.set(bytes, 1)
  return out
}

// --- reading ---

function loadRoot(trie: Trie): LoadedNode | undefined {
  const { node } = trie.loaded
  if (node?.kind !== 'stub') return node
  const loaded = load(trie.source, node, new Uint8Array(0))
  trie.loaded.node = loaded
  return loaded
}

function load(source: NodeSource, node: TrieNode, path: Uint8Array): LoadedNode {
  if (node.kind !== 'stub') return node
  const bytes = source.node(path, node.ref)
  if (bytes === undefined) throw missingNode(path, node.ref)
  return decodeNode(bytes, node.ref)
}

/** The child towards `key`, loaded and kept; the branch is at path length `depth`. */
function loadChild(
  source: NodeSource,
  branch: BranchNode,
  key: Uint8Array,
  depth: number,
): LoadedNode | undefined {
  const nibble = key[depth]!
  const child = childAt(branch, nibble)
  branch.trimmedTo = NOT_TRIMMED
  if (child?.kind !== 'stub') return child
  const loaded = load(source, child, key.subarray(0, depth + 1))
  branch.children ??= new Array(16)
  branch.children[nibble] = loaded
  return loaded
}

/** The child of an extension, loaded and kept; the child is at path length `depth`. */
function loadOnly(
  source: NodeSource,
  extension: ExtensionNode,
  key: Uint8Array,
  depth: number,
): LoadedNode {
  const { child } = extension
  if (child.kind !== 'stub') return child
  const loaded = load(source, child, key.subarray(0, depth))
  extension.child = loaded
  return loaded
}

/** Visits the nodes towards a key, root first; `rest` is the key from the node on. */
function walk(
  trie: Trie,
  key: Uint8Array,
  visit: (node: LoadedNode, rest: Uint8Array) => void,
): void {
  let node = loadRoot(trie)
  let depth = 0
  while (node !== undefined) {
    visit(node, key.subarray(depth))
    if (node.kind === 'leaf') return
    if (node.kind === 'branch') {
      if (depth === key.length) return
      node = loadChild(trie.source, node, key, depth)
      depth += 1
    } else {
      if (commonLength(key, depth, node.path) < node.path.length) return
      depth += node.path.length
      node = loadOnly(trie.source, node, key, depth)
    }
  }
}

/** `from` is what remains of the lower bound at this node; empty: everything is above it. */
function* entriesOf(
  source: NodeSource,
  held: TrieNode,
  path: readonly number[],
  from: Uint8Array,
): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
  const node = load(source, held, Uint8Array.from(path))
  if (node.kind === 'branch') {
    if (node.value !== undefined && from.length === 0) yield [bytesOfNibbles(path), node.value]
    const first = from[0] ?? 0
    for (let i = first; i < 16; i++) {
      const child = childAt(node, i)
      const rest = i === first ? from.subarray(1) : new Uint8Array(0)
      if (child !== undefined) yield* entriesOf(source, child, [...path, i], rest)
    }
    return
  }
  const order = compareNibbles(node.path, from)
  const below = [...path, ...node.path]
  if (node.kind === 'leaf') {
    if (order >= 0) yield [bytesOfNibbles(below), node.value]
    return
  }
  const common = commonLength(from, 0, node.path)
  if (common === node.path.length) {
    yield* entriesOf(source, node.child, below, from.subarray(common))
  } else if (order > 0) yield* entriesOf(source, node.child, below, new Uint8Array(0))
}

// --- changing ---

interface Pair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Updates in ascending order of their keys, as nibbles; no value deletes. */
interface Batch {
  readonly keys: readonly Uint8Array[]
  readonly values: readonly (Uint8Array | undefined)[]
  readonly keyLengthMax: number
  readonly source: NodeSource
  readonly replaced: ReplacedNode[]
}

function sortedBatch(
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
  let keyLengthMax = 0
  for (const { key, value } of sorted) {
    const nibbles = nibblesOf(key)
    const last = keys.at(-1)
    if (last !== undefined && equalBytes(last, nibbles)) {
      throw new Error('assertion: the keys of one update differ')
    }
    keys.push(nibbles)
    values.push(value !== undefined && value.length > 0 ? value : undefined)
    if (nibbles.length > keyLengthMax) keyLengthMax = nibbles.length
  }
  return { keys, values, keyLengthMax, source, replaced }
}

/**
 * Applies the updates `lo` to `hi` (exclusive, at least one), whose keys share their first `depth`
 * nibbles, to the node at that path. The very same node comes back if nothing changed.
 */
function change(
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
    const isHere = equalBytes(leaf.path, firstKey.subarray(depth))
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
function build(
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

/** Notes a node that was stored; new ones have no ref, embedded ones a short one. */
function replace(batch: Batch, node: LoadedNode, key: Uint8Array, depth: number): void {
  const { ref } = node
  if (ref?.length === REF_BYTES) batch.replaced.push({ path: key.slice(0, depth), hash: ref })
}

/**
 * Gives every new node its ref, from the bottom up. The root has a hash however short it is.
 * @param path nibbles to the node in its first `depth` places
 */
function seal(
  node: LoadedNode,
  path: Uint8Array,
  depth: number,
  written: WrittenNode[] | undefined,
): void {
  if (node.kind === 'branch') {
    let bits = node.changed
    while (bits !== 0) {
      const nibble = 31 - Math.clz32(bits & -bits)
      const child = node.children![nibble]!
      if (child.kind !== 'stub' && child.ref === undefined) {
        path[depth] = nibble
        seal(child, path, depth + 1, written)
      }
      bits &= bits - 1
    }
  } else if (
    node.kind === 'extension' &&
    node.child.kind !== 'stub' &&
    node.child.ref === undefined
  ) {
    path.set(node.path, depth)
    seal(node.child, path, depth + node.path.length, written)
  }
  const encoded = node.kind === 'branch' ? settleBranch(node) : encodeNode(node)
  if (encoded.length < REF_BYTES && depth > 0) {
    node.ref = encoded
    return
  }
  const hash = keccak256(encoded)
  node.ref = hash
  written?.push({ path: path.slice(0, depth), hash, encoded })
}

/** @param depth path length of the node; `limit` that of the deepest to keep */
function trim(node: TrieNode, depth: number, limit: number): TrieNode {
  const { ref } = node
  // What is embedded came with its parent and costs little.
  if (node.kind === 'stub' || ref!.length < REF_BYTES) return node
  if (depth > limit) return { kind: 'stub', ref: ref! }
  if (node.kind === 'leaf') return node
  if (node.kind === 'extension') {
    const child = trim(node.child, depth + node.path.length, limit)
    return child === node.child ? node : { kind: 'extension', ref, path: node.path, child }
  }
  if (node.trimmedTo === limit || node.children === undefined) return node
  const trimmed = trimChildren(node, depth, limit)
  trimmed.trimmedTo = limit
  return trimmed
}

function trimChildren(node: BranchNode, depth: number, limit: number): BranchNode {
  // Below the limit goes everything that can be had again from the encoding.
  if (depth === limit && node.base !== undefined) return withLoaded(node, undefined)
  let children: (TrieNode | undefined)[] | undefined
  for (let i = 0; i < 16; i++) {
    const child = node.children![i]
    if (child === undefined || child.kind === 'stub') continue
    const next = trim(child, depth + 1, limit)
    if (next === child) continue
    children ??= node.children!.slice()
    children[i] = next
  }
  return children === undefined ? node : withLoaded(node, children)
}

// --- paths ---

/** Nibbles that `path` shares with `key` from `depth` on. */
function commonLength(key: Uint8Array, depth: number, path: Uint8Array): number {
  const limit = Math.min(path.length, key.length - depth)
  let i = 0
  while (i < limit && key[depth + i] === path[i]) i += 1
  return i
}

/** Order of two paths or keys: byte by byte, a prefix first. */
function compareNibbles(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function joinPaths(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(a, b)
}
