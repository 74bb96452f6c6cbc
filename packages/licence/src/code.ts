/**
 * Codes: what a phone shows and a scanner reads. Text of the QR alphabet:
 *
 *   "VL1:" base45( check (4) | kind (1) | [length (number) | proof, in kind 2] | deflate(packed JWT) )
 *
 * check is the beginning of SHA-256 of what follows it: a misread code is told from an altered one.
 * Packed, a JWT is the bytes behind its base64url, which deflate can see through, without hashes that
 * the reader can make of the disclosures; unpacked it has its one spelling again. docs/protocol/presentation.md says it in full.
 */

import { getBytes, sha256 } from 'ethers'
import { deflateSync, inflateSync } from 'fflate'
import { fromBase45, toBase45 } from './base45.ts'
import { type ByteReader, createByteReader, numberBytes } from './byte-reader.ts'
import { fromBase64Url, isSameBytes, joinBytes, textOf, toBase64Url, utf8 } from './bytes.ts'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError } from './error.ts'
import { digestOfText } from './sd-jwt.ts'

export type Code =
  /** A presentation or a copy: an SD-JWT with key binding. */
  | { readonly kind: 'presentation'; readonly text: string }
  /** A presentation with a status proof: `offline-proof.ts`. */
  | { readonly kind: 'offline'; readonly text: string; readonly proof: Uint8Array }
  /** A verifier's request: a JWT. */
  | { readonly kind: 'request'; readonly text: string }

const PREFIX = 'VL1:'
const CHECK_BYTES = 4
const KINDS = ['', 'presentation', 'offline', 'request'] as const

/**
 * What both sides preset the window of deflate with: the words that every code has. Part of the
 * format; another text would need another prefix.
 */
export const CODE_DICTIONARY: string =
  'market district province validUntil validFrom issueDate issuerName typeName identifier address' +
  ' number region holderName holderCode holderCodeType citizen number unified social credit code' +
  '"]["_sd":["{"alg":"ES256K","typ":"vellum-request+jwt"}{"iss":"did:ethr:0x","nonce":"' +
  '{"alg":"ES256K","typ":"dc+sd-jwt"}{"typ":"dc+sd-jwt","alg":"ES256K"}' +
  '{"iss":"did:ethr:0x","sub":"did:ethr:0x","vct":"urn:vellum:licence:11100000000013338W0","iat":17' +
  ',"nbf":17,"exp":20,"cnf":{"jwk":{"kty":"EC","crv":"secp256k1","x":"","y":""}},' +
  '"identifier":"1.2.156.3005.2.11100000000013338W0","typeName":"","issueDate":"20","issuerName":"' +
  '","validFrom":"20","validUntil":"20","body":{"_sd":[""]},"_sd":["","_sd_alg":"sha-256"}' +
  '{"typ":"kb+jwt","alg":"ES256K"}{"iat":17,"exp":17,"aud":"did:ethr:0x","aud":"urn:vellum:anyone"' +
  ',"nonce":"","purpose":"","fields":["","seed":"","copy":{"creator":"","cause":"","watermark":""}' +
  ',"sd_hash":"'

/**
 * The text of a code.
 * @throws LicenceError LICENCE_CODE_TOO_LARGE: show fewer fields; LICENCE_CODE_MALFORMED if it is no JWT
 */
export function encodeCode(code: Code): string {
  const packed = packCredential(code.text)
  const kind = Uint8Array.of(KINDS.indexOf(code.kind))
  const proof =
    code.kind === 'offline' ? joinBytes([numberBytes(code.proof.length), code.proof]) : NOTHING
  const body = joinBytes([kind, proof, packed])
  const size = body.length + CHECK_BYTES
  if (size > LICENCE_LIMITS.codeBytesMax) {
    const most = LICENCE_LIMITS.codeBytesMax
    throw new LicenceError(
      'LICENCE_CODE_TOO_LARGE',
      `a code of ${size} bytes is more than the ${most} that a QR code holds; show fewer fields`,
      { size, most },
    )
  }
  return PREFIX + toBase45(joinBytes([checkOf(body), body]))
}

