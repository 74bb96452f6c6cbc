/** Reads values out of untrusted JSON; every complaint names the place, as `alloc.0x12.balance`. */

import {
  type Address,
  bytesToBigInt,
  bytesToHex,
  type Hash,
  hexToBytes,
  NO_BYTES,
} from '@vellum/evm'
import { LedgerError } from './error.ts'

/** A JSON object whose keys are compared in lower case, as Besu does; values keep their place. */
export interface JsonObject {
  readonly path: string
  readonly fields: ReadonlyMap<string, JsonField>
}

export interface JsonField {
  readonly path: string
  readonly value: unknown
}

/** @throws LedgerError LEDGER_GENESIS_INVALID unless the value is an object without double keys */
export function readObject({ path, value }: JsonField): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidJson(path, 'must be an object')
  }
  const fields = new Map<string, JsonField>()
  for (const [key, inner] of Object.entries(value)) {
    const lower = key.toLowerCase()
    const at = path === '' ? key : `${path}.${key}`
    if (fields.has(lower)) throw invalidJson(at, 'is there twice, in different case')
    fields.set(lower, { path: at, value: inner })
  }
  return { path, fields }
}

/** The field, undefined if it is absent or null. `key` in any case. */
export function fieldOf(object: JsonObject, key: string): JsonField | undefined {
  const field = object.fields.get(key.toLowerCase())
  return field === undefined || field.value === null ? undefined : field
}

/** The field. @throws LedgerError LEDGER_GENESIS_INVALID if it is absent */
export function requiredField(object: JsonObject, key: string): JsonField {
  const field = fieldOf(object, key)
  if (field !== undefined) return field
  throw invalidJson(object.path === '' ? key : `${object.path}.${key}`, 'is missing')
}

/** An unsigned integer: a JSON number, decimal text, or 0x hex text; below 2^`bits`. */
export function readQuantity({ path, value }: JsonField, bits: number): bigint {
  let quantity: bigint
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) {
      throw invalidJson(path, 'must be an integer below 2^53; write larger ones as text')
    }
    quantity = BigInt(value)
  } else if (typeof value === 'string' && /^(0x[0-9a-f]+|[0-9]+)$/i.test(value)) {
    // 80 characters hold any 256-bit number; more would only cost time.
    if (value.length > 80) throw invalidJson(path, `must be below 2^${bits}`)
    quantity = BigInt(value)
  } else if (value === '0x') {
    quantity = 0n
  } else throw invalidJson(path, 'must be a number, in decimal or 0x hex')
  if (quantity < 0n || quantity >> BigInt(bits) !== 0n) {
    throw invalidJson(path, `must be below 2^${bits}`)
  }
  return quantity
}

/** An unsigned integer below 2^53. */
export function readNumber(field: JsonField): number {
  return Number(readQuantity(field, 53))
}

export function readBoolean({ path, value }: JsonField): boolean {
  if (typeof value !== 'boolean') throw invalidJson(path, 'must be true or false')
  return value
}

export function readArray({ path, value }: JsonField): JsonField[] {
  if (!Array.isArray(value)) throw invalidJson(path, 'must be a list')
  return value.map((inner: unknown, i) => ({ path: `${path}[${i}]`, value: inner }))
}

/** Hex bytes, with or without 0x (Besu writes both). */
export function readBytes({ path, value }: JsonField): Uint8Array {
  if (typeof value !== 'string') throw invalidJson(path, 'must be hex text')
  if (value === '') return NO_BYTES
  try {
    return hexToBytes(/^0x/i.test(value) ? `0x${value.slice(2)}` : `0x${value}`)
  } catch (cause) {
    throw invalidJson(path, 'must be hex text with an even number of digits', cause)
  }
}

/** Hex of at most `size` bytes, with or without 0x, padded with zeros on the left. */
export function readPadded({ path, value }: JsonField, size: number): Uint8Array {
  const digits = typeof value === 'string' ? value.replace(/^0x/i, '') : undefined
  if (digits === undefined || digits.length > 2 * size || /[^0-9a-f]/i.test(digits)) {
    throw invalidJson(path, `must be hex text of at most ${size} bytes`)
  }
  return hexToBytes(`0x${digits.padStart(2 * size, '0')}`)
}

/** 32 bytes. */
export function readHash(field: JsonField): Hash {
  return bytesToHex(readExactly(field, 32))
}

/** 20 bytes; the case of the digits is not taken as a checksum. */
export function readAddress(field: JsonField): Address {
  return bytesToHex(readExactly(field, 20))
}

/** A 256-bit word of at most 32 hex bytes. */
export function readWord(field: JsonField): bigint {
  return bytesToBigInt(readPadded(field, 32))
}

export function invalidJson(path: string, reason: string, cause?: unknown): LedgerError {
  const place = path === '' ? 'the genesis' : path
  const options = cause === undefined ? undefined : { cause }
  return new LedgerError('LEDGER_GENESIS_INVALID', `${place} ${reason}`, { path }, options)
}

function readExactly(field: JsonField, size: number): Uint8Array {
  const bytes = readBytes(field)
  if (bytes.length !== size) throw invalidJson(field.path, `must have ${size} bytes`)
  return bytes
}
