/**
 * Keys of the world's tables. An address is a string of 10 and a storage key or value one of 16 code
 * units, least significant first: read straight from the engine's memory, they hash and compare
 * several times faster than hexadecimal text, into which they are turned only at the edges.
 */

import type { Address, Hash, Hex } from './bytes.ts'

/** 20 bytes as 10 code units. */
export type AddressKey = string
/** 32 bytes as 16 code units. */
export type WordKey = string

export const ZERO_WORD: WordKey = '\0'.repeat(16)

const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

function quad(unit: number): string {
  return PAIRS[unit >> 8]! + PAIRS[unit & 255]!
}

export function addressKey(address: Address): AddressKey {
  return keyOf(address, 10)
}

export function wordKey(hash: Hash): WordKey {
  return keyOf(hash, 16)
}

/** Key of an integer from 0 to 2^256 - 1. */
export function wordKeyOfBigInt(value: bigint): WordKey {
  return value === 0n ? ZERO_WORD : keyOf(`0x${value.toString(16).padStart(64, '0')}`, 16)
}

export function addressOfKey(key: AddressKey): Address {
  return hexOf(key)
}

export function hashOfKey(key: WordKey): Hash {
  return hexOf(key)
}

export function bigIntOfKey(key: WordKey): bigint {
  return key === ZERO_WORD ? 0n : BigInt(hexOf(key))
}

function hexOf(key: string): Hex {
  let text = '0x'
  for (let i = key.length - 1; i >= 0; i--) text += quad(key.charCodeAt(i))
  return text as Hex
}

function keyOf(hex: string, units: number): string {
  let key = ''
  for (let i = units - 1; i >= 0; i--) {
    const at = 2 + i * 4
    key += String.fromCharCode(
      (nibble(hex.charCodeAt(at)) << 12) |
        (nibble(hex.charCodeAt(at + 1)) << 8) |
        (nibble(hex.charCodeAt(at + 2)) << 4) |
        nibble(hex.charCodeAt(at + 3)),
    )
  }
  return key
}

/** Value of a hex digit. */
function nibble(code: number): number {
  return code < 58 ? code - 48 : (code | 32) - 87
}
