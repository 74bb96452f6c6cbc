/**
 * What a verifier asks of a holder: which fields, what for, and a nonce that makes the answer good
 * for once. Signed, so that the holder's app can show who asks: a JWT with `typ` vellum-request+jwt.
 */

import { randomBytes } from 'ethers'
import { fromBase64Url, toBase64Url, utf8 } from './bytes.ts'
import { LICENCE_LIMITS } from './config.ts'
import { formatDid, type Identity, parseDid } from './did.ts'
import { LicenceError, type Verdict } from './error.ts'
import { isSignedBy, type KeyHolder, signText } from './key.ts'
import { parseJwt } from './sd-jwt.ts'

export const REQUEST_TYPE = 'vellum-request+jwt'
const NONCE_BYTES = 16

export interface PresentationRequest {
  readonly verifier: Identity
  /** Base64url of 16 bytes. */
  readonly nonce: string
  /** 用證事由: why, in words that the holder is shown. */
  readonly purpose: string
  /** As `fieldsOf` names them. */
  readonly fields: readonly string[]
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
}

export type RequestReason =
  | 'request signature invalid'
  | 'request expired'
  | 'request not yet valid'

export interface RequestOptions {
  readonly chainId: bigint
  readonly key: KeyHolder
  readonly purpose: string
  readonly fields: readonly string[]
  /** Seconds since 1970. */
  readonly now: number
  /** For how long; 60 unless told. */
  readonly seconds?: number
}

/** Makes a request as text; keep it, or what `readRequest` gives, to check the answer against. */
export async function signRequest(options: RequestOptions): Promise<string> {
  const { chainId, key, purpose, fields, now } = options
  const { seconds = LICENCE_LIMITS.presentationSeconds } = options
  const header = { alg: 'ES256K', typ: REQUEST_TYPE }
  const payload = {
    iss: formatDid({ chainId, address: key.address }),
    nonce: toBase64Url(randomBytes(NONCE_BYTES)),
    purpose: checkedPurpose(purpose),
    fields: [...fields],
    iat: now,
    exp: now + seconds,
  }
  const signed = [header, payload].map((part) => toBase64Url(utf8(JSON.stringify(part)))).join('.')
  return `${signed}.${toBase64Url(await signText(signed, key))}`
}

/**
 * Reads a request, and checks signature and time.
 * @param now seconds since 1970
 * @throws LicenceError LICENCE_REQUEST_MALFORMED, LICENCE_CREDENTIAL_MALFORMED if it is no JWT
 */
export function readRequest(
  text: string,
  now: number,
): Verdict<{ readonly request: PresentationRequest }, RequestReason> {
  const { header, payload, signed, signature } = parseJwt(text)
  const { nonce, purpose, fields, iat, exp } = payload
  const verifier = parseDid(payload.iss)
  const isWhole =
    header.alg === 'ES256K' &&
    header.typ === REQUEST_TYPE &&
    typeof nonce === 'string' &&
    fromBase64Url(nonce)?.length === NONCE_BYTES &&
    isPurpose(purpose) &&
    Array.isArray(fields) &&
    fields.length <= LICENCE_LIMITS.requestFieldsMax &&
    fields.every((field) => typeof field === 'string') &&
    Number.isSafeInteger(iat) &&
    Number.isSafeInteger(exp)
  if (verifier === undefined || !isWhole) {
    throw new LicenceError('LICENCE_REQUEST_MALFORMED', 'not a request for a presentation')
  }
  if (!isSignedBy(signed, signature, verifier.address)) {
    return { ok: false, reason: 'request signature invalid' }
  }
  const skew = LICENCE_LIMITS.clockSkewSeconds
  const [issuedAt, expiresAt] = [iat as number, exp as number]
  if (now >= expiresAt + skew) return { ok: false, reason: 'request expired' }
  if (now < issuedAt - skew) return { ok: false, reason: 'request not yet valid' }
  return { ok: true, request: { verifier, nonce, purpose, fields, issuedAt, expiresAt } }
}

/** @throws LicenceError LICENCE_FIELD_INVALID */
export function checkedPurpose(text: string, field = 'purpose'): string {
  if (isPurpose(text)) return text
  const most = LICENCE_LIMITS.purposeCharactersMax
  throw new LicenceError('LICENCE_FIELD_INVALID', `${field} needs 1 to ${most} characters`, {
    field,
  })
}

export function isPurpose(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= LICENCE_LIMITS.purposeCharactersMax
  )
}
