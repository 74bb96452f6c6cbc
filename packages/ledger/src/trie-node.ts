/**
 * Nodes of the hexary Merkle Patricia trie in memory, and their canonical bytes
 * (yellow paper, appendix D).
 *
 * A path is an array of nibbles, one a byte. `ref` is what a parent holds of a node: the 32 bytes
 * of its hash, or its whole encoding if that is shorter. A node without `ref` is new and not yet
 * hashed; no node changes once it has one. `stored` says that the node came from the source, or was
 * handed out to be written there: new nodes are not, and all that is below a stored one is stored.
 *
 * The record of a branch holds the leaves right below it, too: most reads end in one, which so takes
 * no record of its own, and neither does its write. A record is the RLP of the node and, for a
 * branch with such leaves, the RLP of each in order of their nibbles and a mask of these in two
 * bytes. Only a leaf that is a root has its own record.
 */

import { hashInputInto, keccak256, keccakInput } from '@vellum/evm'
import { LedgerError } from './error.ts'
import {
  plainBytes,
  rlpBytesSize,
  rlpHeadSize,
  rlpItemEnd,
  splitRlpList,
  writeRlpBytes,
  writeRlpHead,
} from './rlp.ts'
import { decodePath, writePath } from './trie-path.ts'

/**
 * A branch keeps its encoding and reads the hashes of its children out of it: sixteen small
 * objects for each of some thousand branches a block would cost more than all hashing.
 */
export interface BranchNode {
  readonly kind: 'branch'
  ref: Uint8Array | undefined
  /**
   * RLP with hashes only and no value, of this node or of the one that it was made from; undefined
   * if that has another form, and then every child is in `children`.
   */
  base: Uint8Array | undefined
  /** Bit i: `base` has a hash at nibble i. */
  baseMask: number
  /** Children that are loaded, or neither in `base` nor in `leaves`. */
  children: (TrieNode | undefined)[] | undefined
  /**
   * RLP of leaves below this node, or below the one that it was made from, one after another; a
   * child that is in `children` counts before it.
   */
  leaves: Uint8Array | undefined
  /** Bit i: `leaves` has the one at nibble i. */
  leafMask: number
  /** Bit i: there is a child at nibble i. */
  readonly mask: number
  /** Bit i: `children[i]` counts and not `base`. 0 once the node is stored. */
  changed: number
  readonly value: Uint8Array | undefined
  stored: boolean
}

export interface ExtensionNode {
  readonly kind: 'extension'
  ref: Uint8Array | undefined
  /** At least one nibble. */
  readonly path: Uint8Array
  /** A branch, or the stub of one. */
  child: TrieNode
  stored: boolean
}

export interface LeafNode {
  readonly kind: 'leaf'
  ref: Uint8Array | undefined
  readonly path: Uint8Array
  /** At least one byte. */
  readonly value: Uint8Array
  stored: boolean
}

/** A node that is in the store and not in memory. */
export interface StubNode {
  readonly kind: 'stub'
  /** The hash. */
  readonly ref: Uint8Array
}

export type TrieNode = BranchNode | ExtensionNode | LeafNode | StubNode
export type LoadedNode = Exclude<TrieNode, StubNode>

/** Size of a hash; encodings below it are embedded in the parent. */
export const REF_BYTES = 32

export function newLeaf(path: Uint8Array, value: Uint8Array): LeafNode {
  return { kind: 'leaf', ref: undefined, path, value, stored: false }
}

export function newExtension(path: Uint8Array, child: TrieNode): ExtensionNode {
  return { kind: 'extension', ref: undefined, path, child, stored: false }
}

/** A branch of children that are all given. */
export function newBranch(
  children: (TrieNode | undefined)[],
  value: Uint8Array | undefined,
): BranchNode {
  let mask = 0
  for (let i = 0; i < 16; i++) if (children[i] !== undefined) mask |= 1 << i
  return branch(undefined, NO_BASE, children, mask, mask, value, false)
}

/** A new branch that differs from a former one in the children of the bits `changed`. */
export function changedBranch(
  from: BranchNode,
  children: (TrieNode | undefined)[] | undefined,
  mask: number,
  changed: number,
  value: Uint8Array | undefined,
): BranchNode {
  return branch(undefined, from, children, mask, changed, value, false)
}

/** The bytes that a branch reads its children out of. */
type BranchBytes = Pick<BranchNode, 'base' | 'baseMask' | 'leaves' | 'leafMask'>

