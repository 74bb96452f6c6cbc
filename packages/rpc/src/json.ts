/**
 * JSON on the hot path: requests are read with checks that `JSON.parse` does not make, and answers
 * are written as text at once, without an object in between.
 */

/** A value already written as JSON text. */
export type JsonText = string & { readonly __jsonText?: never }

export const NULL: JsonText = 'null'
export const TRUE: JsonText = 'true'
export const FALSE: JsonText = 'false'

/** Why a text was not taken. */
export type JsonFault = 'syntax' | 'depth' | 'duplicateKey'

export type ReadJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: JsonFault }

const QUOTE = 34
const COLON = 58

/**
 * Reads JSON text; refuses objects in which a name stands twice (two readers of one request must not
 * see two requests) and nesting beyond `depthMax`.
 *
 * Duplicates cost one pass: the text has as many colons outside strings as it has members, and
 * the value that `JSON.parse` makes has as many keys as it has different names.
 */
export function readJson(text: string, depthMax: number): ReadJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, fault: 'syntax' }
  }
  const keys = countKeys(value, depthMax)
  if (keys < 0) return { ok: false, fault: 'depth' }
  if (keys !== countMembers(text)) return { ok: false, fault: 'duplicateKey' }
  return { ok: true, value }
}

/** Keys of all objects in the value; negative if it is nested deeper than `depth`. */
function countKeys(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth === 0) return Number.NEGATIVE_INFINITY
  let count = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      if (typeof item === 'object') count += countKeys(item, depth - 1)
    }
    return count
  }
  const record = value as Record<string, unknown>
  // for-in sees own keys only here: JSON.parse makes plain objects, and Object.prototype is bare.
  for (const key in record) {
    count++
    const item = record[key]
    if (typeof item === 'object') count += countKeys(item, depth - 1)
  }
  return count
}

/** Colons outside strings. The text is valid JSON. */
function countMembers(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === COLON) count++
    else if (code === QUOTE) i = endOfString(text, i)
  }
  return count
}

/** Position of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** True if an odd number of backslashes stands before the position. */
function isEscaped(text: string, at: number): boolean {
  let i = at
  while (text.charCodeAt(i - 1) === 92) i--
  return (at - i) % 2 === 1
}

/** An array of values already written. */
export function jsonArray(items: readonly JsonText[]): JsonText {
  return `[${items.join(',')}]`
}

/** An object from pairs of a name, which must need no escape, and a value already written. */
export function jsonObject(members: readonly (readonly [string, JsonText])[]): JsonText {
  let text = ''
  for (const [name, value] of members) text += `${text === '' ? '' : ','}"${name}":${value}`
  return `{${text}}`
}

/** A string, with escapes where needed. */
export function jsonString(text: string): JsonText {
  return JSON.stringify(text)
}
