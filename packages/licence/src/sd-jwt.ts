/**
 * Reading of SD-JWTs (RFC 9901), strictly: the parts, their one spelling, and which disclosures
 * belong to which digests. Making them is left to @sd-jwt/core; its reader lets pass what section 7.1
 * wants refused (disclosures that nothing refers to, digests that come twice), so this is our own.
 *
 * Disclosures stand at the top and in `body`, nowhere else, and each gives a field of an object.
 */

import { getBytes, sha256 } from 'ethers'
import { fromBase64Url, isObject, parseObject, textOf, toBase64Url, utf8 } from './bytes.ts'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError } from './error.ts'

/** A JWT in its parts. */
export interface Jwt {
  /** `header.payload`: what is signed. */
  readonly signed: string
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
  /** 64 bytes. */
  readonly signature: Uint8Array
}

export interface SdJwt {
  readonly issuerJwt: Jwt
  /** The issuer's JWT as text. */
  readonly issuerText: string
  /** Disclosures as text, in their order. */
  readonly disclosures: readonly string[]
  readonly keyBinding: Jwt | undefined
  /** Everything before the key binding, with the last `~`: what `sd_hash` covers. */
  readonly bound: string
}

/** Claims with the disclosed fields in their places. */
export type Disclosed =
  | { readonly ok: true; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly ok: false }

/**
 * Splits an SD-JWT.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED
 */
export function parseSdJwt(text: string): SdJwt {
  if (text.length > LICENCE_LIMITS.credentialCharactersMax) throw malformed('it is too long')
  const end = text.lastIndexOf('~')
  if (end < 0) throw malformed('it has no ~')
  const [issuerText, ...disclosures] = text.slice(0, end).split('~') as [string, ...string[]]
  if (disclosures.length > LICENCE_LIMITS.disclosuresMax) throw malformed('too many disclosures')
  const last = text.slice(end + 1)
  return {
    issuerJwt: parseJwt(issuerText),
    issuerText,
    disclosures,
    keyBinding: last === '' ? undefined : parseJwt(last),
    bound: text.slice(0, end + 1),
  }
}

/**
 * Reads a JWT in compact form.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED
 */
export function parseJwt(text: string): Jwt {
  const parts = text.split('.')
  const [header, payload, signature] = parts.map((part) => fromBase64Url(part))
  if (parts.length !== 3 || header === undefined || payload === undefined) {
    throw malformed('a JWT has three parts of base64url')
  }
  if (signature?.length !== 64) throw malformed('a signature of ES256K has 64 bytes')
  return {
    signed: text.slice(0, text.lastIndexOf('.')),
    header: objectOf(header),
    payload: objectOf(payload),
    signature,
  }
}

/** SHA-256 of ASCII text in base64url: digest of a disclosure, and `sd_hash`. */
export function digestOfText(text: string): string {
  return toBase64Url(getBytes(sha256(utf8(text))))
}

/**
 * Puts disclosures into their places. Not ok where one belongs nowhere, comes twice, or would
 * overwrite a claim: somebody has changed it (RFC 9901 §7.1).
 */
export function disclose(sdJwt: SdJwt): Disclosed {
  const { payload } = sdJwt.issuerJwt
  const { body } = payload
  const algorithm = payload._sd_alg
  const top = digestsOf(payload)
  const inner = body === undefined ? [] : isObject(body) ? digestsOf(body) : undefined
  if (algorithm !== 'sha-256' || top === undefined || inner === undefined) return { ok: false }
  const all = new Set([...top, ...inner])
  if (all.size !== top.length + inner.length) return { ok: false }
  const topClaims = withoutDigests(payload)
  const bodyClaims = isObject(body) ? withoutDigests(body) : undefined
  for (const text of sdJwt.disclosures) {
    const digest = digestOfText(text)
    const place = top.includes(digest) ? topClaims : inner.includes(digest) ? bodyClaims : undefined
    const parsed = parseDisclosure(text)
    // A digest is used up once it is disclosed.
    if (place === undefined || parsed === undefined || !all.delete(digest)) return { ok: false }
    if (Object.hasOwn(place, parsed.name)) return { ok: false }
    place[parsed.name] = parsed.value
  }
  return {
    ok: true,
    claims: bodyClaims === undefined ? topClaims : { ...topClaims, body: bodyClaims },
  }
}

/** `[salt, name, value]`; undefined where the text is no such thing. */
export function parseDisclosure(text: string): { name: string; value: unknown } | undefined {
  const bytes = fromBase64Url(text)
  const json = bytes === undefined ? undefined : textOf(bytes)
  if (json === undefined) return undefined
  let parts: unknown
  try {
    parts = JSON.parse(json)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts.length !== 3) return undefined
  const [salt, name, value] = parts as unknown[]
  if (typeof salt !== 'string' || typeof name !== 'string') return undefined
  if (name === '' || name === '_sd' || name === '...' || name === '__proto__') return undefined
  return { name, value }
}

function digestsOf(object: Record<string, unknown>): string[] | undefined {
  const digests = object._sd
  if (digests === undefined) return []
  const isList = Array.isArray(digests) && digests.every((each) => typeof each === 'string')
  return isList ? digests : undefined
}

function withoutDigests(object: Record<string, unknown>): Record<string, unknown> {
  const { _sd, _sd_alg, ...rest } = object
  return rest
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
  const text = textOf(bytes)
  const object = text === undefined ? undefined : parseObject(text)
  if (object === undefined) throw malformed('a part of a JWT is no JSON object')
  return object
}

function malformed(what: string): LicenceError {
  return new LicenceError('LICENCE_CREDENTIAL_MALFORMED', `not an SD-JWT of a licence: ${what}`)
}
