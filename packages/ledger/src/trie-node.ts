/**
 * Nodes of the hexary Merkle Patricia trie in memory, and their canonical bytes
 * (yellow paper, appendix D).
 *
 * A path is an array of nibbles, one a byte. `ref` is what a parent holds of a node: the 32 bytes
 * of its hash, or its whole encoding if that is shorter. A node without `ref` is new and not yet
 * hashed; no node changes once it has one.
 */

import { bytesToHex } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { rlpBytesSize, rlpHeadSize, splitRlpList, writeRlpBytes, writeRlpHead } from './rlp.ts'

export interface BranchNode {
  readonly kind: 'branch'
  ref: Uint8Array | undefined
  /** 16 places. Unloaded children are put in place of their stubs as they are read. */
  readonly children: (TrieNode | undefined)[]
  readonly value: Uint8Array | undefined
}

export interface ExtensionNode {
  readonly kind: 'extension'
  ref: Uint8Array | undefined
  /** At least one nibble. */
  readonly path: Uint8Array
  /** A branch, or the stub of one. */
  child: TrieNode
}

export interface LeafNode {
  readonly kind: 'leaf'
  ref: Uint8Array | undefined
  readonly path: Uint8Array
  /** At least one byte. */
  readonly value: Uint8Array
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
  return { kind: 'leaf', ref: undefined, path, value }
}

export function newExtension(path: Uint8Array, child: TrieNode): ExtensionNode {
  return { kind: 'extension', ref: undefined, path, child }
}

export function newBranch(
  children: (TrieNode | undefined)[],
  value: Uint8Array | undefined,
): BranchNode {
  return { kind: 'branch', ref: undefined, children, value }
}

/** Two nibbles a byte, high first. */
export function nibblesOf(key: Uint8Array): Uint8Array {
  const nibbles = new Uint8Array(key.length * 2)
  for (let i = 0; i < key.length; i++) {
    const byte = key[i]!
    nibbles[2 * i] = byte >> 4
    nibbles[2 * i + 1] = byte & 15
  }
  return nibbles
}

/** Bytes of an even number of nibbles. */
export function bytesOfNibbles(nibbles: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(nibbles.length >> 1)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (nibbles[2 * i]! << 4) | nibbles[2 * i + 1]!
  return bytes
}

/** Hex-prefix encoding of a path (yellow paper, appendix C). */
export function encodePath(path: Uint8Array, isLeaf: boolean): Uint8Array {
  const bytes = new Uint8Array((path.length >> 1) + 1)
  const odd = path.length & 1
  bytes[0] = (isLeaf ? 0x20 : 0) | (odd === 1 ? 0x10 | path[0]! : 0)
  for (let i = odd, at = 1; i < path.length; i += 2) bytes[at++] = (path[i]! << 4) | path[i + 1]!
  return bytes
}

/**
 * Path of its hex-prefix encoding.
 * @throws LedgerError LEDGER_TRIE_NODE_INVALID if the flags or the padding are wrong
 */
export function decodePath(bytes: Uint8Array): { path: Uint8Array; isLeaf: boolean } {
  const first = bytes[0]
  if (first === undefined || first > 0x3f) throw invalid('a path has wrong flags')
  const odd = (first & 0x10) !== 0
  if (!odd && (first & 0x0f) !== 0) throw invalid('a path has wrong padding')
  const path = new Uint8Array(bytes.length * 2 - (odd ? 1 : 2))
  let at = 0
  if (odd) path[at++] = first & 15
  for (let i = 1; i < bytes.length; i++) {
    const byte = bytes[i]!
    path[at++] = byte >> 4
    path[at++] = byte & 15
  }
  return { path, isLeaf: (first & 0x20) !== 0 }
}