/**
 * Reads a code: size, alphabet, check, then its parts.
 * @throws LicenceError LICENCE_CODE_MALFORMED
 */
export function decodeCode(text: string): Code {
  const isSized = text.length <= PREFIX.length + Math.ceil(LICENCE_LIMITS.codeBytesMax * 1.5)
  if (!text.startsWith(PREFIX) || !isSized) throw malformed('it does not begin with VL1:')
  const bytes = fromBase45(text.slice(PREFIX.length))
  if (bytes === undefined || bytes.length <= CHECK_BYTES) throw malformed('it is no base45')
  const body = bytes.subarray(CHECK_BYTES)
  if (!isSameBytes(checkOf(body), bytes.subarray(0, CHECK_BYTES))) throw malformed('it was misread')
  return decodeCodeBody(body)
}

/**
 * A credential in few bytes, as it is encrypted to its holder.
 * @throws LicenceError LICENCE_CODE_MALFORMED if it is no SD-JWT
 */
export function packCredential(text: string): Uint8Array {
  return deflateSync(packJwt(text), { level: 9, dictionary: utf8(CODE_DICTIONARY) })
}

/** The credential in bytes of `packCredential`. @throws LicenceError LICENCE_CODE_MALFORMED */
export function unpackCredential(bytes: Uint8Array): string {
  return unpackJwt(inflate(createByteReader(bytes)))
}

/** Bytes of a code's text, as the limit counts them. */
export function codeSize(text: string): number {
  const digits = text.length - PREFIX.length
  return Math.floor(digits / 3) * 2 + (digits % 3 === 2 ? 1 : 0)
}

/**
 * Reads what follows the check.
 * @throws LicenceError LICENCE_CODE_MALFORMED
 */
export function decodeCodeBody(body: Uint8Array): Code {
  const reader = createByteReader(body)
  const kind = KINDS[reader.bytes(1)?.[0] ?? 0]
  if (kind === undefined || kind === '') throw malformed('its kind is not known')
  if (kind !== 'offline') return { kind, text: unpackJwt(inflate(reader)) }
  const proof = sized(reader, LICENCE_LIMITS.proofBytesMax)
  return { kind, proof, text: unpackJwt(inflate(reader)) }
}

function inflate(reader: ByteReader): Uint8Array {
  const most = LICENCE_LIMITS.inflatedBytesMax
  let out: Uint8Array
  try {
    // One byte more than allowed: a bomb fills it and stops there.
    out = inflateSync(reader.bytes(reader.left)!, {
      out: new Uint8Array(most + 1),
      dictionary: utf8(CODE_DICTIONARY),
    })
  } catch {
    throw malformed('its contents are not deflated')
  }
  if (out.length > most) throw malformed('its contents are too large')
  return out
}

/**
 * A JWT or SD-JWT in bytes: number of disclosures plus 1, or 0 for a plain JWT; form; then each part
 * with its length: header, payload and signature, disclosures, and of a key binding again three.
 * Form: 1 if there is a key binding, plus 2 if hashes are left out that the reader can make again.
 */
function packJwt(text: string): Uint8Array {
  // Text that looks like what stands for a hash would not come back: such a JWT keeps its hashes.
  return /"~[0-9]/.test(jsonOf(text)) ? packAs(text, 0) : packAs(text, LEAN)
}

/** All parts of a JWT that are JSON, in a row. */
function jsonOf(text: string): string {
  const parts = text.split(/[.~]/).map((part) => fromBase64Url(part))
  return parts.map((part) => (part === undefined ? undefined : textOf(part)) ?? '').join('')
}

/** Form of a JWT whose hashes are left out. */
const LEAN = 2
const BOUND = 1

