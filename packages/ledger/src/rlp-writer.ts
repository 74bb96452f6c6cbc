/**
 * Writes RLP back to front into one buffer that is used again: when the head of a list is due, its
 * size is known, so nothing is measured first and no byte string is made for any part. For what is
 * encoded some thousand times a block; everything else takes `encodeRlp`.
 *
 * Parts are written in reverse order, the last one first.
 */

import { type Hex, keccak256, writeHex } from '@vellum/evm'
import { rlpHeadSize, writeRlpHead } from './rlp.ts'

export interface RlpWriter {
  /** Bytes written since `take`: what `closeList` is given where a list ends. */
  size(): number
  /** One byte as it stands. */
  byte(value: number): void
  /** Bytes as they stand, from one position to another: items that are encoded already. */
  part(bytes: Uint8Array, from: number, to: number): void
  string(bytes: Uint8Array): void
  /** A string of at least two bytes, given as hex text. */
  hex(text: Hex): void
  /** An unsigned integer, without leading zeros. */
  integer(value: bigint | number): void
  /** Makes a list of all that was written since its end. */
  closeList(end: number): void
  /** Makes a string of all that was written since its end. */
  closeString(end: number): void
  /** A copy of everything that was written; the writer is empty again. */
  take(): Uint8Array
  /** keccak256 of everything that was written: 32 new bytes; the writer is empty again. */
  hash(): Uint8Array
  /** Forgets what was written. */
  clear(): void
}

const FIRST_BYTES = 4_096
/** A buffer that grew past this for one large item is let go: 1 MiB. */
const KEPT_BYTES = 1 << 20

export function createRlpWriter(): RlpWriter {
  let buffer = new Uint8Array(FIRST_BYTES)
  /** Where what was written begins. */
  let at = buffer.length

  function reserve(bytes: number): void {
    if (bytes <= at) return
    const used = buffer.length - at
    let length = buffer.length
    while (length - used < bytes) length *= 2
    const larger = new Uint8Array(length)
    larger.set(buffer.subarray(at), length - used)
    buffer = larger
    at = length - used
  }

  function head(base: number, payload: number): void {
    const bytes = rlpHeadSize(payload)
    reserve(bytes)
    at -= bytes
    writeRlpHead(buffer, at, base, payload)
  }

  function byte(value: number): void {
    reserve(1)
    at -= 1
    buffer[at] = value
  }

  function finishString(payload: number): void {
    if (payload !== 1 || buffer[at]! >= 0x80) head(0x80, payload)
  }

  function small(value: number): void {
    reserve(8)
    let bytes = 0
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) {
      at -= 1
      buffer[at] = rest
      bytes += 1
    }
    finishString(bytes)
  }

  function large(value: bigint): void {
    let bytes = 0
    let rest = value
    while (rest > 0n) {
      let low = Number(rest & 0xffff_ffff_ffffn)
      rest >>= 48n
      reserve(6)
      for (let i = 0; i < 6 && (rest > 0n || low > 0); i++) {
        at -= 1
        buffer[at] = low
        low = Math.floor(low / 256)
        bytes += 1
      }
    }
    finishString(bytes)
  }

  function clear(): void {
    if (buffer.length > KEPT_BYTES) buffer = new Uint8Array(FIRST_BYTES)
    at = buffer.length
  }

  return {
    size: () => buffer.length - at,
    byte,
    part: (bytes, from, to) => {
      reserve(to - from)
      at -= to - from
      buffer.set(bytes.subarray(from, to), at)
    },
    string: (bytes) => {
      reserve(bytes.length)
      at -= bytes.length
      buffer.set(bytes, at)
      finishString(bytes.length)
    },
    hex: (text) => {
      const bytes = (text.length >> 1) - 1
      reserve(bytes)
      at -= bytes
      writeHex(text, buffer, at)
      head(0x80, bytes)
    },
    integer: (value) => {
      if (typeof value === 'number') small(value)
      else if (value <= SAFE_MAX) small(Number(value))
      else large(value)
    },
    closeList: (end) => head(0xc0, buffer.length - at - end),
    closeString: (end) => finishString(buffer.length - at - end),
    take: () => {
      const written = buffer.slice(at)
      clear()
      return written
    },
    hash: () => {
      const hash = keccak256(buffer.subarray(at))
      clear()
      return hash
    },
    clear,
  }
}

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER)
