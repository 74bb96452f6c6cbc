/**
 * Looks for a person's data where none may be: in bytes of a chain, of logs, of anything.
 *
 * Each value is looked for as UTF-8, as UTF-16 both ways, as hex, base64 and base64url at each of
 * three offsets; and as a hash that somebody could guess: sha-256, sha-1, md5, keccak-256, sha3-256
 * and ripemd-160 of the value alone, of it with common ends, and cut short to 16 bytes.
 */

import { createHash } from 'node:crypto'
import { keccak256 } from 'ethers'

export interface Finding {
  /** Name of the value. */
  readonly value: string
  /** How it stood there. */
  readonly form: string
  readonly offset: number
}

/** Bytes that are less than this say nothing: they are found anywhere. */
const BYTES_MIN = 4

/**
 * @param values by name; those shorter than four bytes are passed over
 */
export function findPersonalData(
  haystack: Uint8Array,
  values: Readonly<Record<string, string>>,
): Finding[] {
  const bytes = Buffer.from(haystack.buffer, haystack.byteOffset, haystack.byteLength)
  const findings: Finding[] = []
  for (const [value, text] of Object.entries(values)) {
    for (const [form, needle] of formsOf(text)) {
      if (needle.length < BYTES_MIN) continue
      const offset = bytes.indexOf(needle)
      if (offset >= 0) findings.push({ value, form, offset })
    }
  }
  return findings
}

function formsOf(text: string): [string, Buffer][] {
  const plain = Buffer.from(text)
  const forms: [string, Buffer][] = [
    ['UTF-8', plain],
    ['UTF-16, low byte first', Buffer.from(text, 'utf16le')],
    ['UTF-16, high byte first', Buffer.from(text, 'utf16le').swap16()],
    ['hex', Buffer.from(plain.toString('hex'))],
    ['HEX', Buffer.from(plain.toString('hex').toUpperCase())],
    ['JSON with escapes', Buffer.from(escaped(text))],
  ]
  // In base64 a text looks different by what stands before it; ends depend on what follows.
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), plain])
    const whole = padded.subarray(0, padded.length - (padded.length % 3))
    const from = Math.ceil((before * 8) / 6)
    for (const encoding of ['base64', 'base64url'] as const) {
      forms.push([
        `${encoding}, offset ${before}`,
        Buffer.from(whole.toString(encoding).slice(from)),
      ])
    }
  }
  for (const [name, source] of sourcesOf(text)) {
    for (const algorithm of ['sha256', 'sha1', 'md5', 'sha3-256', 'ripemd160', 'sha512']) {
      const digest = createHash(algorithm).update(source).digest()
      forms.push(...digestForms(`${algorithm} of ${name}`, digest))
    }
    const digest = Buffer.from(keccak256(source).slice(2), 'hex')
    forms.push(...digestForms(`keccak256 of ${name}`, digest))
  }
  return forms.filter(([, needle]) => needle.length > 0)
}

/** What somebody would hash who has a list of numbers. */
function sourcesOf(text: string): [string, Buffer][] {
  return [
    ['it', Buffer.from(text)],
    ['it in small letters', Buffer.from(text.toLowerCase())],
    ['it with a line end', Buffer.from(`${text}\n`)],
    ['it in quotes', Buffer.from(JSON.stringify(text))],
    ['it in 32 bytes', Buffer.concat([Buffer.from(text), Buffer.alloc(32)]).subarray(0, 32)],
    ['a word with it', Buffer.from(`citizen number${text}`)],
  ]
}

function digestForms(name: string, digest: Buffer): [string, Buffer][] {
  return [
    [name, digest],
    [`${name}, cut to 16 bytes`, digest.subarray(0, 16)],
    [`${name} as hex`, Buffer.from(digest.toString('hex'))],
    [`${name} as base64url`, Buffer.from(digest.toString('base64url'))],
  ]
}

function escaped(text: string): string {
  return [...text]
    .map((each) =>
      each.charCodeAt(0) > 0x7f ? `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}` : each,
    )
    .join('')
}
