/**
 * Changes of a chain's validators, followed without trusting whoever tells of them: each sealed header
 * says its set. A newer set is taken over if a quorum of it, and more of the trusted one than can be
 * faulty, have sealed the header: one honest trusted validator at least has seen it become final.
 *
 * Spec: docs/protocol/offline-verification.md, "Following validators".
 */

import { LICENCE_LIMITS } from './config.ts'
import type { Verdict } from './error.ts'
import { readNodeHeader } from './node-header.ts'
import type { TrustedChain } from './offline-proof.ts'
import {
  faultsOf,
  NO_DOMAIN,
  type SealReason,
  type ValidatorSet,
  verifySeals,
} from './sealed-header.ts'

export type FollowReason =
  | SealReason
  /** More than `LICENCE_LIMITS.followedHeadersMax`. */
  | 'too many headers'
  /** Keys of validators that left since may be anybody's: a new trust is needed, from where the old one was. */
  | 'trust too old'
  | 'header of another chain'
  /** Not above the block that trust stands at, or from before it. */
  | 'header not newer'
  | 'header from the future'
  /** Empty, too large, or not ascending. */
  | 'validator set malformed'
  /** Too few of the trusted validators have sealed it: headers between are missing, or it is forged. */
  | 'too few trusted seals'

/**
 * A chain's validators after some headers, each checked with those before it.
 * @param headers RLP with seals, ascending: at least the first of each set; the last renews `asOf`
 * @param rule.now seconds since 1970
 * @param rule.trustSeconds how long after they left validators are still trusted not to give their keys away
 * @returns the first refusal, or all of it
 * @throws LicenceError LICENCE_HEADER_UNUSUAL for bytes that are no header of a QBFT chain
 */
export function followValidators(
  chain: TrustedChain,
  headers: readonly Uint8Array[],
  rule: { readonly now: number; readonly trustSeconds: number },
): Verdict<{ readonly chain: TrustedChain }, FollowReason> {
  const { now, trustSeconds } = rule
  if (headers.length > LICENCE_LIMITS.followedHeadersMax) {
    return { ok: false, reason: 'too many headers' }
  }
  if (chain.asOf === undefined || now - chain.asOf > trustSeconds) {
    return { ok: false, reason: 'trust too old' }
  }
  let trusted = chain
  for (const bytes of headers) {
    const followed = followHeader(trusted, bytes, now)
    if (!followed.ok) return followed
    trusted = followed.chain
  }
  return { ok: true, chain: trusted }
}

function followHeader(
  chain: TrustedChain,
  bytes: Uint8Array,
  now: number,
): Verdict<{ readonly chain: TrustedChain }, FollowReason> {
  const { header, seals, commitHash, validators, domain } = readNodeHeader(bytes)
  const { number, timestamp } = header
  const last = chain.validators.at(-1)
  if (domain !== (chain.domain ?? NO_DOMAIN)) {
    return { ok: false, reason: 'header of another chain' }
  }
  if (last === undefined || number <= last.from || timestamp < (chain.asOf ?? 0)) {
    return { ok: false, reason: 'header not newer' }
  }
  if (timestamp > now + LICENCE_LIMITS.clockSkewSeconds) {
    return { ok: false, reason: 'header from the future' }
  }
  if (!isValidatorSet(validators)) return { ok: false, reason: 'validator set malformed' }
  const sealed = verifySeals(commitHash, seals, validators)
  if (!sealed.ok) return sealed
  const known = last.set.filter((each) => sealed.signers.has(each))
  if (known.length <= faultsOf(last.set.length)) {
    return { ok: false, reason: 'too few trusted seals' }
  }
  const isSame = validators.join() === last.set.join()
  const sets = isSame ? chain.validators : [...chain.validators, { from: number, set: validators }]
  return { ok: true, chain: { ...chain, validators: sets, asOf: timestamp } }
}

/** Ascending, each once. */
function isValidatorSet(set: ValidatorSet): boolean {
  const isAscending = set.every((each, i) => i === 0 || set[i - 1]! < each)
  return set.length > 0 && set.length <= LICENCE_LIMITS.validatorsMax && isAscending
}
