/**
 * RLP, the encoding of everything that is hashed (yellow paper, appendix B).
 *
 * Decoding is strict: every value has exactly one encoding, and any other is refused. Sizes are
 * checked before contents, so that a length that lies costs nothing. Encoding measures first and
 * then writes once into a buffer of the right size.
 */

import { bigIntToMinimalBytes, NO_BYTES } from '@vellum/evm'
import { LedgerError } from './error.ts'

/** A byte string, or a list of items. */
export type RlpItem = Uint8Array | readonly RlpItem[]

/**
 * Most lists inside each other. The deepest thing we exchange (an access list in a block in a
 * consensus message) has nine; the bound keeps hostile bytes from exhausting the stack.
 */
export const RLP_DEPTH_MAX = 64

/** The encoding of an item. */
export function encodeRlp(item: RlpItem): Uint8Array {
  const sizes: number[] = []
  const out = new Uint8Array(measure(item, sizes))
  cursor = 0
  write(item, sizes, out, 0)
  return out
}

/** The encoding of a list whose items are encoded already. */
export function encodeRlpList(encodedItems: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const item of encodedItems) size += item.length
  const out = new Uint8Array(rlpHeadSize(size) + size)
  let at = writeRlpHead(out, 0, 0xc0, size)
  for (const item of encodedItems) {
    out.set(item, at)
    at += item.length
  }
  return out
}

/** Bytes of an unsigned integer as RLP holds it: big-endian without leading zeros. */
export function rlpScalar(value: bigint | number): Uint8Array {
  if (typeof value === 'bigint') return bigIntToMinimalBytes(value)
  if (value === 0) return NO_BYTES
  const bytes = new Uint8Array(lengthOfLength(value))
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) {
    bytes[i] = rest
  }
  return bytes
}

/** Bytes taken by the head of a string or list of `size` bytes (not of a one-byte string). */
export function rlpHeadSize(size: number): number {
  return size < 56 ? 1 : 1 + lengthOfLength(size)
}

/**
 * Writes a head at `at` and returns the position after it.
 * @param base 0x80 for a string, 0xc0 for a list
 */
export function writeRlpHead(out: Uint8Array, at: number, base: number, size: number): number {
  if (size < 56) {
    out[at] = base + size
    return at + 1
  }
  const length = lengthOfLength(size)
  out[at] = base + 55 + length
  for (let i = length; i > 0; i--) {
    out[at + i] = size % 256
    size = Math.floor(size / 256)
  }
  return at + 1 + length
}

/**
 * The item that the bytes encode, all of them. Byte strings are views of the input.
 * @throws LedgerError LEDGER_RLP_INVALID if the bytes are not exactly one canonical item, or
 *   lists nest deeper than `RLP_DEPTH_MAX`
 */
export function decodeRlp(input: Uint8Array): RlpItem {
  const bytes = plainBytes(input)
  const end = readHead(bytes, 0, bytes.length)
  if (end !== bytes.length) throw invalid('bytes follow the item', end)
  return readItem(bytes, headStart, end, headIsList, 0)
}

/**
 * The encodings of the items of a list, one level deep, as views of the input. What is inside
 * each is not looked at: decode it in turn.
 * @throws LedgerError LEDGER_RLP_INVALID if the bytes are not exactly one list
 */
export function splitRlpList(input: Uint8Array): Uint8Array[] {
  const bytes = plainBytes(input)
  const end = readHead(bytes, 0, bytes.length)
  if (!headIsList) throw invalid('a list was expected', 0)
  if (end !== bytes.length) throw invalid('bytes follow the item', end)
  return splitRange(bytes, headStart, end)
}

/**
 * Where each item of a list begins, and last where the list ends: `splitRlpList` without an object
 * for each item.
 * @throws LedgerError as `splitRlpList`
 */
export function rlpListPositions(bytes: Uint8Array, from = 0, to: number = bytes.length): number[] {
  const end = readHead(bytes, from, to)
  if (!headIsList) throw invalid('a list was expected', from)
  if (end !== to) throw invalid('bytes follow the item', end)
  const positions: number[] = []
  let at = headStart
  while (at < end) {
    positions.push(at)
    at = readHead(bytes, at, end)
  }
  positions.push(end)
  return positions
}

/**
 * Where the item ends that begins at `at`.
 * @throws LedgerError LEDGER_RLP_INVALID if it is cut short or has a wrong head
 */
export function rlpItemEnd(bytes: Uint8Array, at: number): number {
  return readHead(bytes, at, bytes.length)
}

/**
 * The encodings of items that follow one another without a list around them, as in a file of
 * blocks; views of the input.
 * @throws LedgerError LEDGER_RLP_INVALID if an item is cut short or has a wrong head
 */
export function splitRlpSequence(input: Uint8Array): Uint8Array[] {
  const bytes = plainBytes(input)
  return splitRange(bytes, 0, bytes.length)
}

