/**
 * Reads LevelDB's log format, in which both the write-ahead log and the MANIFEST are written.
 * Format: `doc/log_format.md`: blocks of 32 KiB, in each fragments of records behind a header of
 * CRC-32C (4), length (2) and type (1); a record is one full fragment, or first, middles and last.
 *
 * LevelDB itself skips what does not check out and goes on, so records vanish without a word.
 */

import { crc32c, createWordView, unmaskCrc } from './crc32c.ts'
import { damaged, readFixed32 } from './level-damage.ts'
import type { ReadAt } from './level-table.ts'

const BLOCK_BYTES = 32 << 10
const HEADER_BYTES = 7
/** File bytes read at a time: whole blocks. */
const WINDOW_BYTES = 128 * BLOCK_BYTES

const FULL = 1
const FIRST = 2
const MIDDLE = 3
const LAST = 4

/** How a log ends: after a whole record, or with the remains of one that was being written. */
export type LogEnd = 'whole' | 'torn'

export interface LogReading {
  readonly end: LogEnd
  /** Bytes from the start that whole records fill. */
  readonly wholeBytes: number
}

/**
 * Walks all records of a log.
 *
 * Every batch is synced before the next is written, so only the very last can be incomplete. If
 * anything that cannot belong to that one batch (a record's beginning) follows an invalid fragment,
 * what lies between was whole once, and is damaged now.
 *
 * @param headBytesMax bytes of each record's beginning to hand over; the rest is only checked
 * @param onRecord given the record's beginning (valid during the call) and where it starts
 * @throws NodeError NODE_STORE_DAMAGED for anything but a torn end
 */
export function readLog(
  file: string,
  options: { readonly size: number; readonly readAt: ReadAt; readonly headBytesMax: number },
  onRecord: (head: Uint8Array, offset: number) => void,
): LogReading {
  const { size, readAt, headBytesMax } = options
  const view = createWordView(Math.min(WINDOW_BYTES, size + BLOCK_BYTES))
  const { bytes } = view

  let parts: Uint8Array[] = []
  let partsBytes = 0
  let recordAt = 0
  let isInside = false
  let wholeBytes = 0
  /** Where the first invalid fragment is, and what is wrong with it. */
  let bad: { readonly at: number; readonly reason: string } | undefined

  for (let windowAt = 0; windowAt < size; windowAt += WINDOW_BYTES) {
    const length = Math.min(WINDOW_BYTES, size - windowAt)
    if (readAt(bytes, 0, length, windowAt) !== length) {
      throw damaged(file, windowAt, 'the file ends too early')
    }
    for (let blockAt = 0; blockAt < length; blockAt += BLOCK_BYTES) {
      readBlock(windowAt, blockAt, Math.min(blockAt + BLOCK_BYTES, length))
    }
  }
  return { end: bad !== undefined || isInside ? 'torn' : 'whole', wholeBytes }

  function readBlock(windowAt: number, from: number, to: number): void {
    let at = from
    while (to - at >= HEADER_BYTES) {
      const offset = windowAt + at
      const length = bytes[at + 4]! | (bytes[at + 5]! << 8)
      const type = bytes[at + 6]!
      const dataAt = at + HEADER_BYTES
      const end = dataAt + length
      const isValid =
        type >= FULL &&
        type <= LAST &&
        end <= to &&
        crc32c(view, at + 6, end) === unmaskCrc(readFixed32(bytes, at))
      if (!isValid) {
        bad ??= { at: offset, reason: reasonFor(type, end > to) }
        // Nothing tells where the next fragment of this block begins; the next block is certain.
        return
      }
      if (bad !== undefined && (type === FULL || type === FIRST)) {
        throw damaged(file, bad.at, `${bad.reason}, and whole records follow`)
      }
      if (bad === undefined) accept(type, offset, dataAt, end, windowAt)
      at = end
    }
    if (bad === undefined) {
      for (let i = at; i < to; i++) {
        if (bytes[i] === 0) continue
        if (to - from === BLOCK_BYTES) {
          throw damaged(file, windowAt + i, 'the filling of a block is not zero')
        }
        bad = { at: windowAt + at, reason: 'a header is cut off' }
        return
      }
    }
  }

  function accept(type: number, offset: number, dataAt: number, end: number, windowAt: number) {
    const isStart = type === FULL || type === FIRST
    if (isStart === isInside) {
      const reason = isStart ? 'a record begins inside another' : 'a record has no beginning'
      throw damaged(file, offset, reason)
    }
    if (isStart) {
      recordAt = offset
      parts = []
      partsBytes = 0
    }
    if (partsBytes < headBytesMax && end > dataAt) {
      const part = bytes.slice(dataAt, Math.min(end, dataAt + headBytesMax - partsBytes))
      parts.push(part)
      partsBytes += part.length
    }
    isInside = type === FIRST || type === MIDDLE
    if (!isInside) {
      wholeBytes = windowAt + end
      onRecord(joined(), recordAt)
    }
  }

  function joined(): Uint8Array {
    if (parts.length === 1) return parts[0]!
    const head = new Uint8Array(partsBytes)
    let at = 0
    for (const part of parts) {
      head.set(part, at)
      at += part.length
    }
    return head
  }
}

function reasonFor(type: number, isCutOff: boolean): string {
  if (isCutOff) return 'a fragment is cut off'
  if (type === 0) return 'zeros where a record should be'
  return 'a checksum does not hold'
}
