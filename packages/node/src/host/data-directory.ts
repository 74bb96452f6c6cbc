/**
 * A node's data directory, opened so that nothing damaged is ever served:
 *
 * ```
 * lock/          held by the one process that uses the directory
 * genesis.json   what the chain started from
 * store/         the LevelDB database; its files are verified before LevelDB sees them
 * head           the last durable head (`head-file.ts`)
 * keystore/      keys, unless they are kept elsewhere
 * ```
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NodeError } from '../error.ts'
import { lockDirectory } from './directory-lock.ts'
import { createHeadFile, type HeadFile, headFileExists, openHeadFile } from './head-file.ts'
import { type LevelKeyValue, type LevelOptions, openLevel } from './level.ts'
import { type LevelFilesOptions, type LevelFilesReport, verifyLevelFiles } from './level-files.ts'

export interface DataDirectory {
  readonly disk: LevelKeyValue
  readonly heads: HeadFile
  /** What the verification of the database's files found. */
  readonly report: LevelFilesReport
  /** Finishes what is being written, then frees everything. */
  close(): Promise<void>
}

export interface DataDirectoryOptions extends LevelFilesOptions {
  readonly level?: LevelOptions
  /** Take the database's head for true although the head file is missing or damaged. */
  readonly acceptHead?: boolean
}

export function genesisPath(dataDir: string): string {
  return join(dataDir, 'genesis.json')
}

export function keystoreDirectory(dataDir: string): string {
  return join(dataDir, 'keystore')
}

/**
 * Locks the directory, verifies the files in it, and opens them; creates what a new one needs.
 * @throws NodeError NODE_STORE_LOCKED, NODE_STORE_DAMAGED, NODE_STORE_SHORTENED or NODE_STORE_FAILED
 */
export async function openDataDirectory(
  dataDir: string,
  options: DataDirectoryOptions,
): Promise<DataDirectory> {
  makeDirectory(dataDir)
  // The chain's database cannot hold the lock: its files are read before it is opened.
  const release = await lockDirectory(
    join(dataDir, 'lock'),
    `the data in ${dataDir} is in use by another process; stop that one, or use another --data-dir`,
  )
  let heads: HeadFile | undefined
  try {
    const store = join(dataDir, 'store')
    const report = await verifyLevelFiles(store, options)
    heads = openHeads(join(dataDir, 'head'), report.exists, options.acceptHead ?? false)
    if (!report.exists && heads.found !== undefined) {
      throw new NodeError(
        'NODE_STORE_SHORTENED',
        `${store} is gone, but the chain had reached block ${heads.found.height}; restore a backup of the data directory, or delete all of it to begin anew`,
        { noted: heads.found.height },
      )
    }
    const disk = await openLevel(store, options.level)
    const files = heads
    return {
      disk,
      heads,
      report,
      close: async () => {
        await disk.close()
        files.close()
        await release()
      },
    }
  } catch (error) {
    heads?.close()
    await release()
    throw error
  }
}

function makeDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new NodeError(
      'NODE_STORE_FAILED',
      `the data directory ${dataDir} cannot be made: ${(cause as Error).message}`,
      { directory: dataDir },
      { cause },
    )
  }
}

function openHeads(path: string, hasStore: boolean, acceptHead: boolean): HeadFile {
  if (!headFileExists(path)) {
    if (hasStore && !acceptHead) {
      throw new NodeError(
        'NODE_STORE_DAMAGED',
        `${path} is missing: without it nobody can tell whether blocks were lost at the chain's end. Restore it with the rest of the data directory from a backup; if the database is known to be whole, run \`vellum verify --accept-head\``,
        { file: path },
      )
    }
    return createHeadFile(path)
  }
  return openHeadFile(path, acceptHead)
}