const NO_BASE: BranchBytes = { base: undefined, baseMask: 0, leaves: undefined, leafMask: 0 }

/** Made in one place, so that all branches have one shape for the engine. */
function branch(
  ref: Uint8Array | undefined,
  bytes: BranchBytes,
  children: (TrieNode | undefined)[] | undefined,
  mask: number,
  changed: number,
  value: Uint8Array | undefined,
  stored: boolean,
): BranchNode {
  return {
    kind: 'branch',
    ref,
    base: bytes.base,
    baseMask: bytes.baseMask,
    children,
    leaves: bytes.leaves,
    leafMask: bytes.leafMask,
    mask,
    changed,
    value,
    stored,
  }
}

/** The child at a nibble, a stub if it is not in memory; undefined if there is none. */
export function childAt(node: BranchNode, nibble: number): TrieNode | undefined {
  if (((node.mask >> nibble) & 1) === 0) return undefined
  const child = node.children?.[nibble]
  if (child !== undefined) return child
  const at = hashPosition(node.base!, node.baseMask, nibble)
  const ref = newRef()
  for (let i = 0; i < REF_BYTES; i++) ref[i] = node.base![at + i]!
  if (((node.leafMask >> nibble) & 1) === 0) return { kind: 'stub', ref }
  const from = leafPosition(node.leaves!, node.leafMask, nibble)
  return decodeLeaf(node.leaves!, from, ref)
}

/** Where the leaf of a nibble begins. */
function leafPosition(leaves: Uint8Array, mask: number, nibble: number): number {
  let at = 0
  for (let i = bitCount(mask & ((1 << nibble) - 1)); i > 0; i--) at = rlpItemEnd(leaves, at)
  return at
}

/** Where a branch's encoding of hashes only has the hash of a nibble. */
function hashPosition(base: Uint8Array, mask: number, nibble: number): number {
  const head = base.length > 257 ? 3 : 2
  return head + 1 + nibble + REF_BYTES * bitCount(mask & ((1 << nibble) - 1))
}

/** Bits that are set in 16. */
export function bitCount(mask: number): number {
  let bits = mask - ((mask >> 1) & 0x5555)
  bits = (bits & 0x3333) + ((bits >> 2) & 0x3333)
  bits = (bits + (bits >> 4)) & 0x0f0f
  return (bits + (bits >> 8)) & 0x1f
}

/** RLP of a node. Its children must have their refs. The bytes may be the node's own: only read. */
export function encodeNode(node: LoadedNode): Uint8Array {
  if (node.kind === 'branch') {
    return node.base !== undefined && node.changed === 0 ? node.base : encodeBranch(node)
  }
  const size = shortPayloadSize(node)
  const out = new Uint8Array(rlpHeadSize(size) + size)
  writeShort(out, 0, node, size)
  return out
}

/** Payload of a leaf or extension. */
function shortPayloadSize(node: LeafNode | ExtensionNode): number {
  const pathBytes = (node.path.length >> 1) + 1
  const pathSize = pathBytes === 1 ? 1 : rlpHeadSize(pathBytes) + pathBytes
  return pathSize + (node.kind === 'leaf' ? rlpBytesSize(node.value) : refSize(node.child.ref!))
}

/** Writes a leaf or extension and returns the position after it. */
function writeShort(
  out: Uint8Array,
  start: number,
  node: LeafNode | ExtensionNode,
  size: number,
): number {
  const { path } = node
  const isLeaf = node.kind === 'leaf'
  const pathBytes = (path.length >> 1) + 1
  let at = writeRlpHead(out, start, 0xc0, size)
  if (pathBytes > 1) at = writeRlpHead(out, at, 0x80, pathBytes)
  writePath(out, at, path, isLeaf)
  at += pathBytes
  return isLeaf ? writeRlpBytes(out, at, node.value) : writeRef(out, at, node.child.ref!)
}

/** A branch keeps its former encoding and what changed since, up to this many children. */
const PATCHES_MAX = 4

/**
 * Gives a new node its ref; its children must have theirs. What is hashed is put together right
 * where it is hashed, as most of these nodes are replaced before they are ever written.
 * @param isRoot it gets a hash however short it is
 */
