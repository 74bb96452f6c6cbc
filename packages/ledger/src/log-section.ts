/**
 * Where the keys of logs are, for a run of blocks: a section of the index.
 *
 * A section is gathered in memory while its blocks come, and can be asked at any time. When it is
 * full it becomes records: the slots are cut into 2^bits equal parts, a record each, so that a key is
 * looked up by reading one record. In a record stands for each tag: the tag (4 bytes), the size of
 * what follows (varint), then its blocks as varints: twice the gap since the block before, plus one
 * if several blocks follow one another, whose count less two is the next varint.
 */

import { type LogKey, slotOf, tagOf } from './log-key.ts'

/** Blocks of a section. Offsets have 16 bits; half of that leaves room while another is being written. */
export const SECTION_BLOCKS = 32_768
/** Entries of a section, a key in a block, beyond which it takes no further block. */
export const SECTION_ENTRIES = 262_144

const SLOT_BITS = 16
const SLOTS = 2 ** SLOT_BITS
const OFFSETS_MAX = 2 ** 16
/** Entries of a record, on average: some 4 KiB. */
const RECORD_ENTRIES = 512
/** Entries to begin with. */
const ROOM = 1_024
/** Entries of one slot that are compared before one is added, so that crafted keys cost no more. */
const COMPARED_MAX = 8

export interface LogSection {
  /** Height of the first block. */
  readonly from: number
  /** Height of the block that comes next. */
  next(): number
  /** Entries gathered. */
  entries(): number
  /** True if it should take no further block. */
  isFull(): boolean
  /** Notes that the block that comes next has this key. */
  add(key: LogKey): void
  /** The block that came next is complete. */
  endBlock(): void
  /**
   * Offsets from `from` of blocks that may have the key, ascending.
   * @param among ascending offsets: only these are asked for; undefined: all
   */
  offsets(key: LogKey, among?: readonly number[]): number[]
  /** Into 2^bits records it is cut. */
  bits(): number
  /** One of the records. @param index below 2^bits */
  record(index: number, bits: number): Uint8Array
}

/** @param entriesMax entries from which on it is full: fewer where tests want many sections */
export function createLogSection(from: number, entriesMax: number = SECTION_ENTRIES): LogSection {
  let tags = new Uint32Array(ROOM)
  let offsets = new Uint16Array(ROOM)
  /** The entry of the same slot before this one; -1: none. */
  let before = new Int32Array(ROOM)
  /** The last entry of each slot; -1: none. */
  const last = new Int32Array(SLOTS).fill(-1)
  let count = 0
  let blocks = 0

  function grow(): void {
    const size = tags.length * 2
    const [oldTags, oldOffsets, oldBefore] = [tags, offsets, before]
    tags = new Uint32Array(size)
    offsets = new Uint16Array(size)
    before = new Int32Array(size)
    tags.set(oldTags)
    offsets.set(oldOffsets)
    before.set(oldBefore)
  }

  function isNoted(slot: number, tag: number): boolean {
    let entry = last[slot]!
    for (let compared = 0; compared < COMPARED_MAX && entry !== -1; compared++) {
      if (offsets[entry] !== blocks) return false
      if (tags[entry] === tag) return true
      entry = before[entry]!
    }
    return false
  }

  return {
    from,
    next: () => from + blocks,
    entries: () => count,
    isFull: () => count >= entriesMax || blocks >= SECTION_BLOCKS,
    add(key) {
      const slot = slotOf(key)
      const tag = tagOf(key)
      if (isNoted(slot, tag)) return
      if (count === tags.length) grow()
      tags[count] = tag
      offsets[count] = blocks
      before[count] = last[slot]!
      last[slot] = count
      count += 1
    },
    endBlock() {
      blocks += 1
      if (blocks > OFFSETS_MAX) throw new Error('assertion: a section has at most 65,536 blocks')
    },
    offsets(key, among) {
      const tag = tagOf(key)
      const found: number[] = []
      for (let entry = last[slotOf(key)]!; entry !== -1; entry = before[entry]!) {
        if (tags[entry] === tag && offsets[entry] !== found.at(-1)) found.push(offsets[entry]!)
      }
      found.reverse()
      return among === undefined ? found : commonOf(found, among)
    },
    bits() {
      const records = Math.ceil(count / RECORD_ENTRIES)
      return records <= 1 ? 0 : Math.min(SLOT_BITS, 32 - Math.clz32(records - 1))
    },
    record(index, bits) {
      const groups = new Map<number, number[]>()
      const size = SLOTS >> bits
      for (let slot = index * size; slot < (index + 1) * size; slot++) {
        for (let entry = last[slot]!; entry !== -1; entry = before[entry]!) {
          const group = groups.get(tags[entry]!)
          if (group === undefined) groups.set(tags[entry]!, [offsets[entry]!])
          else group.push(offsets[entry]!)
        }
      }
      const out: number[] = []
      for (const [tag, found] of groups) {
        // Slots that share a tag come one after another, each from its last block down.
        const ascending = found.reverse()
        if (!isAscending(ascending)) ascending.sort((a, b) => a - b)
        const postings = encodeOffsets(ascending)
        out.push(tag >>> 24, (tag >>> 16) & 255, (tag >>> 8) & 255, tag & 255)
        pushVarint(out, postings.length)
        for (const byte of postings) out.push(byte)
      }
      return Uint8Array.from(out)
    },
  }
}

