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

/** Character codes of the hex digits. */
const DIGITS: Uint8Array = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
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

/** Where integers are turned into keys and back. Least significant first, as keys are. */
const units = new Uint16Array(16)
const parts = new BigUint64Array(units.buffer)

/** Key of an integer from 0 to 2^256 - 1. */
export function wordKeyOfBigInt(value: bigint): WordKey {
  if (value === 0n) return ZERO_WORD
  parts[0] = value
  const high = value >> 64n
  parts[1] = high
  parts[2] = high === 0n ? 0n : high >> 64n
  parts[3] = high === 0n ? 0n : high >> 128n
  return String.fromCharCode(
    units[0]!,
    units[1]!,
    units[2]!,
    units[3]!,
    units[4]!,
    units[5]!,
    units[6]!,
    units[7]!,
    units[8]!,
    units[9]!,
    units[10]!,
    units[11]!,
    units[12]!,
    units[13]!,
    units[14]!,
    units[15]!,
  )
}

export function addressOfKey(key: AddressKey): Address {
  return hexOf(key)
}

export function hashOfKey(key: WordKey): Hash {
  return hexOf(key)
}

export function bigIntOfKey(key: WordKey): bigint {
  if (key === ZERO_WORD) return 0n
  let last = 15
  while (key.charCodeAt(last) === 0) last -= 1
  if (last < 3) {
    return BigInt(
      key.charCodeAt(0) + key.charCodeAt(1) * 0x1_0000 + key.charCodeAt(2) * 0x1_0000_0000,
    )
  }
  for (let i = 0; i < 16; i++) units[i] = key.charCodeAt(i)
  let value = parts[last >> 2]!
  for (let i = (last >> 2) - 1; i >= 0; i--) value = (value << 64n) | parts[i]!
  return value
}

// Strings are made by `fromCharCode` with all arguments written out: V8 compiles that to a plain
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
  let i = key.length - 1
  // Sixteen digits at a time: what is added up costs memory, and then time to flatten.
  for (; i >= 3; i -= 4) {
    const a = key.charCodeAt(i)
    const b = key.charCodeAt(i - 1)
    const c = key.charCodeAt(i - 2)
    const d = key.charCodeAt(i - 3)
    text += String.fromCharCode(
      DIGITS[a >> 12]!,
      DIGITS[(a >> 8) & 15]!,
      DIGITS[(a >> 4) & 15]!,
      DIGITS[a & 15]!,
      DIGITS[b >> 12]!,
      DIGITS[(b >> 8) & 15]!,
      DIGITS[(b >> 4) & 15]!,
      DIGITS[b & 15]!,
      DIGITS[c >> 12]!,
      DIGITS[(c >> 8) & 15]!,
      DIGITS[(c >> 4) & 15]!,
      DIGITS[c & 15]!,
      DIGITS[d >> 12]!,
      DIGITS[(d >> 8) & 15]!,
      DIGITS[(d >> 4) & 15]!,
      DIGITS[d & 15]!,
    )
  }
  // An address has two units more.
  for (; i >= 0; i--) text += key.charCodeAt(i).toString(16).padStart(4, '0')
  return text as Hex
}
