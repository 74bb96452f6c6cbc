/**
 * The vote file as bytes:
 *
 * ```
 * 0     magic (8), version (2), validator (20), file size (4), first sequence number (6), CRC-32 (4)
 * 4096  mark: sequence number (6), CRC-32 (4). The records before that number were on the disk
 * 8192  records: length (4), sequence number (6), CRC-32 of these and the payload (4), payload
 *       zeros to the end
 * ```
 *
 * The sizes, numbers, checksums and the mark together leave no way to cut, tear, turn or move a part of it
 * without being noticed. What does not read behind the mark was torn while it was written.
 */

import { crc32 } from 'node:zlib'
import type { VoteRecord } from '@vellum/consensus'
import { type Address, hexToBytes } from '@vellum/evm'
import { NodeError } from '../error.ts'
import { decodeVoteRecord, encodeVoteRecord } from './vote-record.ts'

export const VOTE_FILE_LIMITS = {
  /** Bytes of a file: some blocks under load, and quickly read. */
  fileBytes: 4_194_304,
  /** Bytes of the largest file: certificates of the largest blocks. */
  fileBytesMax: 134_217_728,
} as const

const HEADER_BYTES = 4_096
const HEADER_CRC_AT = 40
/** Within one sector, which a disk writes whole or not at all. */
const MARK_AT = 4_096
const MARK_BYTES = 10
const MARK_CRC_AT = 6
/** Where the first record begins. */
export const VOTE_RECORDS_AT = 8_192
const RECORD_HEAD_BYTES = 14
const RECORD_CRC_AT = 10
const VERSION = 2
const MAGIC = new TextEncoder().encode('vlmvotes')

/** A record and its bytes. */
export interface VoteEntry {
  readonly record: VoteRecord
  readonly payload: Uint8Array
}

/** What a file holds. */
export interface VoteContents {
  readonly entries: readonly VoteEntry[]
  /** Sequence number of the next record. */
  readonly sequence: number
  /** Where the next record begins. */
  readonly used: number
  readonly fileBytes: number
  /** Behind the last record lies one that was not written to its end. */
  readonly isTorn: boolean
}

/** Bytes to write at a place of the file. */
export interface VoteMark {
  readonly at: number
  readonly bytes: Buffer
}

export function entryOf(record: VoteRecord): VoteEntry {
  return { record, payload: encodeVoteRecord(record) }
}

/**
 * A whole file with these records, large enough to be half empty.
 * @param fileBytes of an ordinary one; doubled as often as it takes
 * @throws NodeError NODE_STORE_FAILED if they fit no file
 */
export function voteImageOf(
  validator: Address,
  sequence: number,
  entries: readonly VoteEntry[],
  fileBytes: number,
): { readonly bytes: Buffer; readonly used: number } {
  const used = VOTE_RECORDS_AT + recordBytesOf(entries)
  let size = fileBytes
  while (size < used * 2 && size < VOTE_FILE_LIMITS.fileBytesMax) size *= 2
  if (used > size) {
    throw new NodeError(
      'NODE_STORE_FAILED',
      `votes of ${used} bytes do not fit a vote file, which holds ${size} at most`,
      { used, size },
    )
  }
  const bytes = Buffer.alloc(size)
  bytes.set(MAGIC)
  bytes.writeUInt16BE(VERSION, 8)
  bytes.set(hexToBytes(validator), 10)
  bytes.writeUInt32BE(size, 30)
  bytes.writeUIntBE(sequence, 34, 6)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT)
  const mark = voteMark(sequence + entries.length)
  bytes.set(mark.bytes, mark.at)
  putRecords(bytes, VOTE_RECORDS_AT, sequence, entries)
  return { bytes, used }
}

/** What says that the records before this number are on the disk. */
export function voteMark(sequence: number): VoteMark {
  const bytes = Buffer.alloc(MARK_BYTES)
  bytes.writeUIntBE(sequence, 0, 6)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, MARK_CRC_AT)), MARK_CRC_AT)
  return { at: MARK_AT, bytes }
}

