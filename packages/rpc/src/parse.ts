/**
 * Parameters: from JSON values to types that can only hold valid values.
 *
 * Each parser throws `invalidParams` with what is wrong; the dispatcher puts the position before it.
 * Rules of hex text: execution-apis `base-types.yaml` (quantities without leading zeros, data with
 * an even number of digits).
 */

import { type Address, type Hash, hexToBytes } from '@vellum/evm'
import { invalidParams } from './error.ts'

/** One position in a method's parameter list. */
export interface Param<T> {
  /** False: the position may be left out or null, and `parse` is then given `undefined`. */
  readonly required: boolean
  parse(value: unknown): T
}

export type Tag = 'latest' | 'earliest' | 'pending' | 'safe' | 'finalized'

/** A block as a client names it: by height, tag, or hash (EIP-1898). */
export type BlockReference =
  | { readonly type: 'number'; readonly number: number }
  | { readonly type: 'tag'; readonly tag: Tag }
  | { readonly type: 'hash'; readonly hash: Hash }

const TEXT_CHARS_MAX = 1_024
const ADDRESS = /^0x[0-9a-fA-F]{40}$/
const HASH = /^0x[0-9a-fA-F]{64}$/
const QUANTITY = /^0x(?:0|[1-9a-fA-F][0-9a-fA-F]*)$/
const TAGS: ReadonlyMap<unknown, BlockReference> = new Map(
  (['latest', 'earliest', 'pending', 'safe', 'finalized'] as const).map((tag) => [
    tag,
    { type: 'tag', tag },
  ]),
)
export const LATEST: BlockReference = TAGS.get('latest')!

export function required<T>(parse: (value: unknown) => T): Param<T> {
  return { required: true, parse }
}

/** A position that may be left out; its value is then `undefined`. */
export function optional<T>(parse: (value: unknown) => T): Param<T | undefined> {
  return { required: false, parse: (value) => (value === undefined ? undefined : parse(value)) }
}

/** A position that may be left out for a default. */
export function defaulting<T>(parse: (value: unknown) => T, fallback: T): Param<T> {
  return { required: false, parse: (value) => (value === undefined ? fallback : parse(value)) }
}

/** 20 bytes of either case; checksums are not looked at, as in every node. */
export function parseAddress(value: unknown): Address {
  if (typeof value !== 'string' || !ADDRESS.test(value)) {
    throw invalidParams(faultOfHex(value, 'address', 20))
  }
  return value.toLowerCase() as Address
}

export function parseHash(value: unknown): Hash {
  if (typeof value !== 'string' || !HASH.test(value)) {
    throw invalidParams(faultOfHex(value, 'hash', 32))
  }
  return value.toLowerCase() as Hash
}

export function parseBytes(value: unknown): Uint8Array {
  // Decoding checks every digit: a pattern before it would read long data twice.
  try {
    return hexToBytes(value as string)
  } catch {
    throw invalidParams(faultOfHex(value, 'bytes', undefined))
  }
}

/** @param bits most bits the value may need */
export function quantityOf(bits: number): (value: unknown) => bigint {
  const digitsMax = 2 + Math.ceil(bits / 4)
  return (value) => {
    if (typeof value !== 'string') throw invalidParams('a quantity must be a hex string')
    if (!QUANTITY.test(value)) throw invalidParams(faultOfQuantity(value))
    if (value.length > digitsMax) throw invalidParams(`hex number > ${bits} bits`)
    const quantity = BigInt(value)
    if (quantity >> BigInt(bits) !== 0n) throw invalidParams(`hex number > ${bits} bits`)
    return quantity
  }
}

export const parseUint64: (value: unknown) => bigint = quantityOf(64)
export const parseUint256: (value: unknown) => bigint = quantityOf(256)

/** A count or position: a quantity that is a safe integer. */
export function parseIndex(value: unknown): number {
  const quantity = parseUint64(value)
  // What is beyond every list and every height needs no exact value.
  return quantity > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(quantity)
}

export function parseBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidParams('must be true or false')
  return value
}

/** Any text that is not too long for a name or a place. */
export function parseText(value: unknown): string {
  if (typeof value !== 'string' || value.length > TEXT_CHARS_MAX) {
    throw invalidParams(`must be text of at most ${TEXT_CHARS_MAX} characters`)
  }
  return value
}

