/**
 * Ranges of a trie's entries with the nodes that prove them: "between these two keys there are
 * exactly these entries". What a node that follows by snapshot asks its peers for.
 *
 * The proof is the nodes whose keys lie partly inside the range and partly outside: those on the way
 * to its two ends. A node wholly outside is a hash in its parent; one wholly inside is made anew from
 * the entries, and its hash compared with the one in its parent. So every entry, and every absence,
 * hangs on the root by hashes, and a range that is the whole trie needs no proof at all.
 *
 * All keys of the trie must have one length, as the hashed keys of states and storages have.
 */

import { bytesToHex, equalBytes, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import { isRefusal, LedgerError } from './error.ts'
import { EMPTY_ROOT, NO_NODES, type Trie, trieEntries } from './trie.ts'
import { build, type Pair, seal } from './trie-batch.ts'
import {
  type BranchNode,
  childAt,
  decodeNode,
  encodeNode,
  type LoadedNode,
  newBranch,
  newExtension,
  newLeaf,
  REF_BYTES,
  type TrieNode,
} from './trie-node.ts'
import { compareNibbles, joinPaths, nibblesOf } from './trie-path.ts'
import { load, type NodeSource } from './trie-source.ts'

export type RangeEntry = readonly [key: Uint8Array, value: Uint8Array]

/** The entries from one key to another, both included. */
export interface TrieRange {
  readonly entries: readonly RangeEntry[]
  /** The range is complete up to this key. */
  readonly end: Uint8Array
  /** RLP of nodes, in no order that matters. */
  readonly proof: readonly Uint8Array[]
}

export interface RangeBounds {
  readonly from: Uint8Array
  /** Last key wanted. */
  readonly to: Uint8Array
  /** Bytes of keys and values after which the range ends; one entry always fits. */
  readonly bytesMax: number
  readonly entriesMax: number
  /** True when enough time has gone: the range ends here. */
  readonly isLate?: () => boolean
}

/** Entries read between two looks at the time. */
const PULSE = 32

/**
 * A range from a key on, with its proof. Nodes read on the way are not kept.
 * @throws LedgerError LEDGER_TRIE_NODE_MISSING or of decoding, if the store is damaged
 */
export function readRange(trie: Trie, bounds: RangeBounds): TrieRange {
  const { from, to, bytesMax, entriesMax } = bounds
  const entries: RangeEntry[] = []
  let bytes = 0
  let end = to
  for (const [key, value] of trieEntries(trie, from)) {
    if (compareNibbles(key, to) > 0) break
    bytes += key.length + value.length
    const last = entries.at(-1)?.[0]
    const isLate = entries.length % PULSE === 0 && (bounds.isLate?.() ?? false)
    if (last !== undefined && (bytes > bytesMax || entries.length >= entriesMax || isLate)) {
      end = last
      break
    }
    entries.push([key, value])
  }
  return { entries, end, proof: proveRange(trie, from, end) }
}

/** The nodes that lie partly between two keys. None for the empty trie. */
function proveRange({ source, loaded }: Trie, from: Uint8Array, end: Uint8Array): Uint8Array[] {
  const ends: Ends = { from: nibblesOf(from), end: nibblesOf(end) }
  const proof = new Map<string, Uint8Array>()
  const visit = (held: TrieNode, path: Uint8Array): void => {
    if (placeOf(path, ends) !== 'partly') return
    const node = load(source, held, path)
    // A copy: a node may keep its encoding.
    if (node.ref!.length === REF_BYTES) proof.set(bytesToHex(node.ref!), encodeNode(node).slice())
    if (node.kind === 'extension') visit(node.child, joinPaths(path, node.path))
    if (node.kind !== 'branch') return
    for (let nibble = 0; nibble < 16; nibble++) {
      const child = childAt(node, nibble)
      if (child !== undefined) visit(child, joinPaths(path, Uint8Array.of(nibble)))
    }
  }
  if (loaded.node !== undefined) visit(loaded.node, new Uint8Array(0))
  return [...proof.values()]
}

export type RangeVerdict =
  /**
   * The trie as far as the range shows it: what lies beyond is stubs. `takeNewNodes` gives what is to
   * be written of it; when ranges without a gap between them are written, all of it is.
   */
  { readonly ok: true; readonly trie: Trie } | RangeRefusal

export interface RangeRefusal {
  readonly ok: false
  readonly reason: RangeRefusalReason
}

export type RangeRefusalReason =
  /** Keys are not of one length, not ascending, not in the range, or without a value. */
  | 'entries invalid'
  /** An entry is missing, too many, or altered; or it is another trie. */
  | 'entries differ'
  /** A node on the way to an end of the range is not in the proof. */
  | 'node missing'
  /** The proof has nodes that nothing asks for. */
  | 'node unused'
  /** Bytes that no trie would have written. */
  | 'node invalid'

/**
 * Verifies that a trie with this root has exactly these entries from one key to another.
 * @param from first key of the range; its length is that of all keys
 * @param source where earlier ranges of the same trie were written
 */
export function verifyRange(
  root: Hash,
  from: Uint8Array,
  range: TrieRange,
  source: NodeSource = NO_NODES,
): RangeVerdict {
  const { entries, end } = range
  if (!areEntriesValid(entries, from, end)) return { ok: false, reason: 'entries invalid' }
  const work: Work = {
    source,
    ends: { from: nibblesOf(from), end: nibblesOf(end) },
    pairs: entries.map(([key, value]): Pair => ({ key: nibblesOf(key), value })),
    proof: new Map(range.proof.map((node) => [bytesToHex(keccak256(node)), node])),
    used: new Set(),
    path: new Uint8Array(2 * from.length + 2),
  }
  try {
    const node = verifyRoot(work, root)
    if (work.used.size < range.proof.length) return { ok: false, reason: 'node unused' }
    return { ok: true, trie: { root, source, loaded: { node } } }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.reason }
    // A node of the proof is not our disk's: what is wrong with it is its sender's fault.
    if (isRefusal(error) || isNodeInvalid(error)) return { ok: false, reason: 'node invalid' }
    throw error
  }
}

