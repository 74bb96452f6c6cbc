/**
 * A holder shows a licence: chosen disclosures and a key binding JWT (RFC 9901 §4.3), signed with the
 * key that the issuer named in `cnf`. It is good for a minute and once: bound to a verifier's request,
 * or without one to a moment ("the code on the phone").
 *
 * Key binding: iat, exp, aud (DID of the verifier, or `urn:vellum:anyone`), nonce (the request's, or
 * the seed), purpose, seed, sd_hash. A copy (加註件) has `copy` besides and lives longer.
 */

import { SEED_BYTES } from './blinding.ts'
import { fromBase64Url, isObject, toBase64Url } from './bytes.ts'
import { LICENCE_LIMITS } from './config.ts'
import {
  type Credential,
  type CredentialReason,
  readCredential,
  sdJwtSigner,
  selectFields,
} from './credential.ts'
import { formatDid } from './did.ts'
import { LicenceError, type Verdict } from './error.ts'
import { addressOfKey, isSignedBy, type KeyHolder } from './key.ts'
import type { ReplayMemory } from './replay.ts'
import { checkedPurpose, isPurpose, type PresentationRequest } from './request.ts'
import { digestOfText, parseSdJwt } from './sd-jwt.ts'

/** Audience of a presentation that anybody may check. */
export const ANYONE = 'urn:vellum:anyone'

export interface Presentation {
  readonly credential: Credential
  readonly purpose: string
  /** 16 bytes, for the tag and commitment of the record. */
  readonly seed: Uint8Array
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** The text that was read, for records. */
  readonly text: string
}

/** What a copy says beyond. */
export interface CopyNote {
  /** Who made it. */
  readonly creator: string
  /** What it was made for. */
  readonly cause: string
  /** Printed across it. */
  readonly watermark: string
}

export interface LicenceCopy extends Presentation {
  readonly note: CopyNote
}

export type PresentationReason =
  | CredentialReason
  /** No key binding: somebody shows a credential that may not be theirs. */
  | 'holder missing'
  /** Signed by another key than the issuer named. */
  | 'wrong holder'
  /** Fields were added or removed after the holder signed. */
  | 'presentation altered'
  | 'expired'
  | 'not yet valid'
  /** The licence's own validity: not begun, or over. */
  | 'licence not yet valid'
  | 'licence expired'
  | 'wrong verifier'
  | 'wrong request'
  | 'wrong purpose'
  /** A field that was asked for is not shown. */
  | 'field missing'
  /** Shown before. */
  | 'replayed'
  /** The memory is full of presentations that have not expired: refused to be safe. */
  | 'too many presentations'
  /** A copy where a presentation is asked for, or the other way round. */
  | 'a copy'
  | 'not a copy'

export interface PresentOptions {
  /** The credential with all its disclosures. */
  readonly credential: string
  readonly key: KeyHolder
  /** 16 bytes, used once: `presentationSeed`. */
  readonly seed: Uint8Array
  /** Seconds since 1970. */
  readonly now: number
}

/**
 * Answers a request: shows what it asks for, to who asks.
 * @throws LicenceError LICENCE_FIELD_UNKNOWN
 */
export function answerRequest(
  request: PresentationRequest,
  options: PresentOptions,
): Promise<string> {
  const { verifier, nonce, purpose, fields } = request
  return bind(options, {
    fields,
    purpose,
    audience: formatDid(verifier),
    nonce,
    seconds: LICENCE_LIMITS.presentationSeconds,
  })
}

/**
 * Shows fields to whoever looks within a minute.
 * @throws LicenceError LICENCE_FIELD_UNKNOWN, LICENCE_FIELD_INVALID
 */
export function present(
  shown: { readonly fields: readonly string[]; readonly purpose: string },
  options: PresentOptions,
): Promise<string> {
  return bind(options, {
    ...shown,
    audience: ANYONE,
    nonce: toBase64Url(options.seed),
    seconds: LICENCE_LIMITS.presentationSeconds,
  })
}

