/**
 * Which rules hold at which block: the fork schedule of a chain.
 *
 * Forks up to Paris start at a block number, later ones at a timestamp (EIP-6122). A chain that gave up
 * proof of work may name no block for Paris: it is then where its blocks say (EIP-3675).
 */

import { type Fork, isAtLeast } from '@vellum/evm'
import { type BlobSchedule, defaultBlobSchedule } from './fees.ts'

/** The start of a fork: a block number, or seconds since 1970. */
export interface ForkActivation {
  readonly fork: Fork
  readonly by: 'block' | 'time'
  readonly at: number
}

/** A change of the blob parameters: of a fork, or between forks (EIP-7892). */
export interface BlobActivation extends BlobSchedule {
  /** `cancun`, `prague`, `osaka`, `bpo1`, ... */
  readonly name: string
  /** Seconds since 1970. */
  readonly at: number
}

/** When the rules of a chain change. Frontier is where every schedule starts. */
export interface ForkSchedule {
  /** In order of the forks; forks that the chain does not have are left out. */
  readonly forks: readonly ForkActivation[]
  /** In order of time; a fork stands before an equally early change of parameters alone. */
  readonly blobs: readonly BlobActivation[]
  /** Forks of the genesis that change no rule, by key, with their blocks: EIP-6122 counts them. */
  readonly idleForks: readonly (readonly [key: string, at: number])[]
}

/**
 * The rules of the block with this number and timestamp (seconds).
 * @param mergedAt first block without proof of work, where the schedule does not name it
 */
export function forkAt(
  schedule: ForkSchedule,
  number: number,
  timestamp: number,
  mergedAt: number = Number.POSITIVE_INFINITY,
): Fork {
  const { forks } = schedule
  const isMerged = number >= mergedAt
  for (let i = forks.length - 1; i >= 0; i--) {
    const { fork, by, at } = forks[i]!
    if ((by === 'block' ? number : timestamp) < at) continue
    return isMerged && !isAtLeast(fork, 'paris') ? 'paris' : fork
  }
  return isMerged ? 'paris' : 'frontier'
}

/** Blob parameters at a timestamp (seconds); those of no blobs before Cancun. */
export function blobScheduleAt(schedule: ForkSchedule, timestamp: number): BlobSchedule {
  const { blobs } = schedule
  for (let i = blobs.length - 1; i >= 0; i--) if (timestamp >= blobs[i]!.at) return blobs[i]!
  return defaultBlobSchedule('london')
}