function areEntriesValid(entries: readonly RangeEntry[], from: Uint8Array, end: Uint8Array) {
  const size = from.length
  if (end.length !== size || compareNibbles(from, end) > 0) return false
  let last: Uint8Array | undefined
  for (const [key, value] of entries) {
    if (key.length !== size || value.length === 0) return false
    const order = last === undefined ? 1 : compareNibbles(key, last)
    if (order <= 0) return false
    last = key
  }
  const first = entries[0]?.[0]
  return (
    first === undefined || (compareNibbles(from, first) <= 0 && compareNibbles(last!, end) <= 0)
  )
}

interface Ends {
  /** Nibbles. */
  readonly from: Uint8Array
  readonly end: Uint8Array
}

interface Work {
  readonly source: NodeSource
  readonly ends: Ends
  readonly pairs: readonly Pair[]
  readonly proof: ReadonlyMap<string, Uint8Array>
  readonly used: Set<string>
  /** Nibbles to the node under way, in its first places. */
  readonly path: Uint8Array
}

class Refused extends Error {
  readonly reason: RangeRefusalReason

  constructor(reason: RangeRefusalReason) {
    super(reason)
    this.reason = reason
  }
}

function verifyRoot(work: Work, root: Hash): LoadedNode | undefined {
  const count = work.pairs.length
  if (root === EMPTY_ROOT) {
    expectSame(count === 0)
    return undefined
  }
  const held: TrieNode = { kind: 'stub', ref: hexToBytes(root) }
  const node = verifyNode(work, held, 0, 0, count)
  if (node.kind === 'stub') throw new Error('assertion: a root lies in every range')
  if (node.ref === undefined) seal(node, true)
  // Each node below was compared with what its parent holds of it; this says it once more.
  expectSame(equalBytes(node.ref!, held.ref))
  return node
}

/**
 * Verifies the node at the first `depth` nibbles of the path against what its parent holds of it.
 * The pairs `lo` to `hi` (exclusive) are all that begin with these nibbles.
 * @returns the node with all that the range shows below it
 */
