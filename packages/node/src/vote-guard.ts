/**
 * Whether a change of the validator set is safe to want: the validators that are live now must be a
 * quorum of the set as it would be. A set that cannot decide cannot take its mistake back.
 */

import { quorum, type Vote } from '@vellum/consensus'
import type { Address } from '@vellum/evm'

export interface VoteGuardFacts {
  /** Of the next block. */
  readonly validators: readonly Address[]
  /** Ourselves if we vote, and everybody connected of whom we have heard lately. */
  readonly live: ReadonlySet<Address>
  /** What this node wants already. */
  readonly pending: ReadonlyMap<Address, Vote['kind']>
  /** Below this many validators the set is not made smaller. */
  readonly validatorsMin: number
}

export interface WantedVote {
  readonly subject: Address
  readonly kind: Vote['kind']
  /** The operator accepts a halt, but never an empty set. */
  readonly isForced: boolean
}

export type VoteVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Four is the least set that survives a faulty validator. */
export const VALIDATORS_MIN = 4

/** Judges a vote by itself, and together with the others that this node wants. */
export function verifyVote(wanted: WantedVote, facts: VoteGuardFacts): VoteVerdict {
  const alone = verifyChange(changed(facts.validators, [wanted]), wanted, facts)
  if (!alone.ok) return alone
  const others = [...facts.pending]
    .filter(([subject]) => subject !== wanted.subject)
    .map(([subject, kind]) => ({ subject, kind }))
  if (others.length === 0) return alone
  const together = verifyChange(changed(facts.validators, [...others, wanted]), wanted, facts)
  if (together.ok) return together
  return { ok: false, reason: `together with the votes that are pending: ${together.reason}` }
}

function verifyChange(
  after: readonly Address[],
  { isForced }: WantedVote,
  { validators, live, validatorsMin }: VoteGuardFacts,
): VoteVerdict {
  if (after.length === 0) {
    return { ok: false, reason: 'the set would be empty: no block could be made any more' }
  }
  if (isForced || isSameSet(after, validators)) return { ok: true }
  if (after.length < validators.length && after.length < validatorsMin) {
    // A set that is smaller already was meant to be.
    if (validators.length >= validatorsMin) {
      return {
        ok: false,
        reason: `${after.length} of ${validators.length} validators would be left, fewer than the least of ${validatorsMin}; true as third parameter votes all the same`,
      }
    }
  }
  const needed = quorum(after.length)
  const liveAfter = after.filter((each) => live.has(each))
  if (liveAfter.length >= needed) return { ok: true }
  const away = after.filter((each) => !live.has(each))
  return {
    ok: false,
    reason: `of ${after.length} validators ${needed} would be needed for a block, and ${liveAfter.length} are live; not live: ${away.join(', ')}; start and connect them first, or vote all the same with true as third parameter`,
  }
}

function changed(
  validators: readonly Address[],
  votes: readonly Pick<WantedVote, 'subject' | 'kind'>[],
): readonly Address[] {
  const set = new Set(validators)
  for (const { subject, kind } of votes) {
    if (kind === 'add') set.add(subject)
    else set.delete(subject)
  }
  return [...set].sort()
}

function isSameSet(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each))
}