export function setRef(node: LoadedNode, isRoot: boolean): void {
  if (node.kind !== 'branch') {
    const size = shortPayloadSize(node)
    const total = rlpHeadSize(size) + size
    if (total <= keccakInput.length && (total >= REF_BYTES || isRoot)) {
      writeShort(keccakInput, 0, node, size)
      node.ref = hashOfInput(total)
      return
    }
  } else if (isPatched(node) && bitCount(node.changed) <= PATCHES_MAX) {
    const base = node.base!
    keccakInput.set(base)
    patch(keccakInput, node)
    node.ref = hashOfInput(base.length)
    return
  }
  const encoded = node.kind === 'branch' ? settleBranch(node) : encodeNode(node)
  node.ref = encoded.length < REF_BYTES && !isRoot ? encoded : keccak256(encoded)
}

/**
 * Refs share buffers: an array of 32 bytes with one of its own takes 240 bytes, and some thousand
 * are made a block. Few share one, as it stays as long as any of them.
 */
const SHARED_REFS = 32
let shared = new Uint8Array(SHARED_REFS * REF_BYTES)
let sharedUsed = 0

/** 32 bytes for a ref. */
function newRef(): Uint8Array {
  if (sharedUsed === shared.length) {
    shared = new Uint8Array(SHARED_REFS * REF_BYTES)
    sharedUsed = 0
  }
  sharedUsed += REF_BYTES
  return shared.subarray(sharedUsed - REF_BYTES, sharedUsed)
}

function hashOfInput(size: number): Uint8Array {
  const ref = newRef()
  hashInputInto(size, ref, 0)
  return ref
}

/** True if a branch differs from its former encoding in hashes alone. */
function isPatched({ base, baseMask, mask, value, changed, children }: BranchNode): boolean {
  if (base === undefined || mask !== baseMask || value !== undefined) return false
  for (let bits = changed; bits !== 0; bits &= bits - 1) {
    if (children![31 - Math.clz32(bits & -bits)]!.ref!.length !== REF_BYTES) return false
  }
  return true
}

/** Writes the hashes that changed into a copy of the former encoding. */
function patch(out: Uint8Array, { base, baseMask, changed, children }: BranchNode): void {
  for (let bits = changed; bits !== 0; bits &= bits - 1) {
    const nibble = 31 - Math.clz32(bits & -bits)
    out.set(children![nibble]!.ref!, hashPosition(base!, baseMask, nibble))
  }
}

/**
 * The record of a new node whose children have their refs. From now on a branch reads out of it
 * what it does not hold.
 */
export function recordOf(node: LoadedNode): Uint8Array {
  if (node.kind !== 'branch') return encodeNode(node)
  const former = isPatched(node) ? node.base : undefined
  const encoded = former ?? settleBranch(node)
  let leafMask = 0
  let leafBytes = 0
  for (let bits = node.mask; bits !== 0; bits &= bits - 1) {
    const nibble = 31 - Math.clz32(bits & -bits)
    const size = leafSize(node, nibble)
    if (size > 0) leafMask |= 1 << nibble
    leafBytes += size
  }
  if (leafMask === 0) {
    node.leaves = undefined
    node.leafMask = 0
    return node.changed === 0 ? encoded : settleBranch(node)
  }
  const record = new Uint8Array(encoded.length + leafBytes + MASK_BYTES)
  record.set(encoded)
  if (former !== undefined) patch(record, node)
  node.changed = 0
  let at = encoded.length
  for (let bits = leafMask; bits !== 0; bits &= bits - 1) {
    at = writeLeafAt(record, at, node, 31 - Math.clz32(bits & -bits))
  }
  record[at] = leafMask >> 8
  record[at + 1] = leafMask
  // One buffer for both.
  if (node.base !== undefined) node.base = record.subarray(0, encoded.length)
  node.leaves = record.subarray(encoded.length, at)
  node.leafMask = leafMask
  return record
}

const MASK_BYTES = 2

/** Bytes of the leaf at a nibble; 0 if another node is there, or a leaf that lies in `base`. */
function leafSize(node: BranchNode, nibble: number): number {
  const child = node.children?.[nibble]
  if (child !== undefined) {
    if (child.kind !== 'leaf' || child.ref!.length < REF_BYTES) return 0
    const size = shortPayloadSize(child)
    return rlpHeadSize(size) + size
  }
  if (((node.leafMask >> nibble) & 1) === 0) return 0
  const from = leafPosition(node.leaves!, node.leafMask, nibble)
  return rlpItemEnd(node.leaves!, from) - from
}