/** Which record of a section has the key. */
export function recordIndex(key: LogKey, bits: number): number {
  return slotOf(key) >> (SLOT_BITS - bits)
}

/**
 * Offsets of blocks that may have the key, ascending, out of the record that would hold them.
 * @param record as `LogSection.record` made it; its checksum has been compared
 * @param among as in `LogSection.offsets`
 */
export function offsetsIn(record: Uint8Array, key: LogKey, among?: readonly number[]): number[] {
  const tag = tagOf(key)
  let at = 0
  while (at < record.length) {
    const found =
      ((record[at]! << 24) | (record[at + 1]! << 16) | (record[at + 2]! << 8) | record[at + 3]!) >>>
      0
    const size = readVarint(record, at + 4)
    const from = varintEnd
    if (found === tag && among !== undefined) return keepOffsets(record, from, from + size, among)
    if (found === tag) return decodeOffsets(record, from, from + size)
    at = from + size
  }
  return []
}

function isAscending(list: readonly number[]): boolean {
  for (let i = 1; i < list.length; i++) if (list[i]! < list[i - 1]!) return false
  return true
}

/** @param offsets ascending; one that stands twice counts once */
function encodeOffsets(offsets: readonly number[]): number[] {
  const out: number[] = []
  let expected = 0
  for (let i = 0; i < offsets.length; ) {
    const first = offsets[i]!
    let end = first + 1
    for (i++; i < offsets.length && offsets[i]! <= end; i++) end = offsets[i]! + 1
    const run = end - first
    pushVarint(out, (first - expected) * 2 + (run > 1 ? 1 : 0))
    if (run > 1) pushVarint(out, run - 2)
    expected = end
  }
  return out
}

function decodeOffsets(bytes: Uint8Array, from: number, to: number): number[] {
  const offsets: number[] = []
  let next = 0
  for (let at = from; at < to; ) {
    const head = readVarint(bytes, at)
    at = varintEnd
    next += head >>> 1
    offsets.push(next++)
    if ((head & 1) === 0) continue
    let more = readVarint(bytes, at) + 1
    at = varintEnd
    for (; more > 0; more--) offsets.push(next++)
  }
  return offsets
}

/** The offsets that are among others, without making a list of all: a common key is in most blocks. */
function keepOffsets(
  bytes: Uint8Array,
  from: number,
  to: number,
  among: readonly number[],
): number[] {
  const kept: number[] = []
  let next = 0
  let i = 0
  for (let at = from; at < to && i < among.length; ) {
    const head = readVarint(bytes, at)
    at = varintEnd
    next += head >>> 1
    const first = next++
    if ((head & 1) === 1) {
      next += readVarint(bytes, at) + 1
      at = varintEnd
    }
    while (i < among.length && among[i]! < first) i++
    for (; i < among.length && among[i]! < next; i++) kept.push(among[i]!)
  }
  return kept
}

/** What two ascending lists share. */
function commonOf(left: readonly number[], right: readonly number[]): number[] {
  const both: number[] = []
  let i = 0
  for (const each of left) {
    while (i < right.length && right[i]! < each) i++
    if (right[i] === each) both.push(each)
  }
  return both
}

function pushVarint(out: number[], value: number): void {
  let rest = value
  while (rest > 127) {
    out.push((rest & 127) | 128)
    rest >>>= 7
  }
  out.push(rest)
}

/** Where the varint last read ends: a second result, without an object for each. */
let varintEnd = 0

function readVarint(bytes: Uint8Array, from: number): number {
  let value = 0
  let at = from
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!
    value |= (byte & 127) << shift
    if (byte < 128) break
  }
  varintEnd = at
  return value
}
