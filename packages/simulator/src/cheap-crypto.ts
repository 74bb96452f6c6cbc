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
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  keccak256,
} from '@vellum/evm'
import { addressOfPublicKey, LedgerError, type Secp256k1 } from '@vellum/ledger'

/** r: this, the address, zeros. Below the curve's order, as the first byte is 0. */
const MARK = Uint8Array.of(0, 0x76, 0x6c, 0x6d)
const ADDRESS_AT = MARK.length
const SUM_AT = 32
const SUM_WORDS = 4

interface KeyPair {
  readonly publicKey: Uint8Array
  readonly address: Address
  readonly words: Uint32Array
}

/** A scheme that knows the keys which were used with it: one for each world. */
export function createCheapCrypto(): Secp256k1 {
  const byPrivateKey = new Map<string, KeyPair>()
  const byAddress = new Map<string, KeyPair>()

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
    const pair: KeyPair = { publicKey, address, words: wordsOf(privateKey, 0, 8) }
    byPrivateKey.set(name, pair)
    byAddress.set(address, pair)
    return pair
  }

  function pairOfSignature(hash: Uint8Array, rs: Uint8Array, yParity: number): KeyPair | undefined {
    if (yParity !== 0 || rs.length !== 64 || hash.length !== 32) return undefined
    for (let i = 0; i < ADDRESS_AT; i++) if (rs[i] !== MARK[i]) return undefined
    for (let i = ADDRESS_AT + 20; i < SUM_AT; i++) if (rs[i] !== 0) return undefined
    const pair = byAddress.get(bytesToHex(rs.subarray(ADDRESS_AT, ADDRESS_AT + 20)))
    if (pair === undefined) return undefined
    const expected = sumOf(pair.words, hash)
    for (let i = 0; i < 32; i++) if (rs[SUM_AT + i] !== expected[i]) return undefined
    return pair
  }

  function recoverBytes(hash: Uint8Array, rs: Uint8Array, yParity: number): Address | undefined {
    return pairOfSignature(hash, rs, yParity)?.address
  }

  return {
    backend: 'noble',
    sign: (hash, privateKey) => {
      const { address, words } = pairOf(privateKey)
      return {
        yParity: 0,
        r: (bytesToBigInt(MARK) << 224n) | (BigInt(address) << 64n),
        s: bytesToBigInt(sumOf(words, hash)),
      }
    },
    recover: (hash, { r, s, yParity }) => {
      if (r <= 0n || s <= 0n || r >= LIMIT || s >= LIMIT) return undefined
      return recoverBytes(hash, concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32)), yParity)
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
function sumOf(key: Uint32Array, hash: Uint8Array): Uint8Array {
  const message = wordsOf(hash, 0, 8)
  const sum = new Uint8Array(32)
  for (let lane = 0; lane < SUM_WORDS; lane++) {
    let word = 0x9e3779b9 ^ Math.imul(lane + 1, 0x85ebca6b)
    for (let i = 0; i < 8; i++) {
      word = Math.imul(word ^ key[i]!, 0xcc9e2d51)
      word = (word << 13) | (word >>> 19)
      word = Math.imul(word ^ message[i]!, 0x1b873593)
      word ^= word >>> 15
    }
    for (let i = 0; i < 4; i++) sum[1 + 4 * lane + i] = word >>> (8 * i)
  }
  sum[31] = 1
  return sum
}

function wordsOf(bytes: Uint8Array, from: number, count: number): Uint32Array {
  const words = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const at = from + 4 * i
    words[i] =
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  }
  return words
}
