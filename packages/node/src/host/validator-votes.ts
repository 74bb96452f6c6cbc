/**
 * The vote files of the validator that a node runs, one for each chain, and what is told about them.
 *
 * The file of a side chain is named after its genesis block: a name of a chain can be used again, and
 * what was said on one chain says nothing of another. When a chain is discarded its file goes, and the
 * block's hash is noted beside it: if the same chain ever comes back, its votes count as lost.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Address, Hash } from '@vellum/evm'
import type { NodeConfig } from '../config.ts'
import type { Logger, VoteLog } from '../ports.ts'
import { syncDirectory } from './head-file.ts'
import { createVoteFile, openVoteFile, voteFilePath } from './vote-file.ts'

export interface ValidatorVotes {
  readonly log: VoteLog
  readonly path: string
  /** Why the validator abstains; undefined: it votes. */
  readonly lostReason: string | undefined
  close(): Promise<void>
}

export interface ValidatorVotesOptions {
  /** See `votesPathOf`. */
  readonly path: string
  readonly validator: Address
  readonly log: Logger
  readonly acceptVoteLoss: boolean
}

/** Hex digits of a genesis block's hash in the name of a file: enough to tell chains apart. */
const HASH_DIGITS = 16

/** Main's file: that of the configuration, or that beside the keystore. */
export function votesPathOf(
  { validator: { keystore, votesFile }, dataDir }: NodeConfig,
  validator: Address,
): string {
  return votesFile ?? voteFilePath(keystore ?? join(dataDir, 'key'), validator)
}

/** A side chain's file. @param main path of main's file @param genesisHash of its first block */
export function sideVotesPath(main: string, genesisHash: Hash): string {
  return `${main}-${genesisHash.slice(2, 2 + HASH_DIGITS)}`
}

/**
 * Makes the vote file of a side chain on which this validator has never voted. Does nothing where there
 * is one, or where the chain was discarded once: then nobody knows, and the validator abstains at first.
 */
export function beginVotes(main: string, validator: Address, genesisHash: Hash): void {
  const path = sideVotesPath(main, genesisHash)
  if (existsSync(path) || discardedChains(main).includes(genesisHash)) return
  createVoteFile({ path, validator })
}

/** Forgets what was voted on a side chain, and durably notes that it is forgotten. */
export function discardVotes(main: string, genesisHash: Hash): void {
  if (!discardedChains(main).includes(genesisHash)) {
    const descriptor = openSync(discardedPath(main), 'a', 0o600)
    try {
      writeSync(descriptor, `${genesisHash}\n`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    syncDirectory(dirname(main))
  }
  const path = sideVotesPath(main, genesisHash)
  rmSync(path, { force: true })
  rmSync(`${path}.lock`, { recursive: true, force: true })
}

function discardedPath(main: string): string {
  return `${main}-discarded`
}

function discardedChains(main: string): readonly string[] {
  try {
    return readFileSync(discardedPath(main), 'utf8').split('\n')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
}

/** Opens a chain's file. @throws NodeError as `openVoteFile` */
export async function openVotes(options: ValidatorVotesOptions): Promise<ValidatorVotes> {
  const { path, validator, log, acceptVoteLoss } = options
  let file = await openVoteFile({ path, validator })
  if (file.lostReason !== undefined && acceptVoteLoss) {
    log.error('begins without knowing what this validator has voted, as --accept-vote-loss says', {
      reason: file.lostReason,
      file: path,
    })
    await file.close()
    if (existsSync(path)) renameSync(path, `${path}.lost`)
    createVoteFile({ path, validator })
    file = await openVoteFile({ path, validator })
  }
  const { lostReason } = file
  if (lostReason !== undefined) {
    log.warn(
      'this validator abstains until two blocks are final without it: what it has voted is not known. A key that never voted: `vellum votes init`. If all validators have lost their votes: --accept-vote-loss on each',
      { reason: lostReason, file: path },
    )
  }
  return { log: file, path, lostReason, close: file.close }
}
