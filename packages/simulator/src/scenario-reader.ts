/** Readers of JSON that name every wrong place, and what belongs there. */

/** A scenario that cannot be run; the message names every wrong place. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'
  readonly code = 'SCENARIO_INVALID'
}

export interface Place {
  readonly path: string
  readonly value: unknown
  readonly complaints: string[]
}

export type Read<T> = (place: Place) => T

export type Fields<T> = { readonly [Key in keyof T]-?: Read<T[Key]> }

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function object<T>(fields: Fields<T>): Read<T> {
  return ({ path, value, complaints }) => {
    if (!isObject(value)) complaints.push(`${path || 'the file'} must be an object`)
    const given = (isObject(value) ? value : {}) as Record<string, unknown>
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`)
    for (const key of Object.keys(given)) {
      if (Object.hasOwn(fields, key)) continue
      complaints.push(`${at(key)} is not known; known here: ${Object.keys(fields).join(', ')}`)
    }
    const entries = Object.entries<Read<unknown>>(fields as Record<string, Read<unknown>>)
      .map(([key, read]) => [key, read({ path: at(key), value: given[key], complaints })] as const)
      .filter(([, each]) => each !== undefined)
    return Object.fromEntries(entries) as T
  }
}

/** An object of which anything may be left out. */
export function partly<T extends object>(defaults: T, fields: Fields<T>): Read<T> {
  const entries = Object.entries<Read<unknown>>(fields as Record<string, Read<unknown>>)
  const filled = Object.fromEntries(
    entries.map(([key, read]) => [key, withDefault(defaults[key as keyof T], read as never)]),
  )
  const read = object<T>(filled as Fields<T>)
  return (place) => read({ ...place, value: place.value === undefined ? {} : place.value })
}

export function optionalAll<T extends object>(fields: Fields<T>): Fields<T> {
  const entries = Object.entries<Read<unknown>>(fields as Record<string, Read<unknown>>)
  return Object.fromEntries(entries.map(([key, read]) => [key, optional(read)])) as Fields<T>
}

export function withDefault<T>(value: T, read: Read<T>): Read<T> {
  return (place) => (place.value === undefined ? value : read(place))
}

/** Left out of the object where it is not given. */
export function optional<T>(read: Read<T>): Read<T> {
  return (place) => (place.value === undefined ? (undefined as T) : read(place))
}

export function list<T>(read: Read<T>, least: number, most: number): Read<readonly T[]> {
  return ({ path, value, complaints }) => {
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      complaints.push(`${path} must be a list of ${least} to ${most}, not ${shown(value)}`)
      return []
    }
    return value.map((each, i) => read({ path: `${path}[${i}]`, value: each, complaints }))
  }
}

export function number(least: number, most: number): Read<number> {
  return ({ path, value, complaints }) => {
    if (typeof value === 'number' && value >= least && value <= most) return value
    complaints.push(`${path} must be a number from ${least} to ${most}, not ${shown(value)}`)
    return least
  }
}

export function whole(least: number, most: number): Read<number> {
  return (place) => {
    const { path, value, complaints } = place
    if (Number.isSafeInteger(value)) return number(least, most)(place)
    complaints.push(`${path} must be a whole number from ${least} to ${most}, not ${shown(value)}`)
    return least
  }
}

export function text(byDefault?: string): Read<string> {
  return ({ path, value, complaints }) => {
    if (value === undefined && byDefault !== undefined) return byDefault
    if (typeof value === 'string' && (value !== '' || byDefault === '')) return value
    complaints.push(`${path} must be text, not ${shown(value)}`)
    return ''
  }
}

export function flag({ path, value, complaints }: Place): boolean {
  if (typeof value === 'boolean') return value
  complaints.push(`${path} must be true or false, not ${shown(value)}`)
  return false
}

export function oneOf<T extends string>(words: readonly T[]): Read<T> {
  return ({ path, value, complaints }) => {
    const found = words.find((word) => word === value)
    if (found !== undefined) return found
    complaints.push(`${path} must be one of ${words.join(', ')}, not ${shown(value)}`)
    return words[0]!
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const json = JSON.stringify(value)
  return json.length > 60 ? `${json.slice(0, 60)}…` : json
}

/** @throws ScenarioError naming each wrong field, what it must be, and what it is */
export function parseWhole<T>(
  json: unknown,
  read: Read<T>,
  check: (value: T, complaints: string[]) => void,
): T {
  const complaints: string[] = []
  const value = read({ path: '', value: json, complaints })
  if (complaints.length === 0) check(value, complaints)
  if (complaints.length > 0) {
    throw new ScenarioError(
      `the scenario is not valid:\n${complaints.map((line) => `  ${line}`).join('\n')}`,
    )
  }
  return value
}
