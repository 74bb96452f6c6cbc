/**
 * The index of logs: which blocks may hold a log with an address, or with a topic at a position.
 *
 * It stands in sections (`log-section.ts`), one after another from the first block that is held:
 * those on disk, at most one that is being written, and the open one, in memory, that grows with the
 * chain. Records of a full section ride in the batches of the blocks that follow, a few with each, so
 * that no block waits for more than some tens of kilobytes. The section counts once its last record
 * is there: that one lies in one batch with the section's head.
 *
 * The index is never the only witness. All of it can be made again from receipts, byte for byte the
 * same, and is: after a restart for the blocks of the open section, for a store that was written
 * without an index, and for a section of which a record is lost or damaged. Until that is done these
 * blocks have no index, and who searches looks at each. Who searches with it reads the receipts of
 * every block that it names, so what it names in vain costs time, and nothing else.
 */

import { LedgerError } from './error.ts'
import type { Write } from './key-value.ts'
import type { LogKey } from './log-key.ts'
import { createLogSection, type LogSection, offsetsIn, recordIndex } from './log-section.ts'
import type { Receipt } from './receipt.ts'
import { heightKey, KIND, keyOf, readHeight, type Store, writeHeight } from './store.ts'
import { keysOfReceipts, keysOfRecord } from './stored-logs.ts'

/** Layout of the records. A section of another version is made again. */
export const LOG_INDEX_VERSION = 1

export const LOG_INDEX_LIMITS = {
  /** Entries that go to disk with a block at least, and as many times its own entries at most. */
  riderEntries: 4_096,
  riderFactor: 2,
  /** Blocks of which one step of catching up makes entries. */
  stepBlocks: 64,
  /** Bytes of receipts after which such a step ends. */
  stepBytes: 262_144,
  /** Entries that one step writes. */
  stepEntries: 16_384,
} as const

/** Blocks from one height on that are answered in the same way. */
export interface LogRange {
  /** Last height, at most the head's. */
  readonly to: number
  /** undefined: no index here; each block must be looked at. */
  readonly section: LogLookup | undefined
}

export interface LogLookup {
  readonly from: number
  /** As `LogSection.offsets`. @throws LedgerError LEDGER_STORE_DAMAGED */
  offsets(key: LogKey, among?: readonly number[]): number[]
  /** Told when a record could not be used: the section is made again. */
  lose(): void
}

export interface LogIndexState {
  /** Blocks up to the head that have no index yet. */
  readonly missing: number
  readonly sections: number
  /** Entries in memory. */
  readonly entries: number
}

export interface LogIndex {
  /** How blocks from this height on are answered. @param height at most the head's */
  rangeAt(height: number): LogRange
  /** Records to be written along with the next block, which must be told by `added`. */
  riders(): Riders
  /** The block after the one told last is on disk, and so are the riders. */
  added(height: number, receipts: readonly Receipt[], riders: Riders): void
  /** The chain goes on from a snapshot at this height. */
  restart(height: number): void
  state(): LogIndexState
  /** True if blocks have no index, or a full section waits to be written. */
  hasWork(): boolean
  /** One bounded piece of that work. @throws what the disk throws; LEDGER_STORE_DAMAGED */
  step(): Promise<void>
  /** Called when there is work again. Returns the way to stop. */
  onWork(listener: () => void): () => void
}

/** Records on their way to disk. */
export interface Riders {
  readonly writes: readonly Write[]
  /** The section whose last record is among them. */
  readonly completes: StoredSection | undefined
}

/** A section on disk. */
interface StoredSection {
  readonly from: number
  readonly to: number
  readonly bits: number
}

/** A full section on its way to disk. */
interface Closing {
  readonly section: LogSection
  readonly to: number
  readonly bits: number
  /** Next record. */
  next: number
}

export interface LogIndexOptions {
  readonly store: Store
  /** First block whose receipts are held: 0, or that of the snapshot. */
  readonly first: number
  /** Height of the chain's head, now and whenever it is asked. */
  readonly head: () => number
  /** As `createLogSection`. Of one store it is always the same, or sections are cut anew. */
  readonly sectionEntries?: number
}

const NOTHING: Riders = { writes: [], completes: undefined }

