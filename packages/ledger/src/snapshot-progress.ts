/**
 * How far a snapshot sync has come, as one record beside what it has brought: headers first, then the
 * state of one block, the pivot, in segments of the account trie. Written in one batch with what it
 * counts, so that after a kill it goes on where it was.
 */

import { bytesToHex, type Hash, hexToBytes, NO_BYTES } from '@vellum/evm'
import { decodeHeader, encodeHeader, type Header } from './block.ts'
import type { Write } from './key-value.ts'
import {
  decodeRlp,
  encodeRlp,
  type RlpItem,
  rlpBytes,
  rlpFixed,
  rlpList,
  rlpNumber,
  rlpScalar,
} from './rlp.ts'
import { storedNodes, writeNode } from './state-trie.ts'
import { heightKey, KIND, keyOf, type Store, writeHeight } from './store.ts'
import { type Trie, takeNewNodes } from './trie.ts'
import { type RangeVerdict, type TrieRange, verifyRange } from './trie-range.ts'

export interface SnapshotProgress {
  /** Headers from 1 to this one are verified and on disk. */
  readonly headers: number
  /** The block whose state is being brought; undefined before there is one. */
  readonly pivot: SnapshotPivot | undefined
}

export interface SnapshotPivot {
  readonly height: number
  readonly root: Hash
  /** Of the account trie, by the first nibble of keys: 16. */
  readonly segments: readonly SnapshotSegment[]
}

export interface SnapshotSegment {
  /** First account key that is not on disk; undefined when all are. */
  readonly next: Uint8Array | undefined
  /** Storage of accounts from `next` up to this one, not included, is on disk. */
  readonly owner: Uint8Array | undefined
  /** First slot of the owner that is not on disk. */
  readonly slot: Uint8Array | undefined
}

export const SNAPSHOT_SEGMENTS = 16
const KEY_SIZE = 32
const PROGRESS_KEY = keyOf(KIND.snapshotProgress)

/** Keys from which and to which a segment reaches, both included. */
export function segmentBounds(index: number): {
  readonly from: Uint8Array
  readonly to: Uint8Array
} {
  const from = new Uint8Array(KEY_SIZE)
  const to = new Uint8Array(KEY_SIZE).fill(0xff)
  from[0] = index << 4
  to[0] = (index << 4) | 0x0f
  return { from, to }
}

/** A state of which nothing is on disk yet. */
export function newPivot(height: number, root: Hash): SnapshotPivot {
  const segments = Array.from({ length: SNAPSHOT_SEGMENTS }, (_, index) => ({
    next: segmentBounds(index).from,
    owner: undefined,
    slot: undefined,
  }))
  return { height, root, segments }
}

/** The key after this one; undefined after the last one. */
export function keyAfter(key: Uint8Array): Uint8Array | undefined {
  const next = key.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = next[i]! + 1
    if (next[i] !== 0) return next
  }
  return undefined
}

/** @throws LedgerError LEDGER_STORE_DAMAGED, or LEDGER_RLP_INVALID for another layout */
export function readProgress(store: Store): SnapshotProgress | undefined {
  const record = store.read(PROGRESS_KEY)
  if (record === undefined) return undefined
  const [headers, pivot] = rlpList(decodeRlp(record.slice()), 'progress')
  return { headers: rlpNumber(headers, 'headers'), pivot: decodePivot(rlpList(pivot, 'pivot')) }
}

/** @param progress undefined: there is no snapshot sync any more */
export function progressWrite(store: Store, progress: SnapshotProgress | undefined): Write {
  if (progress === undefined) return store.write(PROGRESS_KEY, undefined)
  const { headers, pivot } = progress
  const item = pivot === undefined ? [] : pivotItem(pivot)
  return store.write(PROGRESS_KEY, encodeRlp([rlpScalar(headers), item]))
}

/** A verified header above the head: not part of the chain until its snapshot is. */
export function headerWrites(store: Store, header: Header, hash: Hash): Write[] {
  const height = new Uint8Array(6)
  writeHeight(height, 0, header.number)
  return [
    store.write(heightKey(KIND.header, header.number), encodeHeader(header)),
    store.write(keyOf(KIND.blockHash, hexToBytes(hash)), height),
  ]
}

/** A header that was brought, at or below the head or above it; undefined if it was not. */
export function readBroughtHeader(store: Store, number: number): Header | undefined {
  const record = store.read(heightKey(KIND.header, number))
  return record && decodeHeader(record.slice())
}

/**
 * Verifies a range of a trie of which earlier ranges are on disk.
 * @param owner of the storage trie; no bytes for the account trie
 */
export function verifyBroughtRange(
  store: Store,
  owner: Uint8Array,
  root: Hash,
  asked: { readonly from: Uint8Array; readonly range: TrieRange },
): RangeVerdict {
  return verifyRange(root, asked.from, asked.range, storedNodes(store, owner))
}

/**
 * What a verified range shows of a trie, to be written before the next range is verified.
 * @param owner of the storage trie; no bytes for the account trie
 * @param height of the pivot
 */
export function rangeWrites(store: Store, owner: Uint8Array, range: Trie, height: number): Write[] {
  return takeNewNodes(range).map((node) => writeNode(store, owner, node, height))
}

export function codeWrite(store: Store, codeHash: Hash, code: Uint8Array): Write {
  return store.write(keyOf(KIND.code, hexToBytes(codeHash)), code)
}

export function hasCode(store: Store, codeHash: Hash): boolean {
  return store.read(keyOf(KIND.code, hexToBytes(codeHash))) !== undefined
}

function pivotItem({ height, root, segments }: SnapshotPivot): RlpItem {
  const items = segments.map(({ next, owner, slot }) =>
    [next, owner, slot].map((key) => key ?? NO_BYTES),
  )
  return [rlpScalar(height), hexToBytes(root), items]
}

function decodePivot(items: readonly RlpItem[]): SnapshotPivot | undefined {
  if (items.length === 0) return undefined
  const [height, root, segments] = items
  return {
    height: rlpNumber(height, 'height'),
    root: bytesToHex(rlpFixed(root, 32, 'root')),
    segments: rlpList(segments, 'segments').map((segment) => {
      const [next, owner, slot] = rlpList(segment, 'segment').map((item) => {
        const key = rlpBytes(item, 'key')
        return key.length === 0 ? undefined : key
      })
      return { next, owner, slot }
    }),
  }
}