/** @throws LedgerError LEDGER_RLP_INVALID if the item is a string; `field` names it */
export function rlpList(item: RlpItem | undefined, field: string): readonly RlpItem[] {
  if (item === undefined || item instanceof Uint8Array) throw wrong(field, 'must be a list')
  return item
}

/** @throws LedgerError LEDGER_RLP_INVALID if the item is a list; `field` names it */
export function rlpBytes(item: RlpItem | undefined, field: string): Uint8Array {
  if (!(item instanceof Uint8Array)) throw wrong(field, 'must be a byte string')
  return item
}

/** @throws LedgerError LEDGER_RLP_INVALID unless the item is a string of exactly `size` bytes */
export function rlpFixed(item: RlpItem | undefined, size: number, field: string): Uint8Array {
  const bytes = rlpBytes(item, field)
  if (bytes.length !== size) throw wrong(field, `must have ${size} bytes, has ${bytes.length}`)
  return bytes
}

/**
 * An unsigned integer of at most `sizeMax` bytes.
 * @throws LedgerError LEDGER_RLP_INVALID if it is a list, too large or has leading zeros
 */
export function rlpBigInt(item: RlpItem | undefined, sizeMax: number, field: string): bigint {
  const bytes = rlpBytes(item, field)
  const size = bytes.length
  if (size === 0) return 0n
  if (bytes[0] === 0) throw wrong(field, 'has leading zeros')
  if (size > sizeMax) throw wrong(field, `must fit ${sizeMax} bytes, has ${size}`)
  return bigIntAt(bytes, 0, size)
}

/**
 * `rlpBigInt` of the item that lies between two positions of `rlpListPositions`, without a view of it.
 * @throws LedgerError as `rlpBigInt`
 */
export function rlpBigIntAt(
  bytes: Uint8Array,
  from: number,
  to: number,
  sizeMax: number,
  field: string,
): bigint {
  const start = rlpIntegerStart(bytes, from, to, sizeMax, field)
  return start === to ? 0n : bigIntAt(bytes, start, to)
}

/** Where the bytes of that integer begin; `to` for zero. @throws LedgerError as `rlpBigInt` */
export function rlpIntegerStart(
  bytes: Uint8Array,
  from: number,
  to: number,
  sizeMax: number,
  field: string,
): number {
  const start = stringStart(bytes, from, field)
  const size = to - start
  if (size > 0 && bytes[start] === 0) throw wrong(field, 'has leading zeros')
  if (size > sizeMax) throw wrong(field, `must fit ${sizeMax} bytes, has ${size}`)
  return start
}

/** `rlpBytes` of the item that lies between two positions: a view of its bytes. */
export function rlpBytesAt(bytes: Uint8Array, from: number, to: number, field: string): Uint8Array {
  return bytes.subarray(stringStart(bytes, from, field), to)
}

/** `rlpFixed` of the item between two positions: where its bytes begin. @throws LedgerError as `rlpFixed` */
export function rlpFixedStart(
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  field: string,
): number {
  const start = stringStart(bytes, from, field)
  if (to - start !== size) throw wrong(field, `must have ${size} bytes, has ${to - start}`)
  return start
}

/** `rlpNumber` of the item that lies between two positions. @throws LedgerError as `rlpNumber` */
export function rlpNumberAt(bytes: Uint8Array, from: number, to: number, field: string): number {
  const start = rlpIntegerStart(bytes, from, to, 8, field)
  return to - start <= 6
    ? smallNumber(bytes, start, to)
    : safeNumber(bigIntAt(bytes, start, to), field)
}

/** Where the bytes of a string begin whose head at `from` was read before. */
function stringStart(bytes: Uint8Array, from: number, field: string): number {
  const first = bytes[from]!
  if (first < 0x80) return from
  if (first < 0xb8) return from + 1
  if (first < 0xc0) return from + 1 + first - 0xb7
  throw wrong(field, 'must be a byte string')
}

/**
 * An unsigned integer up to 2^53 - 1.
 * @throws LedgerError LEDGER_RLP_INVALID if it is a list, larger, or has leading zeros
 */
export function rlpNumber(item: RlpItem | undefined, field: string): number {
  return safeNumber(rlpBigInt(item, 8, field), field)
}

function safeNumber(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong(field, 'must be below 2^53')
  return Number(value)
}

/**
 * The same memory as a `Uint8Array` and no subclass of it. Files and databases give Node's `Buffer`,
 * whose `slice` shares memory where that of `Uint8Array` copies: it must not get past a decoder.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

// The head last read: two results more than a function returns, without an object for each item.
let headStart = 0
let headIsList = false

/**
 * Reads the head at `at`; sets `headStart` (of the payload) and `headIsList`; returns the end of
 * the payload, at most `limit`.
 */
