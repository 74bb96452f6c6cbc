/** The rule sets of Ethereum that a block can have, in order of activation. */

export const FORKS = [
  'frontier',
  'homestead',
  'tangerineWhistle',
  'spuriousDragon',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
  'berlin',
  'london',
  'paris',
  'shanghai',
  'cancun',
  'prague',
  'osaka',
] as const

/** One rule set. `paris` differs from `london` only in opcode 0x44 (PREVRANDAO). */
export type Fork = (typeof FORKS)[number]

const ORDER: Readonly<Record<Fork, number>> = Object.fromEntries(
  FORKS.map((fork, index) => [fork, index]),
) as Record<Fork, number>

/** True if `fork` has the rules that `since` introduced. */
export function isAtLeast(fork: Fork, since: Fork): boolean {
  return ORDER[fork] >= ORDER[since]
}
