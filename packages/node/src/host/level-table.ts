/**
 * Checks one table file (`.ldb`) of LevelDB, byte for byte. Format: `doc/table_format.md`.
 *
 * A table is data blocks, then filter, metaindex and index blocks, then a footer. Every block carries
 * a CRC-32C that LevelDB, as bound for Node, never looks at. The blocks that the index names must
 * lie end to end from the first byte to the footer, so a changed byte has nowhere to hide.
 */

import { crc32c, createWordView, unmaskCrc, type WordView } from './crc32c.ts'
import {
  type Cursor,
  compareInternalKeys,
  damaged,
  readFixed32,
  readVarint,
} from './level-damage.ts'
import { decodeSnappy } from './snappy.ts'

/** A table as the MANIFEST knows it. */
export interface TableFile {
  readonly number: number
  readonly level: number
  readonly size: number
  /** First and last internal key in it. */
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
}

/** Reads `length` bytes at `position` of the file into `into` at `at`; returns how many there were. */
export type ReadAt = (into: Uint8Array, at: number, length: number, position: number) => number

/** Reusable memory: one per thread, so that checking a table allocates next to nothing. */
export interface TableBuffer {
  view: WordView
}

const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]
/** File bytes read at a time. */
const WINDOW_BYTES = 4 << 20
/** A block is 4 KiB of entries, or one larger entry. Beyond this a length is damage. */
const BLOCK_BYTES_MAX = 256 << 20

interface Handle {
  readonly offset: number
  readonly size: number
}

export function createTableBuffer(): TableBuffer {
  return { view: createWordView(WINDOW_BYTES) }
}

/**
 * @param file name for messages
 * @throws NodeError NODE_STORE_DAMAGED if any byte is not as it was written
 */