/** RLP of a node. Its children must have their refs. */
export function encodeNode(node: LoadedNode): Uint8Array {
  if (node.kind === 'branch') return encodeBranch(node)
  const path = encodePath(node.path, node.kind === 'leaf')
  if (node.kind === 'leaf') {
    const size = rlpBytesSize(path) + rlpBytesSize(node.value)
    const out = new Uint8Array(rlpHeadSize(size) + size)
    const at = writeRlpBytes(out, writeRlpHead(out, 0, 0xc0, size), path)
    writeRlpBytes(out, at, node.value)
    return out
  }
  const ref = node.child.ref!
  const size = rlpBytesSize(path) + refSize(ref)
  const out = new Uint8Array(rlpHeadSize(size) + size)
  const at = writeRlpBytes(out, writeRlpHead(out, 0, 0xc0, size), path)
  writeRef(out, at, ref)
  return out
}

function encodeBranch(node: BranchNode): Uint8Array {
  const { children, value } = node
  let size = value === undefined ? 1 : rlpBytesSize(value)
  for (let i = 0; i < 16; i++) {
    const child = children[i]
    size += child === undefined ? 1 : refSize(child.ref!)
  }
  const out = new Uint8Array(rlpHeadSize(size) + size)
  let at = writeRlpHead(out, 0, 0xc0, size)
  for (let i = 0; i < 16; i++) {
    const child = children[i]
    if (child === undefined) out[at++] = 0x80
    else at = writeRef(out, at, child.ref!)
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
 * The node that the bytes encode; children known by hash are stubs, embedded ones are decoded.
 * @param ref what the parent holds of it
 * @throws LedgerError LEDGER_RLP_INVALID or LEDGER_TRIE_NODE_INVALID if a trie could not have
 *   made these bytes
 */
export function decodeNode(bytes: Uint8Array, ref: Uint8Array): LoadedNode {
  const items = splitRlpList(bytes)
  if (items.length === 17) return decodeBranch(items, ref)
  if (items.length !== 2) throw invalid(`a node cannot have ${items.length} items`)
  const { path, isLeaf } = decodePath(stringOf(items[0]!))
  if (isLeaf) {
    const value = stringOf(items[1]!).slice()
    if (value.length === 0) throw invalid('a leaf has no value')
    return { kind: 'leaf', ref, path, value }
  }
  if (path.length === 0) throw invalid('an extension has no path')
  const child = decodeRef(items[1]!)
  if (child === undefined) throw invalid('an extension has no child')
  if (child.kind === 'leaf' || child.kind === 'extension') {
    throw invalid('the child of an extension must be a branch')
  }
  return { kind: 'extension', ref, path, child }
}

function decodeBranch(items: readonly Uint8Array[], ref: Uint8Array): BranchNode {
  const children: (TrieNode | undefined)[] = new Array(16)
  let occupied = 0
  for (let i = 0; i < 16; i++) {
    const child = decodeRef(items[i]!)
    children[i] = child
    if (child !== undefined) occupied += 1
  }
  const bytes = stringOf(items[16]!)
  const value = bytes.length === 0 ? undefined : bytes.slice()
  if (occupied + (value === undefined ? 0 : 1) < 2) throw invalid('a branch has fewer than 2 ways')
  return { kind: 'branch', ref, children, value }
}

function decodeRef(item: Uint8Array): TrieNode | undefined {
  const first = item[0]!
  if (item.length === 1 && first === 0x80) return undefined
  if (item.length === REF_BYTES + 1 && first === 0x80 + REF_BYTES) {
    // A copy of 32 bytes lives on the engine's heap: smaller and faster than a view.
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

/** For messages: nibbles as hex digits. */
export function formatPath(path: Uint8Array): string {
  return Array.from(path, (nibble) => nibble.toString(16)).join('')
}

/** The error for a node that should be in the store. */
export function missingNode(path: Uint8Array, hash: Uint8Array): LedgerError {
  return new LedgerError('LEDGER_TRIE_NODE_MISSING', 'a trie node is not in the store', {
    path: formatPath(path),
    hash: bytesToHex(hash),
  })
}

function invalid(reason: string): LedgerError {
  return new LedgerError('LEDGER_TRIE_NODE_INVALID', `invalid trie node: ${reason}`)
}
