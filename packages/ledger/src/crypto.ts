/**
 * Signatures of accounts and validators: ECDSA on secp256k1 over 32-byte hashes, with low s (EIP-2)
 * and the parity of the nonce point's y, from which the signer's address recovers.
 *
 * `@noble/secp256k1` is always there. A host that has libsecp256k1 hands it in: it is some forty
 * times as fast. Ranges are checked here and not by the backends, so both accept and refuse alike.
 */

import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import * as noble from '@noble/secp256k1'
import {
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  keccak256,
  type RecoverPublicKey,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import type { HashSigner, SenderRecovery, Signature } from './transaction.ts'

/** What is used of the bindings of the npm package `secp256k1`, version 5, to libsecp256k1. */
export interface NativeSecp256k1 {
  publicKeyCreate(privateKey: Uint8Array, compressed: boolean): Uint8Array
  /** RFC 6979, low s. */
  ecdsaSign(
    hash: Uint8Array,
    privateKey: Uint8Array,
  ): { readonly signature: Uint8Array; readonly recid: number }
  /** Throws if no key recovers. Takes high s as well. */
  ecdsaRecover(
    rs: Uint8Array,
    recoveryId: number,
    hash: Uint8Array,
    compressed: boolean,
  ): Uint8Array
}

export interface Secp256k1 extends SenderRecovery, HashSigner {
  /** What computes: libsecp256k1, or JavaScript. For logs and metrics; results are the same. */
  readonly backend: 'native' | 'noble'
  /**
   * Deterministic signature (RFC 6979) with low s.
   * @param hash 32 bytes
   * @param privateKey 32 bytes
   * @throws LedgerError LEDGER_PRIVATE_KEY_INVALID if the key is not one
   */
  sign(hash: Uint8Array, privateKey: Uint8Array): Signature
  /** Who signed a 32-byte hash; undefined for numbers out of range, high s, or if nobody could. */
  recover(hash: Uint8Array, signature: Signature): Address | undefined
  /**
   * The same for a signature as bytes, as seals and batches have it: no number is converted.
   * @param rs 32 bytes of r, then 32 of s; other lengths recover nobody
   * @param yParity 0 or 1; other values recover nobody
   */
  recoverBytes(hash: Uint8Array, rs: Uint8Array, yParity: number): Address | undefined
  /** As the ECRECOVER precompile wants it: the whole public key, and high s taken too. */
  readonly recoverPublicKey: RecoverPublicKey
  /**
   * Public key of a private key: 64 bytes, x then y.
   * @throws LedgerError LEDGER_PRIVATE_KEY_INVALID if the key is not one
   */
  publicKey(privateKey: Uint8Array): Uint8Array
  /** True for 32 bytes of a number from 1 to the order of the curve minus 1. */
  isPrivateKey(bytes: Uint8Array): boolean
}

/** What differs between backends. All input is in range when they are called. */
interface Backend {
  /** 65 bytes: r, s, y parity. */
  sign(hash: Uint8Array, privateKey: Uint8Array): Uint8Array
  /** 65 bytes, of which the first is 4; throws if no key recovers. */
  recover(hash: Uint8Array, rs: Uint8Array, yParity: 0 | 1): Uint8Array
  /** 65 bytes, of which the first is 4. */
  publicKey(privateKey: Uint8Array): Uint8Array
}

// The library takes its hash functions so, once for the whole program.
noble.hashes.sha256 = sha256
noble.hashes.hmacSha256 = (key, message) => hmac(sha256, key, message)

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const ORDER_BYTES = bigIntToBytes(ORDER, 32)
/** EIP-2: s above half the order is refused, so that nobody can alter a transaction's hash. */
const S_LIMIT_BYTES = bigIntToBytes(ORDER / 2n + 1n, 32)

/** Signatures by the host's libsecp256k1, or by JavaScript without one. */
export function createSecp256k1(native?: NativeSecp256k1): Secp256k1 {
  const backend = native === undefined ? nobleBackend : createNativeBackend(native)

  const recoverPublicKey: RecoverPublicKey = (hash, rs, yParity) => {
    if (hash.length !== 32 || rs.length !== 64) return undefined
    if (!isBelow(rs, 0, ORDER_BYTES) || !isBelow(rs, 32, ORDER_BYTES)) return undefined
    if (isZero(rs, 0) || isZero(rs, 32)) return undefined
    try {
      return backend.recover(hash, rs, yParity).subarray(1)
    } catch {
      // r is no x of the curve, or the key would be infinity: both backends say so by throwing.
      return undefined
    }
  }

  function recoverBytes(hash: Uint8Array, rs: Uint8Array, yParity: number): Address | undefined {
    if ((yParity !== 0 && yParity !== 1) || rs.length !== 64) return undefined
    if (!isBelow(rs, 32, S_LIMIT_BYTES)) return undefined
    const publicKey = recoverPublicKey(hash, rs, yParity)
    return publicKey && addressOfPublicKey(publicKey)
  }

  return {
    backend: native === undefined ? 'noble' : 'native',
    sign(hash, privateKey) {
      assertPrivateKey(privateKey)
      const signature = backend.sign(hash, privateKey)
      return {
        yParity: signature[64] === 0 ? 0 : 1,
        r: bytesToBigInt(signature.subarray(0, 32)),
        s: bytesToBigInt(signature.subarray(32, 64)),
      }
    },
    recover(hash, { r, s, yParity }) {
      if (r < 1n || r >= ORDER || s < 1n || s >= ORDER) return undefined
      return recoverBytes(hash, signatureBytes({ r, s }), yParity)
    },
    recoverBytes,
    recoverPublicKey,
    publicKey(privateKey) {
      assertPrivateKey(privateKey)
      return backend.publicKey(privateKey).subarray(1)
    },
    isPrivateKey,
  }
}

/** Account of a public key: the last 20 bytes of its hash. @param publicKey 64 bytes: x, then y */
export function addressOfPublicKey(publicKey: Uint8Array): Address {
  return bytesToHex(keccak256(publicKey).subarray(12))
}

/** r and s, 32 bytes each: what `recoverBytes` takes. @throws RangeError if either needs more */
export function signatureBytes(signature: { readonly r: bigint; readonly s: bigint }): Uint8Array {
  return concatBytes(bigIntToBytes(signature.r, 32), bigIntToBytes(signature.s, 32))
}

/**
 * Hash that a wallet signs for a message to a person: it can never be one of a transaction.
 * Spec: EIP-191 version 0x45.
 */
export function personalMessageHash(message: Uint8Array): Uint8Array {
  const prefix = `\x19Ethereum Signed Message:\n${message.length}`
  const ascii = Uint8Array.from(prefix, (character) => character.charCodeAt(0))
  return keccak256(concatBytes(ascii, message))
}

const nobleBackend: Backend = {
  sign(hash, privateKey) {
    const signature = noble.sign(hash, privateKey, { prehash: false, format: 'recovered' })
    return concatBytes(signature.subarray(1), signature.subarray(0, 1))
  },
  recover(hash, rs, yParity) {
    const signature = new Uint8Array(65)
    signature[0] = yParity
    signature.set(rs, 1)
    return noble.recoverPublicKey(signature, hash, { prehash: false, isCompressed: false })
  },
  publicKey: (privateKey) => noble.getPublicKey(privateKey, false),
}

function createNativeBackend(native: NativeSecp256k1): Backend {
  return {
    sign(hash, privateKey) {
      const { signature, recid } = native.ecdsaSign(hash, privateKey)
      return concatBytes(signature, Uint8Array.of(recid))
    },
    recover: (hash, rs, yParity) => native.ecdsaRecover(rs, yParity, hash, false),
    publicKey: (privateKey) => native.publicKeyCreate(privateKey, false),
  }
}

function isPrivateKey(bytes: Uint8Array): boolean {
  return bytes.length === 32 && !isZero(bytes, 0) && isBelow(bytes, 0, ORDER_BYTES)
}

function assertPrivateKey(privateKey: Uint8Array): void {
  if (!isPrivateKey(privateKey)) {
    throw new LedgerError(
      'LEDGER_PRIVATE_KEY_INVALID',
      'a private key is 32 bytes, above 0 and below the order of secp256k1',
      { size: privateKey.length },
    )
  }
}

/** True if the 32 bytes from `offset` are, as a number, below `limit` (32 bytes). */
function isBelow(bytes: Uint8Array, offset: number, limit: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) {
    const difference = bytes[offset + i]! - limit[i]!
    if (difference !== 0) return difference < 0
  }
  return false
}

function isZero(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 32; i++) if (bytes[offset + i] !== 0) return false
  return true
}
