/**
 * Checks the files of a LevelDB database before it is opened, because LevelDB does not: as bound for
 * Node it verifies no checksum on reading, skips what it cannot read of its log, and starts an empty
 * database where CURRENT is gone. Measured on single bit flips: 49 of 60 in a table gave wrong values
 * without an error, 60 of 60 in a log lost keys without one (docs/limits.md).
 *
 * What is checked: CURRENT and MANIFEST; that every table the MANIFEST names is there, of its size,
 * with its keys, each block's checksum, and tables of a level do not overlap; that the logs are
 * there, each record's checksum, and that no sequence number is missing between them. What remains is
 * the loss of whole records at the end of the last log, which looks like a crash during a write: the
 * head file (`head-file.ts`) tells these apart.
 */

import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { NodeError } from '../error.ts'
import { compareUserKeys, damaged } from './level-damage.ts'
import { readLog } from './level-log.ts'
import { type Manifest, parseCurrent, readManifest } from './level-manifest.ts'
import { checkTable, createTableBuffer, type TableBuffer, type TableFile } from './level-table.ts'

export interface LevelFilesReport {
  /** False for a directory without a database in it. */
  readonly exists: boolean
  readonly files: number
  readonly bytes: number
  /** The last log ends with the remains of a batch that was never acknowledged. */
  readonly tornBytes: number
}