function readHead(bytes: Uint8Array, at: number, limit: number): number {
  if (at >= limit) throw invalid('an item was expected', at)
  const first = bytes[at]!
  if (first < 0x80) {
    headIsList = false
    headStart = at
    return at + 1
  }
  headIsList = first >= 0xc0
  const code = first - (headIsList ? 0xc0 : 0x80)
  let size: number
  if (code < 56) {
    headStart = at + 1
    size = code
    if (size === 1 && !headIsList && at + 1 < limit && bytes[at + 1]! < 0x80) {
      throw invalid('a byte below 0x80 must stand for itself', at)
    }
  } else {
    const length = code - 55
    headStart = at + 1 + length
    if (headStart > limit) throw invalid('a length is cut short', at)
    if (bytes[at + 1] === 0) throw invalid('a length has leading zeros', at)
    if (length > 6) throw invalid('a length is out of range', at)
    size = smallNumber(bytes, at + 1, headStart)
    if (size < 56) throw invalid('a short length has a long form', at)
  }
  const end = headStart + size
  if (end > limit) throw invalid('an item is longer than what holds it', at)
  return end
}

function readItem(
  bytes: Uint8Array,
  start: number,
  end: number,
  isList: boolean,
  depth: number,
): RlpItem {
  if (!isList) return bytes.subarray(start, end)
  if (depth === RLP_DEPTH_MAX) throw invalid('lists nest too deeply', start)
  const items: RlpItem[] = []
  let at = start
  while (at < end) {
    const itemEnd = readHead(bytes, at, end)
    items.push(readItem(bytes, headStart, itemEnd, headIsList, depth + 1))
    at = itemEnd
  }
  return items
}

function splitRange(bytes: Uint8Array, start: number, end: number): Uint8Array[] {
  const items: Uint8Array[] = []
  let at = start
  while (at < end) {
    const next = readHead(bytes, at, end)
    items.push(bytes.subarray(at, next))
    at = next
  }
  return items
}

/** Big-endian number of at most six bytes. */
function smallNumber(bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) value = value * 256 + bytes[i]!
  return value
}

/** Where wide integers are put together, least significant byte first. */
const wideBytes = new Uint8Array(32)
const wideParts = new BigUint64Array(wideBytes.buffer)

/** Big-endian integer of the bytes from `from` to `to`: at most 32. */
export function bigIntAt(bytes: Uint8Array, from: number, to: number): bigint {
  const size = to - from
  if (size <= 6) return BigInt(smallNumber(bytes, from, to))
  if (size > 32) throw new Error('assertion: integers have at most 32 bytes')
  for (let i = 0; i < size; i++) wideBytes[i] = bytes[to - 1 - i]!
  wideBytes.fill(0, size)
  // Whole 64-bit parts: far fewer BigInt steps than byte by byte.
  let value = 0n
  for (let i = (size - 1) >> 3; i >= 0; i--) value = (value << 64n) | wideParts[i]!
  return value
}

/** Size of the encoding; pushes the payload size of each list, in the order of writing. */
function measure(item: RlpItem, sizes: number[]): number {
  if (item instanceof Uint8Array) {
    const size = item.length
    return size === 1 && item[0]! < 0x80 ? 1 : rlpHeadSize(size) + size
  }
  const slot = sizes.push(0) - 1
  let size = 0
  for (let i = 0; i < item.length; i++) size += measure(item[i]!, sizes)
  sizes[slot] = size
  return rlpHeadSize(size) + size
}

let cursor = 0

function write(item: RlpItem, sizes: readonly number[], out: Uint8Array, at: number): number {
  if (item instanceof Uint8Array) return writeRlpBytes(out, at, item)
  at = writeRlpHead(out, at, 0xc0, sizes[cursor++]!)
  for (let i = 0; i < item.length; i++) at = write(item[i]!, sizes, out, at)
  return at
}

/** Bytes taken by the encoding of a byte string. */
export function rlpBytesSize(bytes: Uint8Array): number {
  const size = bytes.length
  return size === 1 && bytes[0]! < 0x80 ? 1 : rlpHeadSize(size) + size
}

/** Writes the encoding of a byte string at `at` and returns the position after it. */
export function writeRlpBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  if (bytes.length === 1 && bytes[0]! < 0x80) {
    out[at] = bytes[0]!
    return at + 1
  }
  at = writeRlpHead(out, at, 0x80, bytes.length)
  out.set(bytes, at)
  return at + bytes.length
}

function lengthOfLength(size: number): number {
  let length = 1
  for (let rest = Math.floor(size / 256); rest > 0; rest = Math.floor(rest / 256)) length += 1
  return length
}

function invalid(reason: string, position: number): LedgerError {
  return new LedgerError('LEDGER_RLP_INVALID', `invalid RLP at byte ${position}: ${reason}`, {
    position,
  })
}

function wrong(field: string, reason: string): LedgerError {
  return new LedgerError('LEDGER_RLP_INVALID', `invalid RLP: ${field} ${reason}`, { field })
}
