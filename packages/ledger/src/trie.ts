/**
 * The hexary Merkle Patricia trie (yellow paper, appendix D), immutable: an update gives another
 * trie, which shares what did not change.
 *
 * Nodes are decoded once and kept; those not yet read are stubs that are loaded on demand. A
 * block's updates are applied in one sorted pass, after which each new node is encoded and hashed
 * once, from the bottom up.
 */

import { bytesToHex, type Hash, hexToBytes, keccak256Hex } from '@vellum/evm'
import { encodeRlp, rlpScalar } from './rlp.ts'
import {
  build,
  change,
  type NewNode,
  type Pair,
  type ReplacedNode,
  seal,
  sortedBatch,
  type TrieUpdate,
  takeNew,
} from './trie-batch.ts'
import {
  type BranchNode,
  childAt,
  type ExtensionNode,
  encodeNode,
  type LoadedNode,
  REF_BYTES,
  type TrieNode,
} from './trie-node.ts'
import { bytesOfNibbles, commonLength, compareNibbles, endsWith, nibblesOf } from './trie-path.ts'
import { load, loadChild, loadOnly, type NodeSource } from './trie-source.ts'

export type { NewNode, ReplacedNode, TrieUpdate } from './trie-batch.ts'
export { NO_NODES, type NodeSource } from './trie-source.ts'

/** A trie at one root. Treat `loaded` as private: it is filled as nodes are read. */
export interface Trie {
  readonly root: Hash
  readonly source: NodeSource
  readonly loaded: { node: TrieNode | undefined }
}

export interface TrieChange {
  readonly trie: Trie
  /** Stored nodes of the former version that this one does not refer to. */
  readonly replaced: readonly ReplacedNode[]
}

/** Root of the trie without entries: keccak256 of the RLP of no bytes. */
export const EMPTY_ROOT: Hash = keccak256Hex(Uint8Array.of(0x80))

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
  const nibbles = nibblesOf(key)
  let node = loadRoot(trie)
  let depth = 0
  while (node !== undefined) {
    if (node.kind === 'leaf') return endsWith(nibbles, depth, node.path) ? node.value : undefined
    if (node.kind === 'branch' && depth === nibbles.length) return node.value
    const step: number = node.kind === 'branch' ? 1 : node.path.length
    node = nodeBelow(trie.source, node, nibbles, depth)
    depth += step
  }
  return undefined
}

/**
 * The encodings of the nodes on the way to a key, root first, embedded ones left out (they are in
 * their parents). Proves the value, or that there is none. No nodes for the empty trie.
 * @throws LedgerError as `getTrie`
 */
export function proveTrie(trie: Trie, key: Uint8Array): Uint8Array[] {
  const proof: Uint8Array[] = []
  const nibbles = nibblesOf(key)
  let node = loadRoot(trie)
  let depth = 0
  while (node !== undefined) {
    // A copy, since the node may keep its encoding.
    if (node.ref?.length === REF_BYTES) proof.push(encodeNode(node).slice())
    if (node.kind === 'leaf' || depth === nibbles.length) break
    const step: number = node.kind === 'branch' ? 1 : node.path.length
    node = nodeBelow(trie.source, node, nibbles, depth)
    depth += step
  }
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
  const before = loadRoot(trie)
  const batch = sortedBatch(updates, trie.source, replaced)
  const count = batch.keys.length
  const after = count === 0 ? before : change(batch, before, 0, 0, count)
  if (after === before) return { trie, replaced }
  let root = EMPTY_ROOT
  if (after !== undefined) {
    seal(after, true)
    root = bytesToHex(after.ref!)
  }
  return { trie: { root, source: trie.source, loaded: { node: after } }, replaced }
}

/**
 * The nodes that no earlier call handed out and that were not read from the source, children before
 * parents: what must be written for this version to be found there. From now on they count as
 * stored, in every version that shares them.
 */
export function takeNewNodes(trie: Trie): NewNode[] {
  const taken: NewNode[] = []
  const { node } = trie.loaded
  if (node !== undefined) takeNew(node, new Uint8Array(PATH_NIBBLES_MAX), 0, taken)
  return taken
}

/** Keys of tries have at most 32 bytes. */
const PATH_NIBBLES_MAX = 66

/**
 * Root of the trie that maps RLP of each index to a value: that of transactions, receipts and
 * withdrawals. Nothing is stored.
 */
export function rootOfList(values: readonly Uint8Array[]): Hash {
  const pairs: Pair[] = []
  const push = (i: number): void => {
    pairs.push({ key: indexKey(i), value: values[i]! })
  }
  // The order of the encodings: 1 to 127 are themselves, 0 is 0x80, the others start above that.
  for (let i = 1; i < Math.min(values.length, 0x80); i++) push(i)
  if (values.length > 0) push(0)
  for (let i = 0x80; i < values.length; i++) push(i)
  const node = build(pairs, 0, 0, pairs.length)
  if (node === undefined) return EMPTY_ROOT
  seal(node, true)
  return bytesToHex(node.ref!)
}

/** Nibbles of RLP of an index; those of usual lists are kept. */
function indexKey(i: number): Uint8Array {
  if (i >= INDEX_KEYS_MAX) return nibblesOf(encodeRlp(rlpScalar(i)))
  indexKeys[i] ??= nibblesOf(encodeRlp(rlpScalar(i)))
  return indexKeys[i]
}

const INDEX_KEYS_MAX = 4_096
const indexKeys: Uint8Array[] = []

function loadRoot(trie: Trie): LoadedNode | undefined {
  const { node } = trie.loaded
  if (node?.kind !== 'stub') return node
  const loaded = load(trie.source, node, new Uint8Array(0))
  trie.loaded.node = loaded
  return loaded
}

/** The node that follows towards a key which goes on below this one. */
function nodeBelow(
  source: NodeSource,
  node: BranchNode | ExtensionNode,
  key: Uint8Array,
  depth: number,
): LoadedNode | undefined {
  if (node.kind === 'branch') return loadChild(source, node, key, depth)
  if (commonLength(key, depth, node.path) < node.path.length) return undefined
  return loadOnly(source, node, key, depth + node.path.length)
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
