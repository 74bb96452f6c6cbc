/**
 * What the index of logs is asked for: an address, or a topic at a position, as 48 bits.
 *
 * Two that share their bits cost a look at a block in vain and nothing else, so the mix needs to be
 * fast and even, not hard to invert. It is part of the records on disk: a change of it is a change of
 * `LOG_INDEX_VERSION`.
 */

import type { Address, Hash } from '@vellum/evm'

/** Whole number below 2^48: the upper 16 bits are the slot, the lower 32 the tag. */
export type LogKey = number

/** Seeds: an address, and a topic at each position. */
const ADDRESS_SEED = 0x41
const TOPIC_SEED = 0x54

/** What every block with a log has, whatever log it is. */
export const ANY_LOG: LogKey = 0

export function addressKey(address: Address): LogKey {
  return mixHex(address, 5, ADDRESS_SEED)
}

/** @param position 0 to 3 */
export function topicKey(topic: Hash, position: number): LogKey {
  return mixHex(topic, 8, TOPIC_SEED + position)
}

/** The same of 20 bytes in memory. */
export function addressKeyAt(bytes: Uint8Array, at: number): LogKey {
  return mixBytes(bytes, at, 5, ADDRESS_SEED)
}

/** The same of 32 bytes in memory. */
export function topicKeyAt(bytes: Uint8Array, at: number, position: number): LogKey {
  return mixBytes(bytes, at, 8, TOPIC_SEED + position)
}

export function slotOf(key: LogKey): number {
  return Math.floor(key / 2 ** 32)
}

export function tagOf(key: LogKey): number {
  return key >>> 0
}

const words = new Uint32Array(8)

/** Value of each lower-case hex digit, by its character. */
const DIGITS = new Uint8Array(128)
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit

function mixHex(hex: Address | Hash, count: number, seed: number): LogKey {
  let at = 2
  for (let i = 0; i < count; i++) {
    let word = 0
    for (const end = at + 8; at < end; at++) word = (word << 4) | DIGITS[hex.charCodeAt(at) & 127]!
    words[i] = word
  }
  return mix(count, seed)
}

function mixBytes(bytes: Uint8Array, at: number, count: number, seed: number): LogKey {
  for (let i = 0; i < count; i++, at += 4) {
    words[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }
  return mix(count, seed)
}

/** Two lanes of multiply and shift over the words, with the finish of MurmurHash3. */
function mix(count: number, seed: number): LogKey {
  let a = seed
  let b = seed ^ 0x9e37_79b9
  for (let i = 0; i < count; i++) {
    const word = words[i]!
    a = Math.imul(a ^ word, 0x85eb_ca6b)
    a ^= a >>> 13
    b = Math.imul(b + word, 0xc2b2_ae35)
    b ^= b >>> 15
  }
  const tag = finish(a ^ Math.imul(b, 5))
  const slot = finish(b ^ ((a << 7) | (a >>> 25))) >>> 16
  return slot * 2 ** 32 + tag
}

function finish(from: number): number {
  let bits = from ^ (from >>> 16)
  bits = Math.imul(bits, 0x85eb_ca6b)
  bits ^= bits >>> 13
  bits = Math.imul(bits, 0xc2b2_ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
