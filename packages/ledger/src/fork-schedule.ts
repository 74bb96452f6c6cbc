/**
 * Which rules hold at which block: the fork schedule of a chain.
 *
 * Forks up to Paris start at a block number, later ones at a timestamp (EIP-6122). The machine runs
 * London and later; the names before it exist because foreign chains have such blocks.
 */

import { FORKS, type Fork } from '@vellum/evm'
import { type BlobSchedule, defaultBlobSchedule } from './fees.ts'

/** Rule sets before London, in order. This node decodes their blocks and does not execute them. */
export const OLD_FORKS = [
  'frontier',
  'homestead',
  'tangerineWhistle',
  'spuriousDragon',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
  'berlin',
] as const

export type OldFork = (typeof OLD_FORKS)[number]
export type ChainFork = OldFork | Fork

/** All names in order of activation. */
export const CHAIN_FORKS: readonly ChainFork[] = [...OLD_FORKS, ...FORKS]

/** The start of a fork: a block number, or seconds since 1970. */
export interface ForkActivation {
  readonly fork: ChainFork
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
}

/** The rules of the block with this number and timestamp (seconds). */
export function forkAt(schedule: ForkSchedule, number: number, timestamp: number): ChainFork {
  const { forks } = schedule
  for (let i = forks.length - 1; i >= 0; i--) {
    const { fork, by, at } = forks[i]!
    if ((by === 'block' ? number : timestamp) >= at) return fork
  }
  return 'frontier'
}

/** True for the forks that the machine can run. */
export function isExecutableFork(fork: ChainFork): fork is Fork {
  return (FORKS as readonly string[]).includes(fork)
}

/** True if `fork` has the rules that `since` introduced. */
export function isChainForkAtLeast(fork: ChainFork, since: ChainFork): boolean {
  return CHAIN_FORKS.indexOf(fork) >= CHAIN_FORKS.indexOf(since)
}

/** Blob parameters at a timestamp (seconds); those of no blobs before Cancun. */
export function blobScheduleAt(schedule: ForkSchedule, timestamp: number): BlobSchedule {
  const { blobs } = schedule
  for (let i = blobs.length - 1; i >= 0; i--) if (timestamp >= blobs[i]!.at) return blobs[i]!
  return defaultBlobSchedule('london')
}