export function recordBytesOf(entries: readonly VoteEntry[]): number {
  return entries.reduce((sum, { payload }) => sum + RECORD_HEAD_BYTES + payload.length, 0)
}

export function putRecords(
  bytes: Buffer,
  from: number,
  first: number,
  entries: readonly VoteEntry[],
): void {
  let at = from
  for (const [i, { payload }] of entries.entries()) {
    bytes.writeUInt32BE(payload.length, at)
    bytes.writeUIntBE(first + i, at + 4, 6)
    const crc = crc32(payload, crc32(bytes.subarray(at, at + RECORD_CRC_AT)))
    bytes.writeUInt32BE(crc, at + RECORD_CRC_AT)
    bytes.set(payload, at + RECORD_HEAD_BYTES)
    at += RECORD_HEAD_BYTES + payload.length
  }
}

/** What a file's bytes hold, or why its votes count as lost. */
export function parseVoteImage(bytes: Buffer, validator: Address): VoteContents | string {
  if (bytes.length < VOTE_RECORDS_AT) return 'the vote file is cut off'
  const header = bytes.subarray(0, HEADER_BYTES)
  if (
    header.readUInt32BE(HEADER_CRC_AT) !== crc32(header.subarray(0, HEADER_CRC_AT)) ||
    !isZero(header.subarray(HEADER_CRC_AT + 4))
  ) {
    return 'the head of the vote file is damaged'
  }
  if (MAGIC.some((byte, i) => header[i] !== byte) || header.readUInt16BE(8) !== VERSION) {
    return 'the vote file is of another kind or version'
  }
  if (!header.subarray(10, 30).equals(hexToBytes(validator))) {
    return 'the vote file is that of another validator'
  }
  if (header.readUInt32BE(30) !== bytes.length)
    return 'the vote file has not the size it was made with'
  const page = bytes.subarray(MARK_AT, VOTE_RECORDS_AT)
  const confirmed = page.readUIntBE(0, 6)
  const mark = voteMark(confirmed).bytes
  if (!page.subarray(0, mark.length).equals(mark) || !isZero(page.subarray(mark.length))) {
    return 'the mark of the vote file is damaged'
  }
  return readRecords(bytes, header.readUIntBE(34, 6), confirmed)
}

function readRecords(bytes: Buffer, first: number, confirmed: number): VoteContents | string {
  const entries: VoteEntry[] = []
  let at = VOTE_RECORDS_AT
  let sequence = first
  for (;;) {
    const payload = payloadAt(bytes, at, sequence)
    if (payload === undefined) break
    try {
      entries.push({ record: decodeVoteRecord(payload), payload: Uint8Array.from(payload) })
    } catch {
      // Whole, but not ours to read.
      return `vote ${sequence} of the file cannot be read`
    }
    at += RECORD_HEAD_BYTES + payload.length
    sequence += 1
  }
  if (sequence < confirmed) return `vote ${sequence} of the file is damaged`
  const isTorn = !isZero(bytes.subarray(at))
  return { entries, sequence, used: at, fileBytes: bytes.length, isTorn }
}

/** What the record there holds; undefined if there is none, or not the whole of it. */
function payloadAt(bytes: Buffer, at: number, sequence: number): Buffer | undefined {
  const start = at + RECORD_HEAD_BYTES
  if (start > bytes.length) return undefined
  const length = bytes.readUInt32BE(at)
  if (length === 0 || start + length > bytes.length) return undefined
  const payload = bytes.subarray(start, start + length)
  const crc = crc32(payload, crc32(bytes.subarray(at, at + RECORD_CRC_AT)))
  const isWhole = bytes.readUInt32BE(at + RECORD_CRC_AT) === crc
  return isWhole && bytes.readUIntBE(at + 4, 6) === sequence ? payload : undefined
}

function isZero(bytes: Buffer): boolean {
  return bytes.equals(Buffer.alloc(bytes.length))
}