function packAs(text: string, lean: 0 | typeof LEAN): Uint8Array {
  const isPlain = !text.includes('~')
  const end = text.lastIndexOf('~')
  const last = isPlain ? '' : text.slice(end + 1)
  const [jwt, ...disclosures] = (isPlain ? text : text.slice(0, end)).split('~') as [
    string,
    ...string[],
  ]
  const binding = last === '' ? [] : last.split('.')
  const pieces = [...jwt.split('.'), ...disclosures, ...binding].map((piece) => {
    const one = fromBase64Url(piece)
    if (one === undefined) throw malformed('it is no JWT')
    return one
  })
  if (lean === LEAN) {
    pieces[1] = leaveOut(pieces[1]!, disclosures.map(digestOfText))
    const boundAt = pieces.length - 2
    if (last !== '') {
      pieces[boundAt] = leaveOut(pieces[boundAt]!, [digestOfText(text.slice(0, end + 1))])
    }
  }
  const packed = joinBytes([
    numberBytes(isPlain ? 0 : disclosures.length + 1),
    numberBytes((last === '' ? 0 : BOUND) + lean),
    ...pieces.flatMap((piece) => [numberBytes(piece.length), piece]),
  ])
  if (packed.length > LICENCE_LIMITS.inflatedBytesMax) throw malformed('it is too large')
  return packed
}

function unpackJwt(packed: Uint8Array): string {
  const reader = createByteReader(packed)
  const count = reader.number()
  const form = reader.number()
  if (count === undefined || count > LICENCE_LIMITS.disclosuresMax + 1) {
    throw malformed('it has too many parts')
  }
  if (form === undefined || form > BOUND + LEAN) throw malformed('its form is not known')
  const isBound = form % 2 === BOUND
  const isLean = form >= LEAN
  if (count === 0 && isBound) throw malformed('a plain JWT has no key binding')
  const piece = (): Uint8Array => sized(reader, LICENCE_LIMITS.inflatedBytesMax)
  const jwt = [piece(), piece(), piece()]
  const disclosures = Array.from({ length: Math.max(0, count - 1) }, () => toBase64Url(piece()))
  if (isLean) jwt[1] = putBack(jwt[1]!, disclosures.map(digestOfText))
  const bare = [jwt.map(toBase64Url).join('.'), ...disclosures].join('~')
  const text = count === 0 ? bare : `${bare}~`
  const binding = isBound ? [piece(), piece(), piece()] : []
  if (isLean && isBound) binding[1] = putBack(binding[1]!, [digestOfText(text)])
  if (reader.left > 0) throw malformed('something follows its end')
  return text + binding.map(toBase64Url).join('.')
}

/** JSON with `"~0"` where the first of some hashes stood, `"~1"` for the second one, and so on. */
function leaveOut(json: Uint8Array, hashes: readonly string[]): Uint8Array {
  const text = textOf(json)
  if (text === undefined) return json
  return utf8(hashes.reduce((all, hash, i) => all.replace(`"${hash}"`, `"~${i}"`), text))
}

function putBack(json: Uint8Array, hashes: readonly string[]): Uint8Array {
  const text = textOf(json)
  if (text === undefined) throw malformed('a part is no text')
  return utf8(
    text.replaceAll(/"~([0-9]{1,3})"/g, (_mark, index: string) => {
      const hash = hashes[Number(index)]
      // One spelling: no zeros in front, nothing that stands for no hash.
      if (hash === undefined || String(Number(index)) !== index) {
        throw malformed('a hash is missing')
      }
      return `"${hash}"`
    }),
  )
}

function sized(reader: ByteReader, most: number): Uint8Array {
  const size = reader.number()
  const bytes = size === undefined || size > most ? undefined : reader.bytes(size)
  if (bytes === undefined) throw malformed('it is cut short')
  return bytes
}

function checkOf(body: Uint8Array): Uint8Array {
  return getBytes(sha256(body)).slice(0, CHECK_BYTES)
}

function malformed(what: string): LicenceError {
  return new LicenceError('LICENCE_CODE_MALFORMED', `not a code of a licence: ${what}`)
}

const NOTHING = new Uint8Array(0)
