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
  bytesToBigInt,
  concatBytes,
  keccak256,
  keccak256Address,
  type RecoverPublicKey,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import {
  CURVE_ORDER,
  CURVE_ORDER_BYTES,
  HIGH_S_BYTES,
  isBelow,
  type Signature,
  signatureBytes,
} from './signature.ts'
import type { HashSigner, SenderRecovery } from './transaction.ts'

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
    /** Where the key is written; a new array without it. */
    output?: Uint8Array,
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
  /**
   * `sign` as bytes, as seals have it: 65 of them, r, s, y parity.
   * @throws LedgerError LEDGER_PRIVATE_KEY_INVALID if the key is not one
   */
  signBytes(hash: Uint8Array, privateKey: Uint8Array): Uint8Array
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
  /** 65 bytes, of which the first is 4, perhaps in `output`; throws if no key recovers. */
  recover(hash: Uint8Array, rs: Uint8Array, yParity: 0 | 1, output?: Uint8Array): Uint8Array
  /** 65 bytes, of which the first is 4. */
  publicKey(privateKey: Uint8Array): Uint8Array
}

// The library takes its hash functions so, once for the whole program.
noble.hashes.sha256 = sha256
noble.hashes.hmacSha256 = (key, message) => hmac(sha256, key, message)

/** The public key of whom an address is wanted: hashed at once, and not kept. */
const passingKey = new Uint8Array(65)
const passingPoint = passingKey.subarray(1)

/** Signatures by the host's libsecp256k1, or by JavaScript without one. */
export function createSecp256k1(native?: NativeSecp256k1): Secp256k1 {
  const backend = native === undefined ? nobleBackend : createNativeBackend(native)

  function signBytes(hash: Uint8Array, privateKey: Uint8Array): Uint8Array {
    assertPrivateKey(privateKey)
    return backend.sign(hash, privateKey)
  }

  /** The key as the backend gives it; undefined for numbers out of range, or if none recovers. */
  function recoverKey(
    hash: Uint8Array,
    rs: Uint8Array,
    yParity: 0 | 1,
    output?: Uint8Array,
  ): Uint8Array | undefined {
    if (hash.length !== 32 || rs.length !== 64) return undefined
    if (!isBelow(rs, 0, CURVE_ORDER_BYTES) || !isBelow(rs, 32, CURVE_ORDER_BYTES)) return undefined
    if (isZero(rs, 0) || isZero(rs, 32)) return undefined
    try {
      return backend.recover(hash, rs, yParity, output)
    } catch {
      // r is no x of the curve, or the key would be infinity: both backends say so by throwing.
      return undefined
    }
  }

  function recoverBytes(hash: Uint8Array, rs: Uint8Array, yParity: number): Address | undefined {
    if ((yParity !== 0 && yParity !== 1) || rs.length !== 64) return undefined
    if (!isBelow(rs, 32, HIGH_S_BYTES)) return undefined
    const key = recoverKey(hash, rs, yParity, passingKey)
    return key && addressOfPublicKey(key === passingKey ? passingPoint : key.subarray(1))
  }

  return {
    backend: native === undefined ? 'noble' : 'native',
    sign(hash, privateKey) {
      const signature = signBytes(hash, privateKey)
      return {
        yParity: signature[64] === 0 ? 0 : 1,
        r: bytesToBigInt(signature.subarray(0, 32)),
        s: bytesToBigInt(signature.subarray(32, 64)),
      }
    },
    signBytes,
    recover(hash, { r, s, yParity }) {
      if (r < 1n || r >= CURVE_ORDER || s < 1n || s >= CURVE_ORDER) return undefined
      return recoverBytes(hash, signatureBytes({ r, s }), yParity)
    },
    recoverBytes,
    recoverPublicKey: (hash, rs, yParity) => recoverKey(hash, rs, yParity)?.subarray(1),
    publicKey(privateKey) {
      assertPrivateKey(privateKey)
      return backend.publicKey(privateKey).subarray(1)
    },
    isPrivateKey,
  }
}

/** Account of a public key: the last 20 bytes of its hash. @param publicKey 64 bytes: x, then y */
export function addressOfPublicKey(publicKey: Uint8Array): Address {
  return keccak256Address(publicKey)
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
    recover: (hash, rs, yParity, output) => native.ecdsaRecover(rs, yParity, hash, false, output),
    publicKey: (privateKey) => native.publicKeyCreate(privateKey, false),
  }
}

function isPrivateKey(bytes: Uint8Array): boolean {
  return bytes.length === 32 && !isZero(bytes, 0) && isBelow(bytes, 0, CURVE_ORDER_BYTES)
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

function isZero(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 32; i++) if (bytes[offset + i] !== 0) return false
  return true
}
