/**
 * Encryption to a holder's key (ECIES of eciesjs: secp256k1, HKDF-SHA-256, AES-256-GCM), and where
 * the ciphertext goes: on chain while it is small, else to a store, with its hash on chain.
 *
 *   ciphertext = ephemeral key (33, compressed) | nonce (16) | tag (16) | AES-256-GCM of the plaintext
 *
 * The AES key is HKDF-SHA-256 of (ephemeral key uncompressed | shared point uncompressed).
 */

import { decrypt, encrypt } from 'eciesjs'
import { Config } from 'eciesjs/config'
import { keccak256 } from 'ethers'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError } from './error.ts'
import { addressOfKey, withPrefix } from './key.ts'

const CONFIG = new Config()
CONFIG.isEphemeralKeyCompressed = true

/** Bytes by which a ciphertext is longer than its plaintext. */
export const ENVELOPE_OVERHEAD = 65

/** A ciphertext on chain, or a reference to one elsewhere. */
export type Envelope =
  | { readonly place: 'chain'; readonly ciphertext: Uint8Array }
  | { readonly place: 'store'; readonly reference: EnvelopeReference }

export interface EnvelopeReference {
  /** `file`, `http`, `s3`, `ipfs`. */
  readonly store: string
  /** CID or URL. */
  readonly locator: string
  /** keccak256 of the ciphertext, in hex. */
  readonly hash: string
  /** Bytes of the ciphertext. */
  readonly length: number
}

/** Keeps a ciphertext and says where; given by the application. */
export type PutCiphertext = (
  ciphertext: Uint8Array,
) => Promise<Pick<EnvelopeReference, 'store' | 'locator'>>

/**
 * Encrypts to a public key of 64 bytes.
 * @throws LicenceError LICENCE_KEY_INVALID
 */
export function encryptTo(publicKey: Uint8Array, plaintext: Uint8Array): Uint8Array {
  addressOfKey(publicKey)
  return encrypt(withPrefix(publicKey), plaintext, CONFIG)
}

/**
 * Opens what was encrypted to a key.
 * @param privateKey 32 bytes
 * @throws LicenceError LICENCE_DECRYPTION_FAILED for another's ciphertext, or one that was changed
 */
export function decryptWith(privateKey: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  try {
    return decrypt(privateKey, ciphertext, CONFIG)
  } catch {
    // The cause could tell something of the key.
    throw new LicenceError('LICENCE_DECRYPTION_FAILED', 'this key does not open the ciphertext')
  }
}

/**
 * Decides where a ciphertext goes.
 * @param options.put called if it is larger than `inlineBytes`
 */
export async function placeCiphertext(
  ciphertext: Uint8Array,
  options: { readonly put: PutCiphertext; readonly inlineBytes?: number },
): Promise<Envelope> {
  const { put, inlineBytes = LICENCE_LIMITS.inlineCiphertextBytes } = options
  if (ciphertext.length <= inlineBytes) return { place: 'chain', ciphertext }
  const kept = await put(ciphertext)
  const reference = { ...kept, hash: keccak256(ciphertext), length: ciphertext.length }
  return { place: 'store', reference }
}

/** Whether bytes that a store gave are those that the chain refers to. */
export function isReferredTo(ciphertext: Uint8Array, reference: EnvelopeReference): boolean {
  return ciphertext.length === reference.length && keccak256(ciphertext) === reference.hash
}
