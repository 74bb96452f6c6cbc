/**
 * What proves that a block is decided: seals of a quorum in its header. `verifyCertificate` is the
 * one function behind import, sync and the peg.
 *
 * Stricter than Besu in what it takes: seals are canonical (low s, parity 0 or 1), distinct, and no
 * more than the set has members. Spec: qbft.md §3–5.
 */

import type { Address } from '@vellum/evm'
import { commitHash, decodeExtraData, type Header, type Verdict } from '@vellum/ledger'
import type { RecoverAuthor } from './codec.ts'
import { quorum } from './quorum.ts'

export type CertificateReason =
  | 'too few seals'
  | 'more seals than validators'
  | 'two seals of one validator'
  | 'seal of nobody in the set'

/**
 * Whether a quorum of the set has sealed the header, in the round that it names.
 * @param validators the set in force for this block: from the chain before it, never from the header
 */
export function verifyCertificate(
  header: Header,
  validators: readonly Address[],
  recover: RecoverAuthor,
): Verdict<CertificateReason> {
  const { seals } = decodeExtraData(header.extraData)
  if (seals.length < quorum(validators.length)) return { ok: false, reason: 'too few seals' }
  if (seals.length > validators.length) return { ok: false, reason: 'more seals than validators' }
  const hash = commitHash(header)
  const signers = new Set<Address>()
  for (const seal of seals) {
    const signer = recover(hash, seal)
    if (signer === undefined || !validators.includes(signer)) {
      return { ok: false, reason: 'seal of nobody in the set' }
    }
    if (signers.has(signer)) return { ok: false, reason: 'two seals of one validator' }
    signers.add(signer)
  }
  return { ok: true }
}

/** Validators that sealed the header, in its order; undefined where a seal is nobody's. */
export function sealersOf(header: Header, recover: RecoverAuthor): (Address | undefined)[] {
  const { seals } = decodeExtraData(header.extraData)
  const hash = commitHash(header)
  return seals.map((seal) => recover(hash, seal))
}
