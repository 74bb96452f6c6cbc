/**
 * Every bit of a status proof matters: flipped, it is no proof, or a proof of nothing that a quorum has
 * sealed. Each verification recovers a signature in JavaScript, so this takes a while.
 */

import type { SigningKey } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeProof,
  identifierDigest,
  LicenceError,
  quorumOf,
  type StatusLeaf,
  verifyProof,
} from '../src/index.ts'
import { DATA, keyOf, NOW } from './samples.ts'
import { deepPath, sealedHeader, trusted, validatorKeys } from './sealed-chain.ts'

const SEAL_BITS = 65 * 8
const leaf: StatusLeaf = {
  number: 765_432,
  identifier: identifierDigest(DATA.identifier),
  status: 'InForce',
  version: 1,
  holder: keyOf(2).address,
  content: `0x${'5a'.repeat(32)}`,
  validFrom: NOW - 90_000,
  validUntil: NOW + 9_000_000,
  statusTime: NOW - 900,
}

/** A proof with the tree of a million licences. */
function proofOf(keys: readonly SigningKey[]): Uint8Array {
  const { path, root } = deepPath(leaf)
  return encodeProof({ header: sealedHeader({ keys, root }), leaf, path })
}

/** Why the proof with one bit flipped is refused; undefined if it is not. */
function refusalOf(
  proof: Uint8Array,
  bit: number,
  keys: readonly SigningKey[],
): string | undefined {
  const flipped = proof.slice()
  flipped[bit >> 3]! ^= 1 << (bit & 7)
  try {
    const verdict = verifyProof(flipped, trusted(keys))
    return verdict.ok ? undefined : verdict.reason
  } catch (error) {
    if (!(error instanceof LicenceError)) throw error
    return error.code
  }
}

/** How often each refusal was met with each of these bits flipped. */
function refusals(
  proof: Uint8Array,
  range: { readonly from: number; readonly to: number },
  keys: readonly SigningKey[],
): Map<string, number> {
  const counts = new Map<string, number>()
  for (let bit = range.from; bit < range.to; bit++) {
    const refusal = refusalOf(proof, bit, keys)
    expect(refusal, `bit ${bit}`).toBeDefined()
    counts.set(refusal!, (counts.get(refusal!) ?? 0) + 1)
  }
  return counts
}

describe('a status proof with one bit flipped is refused', () => {
  const keys = validatorKeys(4)
  const proof = proofOf(keys)
  const seals = quorumOf(4)
  const bits = proof.length * 8
  const sealedBits = bits - seals * SEAL_BITS

  test('unflipped it is accepted', () => {
    expect(verifyProof(proof, trusted(keys)).ok).toBe(true)
  })

  test('of four validators: any bit of leaf, path and header', () => {
    const counts = refusals(proof, { from: 0, to: sealedBits }, keys)
    // Another hash is sealed by strangers; the rest is no proof, or of a proposer that is none.
    expect(counts.get('not sealed by the validators')).toBeGreaterThan(sealedBits * 0.9)
  })

  test.for(Array.from({ length: seals }, (_, i) => i))(
    'of four validators: any bit of seal %i',
    (i) => {
      const from = sealedBits + i * SEAL_BITS
      const counts = refusals(proof, { from, to: from + SEAL_BITS }, keys)
      expect([...counts]).toEqual([['not sealed by the validators', SEAL_BITS]])
    },
  )

  test('of seven validators: any of 400 bits', () => {
    const seven = validatorKeys(7)
    const large = proofOf(seven)
    expect(verifyProof(large, trusted(seven)).ok).toBe(true)
    fc.assert(
      fc.property(
        fc.nat(large.length * 8 - 1),
        (bit) => refusalOf(large, bit, seven) !== undefined,
      ),
      { numRuns: 400 },
    )
  })
})