export interface LevelFilesOptions {
  /** Threads to check tables on, at least 1; 1 checks them on this one. */
  readonly threads: number
  /** Called now and then with the bytes checked so far, and all there are. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Under this many bytes of tables, starting a thread costs more than it saves. */
const THREADED_BYTES_MIN = 64 << 20
/** Sequence number (8) and count (4) at the head of each batch in a log. */
const BATCH_HEAD_BYTES = 12
const EMPTY: LevelFilesReport = { exists: false, files: 0, bytes: 0, tornBytes: 0 }

/** @throws NodeError NODE_STORE_DAMAGED naming file, offset and what to do */
export async function verifyLevelFiles(
  directory: string,
  options: LevelFilesOptions,
): Promise<LevelFilesReport> {
  const names = namesIn(directory)
  if (!names.has('CURRENT')) {
    const left = [...names].find((name) => /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/.test(name))
    if (left !== undefined) {
      throw damaged('CURRENT', undefined, `is missing although ${left} is there`)
    }
    return EMPTY
  }

  const manifestName = parseCurrent(await readFile(join(directory, 'CURRENT'), 'latin1'))
  if (!names.has(manifestName)) throw damaged(manifestName, undefined, 'is missing')
  const manifest = withFile(directory, manifestName, (size, readAt) =>
    readManifest(manifestName, size, readAt),
  )
  checkLevels(manifestName, manifest.tables)

  const tables = manifest.tables.map((table) => ({ table, name: tableName(names, table) }))
  const total = tables.reduce((sum, { table }) => sum + table.size, 0)
  let done = 0
  const onTable = (size: number): void => {
    done += size
    options.onProgress?.(done, total)
  }
  const logs = checkLogs(directory, names, manifest)
  const isThreaded = options.threads > 1 && total >= THREADED_BYTES_MIN
  if (isThreaded) await checkTablesOnThreads(directory, tables, options.threads, onTable)
  else {
    const buffer = createTableBuffer()
    for (const { table, name } of tables) {
      checkTableFile(directory, name, table, buffer)
      onTable(table.size)
    }
  }
  return {
    exists: true,
    files: tables.length + logs.files + 2,
    bytes: total + logs.bytes,
    tornBytes: logs.tornBytes,
  }
}

/** One table file, opened, compared in size, and checked. */
export function checkTableFile(
  directory: string,
  name: string,
  table: TableFile,
  buffer: TableBuffer,
): void {
  withFile(directory, name, (size, readAt) => {
    if (size !== table.size) {
      throw damaged(name, undefined, `is ${size} bytes long, not ${table.size}`)
    }
    checkTable(name, table, readAt, buffer)
  })
}

function namesIn(directory: string): Set<string> {
  try {
    return new Set(readdirSync(directory))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return new Set()
    throw unreadable(directory, error)
  }
}

function tableName(names: ReadonlySet<string>, { number }: TableFile): string {
  const stem = String(number).padStart(6, '0')
  const name = names.has(`${stem}.sst`) ? `${stem}.sst` : `${stem}.ldb`
  if (!names.has(name)) throw damaged(name, undefined, 'is missing')
  return name
}

/** Below the first level tables hold separate ranges of keys: LevelDB looks into one of them only. */
function checkLevels(manifestName: string, tables: readonly TableFile[]): void {
  for (let level = 1; level < 7; level++) {
    const ordered = tables
      .filter((table) => table.level === level)
      .sort((a, b) => compareUserKeys(a.smallest, b.smallest))
    for (let i = 1; i < ordered.length; i++) {
      if (compareUserKeys(ordered[i - 1]!.largest, ordered[i]!.smallest) >= 0) {
        throw damaged(manifestName, undefined, `tables of level ${level} overlap`)
      }
    }
  }
}

interface LogsReport {
  readonly files: number
  readonly bytes: number
  readonly tornBytes: number
}

/** Checks every log that is not in tables yet, and that batches follow each other without a gap. */
function checkLogs(
  directory: string,
  names: ReadonlySet<string>,
  { logNumber, previousLogNumber, lastSequence }: Manifest,
): LogsReport {
  const logs: { readonly name: string; readonly number: number }[] = []
  for (const name of names) {
    const number = /^(\d+)\.log$/.exec(name)?.[1]
    if (number === undefined) continue
    if (Number(number) >= logNumber || Number(number) === previousLogNumber) {
      logs.push({ name, number: Number(number) })
    }
  }
  logs.sort((a, b) => a.number - b.number)
  for (const number of [previousLogNumber, logNumber]) {
    if (number > 0 && !logs.some((log) => log.number === number)) {
      throw damaged(`${String(number).padStart(6, '0')}.log`, undefined, 'is missing')
    }
  }

  let bytes = 0
  let tornBytes = 0
  let torn: string | undefined
  /** Sequence number that the next batch must have; the first may lie in tables already. */
  let next: number | undefined
  for (const { name } of logs) {
    withFile(directory, name, (size, readAt) => {
      const reading = readLog(
        name,
        { size, readAt, headBytesMax: BATCH_HEAD_BYTES },
        (head, offset) => {
          if (torn !== undefined)
            throw damaged(torn, undefined, `ends torn, but ${name} follows it`)
          const batch = decodeBatchHead(head)
          if (batch === undefined) throw damaged(name, offset, 'holds a record that is no batch')
          const isGap = next === undefined ? batch.first > lastSequence + 1 : batch.first !== next
          if (isGap) throw damaged(name, offset, 'batches before this one are missing')
          next = batch.first + batch.count
        },
      )
      bytes += size
      if (reading.end === 'torn') {
        torn = name
        tornBytes = size - reading.wholeBytes
      }
    })
  }
  // The MANIFEST has seen changes that the log holds; if they are gone the log was cut.
  if (next !== undefined && next <= lastSequence) {
    throw damaged(logs.at(-1)!.name, undefined, 'changes that were acknowledged are missing')
  }
  return { files: logs.length, bytes, tornBytes }
}

function decodeBatchHead(head: Uint8Array): { first: number; count: number } | undefined {
  if (head.length < BATCH_HEAD_BYTES) return undefined
  const view = new DataView(head.buffer, head.byteOffset, BATCH_HEAD_BYTES)
  const first = Number(view.getBigUint64(0, true))
  return { first, count: view.getUint32(8, true) }
}

/** A table to check, as sent to a thread. */
export interface TableTask {
  readonly table: TableFile
  readonly name: string
}

/** What a thread answers: a table that is whole, or what is wrong. */
export type TableAnswer =
  | { readonly type: 'whole'; readonly size: number }
  | {
      readonly type: 'damaged'
      readonly name: string
      readonly offset?: number
      readonly reason: string
    }
  | { readonly type: 'unreadable'; readonly message: string }

/** Spreads the tables over threads, the largest first, so that all end at about the same time. */
async function checkTablesOnThreads(
  directory: string,
  tasks: readonly TableTask[],
  threads: number,
  onTable: (size: number) => void,
): Promise<void> {
  const queue = [...tasks].sort((a, b) => b.table.size - a.table.size)
  const workers: Worker[] = []
  const work = async (): Promise<void> => {
    const worker = new Worker(workerUrl(), { workerData: { directory } })
    workers.push(worker)
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const answer = await ask(worker, task)
      if (answer.type === 'damaged') throw damaged(answer.name, answer.offset, answer.reason)
      if (answer.type === 'unreadable') throw unreadable(task.name, new Error(answer.message))
      onTable(answer.size)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, work))
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** The worker's file lies beside this one, and ends the same: `.ts` from sources, `.js` built. */
function workerUrl(): URL {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  return new URL(`./level-files-worker${extension}`, import.meta.url)
}

function ask(worker: Worker, task: TableTask): Promise<TableAnswer> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      worker.off('message', onMessage)
      worker.off('error', onError)
      done()
    }
    const onMessage = (answer: TableAnswer): void => settle(() => resolve(answer))
    const onError = (error: Error): void => settle(() => reject(error))
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.postMessage(task)
  })
}

/** Opens a file for the time of a call. */
function withFile<Result>(
  directory: string,
  name: string,
  use: (
    size: number,
    readAt: (into: Uint8Array, at: number, length: number, position: number) => number,
  ) => Result,
): Result {
  let descriptor: number | undefined
  try {
    descriptor = openSync(join(directory, name), 'r')
    const fd = descriptor
    return use(fstatSync(fd).size, (into, at, length, position) => {
      let done = 0
      while (done < length) {
        const count = readSync(fd, into, at + done, length - done, position + done)
        if (count === 0) break
        done += count
      }
      return done
    })
  } catch (error) {
    throw error instanceof NodeError ? error : unreadable(name, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** The disk refuses to read: as much damage as a wrong byte is. */
function unreadable(file: string, cause: unknown): NodeError {
  const { code, message } = cause as { code?: string; message?: string }
  return new NodeError(
    'NODE_STORE_DAMAGED',
    `${file} cannot be read: ${message}; check the disk and the rights on the data directory`,
    { file, code },
    { cause },
  )
}
