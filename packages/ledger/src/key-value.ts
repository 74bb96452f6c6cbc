/** The disk as the ledger sees it: an ordered map of bytes to bytes. LevelDB on a node. */

/** One change of a batch; a missing value deletes. */
export interface Write {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** Keys from `from` (included) to `to` (excluded), in byte order or, if `reverse`, against it. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly reverse?: boolean
  /** At most this many entries. */
  readonly limit?: number
}

export interface KeyValueReader {
  /** Value last written under the key. Synchronous, because execution never awaits. */
  get(key: Uint8Array): Uint8Array | undefined
}

/** A frozen view: later batches do not show in it. */
export interface KeyValueSnapshot extends KeyValueReader {
  /** Frees the view; it must not be read again. */
  close(): void
}

/**
 * What may be relied on: `batch` is atomic, and is on disk when its promise resolves; batches
 * apply in the order of their calls; `get` sees every batch that has resolved. Values are bytes as
 * the disk gives them: checksums are the store's work (`store.ts`).
 */
export interface KeyValue extends KeyValueReader {
  batch(writes: readonly Write[]): Promise<void>
  snapshot(): KeyValueSnapshot
  iterate(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>
}
