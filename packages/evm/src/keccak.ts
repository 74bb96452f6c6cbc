/** keccak256, the hash of everything Ethereum. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import type { Hash } from './bytes.ts'
import { bytesToHex } from './bytes.ts'

/** keccak256 of the bytes: 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  return keccak_256(bytes)
}

/** keccak256 of the bytes, as the hex text used for keys and comparison. */
export function keccak256Hex(bytes: Uint8Array): Hash {
  return bytesToHex(keccak256(bytes))
}
