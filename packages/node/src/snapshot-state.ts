/**
 * Brings the state of one block: accounts in ranges, of each account its storage in ranges, codes by
 * their hashes. Every range is verified against the root when it comes, and written at once.
 *
 * The account trie is brought in sixteen segments, some at a time, each from its first key to its last.
 * A segment moves on when the storage and the codes of a range of accounts are there, too.
 */

import { type Hash, keccak256Hex, NO_BYTES } from '@vellum/evm'
import {
  codeWrite,
  decodeAccount,
  EMPTY_CODE_HASH,
  EMPTY_ROOT,
  hasCode,
  keyAfter,
  progressWrite,
  rangeWrites,
  type SnapshotPivot,
  type SnapshotProgress,
  type SnapshotSegment,
  type Store,
  segmentBounds,
  type TrieRange,
  verifyBroughtRange,
  type Write,
} from '@vellum/ledger'
import { AnswerRefused, type SnapshotPeers } from './snapshot-peers.ts'
import { decodeRanges, decodeStrings, SNAPSHOT_WIRE_LIMITS } from './snapshot-wire.ts'

/** Segments brought at a time: bounds memory to as many answers. */
const SEGMENTS_AT_ONCE = 4

/** A range that is cut short has at least so many entries, or one could be held up for ever. */
const ENTRIES_MIN = 16

const FIRST_KEY = new Uint8Array(32)
const LAST_KEY = new Uint8Array(32).fill(0xff)

export interface BroughtCount {
  readonly accounts: number
  readonly slots: number
  /** Of answers. */
  readonly bytes: number
}

interface Holder {
  readonly owner: Uint8Array
  readonly storageRoot: Hash
}

/**
 * Goes on from where the progress stands, until the whole state is on disk.
 * @throws SnapshotUnserved, SnapshotStopped
 */