/**
 * Makes a purpose-bound copy: it names the original by the same credential, can be checked against it,
 * and lasts as long as it is told.
 * @param shown.seconds at most a year
 * @throws LicenceError LICENCE_FIELD_UNKNOWN, LICENCE_FIELD_INVALID
 */
export function makeCopy(
  shown: {
    readonly fields: readonly string[]
    readonly purpose: string
    readonly note: CopyNote
    readonly seconds: number
  },
  options: PresentOptions,
): Promise<string> {
  const { note, seconds } = shown
  if (!(seconds > 0 && seconds <= LICENCE_LIMITS.copySecondsMax)) {
    throw new LicenceError('LICENCE_FIELD_INVALID', 'a copy lasts up to a year', {
      field: 'seconds',
    })
  }
  const { creator, cause, watermark } = note
  const copy = {
    creator: checkedPurpose(creator, 'creator'),
    cause: checkedPurpose(cause, 'cause'),
    watermark: checkedPurpose(watermark, 'watermark'),
  }
  return bind(options, { ...shown, audience: ANYONE, nonce: toBase64Url(options.seed) }, { copy })
}

/**
 * Checks an answer to a request of one's own. Its place in the memory is taken by the last step.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED
 */
export function verifyAnswer(
  text: string,
  expected: {
    readonly request: PresentationRequest
    readonly memory: ReplayMemory
    readonly now: number
  },
): Verdict<{ readonly presentation: Presentation }, PresentationReason> {
  const { request, memory, now } = expected
  const read = readBound(text, now)
  if (!read.ok) return read
  const { presentation, binding } = read
  if (binding.copy !== undefined) return { ok: false, reason: 'a copy' }
  if (binding.aud !== formatDid(request.verifier)) return { ok: false, reason: 'wrong verifier' }
  if (binding.nonce !== request.nonce) return { ok: false, reason: 'wrong request' }
  if (presentation.purpose !== request.purpose) return { ok: false, reason: 'wrong purpose' }
  if (request.fields.some((field) => !isShown(presentation.credential, field))) {
    return { ok: false, reason: 'field missing' }
  }
  return remember(presentation, memory, now)
}

/**
 * Checks a presentation that was made for no particular verifier.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED
 */
export function verifyPresentation(
  text: string,
  expected: { readonly memory: ReplayMemory; readonly now: number },
): Verdict<{ readonly presentation: Presentation }, PresentationReason> {
  const { memory, now } = expected
  const read = readPresentation(text, now)
  return read.ok ? remember(read.presentation, memory, now) : read
}

/** As `verifyPresentation`, without a memory: what follows must call `remember`. */
export function readPresentation(
  text: string,
  now: number,
): Verdict<{ readonly presentation: Presentation }, PresentationReason> {
  const read = readBound(text, now)
  if (!read.ok) return read
  const { presentation, binding } = read
  if (binding.copy !== undefined) return { ok: false, reason: 'a copy' }
  if (binding.aud !== ANYONE) return { ok: false, reason: 'wrong verifier' }
  if (binding.nonce !== toBase64Url(presentation.seed))
    return { ok: false, reason: 'wrong request' }
  return { ok: true, presentation }
}

/**
 * Checks a purpose-bound copy. It may be shown many times until it expires; whether the original is
 * in force, the chain says.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED
 */
export function verifyCopy(
  text: string,
  now: number,
): Verdict<{ readonly copy: LicenceCopy }, PresentationReason> {
  const read = readBound(text, now)
  if (!read.ok) return read
  const { presentation, binding } = read
  const { copy } = binding
  if (!isObject(copy)) return { ok: false, reason: 'not a copy' }
  const { creator, cause, watermark } = copy
  if (!isPurpose(creator) || !isPurpose(cause) || !isPurpose(watermark)) {
    return { ok: false, reason: 'not a copy' }
  }
  return { ok: true, copy: { ...presentation, note: { creator, cause, watermark } } }
}