function writeLeafAt(out: Uint8Array, at: number, node: BranchNode, nibble: number): number {
  const child = node.children?.[nibble]
  if (child?.kind === 'leaf') return writeShort(out, at, child, shortPayloadSize(child))
  const leaves = node.leaves!
  const from = leafPosition(leaves, node.leafMask, nibble)
  const to = rlpItemEnd(leaves, from)
  out.set(leaves.subarray(from, to), at)
  return at + to - from
}

/**
 * RLP of a new branch whose children have their refs; from now on the branch reads their hashes
 * out of it, if it has hashes only.
 */
function settleBranch(node: BranchNode): Uint8Array {
  const encoded = encodeBranch(node)
  const { mask } = node
  const size = 17 + REF_BYTES * bitCount(mask)
  if (node.value === undefined && encoded.length === rlpHeadSize(size) + size) {
    node.base = encoded
    node.baseMask = mask
  } else if (node.base !== undefined) {
    const children: (TrieNode | undefined)[] = new Array(16)
    for (let i = 0; i < 16; i++) children[i] = childAt(node, i)
    node.children = children
    node.base = undefined
  }
  node.changed = 0
  return encoded
}

function encodeBranch(node: BranchNode): Uint8Array {
  const { base, baseMask, children, mask, value } = node
  if (isPatched(node)) {
    const out = base!.slice()
    patch(out, node)
    return out
  }
  let size = value === undefined ? 1 : rlpBytesSize(value)
  for (let i = 0; i < 16; i++) {
    if (((mask >> i) & 1) === 0) size += 1
    else size += children?.[i] === undefined ? REF_BYTES + 1 : refSize(children[i]!.ref!)
  }
  const out = new Uint8Array(rlpHeadSize(size) + size)
  let at = writeRlpHead(out, 0, 0xc0, size)
  for (let i = 0; i < 16; i++) {
    const child = children?.[i]
    if (((mask >> i) & 1) === 0) out[at++] = 0x80
    else if (child !== undefined) at = writeRef(out, at, child.ref!)
    else {
      const from = hashPosition(base!, baseMask, i)
      out[at] = 0x80 + REF_BYTES
      out.set(base!.subarray(from, from + REF_BYTES), at + 1)
      at += REF_BYTES + 1
    }
  }
  if (value === undefined) out[at] = 0x80
  else writeRlpBytes(out, at, value)
  return out
}

function refSize(ref: Uint8Array): number {
  return ref.length === REF_BYTES ? REF_BYTES + 1 : ref.length
}

function writeRef(out: Uint8Array, at: number, ref: Uint8Array): number {
  if (ref.length === REF_BYTES) out[at++] = 0x80 + REF_BYTES
  out.set(ref, at)
  return at + ref.length
}

/**
 * The node of a record.
 * @param ref what the parent holds of it
 * @throws LedgerError as `decodeNode`
 */
export function decodeRecord(input: Uint8Array, ref: Uint8Array): LoadedNode {
  // A copy: the bytes may be part of a buffer that is larger, or used again.
  const record = plainBytes(input).slice()
  const end = rlpItemEnd(record, 0)
  const maskAt = record.length - MASK_BYTES
  if (end === record.length) return decodeNode(record, ref)
  const node = decodeNode(record.subarray(0, end), ref)
  if (node.kind !== 'branch' || maskAt <= end) throw invalid('bytes follow the node')
  node.leaves = record.subarray(end, maskAt)
  node.leafMask = (record[maskAt]! << 8) | record[maskAt + 1]!
  if (node.base === undefined) placeLeaves(node)
  return node
}

/**
 * The node that the bytes encode; children known by hash are stubs, embedded ones are decoded. The
 * node keeps views of the bytes.
 * @param ref what the parent holds of it
 * @throws LedgerError LEDGER_RLP_INVALID or LEDGER_TRIE_NODE_INVALID if a trie could not have
 *   made these bytes
 */
export function decodeNode(input: Uint8Array, ref: Uint8Array): LoadedNode {
  const bytes = plainBytes(input)
  return decodeHashBranch(bytes, ref) ?? decodeItems(bytes, ref)
}

