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

/** Text of each code unit, once it was needed. */
const FOUR_DIGITS: string[] = new Array(65_536).fill('')
/** Values of hex digits, of either case, by character code. */
const VALUES: Uint8Array = new Uint8Array(128)
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  VALUES[digit.charCodeAt(0)] = value
  VALUES[digit.toUpperCase().charCodeAt(0)] = value
}

export function addressKey(address: Address): AddressKey {
  return addressKeyOf(address)
}

export function wordKey(hash: Hash): WordKey {
  return wordKeyOf(hash)
}

/** Key of an integer from 0 to 2^256 - 1. */
export function wordKeyOfBigInt(value: bigint): WordKey {
  return value === 0n ? ZERO_WORD : wordKeyOf(`0x${value.toString(16).padStart(64, '0')}`)
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

// Strings are made by one `fromCharCode` with all arguments written out: V8 compiles that to a plain
// fill, while adding up characters builds a tree that must be flattened before it can be a key.

function addressKeyOf(hex: string): AddressKey {
  return String.fromCharCode(
    unitAt(hex, 38),
    unitAt(hex, 34),
    unitAt(hex, 30),
    unitAt(hex, 26),
    unitAt(hex, 22),
    unitAt(hex, 18),
    unitAt(hex, 14),
    unitAt(hex, 10),
    unitAt(hex, 6),
    unitAt(hex, 2),
  )
}

function wordKeyOf(hex: string): WordKey {
  return String.fromCharCode(
    unitAt(hex, 62),
    unitAt(hex, 58),
    unitAt(hex, 54),
    unitAt(hex, 50),
    unitAt(hex, 46),
    unitAt(hex, 42),
    unitAt(hex, 38),
    unitAt(hex, 34),
    unitAt(hex, 30),
    unitAt(hex, 26),
    unitAt(hex, 22),
    unitAt(hex, 18),
    unitAt(hex, 14),
    unitAt(hex, 10),
    unitAt(hex, 6),
    unitAt(hex, 2),
  )
}

/** Value of four hex digits. */
function unitAt(hex: string, at: number): number {
  return (
    (VALUES[hex.charCodeAt(at)]! << 12) |
    (VALUES[hex.charCodeAt(at + 1)]! << 8) |
    (VALUES[hex.charCodeAt(at + 2)]! << 4) |
    VALUES[hex.charCodeAt(at + 3)]!
  )
}

function hexOf(key: string): Hex {
  let text = '0x'
  for (let i = key.length - 1; i >= 0; i--) text += digitsOf(key.charCodeAt(i))
  return text as Hex
}

function digitsOf(unit: number): string {
  const known = FOUR_DIGITS[unit]!
  if (known !== '') return known
  const digits = unit.toString(16).padStart(4, '0')
  FOUR_DIGITS[unit] = digits
  return digits
}
