/**
 * Signatures for simulated runs: keyed sums in place of secp256k1, some hundred times as fast.
 *
 * A signature carries its signer's address and a sum over the signer's key and the hash. Nobody in
 * the simulation attacks the sum: adversaries sign with their own keys, or alter bytes at random.
 * Like the real scheme it is deterministic, its numbers are in range with low s, and any other
 * hash, address or sum recovers nobody.
 */

import {
  type Address,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  hasBytesAt,
  hexToBytes,
  keccak256,
} from '@vellum/evm'
import { addressOfPublicKey, LedgerError, type Secp256k1, signatureBytes } from '@vellum/ledger'

/** r: this, the address, zeros. Below the curve's order, as the first byte is 0. */
const MARK = Uint8Array.of(0, 0x76, 0x6c, 0x6d)
const ADDRESS_AT = MARK.length
const SUM_AT = 32
const SUM_WORDS = 4

interface KeyPair {
  readonly publicKey: Uint8Array
  readonly address: Address
  readonly addressBytes: Uint8Array
  readonly words: Uint32Array
}

/** A scheme that knows the keys which were used with it: one for each world. */
export function createCheapCrypto(): Secp256k1 {
  const byPrivateKey = new Map<string, KeyPair>()
  /** By the first four bytes of their addresses. */
  const byAddress = new Map<number, KeyPair[]>()

  function pairOf(privateKey: Uint8Array): KeyPair {
    const name = bytesToHex(privateKey)
    const known = byPrivateKey.get(name)
    if (known !== undefined) return known
    if (!isPrivateKey(privateKey)) {
      throw new LedgerError('LEDGER_PRIVATE_KEY_INVALID', 'a private key is 32 bytes, not all zero')
    }
    const x = keccak256(concatBytes(privateKey, Uint8Array.of(1)))
    const publicKey = concatBytes(x, keccak256(x))
    const address = addressOfPublicKey(publicKey)
    const addressBytes = hexToBytes(address)
    const words = Uint32Array.from({ length: 8 }, (_, i) => wordAt(privateKey, 4 * i))
    const pair: KeyPair = { publicKey, address, addressBytes, words }
    byPrivateKey.set(name, pair)
    const first = wordAt(addressBytes, 0)
    byAddress.set(first, [...(byAddress.get(first) ?? []), pair])
    return pair
  }

  function pairOfSignature(hash: Uint8Array, rs: Uint8Array, yParity: number): KeyPair | undefined {
    if (yParity !== 0 || rs.length !== 64 || hash.length !== 32) return undefined
    for (let i = 0; i < ADDRESS_AT; i++) if (rs[i] !== MARK[i]) return undefined
    for (let i = ADDRESS_AT + 20; i < SUM_AT; i++) if (rs[i] !== 0) return undefined
    const pair = byAddress
      .get(wordAt(rs, ADDRESS_AT))
      ?.find(({ addressBytes }) => hasBytesAt(rs, ADDRESS_AT, addressBytes))
    return pair !== undefined && isSumAt(rs, SUM_AT, pair.words, hash) ? pair : undefined
  }

  function signBytes(hash: Uint8Array, privateKey: Uint8Array): Uint8Array {
    const { addressBytes, words } = pairOf(privateKey)
    const signature = new Uint8Array(65)
    for (let i = 0; i < ADDRESS_AT; i++) signature[i] = MARK[i]!
    for (let i = 0; i < 20; i++) signature[ADDRESS_AT + i] = addressBytes[i]!
    writeSum(signature, SUM_AT, words, hash)
    return signature
  }

  function recoverBytes(hash: Uint8Array, rs: Uint8Array, yParity: number): Address | undefined {
    return pairOfSignature(hash, rs, yParity)?.address
  }

  return {
    backend: 'noble',
    sign: (hash, privateKey) => {
      const signature = signBytes(hash, privateKey)
      return {
        yParity: 0,
        r: bytesToBigInt(signature.subarray(0, 32)),
        s: bytesToBigInt(signature.subarray(32, 64)),
      }
    },
    signBytes,
    recover: (hash, { r, s, yParity }) => {
      if (r <= 0n || s <= 0n || r >= LIMIT || s >= LIMIT) return undefined
      return recoverBytes(hash, signatureBytes({ r, s }), yParity)
    },
    recoverBytes,
    recoverPublicKey: (hash, rs, yParity) => pairOfSignature(hash, rs, yParity)?.publicKey,
    publicKey: (privateKey) => pairOf(privateKey).publicKey,
    isPrivateKey,
  }
}

const LIMIT = 2n ** 255n

function isPrivateKey(bytes: Uint8Array): boolean {
  return bytes.length === 32 && bytes.some((byte) => byte !== 0)
}

/** 32 bytes, the first of them zero (so that s is low) and the last never (so that it is not 0). */
function writeSum(out: Uint8Array, at: number, key: Uint32Array, hash: Uint8Array): void {
  for (let lane = 0; lane < SUM_WORDS; lane++) {
    const word = sumWord(key, hash, lane)
    for (let i = 0; i < 4; i++) out[at + 1 + 4 * lane + i] = word >>> (8 * i)
  }
  out[at + 31] = 1
}

function isSumAt(bytes: Uint8Array, at: number, key: Uint32Array, hash: Uint8Array): boolean {
  if (bytes[at] !== 0 || bytes[at + 31] !== 1) return false
  for (let i = 1 + 4 * SUM_WORDS; i < 31; i++) if (bytes[at + i] !== 0) return false
  for (let lane = 0; lane < SUM_WORDS; lane++) {
    if (wordAt(bytes, at + 1 + 4 * lane) !== sumWord(key, hash, lane)) return false
  }
  return true
}

function sumWord(key: Uint32Array, hash: Uint8Array, lane: number): number {
  let word = 0x9e3779b9 ^ Math.imul(lane + 1, 0x85ebca6b)
  for (let i = 0; i < 8; i++) {
    word = Math.imul(word ^ key[i]!, 0xcc9e2d51)
    word = (word << 13) | (word >>> 19)
    word = Math.imul(word ^ wordAt(hash, 4 * i), 0x1b873593)
    word ^= word >>> 15
  }
  return word | 0
}

/** Four bytes as a signed number, the lowest first. */
function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
