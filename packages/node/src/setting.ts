/**
 * Settings out of parsed JSON: one schema, checked whole, every complaint with its place, frozen.
 */

import type { Address } from '@vellum/evm'
import { NodeError } from './error.ts'

/** A value with a place, read out of the raw configuration; complaints are gathered, not thrown. */
export interface Reader {
  readonly path: string
  readonly value: unknown
  readonly complaints: string[]
}

export type Field<T> = (reader: Reader) => T

/**
 * What the schema makes of the JSON, frozen.
 * @param what is read, for the error: `the configuration`
 * @throws NodeError NODE_CONFIG_INVALID naming every wrong field, what it must be, and what it is
 */
export function readSettings<T extends object>(raw: unknown, field: Field<T>, what: string): T {
  const complaints: string[] = []
  const settings = field({ path: '', value: raw, complaints })
  if (complaints.length > 0) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `${what} is not valid:\n${complaints.map((line) => `  ${line}`).join('\n')}`,
      { complaints: complaints.length },
    )
  }
  return freeze(settings)
}

export function section<T extends object>(
  fields: { readonly [Key in keyof T]: Field<T[Key]> },
): Field<T> {
  return ({ path, value, complaints }) => {
    const given = value === undefined ? {} : value
    const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
    if (!isObject) complaints.push(`${path || 'the file'} must be an object, not ${shown(given)}`)
    const object = isObject ? (given as Record<string, unknown>) : {}
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`)
    for (const key of Object.keys(object)) {
      if (Object.hasOwn(fields, key)) continue
      const known = Object.keys(fields).join(', ')
      complaints.push(`${at(key)} is not known; known here: ${known}`)
    }
    const entries = Object.entries<Field<unknown>>(fields).map(([key, field]) => [
      key,
      field({ path: at(key), value: object[key], complaints }),
    ])
    return Object.fromEntries(entries) as T
  }
}

export function withDefault<T>(value: T, field: Field<T>): Field<T> {
  return (reader) => (reader.value === undefined ? value : field(reader))
}

export function optional<T>(field: Field<T>): Field<T | undefined> {
  return (reader) => (reader.value === undefined ? undefined : field(reader))
}

export function whole(least: number, most: number): Field<number> {
  return ({ path, value, complaints }) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
      return value
    complaints.push(`${path} must be a whole number from ${least} to ${most}, not ${shown(value)}`)
    return least
  }
}

export function text(byDefault?: string): Field<string> {
  return ({ path, value, complaints }) => {
    if (value === undefined && byDefault !== undefined) return byDefault
    if (typeof value === 'string' && value !== '' && value.length <= 4096) return value
    complaints.push(`${path} must be text, not ${shown(value)}`)
    return ''
  }
}

export function oneOf<T extends string>(words: readonly T[]): Field<T> {
  return ({ path, value, complaints }) => {
    const found = words.find((word) => word === value)
    if (found !== undefined) return found
    complaints.push(`${path} must be one of ${words.join(', ')}, not ${shown(value)}`)
    return words[0]!
  }
}

export function flag(): Field<boolean> {
  return ({ path, value, complaints }) => {
    if (typeof value === 'boolean') return value
    complaints.push(`${path} must be true or false, not ${shown(value)}`)
    return false
  }
}

export function address(): Field<Address> {
  return ({ path, value, complaints }) => {
    if (typeof value === 'string' && ADDRESS.test(value)) return value.toLowerCase() as Address
    complaints.push(`${path} must be an address (0x and 40 hex digits), not ${shown(value)}`)
    return NOBODY
  }
}

export function addresses(): Field<readonly Address[]> {
  return (reader) => {
    const texts = list()(reader)
    for (const each of texts) {
      if (ADDRESS.test(each)) continue
      reader.complaints.push(
        `${reader.path} must hold addresses (0x and 40 hex digits), not ${shown(each)}`,
      )
    }
    return texts.map((each) => each.toLowerCase() as Address)
  }
}

/** A list of texts of one kind. @param kind what each must be, in words */
export function listOf(isOne: (text: string) => boolean, kind: string): Field<readonly string[]> {
  return (reader) => {
    const texts = list()(reader)
    const wrong = texts.find((each) => !isOne(each))
    if (wrong !== undefined) {
      reader.complaints.push(`${reader.path} may hold ${kind}, not ${shown(wrong)}`)
    }
    return texts
  }
}

export function list(): Field<readonly string[]> {
  return ({ path, value, complaints }) => {
    if (value === undefined) return []
    if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')) {
      return value as string[]
    }
    complaints.push(`${path} must be a list of text, not ${shown(value)}`)
    return []
  }
}

/** A list whose items one schema checks. */
export function itemsOf<T>(item: Field<T>): Field<readonly T[]> {
  return ({ path, value, complaints }) => {
    if (value === undefined) return []
    if (Array.isArray(value)) {
      return value.map((each, i) => item({ path: `${path}.${i}`, value: each, complaints }))
    }
    complaints.push(`${path} must be a list, not ${shown(value)}`)
    return []
  }
}

/** An object from addresses to values of one kind. */
export function byAddress<T>(each: Field<T>): Field<ReadonlyMap<Address, T>> {
  return ({ path, value, complaints }) => {
    if (value === undefined) return new Map()
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      complaints.push(`${path} must be an object, not ${shown(value)}`)
      return new Map()
    }
    return new Map(
      Object.entries(value).map(([key, inner]) => [
        address()({ path: `a key of ${path}`, value: key, complaints }),
        each({ path: `${path}.${key}`, value: inner, complaints }),
      ]),
    )
  }
}

/** An object from names to values of one kind. @param kind what each name must be, in words */
export function byName<T>(
  isName: (name: string) => boolean,
  kind: string,
  each: Field<T>,
): Field<ReadonlyMap<string, T>> {
  return ({ path, value, complaints }) => {
    if (value === undefined) return new Map()
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      complaints.push(`${path} must be an object, not ${shown(value)}`)
      return new Map()
    }
    const wrong = Object.keys(value).find((name) => !isName(name))
    if (wrong !== undefined) complaints.push(`${path} must have ${kind}, not ${shown(wrong)}`)
    return new Map(
      Object.entries(value).map(([name, inner]) => [
        name,
        each({ path: `${path}.${name}`, value: inner, complaints }),
      ]),
    )
  }
}

/** A whole number, as decimal text where JSON cannot hold it. */
export function amount(bits: number): Field<bigint> {
  return ({ path, value, complaints }) => {
    const isWhole =
      (typeof value === 'number' && Number.isSafeInteger(value)) ||
      (typeof value === 'string' && /^\d{1,78}$/.test(value))
    const found = isWhole ? BigInt(value as string | number) : -1n
    if (found >= 0n && found < 2n ** BigInt(bits)) return found
    complaints.push(`${path} must be a whole number below 2^${bits}, not ${shown(value)}`)
    return 0n
  }
}

export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const json = JSON.stringify(value)
  return json.length > 60 ? `${json.slice(0, 60)}…` : json
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) freeze(inner)
  }
  return Object.freeze(value)
}

const ADDRESS = /^0x[0-9a-fA-F]{40}$/
const NOBODY: Address = '0x0000000000000000000000000000000000000000'
