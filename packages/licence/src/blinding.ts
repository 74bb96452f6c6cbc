/**
 * Seeds of presentations. Each has one of 16 bytes that holder and verifier alone know; from it follow
 * the tag and the commitment under which the verification is recorded on chain. The holder makes seeds
 * from a secret and a counter, and so finds every entry again. Two tags of one holder have nothing
 * in common for others.
 *
 *   seed(i)    = first 16 bytes of HMAC-SHA-256(secret, "vellum presentation seed 1" | i as 8 bytes)
 *   tag        = keccak256("vellum tag 1" | seed)
 *   commitment = keccak256("vellum commitment 1" | seed | chain id (32) | number of the licence (32))
 */

import { computeHmac, getBytes, keccak256, toBeArray, zeroPadValue } from 'ethers'
import { joinBytes, utf8 } from './bytes.ts'

export const SEED_BYTES = 16

/**
 * Seed of a holder's presentation.
 * @param secret 32 bytes that the holder keeps beside the key
 * @param index from 0, each used once
 */
export function presentationSeed(secret: Uint8Array, index: number): Uint8Array {
  const label = utf8('vellum presentation seed 1')
  const hmac = computeHmac('sha256', secret, joinBytes([label, word(BigInt(index), 8)]))
  return getBytes(hmac).slice(0, SEED_BYTES)
}

/** Tag of the entry of a verification, 0x and 64 digits. */
export function tagOf(seed: Uint8Array): string {
  return keccak256(joinBytes([utf8('vellum tag 1'), seed]))
}

/** Commitment to the licence that was verified, 0x and 64 digits. */
export function commitmentOf(licence: {
  readonly seed: Uint8Array
  /** Of the chain that has the licence. */
  readonly chainId: bigint
  readonly number: bigint
}): string {
  const { seed, chainId, number } = licence
  return keccak256(
    joinBytes([utf8('vellum commitment 1'), seed, word(chainId, 32), word(number, 32)]),
  )
}

function word(value: bigint, size: number): Uint8Array {
  return getBytes(zeroPadValue(toBeArray(value, size), size))
}
