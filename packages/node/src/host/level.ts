/**
 * The ledger's disk: LevelDB behind the `KeyValue` port.
 *
 * Reads are synchronous (5.5 µs from the cache, where the awaited call takes 25), because execution
 * never awaits. A batch is built through LevelDB's chained batch, which costs the event loop 1.3 µs
 * a record where the array form costs 3.5, and is synced before its promise resolves.
 */

import type { KeyRange, KeyValue, KeyValueSnapshot, Write } from '@vellum/ledger'
import { ClassicLevel } from 'classic-level'
import { NodeError } from '../error.ts'

/** Sizes in bytes. Defaults were measured on blocks of 500 transactions; see docs/limits.md. */
export interface LevelOptions {
  /** Data held in memory and in the log before it becomes a table. Two may exist at once. */
  readonly writeBufferBytes?: number
  /** Uncompressed table blocks kept for reading. */
  readonly cacheBytes?: number
}

export interface LevelKeyValue extends KeyValue {
  /** Finishes batches under way, then releases the files and their lock. */
  close(): Promise<void>
  /** Rewrites every record into fresh tables; for tests and after large imports. */
  compact(): Promise<void>
}

const WRITE_BUFFER_BYTES = 32 << 20
const CACHE_BYTES = 64 << 20
/** Fewer, larger tables than LevelDB's 2 MiB: a store of 1 GB is 128 files, not 500. */
const TABLE_BYTES = 8 << 20
/** Tables are read through memory maps, which count as resident: bounds them to 64 x 8 MiB. */
const OPEN_FILES_MAX = 64 + 10
/** Records fetched from LevelDB at a time while iterating. */
const ITERATE_CHUNK = 1000

type Level = ClassicLevel<Uint8Array, Uint8Array>

/**
 * Opens, or creates, the database in a directory. The files are taken as they are: `verifyLevelFiles`
 * comes first where their state matters.
 * @throws NodeError NODE_STORE_LOCKED if another process has it open, NODE_STORE_FAILED otherwise
 */
export async function openLevel(
  directory: string,
  options: LevelOptions = {},
): Promise<LevelKeyValue> {
  const db: Level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: options.writeBufferBytes ?? WRITE_BUFFER_BYTES,
    cacheSize: options.cacheBytes ?? CACHE_BYTES,
    maxFileSize: TABLE_BYTES,
    maxOpenFiles: OPEN_FILES_MAX,
    compression: false,
  })
  try {
    await db.open()
  } catch (error) {
    throw openingFailed(directory, error)
  }

  // Batches run on a pool of threads that promises no order, so each waits for the one before.
  let last: Promise<void> = Promise.resolve()

  return {
    get: (key) => db.getSync(key),
    batch: (writes) => {
      const batch = chain(db, writes)
      last = last
        .then(() => batch.write({ sync: true }))
        .catch((error: unknown) => {
          throw writingFailed(directory, error)
        })
      // Whoever asked for the batch gets the error; the chain keeps it for those that follow.
      last.catch(() => {})
      return last
    },
    snapshot: () => takeSnapshot(db),
    iterate: (range) => iterate(db, range),
    compact: () => db.compactRange(new Uint8Array(0), new Uint8Array(80).fill(0xff)),
    close: async () => {
      await last.catch(() => {})
      await db.close()
    },
  }
}

function chain(db: Level, writes: readonly Write[]): ReturnType<Level['batch']> {
  const batch = db.batch()
  for (const { key, value } of writes) {
    if (value === undefined) batch.del(key)
    else batch.put(key, value)
  }
  return batch
}

function takeSnapshot(db: Level): KeyValueSnapshot {
  const snapshot = db.snapshot()
  const options = { snapshot, keyEncoding: 'view', valueEncoding: 'view' } as const
  return {
    get: (key) => db.getSync<Uint8Array, Uint8Array>(key, options),
    // Frees at once; the promise says only that no read was under way, and reads are synchronous.
    close: () => void snapshot.close(),
  }
}

async function* iterate(
  db: Level,
  range: KeyRange,
): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array]> {
  const iterator = db.iterator({
    gte: range.from,
    lt: range.to,
    reverse: range.reverse ?? false,
    limit: range.limit ?? -1,
    highWaterMarkBytes: 1 << 20,
  })
  try {
    for (;;) {
      const entries = await iterator.nextv(ITERATE_CHUNK)
      if (entries.length === 0) return
      yield* entries
    }
  } finally {
    await iterator.close()
  }
}

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  return cause?.code ?? code ?? 'unknown'
}

function messageOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string } }
  return cause?.message ?? message ?? String(error)
}

function openingFailed(directory: string, error: unknown): NodeError {
  const code = codeOf(error)
  if (code === 'LEVEL_LOCKED') {
    return new NodeError(
      'NODE_STORE_LOCKED',
      `the data in ${directory} is in use by another process; stop that one, or use another --data-dir`,
      { directory },
      { cause: error },
    )
  }
  if (code === 'LEVEL_CORRUPTION') {
    return new NodeError(
      'NODE_STORE_DAMAGED',
      `the database in ${directory} cannot be read: ${messageOf(error)}; restore a backup of the data directory, or delete it and import or synchronise the chain again`,
      { directory },
      { cause: error },
    )
  }
  return new NodeError(
    'NODE_STORE_FAILED',
    `the database in ${directory} cannot be opened: ${messageOf(error)}; check that the directory is writable and the disk has space`,
    { directory, code },
    { cause: error },
  )
}

function writingFailed(directory: string, error: unknown): NodeError {
  if (error instanceof NodeError) return error
  return new NodeError(
    'NODE_STORE_FAILED',
    `a write to ${directory} failed: ${messageOf(error)}; the node stops so that nothing unwritten is served; free space or replace the disk, then start again`,
    { directory, code: codeOf(error) },
    { cause: error },
  )
}