export function checkTable(
  file: string,
  table: TableFile,
  readAt: ReadAt,
  buffer: TableBuffer,
): void {
  const fail = (at: number | undefined, reason: string): Error => damaged(file, at, reason)
  const footerAt = table.size - FOOTER_BYTES
  if (footerAt < 0) throw fail(undefined, 'is too short for a table')

  const footer = new Uint8Array(FOOTER_BYTES)
  if (readAt(footer, 0, FOOTER_BYTES, footerAt) !== FOOTER_BYTES) {
    throw fail(footerAt, 'the footer is missing')
  }
  if (MAGIC.some((byte, i) => footer[40 + i] !== byte)) throw fail(footerAt + 40, 'no table footer')
  const cursor: Cursor = { bytes: footer, at: 0, fail }
  const metaindex = readHandle(cursor)
  const index = readHandle(cursor)
  for (; cursor.at < 40; cursor.at++) {
    if (footer[cursor.at] !== 0) throw fail(footerAt + cursor.at, 'the footer is damaged')
  }

  const indexEntries = readEntries(readBlock(index, 'index'), (reason) =>
    fail(index.offset, `index block: ${reason}`),
  )
  const metaEntries = readEntries(readBlock(metaindex, 'metaindex'), (reason) =>
    fail(metaindex.offset, `metaindex block: ${reason}`),
  )

  // Everything from the first byte to the footer, in the order in which LevelDB writes it.
  const handles: Handle[] = []
  let before: Uint8Array | undefined
  for (const { key, value } of indexEntries) {
    if (key.length < 8 || (before && compareInternalKeys(before, key) >= 0)) {
      throw fail(index.offset, 'index keys are out of order')
    }
    before = key
    handles.push(readHandle({ bytes: value, at: 0, fail }))
  }
  if (handles.length === 0) throw fail(index.offset, 'the table is empty')
  const dataBlocks = handles.length
  for (const { value } of metaEntries) handles.push(readHandle({ bytes: value, at: 0, fail }))
  handles.push(metaindex, index)
  let end = 0
  for (const { offset, size } of handles) {
    if (offset !== end) throw fail(end, 'blocks do not lie end to end')
    end = offset + size + TRAILER_BYTES
  }
  if (end !== footerAt) throw fail(end, 'blocks do not end at the footer')

  checkBlocks(handles.slice(0, -2))
  checkEdges(handles[0]!, handles[dataBlocks - 1]!)

  /** Checks runs of neighbouring blocks, as many at a time as the window holds. */
  function checkBlocks(blocks: readonly Handle[]): void {
    let next = 0
    while (next < blocks.length) {
      const start = blocks[next]!.offset
      let stop = start
      let after = next
      while (after < blocks.length) {
        const { offset, size } = blocks[after]!
        const blockEnd = offset + size + TRAILER_BYTES
        if (after > next && blockEnd - start > WINDOW_BYTES) break
        stop = blockEnd
        after += 1
      }
      load(start, stop - start)
      for (; next < after; next++) {
        const { offset, size } = blocks[next]!
        checkCrc(offset - start, size, offset)
      }
    }
  }

  function load(position: number, length: number): void {
    if (length > buffer.view.bytes.length) buffer.view = createWordView(length)
    if (readAt(buffer.view.bytes, 0, length, position) !== length) {
      throw fail(position, 'the file ends too early')
    }
  }

  function checkCrc(at: number, size: number, offset: number): void {
    const { view } = buffer
    const stored = unmaskCrc(readFixed32(view.bytes, at + size + 1))
    if (crc32c(view, at, at + size + 1) !== stored) throw fail(offset, 'a checksum does not hold')
  }

  /** Checked and decompressed contents; valid until the next call. */
  function readBlock({ offset, size }: Handle, what: string): Uint8Array {
    if (size > BLOCK_BYTES_MAX || offset + size + TRAILER_BYTES > footerAt) {
      throw fail(footerAt, `the ${what} block is not where the footer says`)
    }
    load(offset, size + TRAILER_BYTES)
    checkCrc(0, size, offset)
    const contents = buffer.view.bytes.slice(0, size)
    const compression = buffer.view.bytes[size]
    if (compression === 0) return contents
    const decoded = compression === 1 ? decodeSnappy(contents) : undefined
    if (decoded === undefined) throw fail(offset, `the ${what} block does not decompress`)
    return decoded
  }

  /** The first and last key must be the MANIFEST's: a whole and valid table of another number fails. */
  function checkEdges(first: Handle, last: Handle): void {
    const failIn = (handle: Handle) => (reason: string) => fail(handle.offset, reason)
    const firstKey = readEntries(readBlock(first, 'first'), failIn(first))[0]?.key
    const lastKey = readEntries(readBlock(last, 'last'), failIn(last)).at(-1)?.key
    const isSame = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
      a !== undefined && a.length >= 8 && compareInternalKeys(a, b) === 0
    if (!isSame(firstKey, table.smallest) || !isSame(lastKey, table.largest)) {
      throw fail(undefined, 'holds other keys than the MANIFEST says: it is not this table')
    }
  }
}

function readHandle(cursor: Cursor): Handle {
  const offset = readVarint(cursor)
  return { offset, size: readVarint(cursor) }
}

interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Entries of a block: keys share prefixes with the one before; restart points close the block. */
function readEntries(block: Uint8Array, failed: (reason: string) => Error): Entry[] {
  if (block.length < 4) throw failed('is too short')
  const restarts = readFixed32(block, block.length - 4)
  const end = block.length - 4 - restarts * 4
  if (end < 0) throw failed('has too many restart points')
  const cursor: Cursor = { bytes: block.subarray(0, end), at: 0, fail: (_, text) => failed(text) }
  const entries: Entry[] = []
  let before: Uint8Array = new Uint8Array(0)
  while (cursor.at < end) {
    const shared = readVarint(cursor)
    const unshared = readVarint(cursor)
    const valueSize = readVarint(cursor)
    const keyEnd = cursor.at + unshared
    if (shared > before.length || keyEnd + valueSize > end) throw failed('an entry is cut off')
    const key = new Uint8Array(shared + unshared)
    key.set(before.subarray(0, shared))
    key.set(block.subarray(cursor.at, keyEnd), shared)
    entries.push({ key, value: block.subarray(keyEnd, keyEnd + valueSize) })
    before = key
    cursor.at = keyEnd + valueSize
  }
  return entries
}
