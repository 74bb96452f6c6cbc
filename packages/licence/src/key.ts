/**
 * Keys on secp256k1, and the signatures of JWTs with them (ES256K, RFC 8812).
 *
 * A `KeyHolder` is the port behind which a private key stays: in memory here, in the secure part of
 * a phone or in a hardware module elsewhere.
 */

import { computeAddress, getBytes, hexlify, SigningKey, sha256 } from 'ethers'
import { fromBase64Url, joinBytes, toBase64Url, utf8 } from './bytes.ts'
import { LicenceError } from './error.ts'

/** Who can sign with one key. */
export interface KeyHolder {
  /** 64 bytes: x and y, uncompressed, without the prefix 04. */
  readonly publicKey: Uint8Array
  /** Address of the key, with checksum. */
  readonly address: string
  /** 64 bytes r and s of a signature over 32 bytes, s in the lower half. */
  sign(digest: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/** A public key as it stands in JWTs (RFC 8812). */
export interface Jwk {
  readonly kty: 'EC'
  readonly crv: 'secp256k1'
  readonly x: string
  readonly y: string
}

/**
 * A key in memory.
 * @param privateKey 32 bytes
 * @throws LicenceError LICENCE_KEY_INVALID
 */
export function createKeyHolder(privateKey: Uint8Array): KeyHolder {
  const key = attempt(() => new SigningKey(privateKey), 'a private key has 32 bytes in the range')
  const publicKey = getBytes(key.publicKey).slice(1)
  return {
    publicKey,
    address: computeAddress(key.publicKey),
    sign: (digest) => {
      const { r, s } = key.sign(digest)
      return joinBytes([getBytes(r), getBytes(s)])
    },
  }
}

/** Address of a public key of 64 bytes. @throws LicenceError LICENCE_KEY_INVALID if it is no point */
export function addressOfKey(publicKey: Uint8Array): string {
  return attempt(
    () => computeAddress(hexlify(withPrefix(publicKey))),
    'a public key has 64 bytes and is a point of the curve',
  )
}

/** The public key with the prefix 04, as other libraries want it. */
export function withPrefix(publicKey: Uint8Array): Uint8Array {
  return joinBytes([Uint8Array.of(4), publicKey])
}

export function jwkOf(publicKey: Uint8Array): Jwk {
  return {
    kty: 'EC',
    crv: 'secp256k1',
    x: toBase64Url(publicKey.subarray(0, 32)),
    y: toBase64Url(publicKey.subarray(32, 64)),
  }
}

/** The key of a JWK; undefined where it is not one of secp256k1. */
export function keyOfJwk(jwk: unknown): Uint8Array | undefined {
  const { kty, crv, x, y } = (jwk ?? {}) as Partial<Record<keyof Jwk, unknown>>
  if (kty !== 'EC' || crv !== 'secp256k1' || typeof x !== 'string' || typeof y !== 'string') {
    return undefined
  }
  const [left, right] = [fromBase64Url(x), fromBase64Url(y)]
  if (left?.length !== 32 || right?.length !== 32) return undefined
  const key = joinBytes([left, right])
  try {
    addressOfKey(key)
    return key
  } catch {
    return undefined
  }
}

/** Signs the text of a JWT: `header.payload`. Gives 64 bytes. */
export async function signText(text: string, key: KeyHolder): Promise<Uint8Array> {
  return key.sign(getBytes(sha256(utf8(text))))
}

/**
 * Whether a signature over the text of a JWT is by the key of an address. Canonical ones alone: with
 * both halves allowed, each credential would have a twin.
 * @param signature 64 bytes
 */
export function isSignedBy(text: string, signature: Uint8Array, address: string): boolean {
  return recoverDigest(sha256(utf8(text)), signature).includes(address.toLowerCase())
}

/**
 * A signature of 65 bytes (r, s, v) as contracts take it, in hex.
 * @param digest 0x and 64 digits
 */
export async function signDigest(digest: string, key: KeyHolder): Promise<string> {
  const signature = await key.sign(getBytes(digest))
  const parity = [0, 1].find(
    (each) => recoverAddress(digest, signature, each) === key.address.toLowerCase(),
  )
  if (parity === undefined) {
    throw new LicenceError('LICENCE_KEY_INVALID', 'a key gave a signature that is not its own')
  }
  return hexlify(joinBytes([signature, Uint8Array.of(27 + parity)]))
}

/** n / 2 of secp256k1, rounded down: the largest s of a canonical signature. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/** Addresses, in lower case, that may have signed a digest: at most two. */
function recoverDigest(digest: string, signature: Uint8Array): string[] {
  if (signature.length !== 64) return []
  return [0, 1].flatMap((parity) => recoverAddress(digest, signature, parity) ?? [])
}

/**
 * The address, in lower case, whose key made a signature over 32 bytes.
 * @param digest in hex
 * @param signature r and s, 64 bytes; a high s gives undefined
 * @param parity of the y coordinate, 0 or 1
 */
export function recoverAddress(
  digest: string,
  signature: Uint8Array,
  parity: number,
): string | undefined {
  const s = BigInt(hexlify(signature.subarray(32, 64)))
  if (s === 0n || s > HALF_ORDER) return undefined
  try {
    const key = SigningKey.recoverPublicKey(digest, {
      r: hexlify(signature.subarray(0, 32)),
      s: hexlify(signature.subarray(32, 64)),
      v: 27 + parity,
    })
    return computeAddress(key).toLowerCase()
  } catch {
    return undefined
  }
}

function attempt<T>(run: () => T, what: string): T {
  try {
    return run()
  } catch {
    // The cause would hold the key.
    throw new LicenceError('LICENCE_KEY_INVALID', what)
  }
}
