/**
 * Offline verification: a code with a licence, its status at a height and a quorum's seals, checked
 * with nothing but the validator set. The one thing it cannot see is what happened after that height;
 * how old it may be is the verifier's own rule.
 */

import { decodeCode, encodeCode } from './code.ts'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError, type Verdict } from './error.ts'
import { identifierDigest } from './licence-identifier.ts'
import {
  type ProofReason,
  type ProvenStatus,
  type TrustedChain,
  verifyProof,
} from './offline-proof.ts'
import {
  type Presentation,
  type PresentationReason,
  readPresentation,
  remember,
} from './presentation.ts'
import type { ReplayMemory } from './replay.ts'
import type { LicenceStatus } from './status-tree.ts'

export interface OfflineAnswer {
  readonly presentation: Presentation
  readonly status: ProvenStatus
}

export type OfflineReason =
  | PresentationReason
  | ProofReason
  /** The proof is of another licence: its identifier or holder differ. */
  | 'another licence'
  /** The licence has other contents than this credential. */
  | 'another credential'
  /** Older than the verifier's rule allows. */
  | 'proof too old'
  /** From a time that has not come: the verifier's clock is wrong, or the validators'. */
  | 'proof from the future'
  | StatusReason

/** What a licence is instead of in force, as reasons. */
export type StatusReason =
  | 'offered'
  | 'declined'
  | 'suspended'
  | 'rescinded'
  | 'cancelled'
  | 'lapsed'
  | 'transferred out'
  | 'revoked'

export const STATUS_REASONS: Readonly<
  Record<Exclude<LicenceStatus, 'None' | 'InForce'>, StatusReason>
> = {
  Offered: 'offered',
  Declined: 'declined',
  Suspended: 'suspended',
  Rescinded: 'rescinded',
  Cancelled: 'cancelled',
  Lapsed: 'lapsed',
  TransferredOut: 'transferred out',
  Revoked: 'revoked',
}

/**
 * The text of an offline code.
 * @param presentation of `present`
 * @throws LicenceError LICENCE_CODE_TOO_LARGE
 */
export function encodeOfflineCode(presentation: string, proof: Uint8Array): string {
  return encodeCode({ kind: 'offline', text: presentation, proof })
}

/**
 * Checks an offline code.
 * @param rule.ageMax seconds that the proof's block may be old
 * @throws LicenceError LICENCE_CODE_MALFORMED, LICENCE_CREDENTIAL_MALFORMED, LICENCE_PROOF_MALFORMED
 */
export function verifyOfflineCode(
  code: string,
  rule: {
    readonly chain: TrustedChain
    readonly memory: ReplayMemory
    readonly now: number
    readonly ageMax: number
  },
): Verdict<{ readonly answer: OfflineAnswer }, OfflineReason> {
  const decoded = decodeCode(code)
  if (decoded.kind !== 'offline') {
    throw new LicenceError('LICENCE_CODE_MALFORMED', 'this code has no status proof')
  }
  return verifyOffline(decoded, rule)
}

/** As `verifyOfflineCode`, for the parts of a code. */
export function verifyOffline(
  parts: { readonly text: string; readonly proof: Uint8Array },
  rule: Parameters<typeof verifyOfflineCode>[1],
): Verdict<{ readonly answer: OfflineAnswer }, OfflineReason> {
  const { chain, memory, now, ageMax } = rule
  const proven = verifyProof(parts.proof, chain)
  if (!proven.ok) return proven
  const { status } = proven
  if (now - status.time > ageMax) return { ok: false, reason: 'proof too old' }
  if (status.time - now > LICENCE_LIMITS.clockSkewSeconds) {
    return { ok: false, reason: 'proof from the future' }
  }
  const shown = readPresentation(parts.text, now)
  if (!shown.ok) return shown
  const { presentation } = shown
  const { credential } = presentation
  const { leaf } = status
  const isSame =
    leaf.identifier === identifierDigest(credential.identifier) && leaf.holder === credential.holder
  if (!isSame) return { ok: false, reason: 'another licence' }
  const hasContent =
    leaf.content === credential.contentDigest &&
    leaf.validFrom === credential.validity.from &&
    leaf.validUntil === credential.validity.until
  if (!hasContent) return { ok: false, reason: 'another credential' }
  const { status: named } = leaf
  if (named !== 'InForce') {
    return { ok: false, reason: named === 'None' ? 'another licence' : STATUS_REASONS[named] }
  }
  // Last: a showing that was refused for another reason may be tried again.
  const remembered = remember(presentation, memory, now)
  return remembered.ok ? { ok: true, answer: { presentation, status } } : remembered
}
