/**
 * Paths of the trie: arrays of nibbles, one a byte, and their hex-prefix encoding
 * (yellow paper, appendix C).
 */

import { LedgerError } from './error.ts'

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
  writePath(bytes, 0, path, isLeaf)
  return bytes
}

/** Writes the hex-prefix encoding at `start`: half the nibbles, rounded down, and one bytes. */
export function writePath(out: Uint8Array, start: number, path: Uint8Array, isLeaf: boolean): void {
  const odd = path.length & 1
  let at = start
  out[at++] = (isLeaf ? 0x20 : 0) | (odd === 1 ? 0x10 | path[0]! : 0)
  for (let i = odd; i < path.length; i += 2) out[at++] = (path[i]! << 4) | path[i + 1]!
}

/**
 * Path of its hex-prefix encoding.
 * @throws LedgerError LEDGER_TRIE_NODE_INVALID if the flags or the padding are wrong
 */
export function decodePath(bytes: Uint8Array): { path: Uint8Array; isLeaf: boolean } {
  const first = bytes[0]
  if (first === undefined || first > 0x3f) throw invalidPath('a path has wrong flags')
  const odd = (first & 0x10) !== 0
  if (!odd && (first & 0x0f) !== 0) throw invalidPath('a path has wrong padding')
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

/** Nibbles that `path` shares with `key` from `depth` on. */
export function commonLength(key: Uint8Array, depth: number, path: Uint8Array): number {
  const limit = Math.min(path.length, key.length - depth)
  let i = 0
  while (i < limit && key[depth + i] === path[i]) i += 1
  return i
}

/** True if `key` from `depth` on is the path, and no more. */
export function endsWith(key: Uint8Array, depth: number, path: Uint8Array): boolean {
  return key.length - depth === path.length && commonLength(key, depth, path) === path.length
}

/** Order of two paths or keys: byte by byte, a prefix first. */
export function compareNibbles(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** One path after another. */
export function joinPaths(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}

/** For messages: nibbles as hex digits. */
export function formatPath(path: Uint8Array): string {
  return Array.from(path, (nibble) => nibble.toString(16)).join('')
}

function invalidPath(reason: string): LedgerError {
  return new LedgerError('LEDGER_TRIE_NODE_INVALID', `invalid trie node: ${reason}`)
}
