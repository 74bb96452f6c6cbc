/**
 * What a validator has said, in a file beside its key: on the disk before anybody hears of it, and
 * read after a restart so that nothing else is said in the same place (qbft.md §17).
 *
 * The file has its whole size from the start, written with zeros, so that an append changes no length
 * and costs one write and one fdatasync. All of it is checked when it is opened: another size, a bit
 * that does not fit its checksum, a gap in the numbers, and the votes count as lost.
 *
 * A record that was torn while it was written is passed over: nothing was said on the strength of it.
 * A mark tells it from a damaged one that mattered. It names the records that are known to be on the
 * disk, and is written after each of them without waiting: the next append makes it durable, or the
 * system within seconds. So a loss of power can take at most the mark of the last append; for a
 * validator to forget what it said, that record must be damaged in the same moment.
 *
 * More than half full and with nothing alive, or without room, the file is replaced by a new one, with
 * the records that are still alive: written beside it, synced, renamed over it.
 */

import {
  closeSync,
  existsSync,
  fdatasync,
  fsync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { VoteRecord } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { NodeError } from '../error.ts'
import type { VoteLog } from '../ports.ts'
import { lockDirectory } from './directory-lock.ts'
import { syncDirectory } from './head-file.ts'
import {
  entryOf,
  parseVoteImage,
  putRecords,
  recordBytesOf,
  VOTE_FILE_LIMITS,
  VOTE_RECORDS_AT,
  type VoteContents,
  type VoteEntry,
  voteImageOf,
  voteMark,
} from './vote-image.ts'

export interface VoteFile extends VoteLog {
  /** Why the votes count as lost; undefined where they do not. */
  readonly lostReason: string | undefined
  /** Waits for what is being written, then frees file and key. */
  close(): Promise<void>
}

export interface VoteFileOptions {
  readonly path: string
  readonly validator: Address
  /** Bytes of a new file; it is larger where the records ask for it. */
  readonly fileBytes?: number
}

/** Certificates of a height that count: the latest, and the one that a round change named before it. */
const CERTIFICATES_KEPT = 2
const syncData = promisify(fdatasync)
const syncAll = promisify(fsync)

/** Beside the keystore, named after the validator. */
export function voteFilePath(keystore: string, validator: Address): string {
  return join(dirname(keystore), `votes-${validator.slice(2)}`)
}

/**
 * Creates the file of a validator that has never voted.
 * @throws NodeError NODE_FILE_INVALID if there is one, or it cannot be written
 */
export function createVoteFile(options: VoteFileOptions): void {
  const { path, validator, fileBytes = VOTE_FILE_LIMITS.fileBytes } = options
  const temporary = `${path}.new`
  try {
    const descriptor = writeImage(temporary, voteImageOf(validator, 1, [], fileBytes).bytes)
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    // Unlike a rename, a link never replaces what is there.
    linkSync(temporary, path)
    syncDirectory(dirname(path))
  } catch (cause) {
    const reason = existsSync(path)
      ? 'it exists, says what the validator has voted, and must not be replaced'
      : (cause as Error).message
    throw new NodeError(
      'NODE_FILE_INVALID',
      `the vote file ${path} cannot be created: ${reason}`,
      { path },
      { cause },
    )
  } finally {
    rmSync(temporary, { force: true })
  }
}

/**
 * Takes the key for this process and reads what was said with it.
 * @throws NodeError NODE_STORE_LOCKED, NODE_STORE_FAILED
 */
export async function openVoteFile(options: VoteFileOptions): Promise<VoteFile> {
  const { path, validator } = options
  const release = await lockDirectory(
    `${path}.lock`,
    `the key of validator ${validator} is in use by another process: two that vote with one key would contradict each other`,
  )
  try {
    const contents = readVotes(path, validator)
    const descriptor = typeof contents === 'string' ? undefined : openSync(path, 'r+')
    return writer(options, contents, descriptor, release)
  } catch (cause) {
    await release()
    throw new NodeError(
      'NODE_STORE_FAILED',
      `the vote file ${path} cannot be opened: ${(cause as Error).message}`,
      { path },
      { cause },
    )
  }
}

function writer(
  { path, validator, fileBytes = VOTE_FILE_LIMITS.fileBytes }: VoteFileOptions,
  contents: VoteContents | string,
  opened: number | undefined,
  release: () => Promise<void>,
): VoteFile {
  const isLost = typeof contents === 'string'
  let { entries, sequence, used, fileBytes: size, isTorn } = isLost ? nothing(fileBytes) : contents
  const found = isLost ? 'lost' : entries.map(({ record }) => record)
  let descriptor = opened
  let releasedThrough = -1
  let appending: Promise<void> = Promise.resolve()
  let failure: { readonly error: unknown } | undefined

  async function append(records: readonly VoteRecord[]): Promise<void> {
    // After a failed write nobody knows what is on the disk; the system may even forget that it failed.
    if (failure !== undefined) throw failure.error
    const added = records.map(entryOf)
    entries = entries.filter(({ record }) => record.height > releasedThrough)
    const isWorn = entries.length === 0 && used > size / 2
    try {
      const isFull = used + recordBytesOf(added) > size
      if (descriptor === undefined || isTorn || isWorn || isFull) await renew(added)
      else await extend(descriptor, added)
    } catch (error) {
      failure = { error }
      throw error
    }
  }

  async function extend(file: number, added: readonly VoteEntry[]): Promise<void> {
    const bytes = Buffer.alloc(recordBytesOf(added))
    putRecords(bytes, 0, sequence, added)
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(file, bytes, at, bytes.length - at, used + at)
    }
    await syncData(file)
    used += bytes.length
    sequence += added.length
    entries = [...entries, ...added]
    const mark = voteMark(sequence)
    writeSync(file, mark.bytes, 0, mark.bytes.length, mark.at)
  }

  async function renew(added: readonly VoteEntry[]): Promise<void> {
    const kept = whatCounts([...entries, ...added])
    const image = voteImageOf(validator, sequence, kept, fileBytes)
    const temporary = `${path}.new`
    rmSync(temporary, { force: true })
    const next = writeImage(temporary, image.bytes)
    await syncAll(next)
    // What could not be read is kept for whoever wants to know why.
    if (descriptor === undefined && existsSync(path)) renameSync(path, `${path}.lost`)
    renameSync(temporary, path)
    await syncParent(path)
    if (descriptor !== undefined) closeSync(descriptor)
    descriptor = next
    entries = kept
    sequence += kept.length
    used = image.used
    size = image.bytes.length
    isTorn = false
  }

  return {
    found,
    lostReason: isLost ? contents : undefined,
    append: (records) => {
      appending = append(records)
      return appending
    },
    release: (height) => {
      releasedThrough = Math.max(releasedThrough, height)
    },
    close: async () => {
      // Whoever called `append` has heard of its failure.
      await appending.catch(() => {})
      if (descriptor !== undefined) closeSync(descriptor)
      await release()
    },
  }
}