/** A height or a tag. */
export function parseBlockNumber(value: unknown): BlockReference {
  const tag = TAGS.get(value)
  if (tag !== undefined) return tag
  return { type: 'number', number: parseHeight(value) }
}

/** A height, a tag, a hash, or an EIP-1898 object with one of them. */
export function parseBlock(value: unknown): BlockReference {
  const tag = TAGS.get(value)
  if (tag !== undefined) return tag
  if (typeof value === 'string') {
    if (value.length === 66) return { type: 'hash', hash: parseHash(value) }
    return { type: 'number', number: parseHeight(value) }
  }
  const record = parseRecord(value)
  const { blockHash, blockNumber, requireCanonical } = record
  if (requireCanonical != null) parseBoolean(requireCanonical)
  if (blockHash != null && blockNumber != null) {
    throw invalidParams('cannot specify both BlockHash and BlockNumber, choose one or the other')
  }
  // Every block that we know is canonical, so `requireCanonical` is fulfilled either way.
  if (blockHash != null) return { type: 'hash', hash: parseHash(blockHash) }
  if (blockNumber != null) return parseBlockNumber(blockNumber)
  throw invalidParams('invalid arguments; block with neither number nor hash')
}

function parseHeight(value: unknown): number {
  const height = parseUint64(value)
  if (height > 0x7fff_ffff_ffff_ffffn) throw invalidParams('block number larger than int64')
  return height > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(height)
}

/**
 * A storage slot: 1 to 32 bytes of hex, odd numbers of digits allowed, as every node takes it.
 * @returns the 32 bytes of the slot
 */
export function parseSlot(value: unknown): Hash {
  if (typeof value !== 'string') throw invalidParams('a storage key must be a hex string')
  const digits = value.startsWith('0x') || value.startsWith('0X') ? value.slice(2) : value
  if (digits.length > 64) throw invalidParams('storage key too long (want at most 32 bytes)')
  if (!/^[0-9a-fA-F]*$/.test(digits)) throw invalidParams('invalid hex in storage key')
  return `0x${digits.toLowerCase().padStart(64, '0')}` as Hash
}

/** An object, not an array and not null. */
export function parseRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidParams('must be an object')
  }
  return value as Record<string, unknown>
}

/** @param countMax how many items are taken; checked before any is parsed */
export function listOf<T>(
  parse: (value: unknown) => T,
  countMax: number,
): (value: unknown) => readonly T[] {
  return (value) => {
    if (!Array.isArray(value)) throw invalidParams('must be an array')
    if (value.length > countMax) throw invalidParams(`too many items, want at most ${countMax}`)
    return value.map(parse)
  }
}

/** A member of an object: `undefined` if it is absent or null. */
export function member<T>(
  record: Readonly<Record<string, unknown>>,
  name: string,
  parse: (value: unknown) => T,
): T | undefined {
  if (!Object.hasOwn(record, name)) return undefined
  const value = record[name]
  if (value === undefined || value === null) return undefined
  try {
    return parse(value)
  } catch (error) {
    throw withPlace(error, name)
  }
}

/** The error with the place where it arose before its message. */
export function withPlace(error: unknown, place: string): unknown {
  if (!(error instanceof Error)) return error
  return invalidParams(`${place}: ${error.message}`)
}

function faultOfHex(value: unknown, what: string, bytes: number | undefined): string {
  if (typeof value !== 'string') return `${what} must be a hex string`
  if (!value.startsWith('0x')) return `hex string without 0x prefix for ${what}`
  if (!/^0x[0-9a-fA-F]*$/.test(value)) return `invalid hex string for ${what}`
  if (value.length % 2 !== 0) return `hex string of odd length for ${what}`
  return `hex string has length ${value.length - 2}, want ${2 * (bytes ?? 0)} for ${what}`
}

function faultOfQuantity(value: string): string {
  if (value === '') return 'empty hex string'
  if (!value.startsWith('0x')) return 'hex string without 0x prefix'
  if (value === '0x') return 'hex string "0x"'
  if (!/^0x[0-9a-fA-F]*$/.test(value)) return 'invalid hex string'
  return 'hex number with leading zero digits'
}