export async function bringState(
  progress: SnapshotProgress & { readonly pivot: SnapshotPivot },
  ports: { readonly store: Store; readonly peers: SnapshotPeers },
): Promise<BroughtCount> {
  const { store, peers } = ports
  const { headers, pivot } = progress
  const { height, root } = pivot
  const state = { height, root }
  const segments = [...pivot.segments]
  const count = { accounts: 0, slots: 0, bytes: 0 }
  let line: Promise<void> = Promise.resolve()
  const needed = { height, isState: true } as const

  const waiting = segments.flatMap(({ next }, index) => (next === undefined ? [] : [index]))
  let failure: { readonly error: unknown } | undefined
  const work = async (): Promise<void> => {
    for (;;) {
      const index = waiting.shift()
      if (index === undefined || failure !== undefined) return
      await bringSegment(index)
    }
  }
  // All have come to rest before anything is decided: a batch may be on its way to the disk.
  const workers = Array.from({ length: SEGMENTS_AT_ONCE }, () =>
    work().catch((error: unknown) => {
      failure ??= { error }
    }),
  )
  await Promise.all(workers)
  if (failure !== undefined) throw failure.error
  return count

  /** Segments share the upper nodes: one range is on disk before the next is verified against it. */
  function alone(write: () => Promise<void>): Promise<void> {
    const written = line.then(write)
    line = written.catch(() => {})
    return written
  }

  async function save(index: number, segment: SnapshotSegment, writes: Write[]): Promise<void> {
    segments[index] = segment
    writes.push(progressWrite(store, { headers, pivot: { ...pivot, segments } }))
    await store.disk.batch(writes)
  }

  async function bringSegment(index: number): Promise<void> {
    const { to } = segmentBounds(index)
    for (;;) {
      const { next } = segments[index]!
      if (next === undefined || failure !== undefined) return
      const { entries, end } = await bringAccounts(next, to)
      const holders: Holder[] = []
      const codes = new Set<Hash>()
      for (const [owner, leaf] of entries) {
        const { storageRoot, codeHash } = decodeAccount(leaf)
        if (storageRoot !== EMPTY_ROOT) holders.push({ owner, storageRoot })
        if (codeHash !== EMPTY_CODE_HASH && !hasCode(store, codeHash)) codes.add(codeHash)
      }
      await bringCodes([...codes])
      await bringStorages(index, holders)
      count.accounts += entries.length
      const isLast = compare(end, to) >= 0
      const after = isLast ? undefined : keyAfter(end)
      await save(index, { next: after, owner: undefined, slot: undefined }, [])
    }
  }

  function bringAccounts(from: Uint8Array, to: Uint8Array): Promise<TrieRange> {
    return peers.ask({
      question: { kind: 'accounts', state, from, to },
      ...needed,
      accept: async (content) => {
        const [range] = decodeRanges(content, 1)
        if (range === undefined || compare(range.end, to) > 0) {
          throw new AnswerRefused('lied', 'not the range that was asked for')
        }
        if (range.entries.length < ENTRIES_MIN && compare(range.end, to) < 0) {
          throw new AnswerRefused('failed', 'less than any peer has the time for')
        }
        count.bytes += content.length
        await alone(() => store.disk.batch(verified(NO_BYTES, root, from, range)))
        return range
      },
    })
  }

  async function bringCodes(hashes: readonly Hash[]): Promise<void> {
    let left = hashes
    while (left.length > 0) {
      const asked = left.slice(0, SNAPSHOT_WIRE_LIMITS.codesMax)
      const had = await peers.ask({
        question: { kind: 'codes', hashes: asked },
        ...needed,
        accept: async (content) => {
          const codes = decodeStrings(content, asked.length)
          if (codes.length === 0) throw new AnswerRefused('unable', 'it does not have a code')
          const writes = codes.map((code, i) => {
            if (keccak256Hex(code) !== asked[i]) throw new AnswerRefused('lied', 'another code')
            return codeWrite(store, asked[i]!, code)
          })
          count.bytes += content.length
          await store.disk.batch(writes)
          return codes.length
        },
      })
      left = left.slice(had)
    }
  }

  /** Storage of a range's accounts, in their order; what is on disk of an earlier run is left out. */
  async function bringStorages(index: number, holders: readonly Holder[]): Promise<void> {
    const known = segments[index]!.owner
    let left =
      known === undefined ? holders : holders.filter(({ owner }) => compare(owner, known) >= 0)
    while (left.length > 0) {
      const asked = left.slice(0, SNAPSHOT_WIRE_LIMITS.ownersMax)
      const { owner, slot } = segments[index]!
      const isPartial =
        slot !== undefined && owner !== undefined && compare(owner, asked[0]!.owner) === 0
      const done = await bringStorage(index, asked, isPartial ? slot : FIRST_KEY)
      left = left.slice(done)
    }
  }

  /** @returns of how many accounts the storage is whole now */
  function bringStorage(
    index: number,
    asked: readonly Holder[],
    from: Uint8Array,
  ): Promise<number> {
    return peers.ask({
      question: { kind: 'storage', state, owners: asked.map(({ owner }) => owner), from },
      ...needed,
      accept: async (content) => {
        const ranges = decodeRanges(content, asked.length)
        if (ranges.length === 0)
          throw new AnswerRefused('lied', 'no storage of an account that has some')
        const writes: Write[] = []
        let slots = 0
        for (const [i, range] of ranges.entries()) {
          const { owner, storageRoot } = asked[i]!
          const isWhole = compare(range.end, LAST_KEY) === 0
          if (!isWhole && i < ranges.length - 1) throw new AnswerRefused('lied', 'a gap in storage')
          writes.push(...verified(owner, storageRoot, i === 0 ? from : FIRST_KEY, range))
          slots += range.entries.length
        }
        const slot = keyAfter(ranges.at(-1)!.end)
        if (slots < ENTRIES_MIN && slot !== undefined) {
          throw new AnswerRefused('failed', 'less than any peer has the time for')
        }
        count.bytes += content.length
        count.slots += slots
        const last = asked[ranges.length - 1]!.owner
        const { next } = segments[index]!
        const owner = slot === undefined ? keyAfter(last) : last
        await save(index, { next, owner, slot }, writes)
        return slot === undefined ? ranges.length : ranges.length - 1
      },
    })
  }

  function verified(owner: Uint8Array, of: Hash, from: Uint8Array, range: TrieRange): Write[] {
    const verdict = verifyBroughtRange(store, owner, of, { from, range })
    if (!verdict.ok) throw new AnswerRefused('lied', `a range: ${verdict.reason}`)
    return rangeWrites(store, owner, verdict.trie, height)
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return 0
}
