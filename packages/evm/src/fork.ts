/** The rule sets of Ethereum that a chain can select, in order of activation. */

export const FORKS = ['london', 'paris', 'shanghai', 'cancun', 'prague', 'osaka'] as const

/** One rule set. `paris` differs from `london` only in opcode 0x44 (PREVRANDAO). */
export type Fork = (typeof FORKS)[number]

/** True if `fork` has the rules that `since` introduced. */
export function isAtLeast(fork: Fork, since: Fork): boolean {
  return FORKS.indexOf(fork) >= FORKS.indexOf(since)
}