function verifyNode(work: Work, held: TrieNode, depth: number, lo: number, hi: number): TrieNode {
  const { ends, pairs, path } = work
  const place = placeOf(path.subarray(0, depth), ends)
  if (place === 'outside') return held
  if (place === 'inside') {
    const made = build(pairs, depth, lo, hi)
    if (made !== undefined) seal(made, depth === 0)
    expectSame(made !== undefined && equalBytes(made.ref!, held.ref!))
    return made!
  }
  const node = resolve(work, held, depth)
  if (node.kind === 'branch') return verifyBranch(work, node, depth, lo, hi)
  const below = depth + node.path.length
  const length = ends.from.length
  if (node.kind === 'leaf' ? below !== length : below >= length) throw new Refused('node invalid')
  path.set(node.path, depth)
  if (node.kind === 'extension') {
    for (let i = lo; i < hi; i++) {
      expectSame(equalBytes(pairs[i]!.key.subarray(depth, below), node.path))
    }
    return newExtension(node.path, verifyNode(work, node.child, below, lo, hi))
  }
  if (placeOf(path.subarray(0, below), ends) === 'outside') expectSame(lo === hi)
  else {
    expectSame(hi - lo === 1 && equalBytes(pairs[lo]!.value, node.value))
    expectSame(equalBytes(pairs[lo]!.key, path.subarray(0, below)))
  }
  return newLeaf(node.path, node.value)
}

function verifyBranch(
  work: Work,
  node: BranchNode,
  depth: number,
  lo: number,
  hi: number,
): TrieNode {
  const { source, path, pairs, ends } = work
  if (node.value !== undefined || depth >= ends.from.length) throw new Refused('node invalid')
  const stored = storedBranch(source, node, path.slice(0, depth))
  const children: (TrieNode | undefined)[] = new Array(16).fill(undefined)
  let from = lo
  for (let nibble = 0; nibble < 16; nibble++) {
    let to = from
    while (to < hi && pairs[to]!.key[depth] === nibble) to += 1
    const held = childAt(node, nibble)
    path[depth] = nibble
    if (held === undefined) expectSame(from === to)
    else {
      const child = verifyNode(work, held, depth + 1, from, to)
      const known = child.kind === 'stub' && stored !== undefined ? childAt(stored, nibble) : child
      children[nibble] = known
    }
    from = to
  }
  return newBranch(children, undefined)
}

/** The same branch as an earlier range left it: its record may hold leaves that this one does not show. */
function storedBranch(
  source: NodeSource,
  { ref }: BranchNode,
  path: Uint8Array,
): BranchNode | undefined {
  if (ref?.length !== REF_BYTES || source.node(path, ref) === undefined) return undefined
  const stored = load(source, { kind: 'stub', ref }, path)
  return stored.kind === 'branch' ? stored : undefined
}

/** The node itself: embedded in its parent, or the one of the proof that has its hash. */
function resolve({ proof, used }: Work, held: TrieNode, depth: number): LoadedNode {
  if (held.kind !== 'stub') return held
  const name = bytesToHex(held.ref)
  const encoded = proof.get(name)
  if (encoded === undefined) throw new Refused('node missing')
  // The root alone may be shorter than a hash.
  if (encoded.length < REF_BYTES && depth > 0) throw new Refused('node invalid')
  used.add(name)
  return decodeNode(encoded, held.ref)
}

/** Where the keys lie that begin with a path: all in the range, none, or some of them. */
function placeOf(path: Uint8Array, { from, end }: Ends): 'inside' | 'outside' | 'partly' {
  const low = compareStart(path, from)
  const high = compareStart(path, end)
  if (low < 0 || high > 0) return 'outside'
  const isWholeBelow = low > 0 || isRest(from, path.length, 0)
  const isWholeAbove = high < 0 || isRest(end, path.length, 15)
  return isWholeBelow && isWholeAbove ? 'inside' : 'partly'
}

/** Order of a path and the start of a key, of the same length. */
function compareStart(path: Uint8Array, key: Uint8Array): number {
  for (let i = 0; i < path.length; i++) {
    const difference = path[i]! - key[i]!
    if (difference !== 0) return difference
  }
  return 0
}

function isRest(key: Uint8Array, depth: number, nibble: number): boolean {
  for (let i = depth; i < key.length; i++) if (key[i] !== nibble) return false
  return true
}

function expectSame(isSame: boolean): asserts isSame {
  if (!isSame) throw new Refused('entries differ')
}

function isNodeInvalid(error: unknown): boolean {
  return error instanceof LedgerError && error.code === 'LEDGER_TRIE_NODE_INVALID'
}
