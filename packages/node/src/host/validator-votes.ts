/** The vote file of the validator that a node runs, and what is told about it. */

import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '@vellum/evm'
import type { NodeConfig } from '../config.ts'
import type { Logger, VoteLog } from '../ports.ts'
import { createVoteFile, openVoteFile, voteFilePath } from './vote-file.ts'

export interface ValidatorVotes {
  readonly log: VoteLog
  readonly path: string
  /** Why the validator abstains; undefined: it votes. */
  readonly lostReason: string | undefined
  close(): Promise<void>
}

export interface ValidatorVotesOptions {
  readonly config: NodeConfig
  readonly validator: Address
  readonly log: Logger
  readonly acceptVoteLoss: boolean
}

/**
 * Opens the file of the configuration, or that beside the keystore.
 * @throws NodeError as `openVoteFile`
 */
export async function openVotes(options: ValidatorVotesOptions): Promise<ValidatorVotes> {
  const { config, validator, log, acceptVoteLoss } = options
  const { keystore, votesFile } = config.validator
  const path = votesFile ?? voteFilePath(keystore ?? join(config.dataDir, 'key'), validator)
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