/** A branch that holds all its children gets the leaves of its record among them. */
function placeLeaves(node: BranchNode): void {
  let at = 0
  for (let bits = node.leafMask; bits !== 0; bits &= bits - 1) {
    const nibble = 31 - Math.clz32(bits & -bits)
    const stub = node.children![nibble]
    if (stub?.kind !== 'stub') throw invalid('a leaf has no hash in its branch')
    node.children![nibble] = decodeLeaf(node.leaves!, at, stub.ref)
    at = rlpItemEnd(node.leaves!, at)
  }
}

function decodeLeaf(bytes: Uint8Array, from: number, ref: Uint8Array): LeafNode {
  const node = decodeItems(bytes.subarray(from, rlpItemEnd(bytes, from)), ref)
  if (node.kind !== 'leaf') throw invalid('a leaf was expected')
  return node
}

function decodeItems(bytes: Uint8Array, ref: Uint8Array): LoadedNode {
  const items = splitRlpList(bytes)
  if (items.length === 17) return decodeBranch(items, ref)
  if (items.length !== 2) throw invalid(`a node cannot have ${items.length} items`)
  const { path, isLeaf } = decodePath(stringOf(items[0]!))
  if (isLeaf) {
    const value = stringOf(items[1]!)
    if (value.length === 0) throw invalid('a leaf has no value')
    return { kind: 'leaf', ref, path, value, stored: true }
  }
  if (path.length === 0) throw invalid('an extension has no path')
  const child = decodeRef(items[1]!)
  if (child === undefined) throw invalid('an extension has no child')
  if (child.kind === 'leaf' || child.kind === 'extension') {
    throw invalid('the child of an extension must be a branch')
  }
  return { kind: 'extension', ref, path, child, stored: true }
}

function decodeBranch(items: readonly Uint8Array[], ref: Uint8Array): BranchNode {
  const children: (TrieNode | undefined)[] = new Array(16)
  let mask = 0
  for (let i = 0; i < 16; i++) {
    const child = decodeRef(items[i]!)
    children[i] = child
    if (child !== undefined) mask |= 1 << i
  }
  const bytes = stringOf(items[16]!)
  const value = bytes.length === 0 ? undefined : bytes
  if (bitCount(mask) + (value === undefined ? 0 : 1) < 2)
    throw invalid('a branch has fewer than 2 ways')
  return branch(ref, NO_BASE, children, mask, 0, value, true)
}

/**
 * The common branch, without a value and with hashes only, read straight through: several times
 * faster than by items. undefined if the bytes are anything else, valid or not.
 */
function decodeHashBranch(bytes: Uint8Array, ref: Uint8Array): BranchNode | undefined {
  const { length } = bytes
  const headSize = length > 258 ? 3 : 2
  if (length < 2 + 56 || bytes[length - 1] !== 0x80) return undefined
  if (headSize === 3) {
    if (bytes[0] !== 0xf9 || ((bytes[1]! << 8) | bytes[2]!) !== length - 3) return undefined
  } else if (bytes[0] !== 0xf8 || bytes[1] !== length - 2) return undefined
  let mask = 0
  let at = headSize
  for (let i = 0; i < 16; i++) {
    const head = bytes[at]
    at += 1
    if (head === 0xa0) {
      mask |= 1 << i
      at += REF_BYTES
    } else if (head !== 0x80) return undefined
  }
  if (at !== length - 1) return undefined
  // Two hashes at least, since the length is 58 or more.
  const own: BranchBytes = { base: bytes, baseMask: mask, leaves: undefined, leafMask: 0 }
  return branch(ref, own, undefined, mask, 0, undefined, true)
}

function decodeRef(item: Uint8Array): TrieNode | undefined {
  const first = item[0]!
  if (item.length === 1 && first === 0x80) return undefined
  if (item.length === REF_BYTES + 1 && first === 0x80 + REF_BYTES) {
    return { kind: 'stub', ref: item.slice(1) }
  }
  if (first >= 0xc0 && item.length < REF_BYTES) return decodeNode(item, item.slice())
  throw invalid('a child is neither a hash nor an embedded node')
}

/** Payload of an encoded byte string. */
function stringOf(item: Uint8Array): Uint8Array {
  const first = item[0]!
  if (first < 0x80) return item
  if (first < 0xb8) return item.subarray(1)
  if (first < 0xc0) return item.subarray(1 + first - 0xb7)
  throw invalid('a byte string was expected')
}

function invalid(reason: string): LedgerError {
  return new LedgerError('LEDGER_TRIE_NODE_INVALID', `invalid trie node: ${reason}`)
}