/** Whether a field, as requests name it, is disclosed. */
export function isShown({ data }: Credential, field: string): boolean {
  if (!field.startsWith('body.')) return Object.hasOwn(data, field)
  return Object.hasOwn(data.body, field.slice('body.'.length))
}

interface Bound {
  readonly fields: readonly string[]
  readonly purpose: string
  readonly audience: string
  readonly nonce: string
  readonly seconds: number
}

async function bind(
  { credential, key, seed, now }: PresentOptions,
  { fields, purpose, audience, nonce, seconds }: Bound,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  if (seed.length !== SEED_BYTES) {
    throw new LicenceError('LICENCE_FIELD_INVALID', `a seed has ${SEED_BYTES} bytes`, {
      field: 'seed',
    })
  }
  const payload = {
    iat: now,
    exp: now + seconds,
    aud: audience,
    nonce,
    purpose: checkedPurpose(purpose),
    seed: toBase64Url(seed),
    ...more,
  }
  return sdJwtSigner(key).present(selectFields(credential, fields), undefined, { kb: { payload } })
}

type Binding = Readonly<Record<string, unknown>>

/** Everything but what depends on who asked: credential, holder's key, times. */
function readBound(
  text: string,
  now: number,
): Verdict<{ readonly presentation: Presentation; readonly binding: Binding }, PresentationReason> {
  const read = readCredential(text)
  if (!read.ok) return read
  const { credential } = read
  const { keyBinding, bound } = parseSdJwt(text)
  if (keyBinding === undefined) return { ok: false, reason: 'holder missing' }
  const { header, payload, signed, signature } = keyBinding
  if (header.typ !== 'kb+jwt' || header.alg !== 'ES256K') throw malformed()
  const { iat, exp, purpose } = payload
  const seed = typeof payload.seed === 'string' ? fromBase64Url(payload.seed) : undefined
  const isWhole = Number.isSafeInteger(iat) && Number.isSafeInteger(exp) && isPurpose(purpose)
  if (!isSignedBy(signed, signature, addressOfKey(credential.holderKey))) {
    return { ok: false, reason: 'wrong holder' }
  }
  if (seed?.length !== SEED_BYTES || !isWhole) throw malformed()
  if (payload.sd_hash !== digestOfText(bound)) return { ok: false, reason: 'presentation altered' }
  const [issuedAt, expiresAt] = [iat as number, exp as number]
  const longest =
    payload.copy === undefined ? LICENCE_LIMITS.presentationSeconds : LICENCE_LIMITS.copySecondsMax
  // Who signs a longer life than there is gets none.
  if (expiresAt - issuedAt > longest) throw malformed()
  const skew = LICENCE_LIMITS.clockSkewSeconds
  if (now < issuedAt - skew) return { ok: false, reason: 'not yet valid' }
  if (now >= expiresAt + skew) return { ok: false, reason: 'expired' }
  if (now < credential.validity.from) return { ok: false, reason: 'licence not yet valid' }
  if (now >= credential.validity.until) return { ok: false, reason: 'licence expired' }
  const presentation = { credential, purpose, seed, issuedAt, expiresAt, text }
  return { ok: true, presentation, binding: payload }
}

/** Takes a presentation's place in a memory: the last step of every check. */
export function remember(
  presentation: Presentation,
  memory: ReplayMemory,
  now: number,
): Verdict<{ readonly presentation: Presentation }, PresentationReason> {
  const { credential, seed, expiresAt } = presentation
  // By holder and seed, not by text: a second signature over the same seed is the same showing.
  const id = `${credential.holder} ${toBase64Url(seed)}`
  const answer = memory.note({ id, expiresAt: expiresAt + LICENCE_LIMITS.clockSkewSeconds, now })
  if (answer === 'seen') return { ok: false, reason: 'replayed' }
  if (answer === 'full') return { ok: false, reason: 'too many presentations' }
  return { ok: true, presentation }
}

function malformed(): LicenceError {
  return new LicenceError('LICENCE_CREDENTIAL_MALFORMED', 'not a key binding of a presentation')
}
