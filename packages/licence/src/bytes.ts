/** Text forms of bytes: base64url without padding (RFC 4648 §5), read strictly, and joining. */

import { decodeBase64, encodeBase64, toUtf8Bytes, toUtf8String } from 'ethers'

export function toBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Bytes of base64url; undefined where the text is not what `toBase64Url` writes for any bytes. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined
  const bytes = decodeBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
  // Unused bits must be zero: each credential has one spelling.
  return toBase64Url(bytes) === text ? bytes : undefined
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export function utf8(text: string): Uint8Array {
  return toUtf8Bytes(text)
}

/** Text of UTF-8; undefined where the bytes are none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return toUtf8String(bytes)
  } catch {
    return undefined
  }
}

/** A JSON object of text; undefined where it is none. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