/** Opens what is on disk. What is missing there waits for `step`. */
export async function openLogIndex(options: LogIndexOptions): Promise<LogIndex> {
  const { store, head } = options
  const newSection = (from: number): LogSection => createLogSection(from, options.sectionEntries)
  let sections = await readSections(store, options.first, head())
  let open = newSection((sections.at(-1)?.to ?? options.first - 1) + 1)
  let closing: Closing | undefined
  /** The section that is made again between those on disk. */
  let repair: { readonly section: LogSection; readonly to: number } | undefined
  let first = options.first
  /** How many entries may ride with the next block on account of the last one. */
  let ridersDue = 0
  const listeners = new Set<() => void>()

  /** Position of the last section that begins at or before the height; -1: none. */
  function sectionBefore(height: number): number {
    let low = 0
    let high = sections.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (sections[middle]!.from <= height) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  function rangeAt(height: number): LogRange {
    const at = sectionBefore(height)
    const stored = sections[at]
    if (stored !== undefined && height <= stored.to) {
      return { to: stored.to, section: storedLookup(stored) }
    }
    if (closing !== undefined && height >= closing.section.from && height <= closing.to) {
      return { to: closing.to, section: memoryLookup(closing.section) }
    }
    const next = open.next()
    if (height >= open.from && height < next) return { to: next - 1, section: memoryLookup(open) }
    const after = sections[at + 1]?.from ?? closing?.section.from ?? open.from
    return { to: height < after ? Math.min(after - 1, head()) : head(), section: undefined }
  }

  function storedLookup(stored: StoredSection): LogLookup {
    let index = -1
    let record: Uint8Array | undefined
    return {
      from: stored.from,
      offsets(key, among) {
        // Once it is being made again its records may be cut elsewhere.
        if (sections[sectionBefore(stored.from)] !== stored) throw lost(stored)
        const wanted = recordIndex(key, stored.bits)
        if (record === undefined || wanted !== index) {
          record = store.mustRead(recordKey(stored.from, wanted), 'a record of the index of logs')
          index = wanted
        }
        return offsetsIn(record, key, among)
      },
      lose() {
        const left = sections.filter((each) => each !== stored)
        if (left.length === sections.length) return
        sections = left
        for (const listener of listeners) listener()
      },
    }
  }

  /** Some records of a full section, the last one with the section's head. */
  function recordsOf(full: Closing, entriesMax: number): Riders {
    const { section, to, bits } = full
    const count = 2 ** bits
    const share = Math.max(1, Math.floor((entriesMax * count) / Math.max(1, section.entries())))
    const end = Math.min(count, full.next + share)
    const writes: Write[] = []
    for (; full.next < end; full.next++) {
      writes.push(store.write(recordKey(section.from, full.next), section.record(full.next, bits)))
    }
    if (end < count) return { writes, completes: undefined }
    const stored = { from: section.from, to, bits }
    writes.push(headWrite(store, stored))
    return { writes, completes: stored }
  }

  function settle(stored: StoredSection | undefined): void {
    if (stored === undefined) return
    const at = sectionBefore(stored.from)
    sections.splice(at + 1, 0, stored)
    if (closing?.section.from === stored.from) closing = undefined
    if (repair?.section.from === stored.from) repair = undefined
  }

  function closeIfFull(): void {
    if (!open.isFull() || closing !== undefined) return
    closing = { section: open, to: open.next() - 1, bits: open.bits(), next: 0 }
    open = newSection(open.next())
  }

  const isWriting = (full: Closing): boolean => full.next < 2 ** full.bits

  /** Heights between sections on disk that none has. */
  function firstGap(): { readonly from: number; readonly to: number } | undefined {
    let expected = first
    for (const { from, to } of sections) {
      if (from > expected) return { from: expected, to: from - 1 }
      expected = to + 1
    }
    const next = closing?.section.from ?? open.from
    return next > expected ? { from: expected, to: next - 1 } : undefined
  }

  /** Entries of the blocks that come next, up to a height. */
  function gather(section: LogSection, to: number): void {
    const { stepBlocks, stepBytes } = LOG_INDEX_LIMITS
    let bytes = 0
    for (let i = 0; i < stepBlocks && bytes < stepBytes; i++) {
      const height = section.next()
      if (height > to || section.isFull()) return
      const record = store.mustRead(heightKey(KIND.receipts, height), `receipts of block ${height}`)
      keysOfRecord(record, section.add)
      section.endBlock()
      bytes += record.length
    }
  }

  async function step(): Promise<void> {
    if (closing !== undefined && isWriting(closing)) {
      const { writes, completes } = recordsOf(closing, LOG_INDEX_LIMITS.stepEntries)
      await store.disk.batch(writes)
      settle(completes)
    } else if (open.next() <= head()) {
      gather(open, head())
      closeIfFull()
    } else {
      await repairStep()
    }
  }

  /** A section between others is made again as it was: gaps begin and end where sections did. */
  async function repairStep(): Promise<void> {
    const gap = repair ? undefined : firstGap()
    if (gap !== undefined) repair = { section: newSection(gap.from), to: gap.to }
    if (repair === undefined) return
    const { section, to } = repair
    gather(section, to)
    if (section.next() <= to && !section.isFull()) return
    const full = { section, to: section.next() - 1, bits: section.bits(), next: 0 }
    while (isWriting(full)) {
      const { writes, completes } = recordsOf(full, LOG_INDEX_LIMITS.stepEntries)
      await store.disk.batch(writes)
      settle(completes)
    }
  }

  return {
    rangeAt,
    riders: () => {
      if (closing === undefined || !isWriting(closing)) return NOTHING
      return recordsOf(closing, Math.max(LOG_INDEX_LIMITS.riderEntries, ridersDue))
    },
    added(height, receipts, { completes }) {
      settle(completes)
      // One that is behind finds the block on disk when it comes to it.
      if (open.next() !== height) return
      const before = open.entries()
      keysOfReceipts(receipts, open.add)
      open.endBlock()
      ridersDue = (open.entries() - before) * LOG_INDEX_LIMITS.riderFactor
      closeIfFull()
    },
    restart(height) {
      first = height
      sections = []
      closing = undefined
      repair = undefined
      open = newSection(height)
    },
    state: () => {
      const covered = sections.reduce((sum, { from, to }) => sum + to - from + 1, 0)
      const inMemory = open.next() - (closing?.section.from ?? open.from)
      return {
        missing: head() + 1 - first - covered - inMemory,
        sections: sections.length,
        entries: open.entries() + (closing?.section.entries() ?? 0),
      }
    },
    hasWork: () =>
      open.next() <= head() ||
      (closing !== undefined && isWriting(closing)) ||
      firstGap() !== undefined,
    step,
    onWork(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function lost({ from, to }: StoredSection): LedgerError {
  return new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `the index of logs of blocks ${from} to ${to} is being made again`,
  )
}

function memoryLookup(section: LogSection): LogLookup {
  return { from: section.from, offsets: section.offsets, lose: () => {} }
}

function recordKey(from: number, index: number): Uint8Array {
  const place = new Uint8Array(8)
  writeHeight(place, 0, from)
  place[6] = index >>> 8
  place[7] = index
  return keyOf(KIND.logRecord, place)
}

const HEAD_BYTES = 8

function headWrite(store: Store, { from, to, bits }: StoredSection): Write {
  const value = new Uint8Array(HEAD_BYTES)
  value[0] = LOG_INDEX_VERSION
  value[1] = bits
  writeHeight(value, 2, to)
  return store.write(heightKey(KIND.logSection, from), value)
}

/** Sections on disk, ascending. One that cannot be read, or does not fit, is left out, to be made again. */
async function readSections(store: Store, first: number, head: number): Promise<StoredSection[]> {
  const sections: StoredSection[] = []
  const range = { from: keyOf(KIND.logSection), to: Uint8Array.of(KIND.logSection + 1) }
  let expected = first
  for await (const [key] of store.disk.iterate(range)) {
    const from = readHeight(key, 1)
    const value = readWhole(store, key)
    if (value?.length !== HEAD_BYTES || value[0] !== LOG_INDEX_VERSION) continue
    const to = readHeight(value, 2)
    if (from < expected || to < from || to > head) continue
    sections.push({ from, to, bits: value[1]! })
    expected = to + 1
  }
  return sections
}

function readWhole(store: Store, key: Uint8Array): Uint8Array | undefined {
  try {
    return store.read(key)
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'LEDGER_STORE_DAMAGED') return undefined
    throw error
  }
}