function nothing(fileBytes: number): VoteContents {
  return { entries: [], sequence: 1, used: VOTE_RECORDS_AT, fileBytes, isTorn: false }
}

/**
 * Of each height every vote, but of its certificates and rounds only those that are still looked at:
 * what bounds the file when a height takes many rounds.
 */
function whatCounts(entries: readonly VoteEntry[]): VoteEntry[] {
  const seen = new Map<string, number>()
  return entries
    .toReversed()
    .filter(({ record: { kind, height } }) => {
      const count = (seen.get(`${kind} ${height}`) ?? 0) + 1
      seen.set(`${kind} ${height}`, count)
      if (kind === 'round') return count === 1
      return kind === 'prepared' ? count <= CERTIFICATES_KEPT : true
    })
    .reverse()
}

/** What the file holds, or why it counts as lost. @throws system errors other than a missing file */
function readVotes(path: string, validator: Address): VoteContents | string {
  try {
    return parseVoteImage(readFileSync(path), validator)
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return 'there is no vote file'
    throw error
  }
}

/** @returns the open file */
function writeImage(path: string, bytes: Uint8Array): number {
  rmSync(path, { force: true })
  const descriptor = openSync(path, 'wx', 0o600)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

/** A renamed entry survives a loss of power. Not possible, and not needed, on Windows. */
async function syncParent(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const descriptor = openSync(dirname(path), 'r')
  try {
    await syncAll(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
