/** How the readers of LevelDB's files say that one is not as LevelDB wrote it. */

import { NodeError } from '../error.ts'

/** @param file name within the database directory; `offset` in bytes from its start */
export function damaged(file: string, offset: number | undefined, reason: string): NodeError {
  const place = offset === undefined ? file : `${file} at byte ${offset}`
  return new NodeError(
    'NODE_STORE_DAMAGED',
    `the database is damaged: ${place}: ${reason}; nothing was changed or served. Restore a backup of the data directory, or delete it and import or synchronise the chain again`,
    { file, offset, reason },
  )
}

/** A cursor over LevelDB's variable-length encodings; each read throws what `fail` makes. */
export interface Cursor {
  readonly bytes: Uint8Array
  at: number
  readonly fail: (at: number, reason: string) => Error
}

/** Unsigned little-endian base-128 number up to 2^53 (coding.h `GetVarint64`). */
export function readVarint(cursor: Cursor): number {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = cursor.bytes[cursor.at]
    if (byte === undefined) throw cursor.fail(cursor.at, 'a number is cut off')
    cursor.at += 1
    value += (byte & 127) * scale
    if (!Number.isSafeInteger(value)) throw cursor.fail(cursor.at, 'a number is out of range')
    if (byte < 128) return value
  }
}

/** Bytes behind their length (coding.h `GetLengthPrefixedSlice`). Not copied. */
export function readSlice(cursor: Cursor): Uint8Array {
  const length = readVarint(cursor)
  const end = cursor.at + length
  if (end > cursor.bytes.length) throw cursor.fail(cursor.at, 'bytes are cut off')
  const slice = cursor.bytes.subarray(cursor.at, end)
  cursor.at = end
  return slice
}

/** 32 bits, little-endian, unsigned. */
export function readFixed32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  )
}

/**
 * Order of internal keys (dbformat.h `InternalKeyComparator`): the user's key bytewise, then newer
 * first. An internal key ends with 8 bytes: kind (1) and sequence number (7), little-endian.
 */
export function compareInternalKeys(a: Uint8Array, b: Uint8Array): number {
  const order = compareUserKeys(a, b)
  if (order !== 0) return order
  for (let i = 1; i <= 8; i++) {
    const difference = b[b.length - i]! - a[a.length - i]!
    if (difference !== 0) return difference
  }
  return 0
}

/** Order of the users' part of internal keys. */
export function compareUserKeys(a: Uint8Array, b: Uint8Array): number {
  const sizeA = a.length - 8
  const sizeB = b.length - 8
  const size = Math.min(sizeA, sizeB)
  for (let i = 0; i < size; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return sizeA - sizeB
}
