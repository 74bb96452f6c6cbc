/**
 * A licence as an SD-JWT VC (RFC 9901, `dc+sd-jwt`, ES256K). Fields that say something of a person are
 * salted disclosures; the holder shows those that are asked for, and proves to hold the key in `cnf`.
 *
 * On chain stands `contentDigest`: SHA-256 of the issuer's JWT without disclosures. It is the same for
 * whatever the holder shows, and guessing behind it is as hard as guessing salts of 128 bits.
 */

import { SDJwtInstance } from '@sd-jwt/core'
import { getBytes, randomBytes, sha256 } from 'ethers'
import { isObject, toBase64Url, utf8 } from './bytes.ts'
import { formatDid, type Identity, parseDid } from './did.ts'
import { LicenceError } from './error.ts'
import { addressOfKey, isSignedBy, jwkOf, type KeyHolder, keyOfJwk, signText } from './key.ts'
import {
  type BodyValue,
  FOREVER,
  type LicenceData,
  PERSONAL_FIELDS,
  parseLicenceData,
  type Validity,
  validityOf,
} from './licence-data.ts'
import { parseLicenceIdentifier } from './licence-identifier.ts'
import { disclose, parseSdJwt, type SdJwt } from './sd-jwt.ts'

type DisclosureFrame = Parameters<SDJwtInstance<Record<string, unknown>>['issue']>[1]

export const CREDENTIAL_TYPE = 'dc+sd-jwt'
const TYPE_PREFIX = 'urn:vellum:licence:'
const SALT_BYTES = 16

export interface CredentialOptions {
  readonly data: LicenceData
  readonly chainId: bigint
  /** Key of the issuing authority: the account that is accredited on chain. */
  readonly issuer: KeyHolder
  /** 64 bytes: the key that the holder's identity has today. */
  readonly holderKey: Uint8Array
  /** Name of the holder's identity; the address of the key where it was never changed. */
  readonly holder?: string
  /** Seconds since 1970. */
  readonly now: number
}

/** A licence as far as it is disclosed. */
export interface Credential {
  readonly issuer: Identity
  readonly holderKey: Uint8Array
  /** Name of the holder's identity, with checksum. */
  readonly holder: string
  /** 0x and 64 digits: what stands on chain. */
  readonly contentDigest: string
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly validity: Validity
  readonly identifier: string
  readonly typeCode: string
  /** All that can be read; fields that are not disclosed are absent. */
  readonly data: Readonly<Partial<Omit<LicenceData, 'body'>>> & {
    readonly body: Readonly<Record<string, BodyValue>>
  }
}

export type CredentialReason =
  /** A disclosure does not belong to what the issuer signed. */
  | 'disclosure altered'
  /** The issuer's signature does not fit: text changed, or signed by another key. */
  | 'issuer signature invalid'

/**
 * Makes a licence: the SD-JWT with all disclosures, for the holder alone.
 * @throws LicenceError of the data's checks
 */
export async function issueCredential(options: CredentialOptions): Promise<string> {
  const { chainId, issuer, holderKey, now } = options
  const { body, ...fields } = parseLicenceData(options.data)
  const { from, until } = validityOf(options.data)
  const { type } = parseLicenceIdentifier(fields.identifier)
  const { holder = addressOfKey(holderKey) } = options
  const claims: Record<string, unknown> = {
    iss: formatDid({ chainId, address: issuer.address }),
    sub: formatDid({ chainId, address: holder }),
    vct: TYPE_PREFIX + type,
    iat: now,
    nbf: from,
    ...(until === FOREVER ? {} : { exp: until }),
    cnf: { jwk: jwkOf(holderKey) },
    ...fields,
    body: { ...body },
  }
  // The library's type of frames does not fit claims whose names are not known beforehand.
  const frame = {
    _sd: [...PERSONAL_FIELDS],
    body: { _sd: Object.keys(body) },
  }
  return sdJwtSigner(issuer).issue(claims, frame as unknown as DisclosureFrame, {
    header: { typ: CREDENTIAL_TYPE },
  })
}

/**
 * Which fields a credential can show, as requests name them: `holderName`, `body.area`.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED
 */
export function fieldsOf(text: string): string[] {
  const sdJwt = parseSdJwt(text)
  const shown = disclose(sdJwt)
  if (!shown.ok) throw malformed('a disclosure belongs to nothing')
  const body = isObject(shown.claims.body) ? shown.claims.body : {}
  const open = new Set(Object.keys(sdJwt.issuerJwt.payload))
  return [
    ...Object.keys(shown.claims).filter((name) => !open.has(name)),
    ...Object.keys(body).map((name) => `body.${name}`),
  ]
}

/**
 * Keeps of a credential the disclosures of the fields named, in the credential's order.
 * @throws LicenceError LICENCE_FIELD_UNKNOWN if it has no such field
 */
export function selectFields(text: string, fields: readonly string[]): string {
  const sdJwt = parseSdJwt(text)
  const kept = new Set<string>()
  const byField = disclosuresByField(sdJwt)
  for (const field of fields) {
    const disclosure = byField.get(field)
    if (disclosure === undefined) {
      throw new LicenceError('LICENCE_FIELD_UNKNOWN', `this licence has no field ${field}`, {
        field,
      })
    }
    kept.add(disclosure)
  }
  const chosen = sdJwt.disclosures.filter((each) => kept.has(each))
  return [sdJwt.issuerText, ...chosen, ''].join('~')
}

/**
 * Checks a credential, with or without key binding, and reads it: the issuer's signature, and that
 * each disclosure belongs to what was signed. Whether the issuer may issue, and the licence's
 * status, the chain or a status proof says; times are for the caller to compare.
 * @throws LicenceError LICENCE_CREDENTIAL_MALFORMED if it is no licence of ours
 */
export function readCredential(
  text: string,
): ({ ok: true } & { credential: Credential }) | { ok: false; reason: CredentialReason } {
  const sdJwt = parseSdJwt(text)
  const { issuerJwt, issuerText } = sdJwt
  const { header, payload } = issuerJwt
  if (header.typ !== CREDENTIAL_TYPE || header.alg !== 'ES256K') {
    throw malformed(`its header needs ${CREDENTIAL_TYPE} and ES256K`)
  }
  const issuer = parseDid(payload.iss)
  const holder = parseDid(payload.sub)
  const { cnf, iat } = payload
  const holderKey = isObject(cnf) ? keyOfJwk(cnf.jwk) : undefined
  if (issuer === undefined) throw malformed('its issuer is no did:ethr')
  if (holderKey === undefined) throw malformed('it names no key of a holder')
  if (!isSignedBy(issuerJwt.signed, issuerJwt.signature, issuer.address)) {
    return { ok: false, reason: 'issuer signature invalid' }
  }
  const shown = disclose(sdJwt)
  if (!shown.ok) return { ok: false, reason: 'disclosure altered' }
  const data = readData(shown.claims)
  const { type: typeCode } = parseLicenceIdentifier(data.identifier)
  const validity = validityOf(data)
  const isConsistent =
    payload.vct === TYPE_PREFIX + typeCode &&
    Number.isSafeInteger(iat) &&
    payload.nbf === validity.from &&
    payload.exp === (validity.until === FOREVER ? undefined : validity.until) &&
    holder?.chainId === issuer.chainId
  if (!isConsistent) throw malformed('its claims contradict each other')
  const credential = {
    issuer,
    holderKey,
    holder: holder.address,
    contentDigest: contentDigestOf(issuerText),
    issuedAt: iat as number,
    validity,
    identifier: data.identifier,
    typeCode,
    data,
  }
  return { ok: true, credential }
}

/** SHA-256 of the issuer's JWT in an SD-JWT, or of that JWT alone, as hex. */
export function contentDigestOf(text: string): string {
  return sha256(utf8(text.split('~')[0]!))
}

/** The SD-JWT library, with a key to sign with. */
export function sdJwtSigner(key: KeyHolder): SDJwtInstance<Record<string, unknown>> {
  const signer = async (text: string): Promise<string> => toBase64Url(await signText(text, key))
  return new SDJwtInstance<Record<string, unknown>>({
    hasher: (data: string | ArrayBuffer) =>
      getBytes(sha256(typeof data === 'string' ? utf8(data) : new Uint8Array(data))),
    hashAlg: 'sha-256',
    saltGenerator: () => toBase64Url(randomBytes(SALT_BYTES)),
    omitTyp: true,
    signer,
    signAlg: 'ES256K',
    kbSigner: signer,
    kbSignAlg: 'ES256K',
  })
}

function disclosuresByField(sdJwt: SdJwt): Map<string, string> {
  const fields = new Map<string, string>()
  for (const disclosure of sdJwt.disclosures) {
    for (const field of fieldsOf([sdJwt.issuerText, disclosure, ''].join('~'))) {
      fields.set(field, disclosure)
    }
  }
  return fields
}

const TEXT_FIELDS = [
  'identifier',
  'typeName',
  'issueDate',
  'issuerName',
  'validFrom',
  'validUntil',
  ...PERSONAL_FIELDS,
] as const

type ReadData = Credential['data'] & Pick<LicenceData, 'identifier' | 'validFrom' | 'validUntil'>

function readData(claims: Readonly<Record<string, unknown>>): ReadData {
  const out: Record<string, unknown> = {}
  for (const field of TEXT_FIELDS) {
    const value = claims[field]
    if (value === undefined) continue
    if (typeof value !== 'string') throw malformed(`${field} is no text`)
    out[field] = value
  }
  for (const field of ['identifier', 'typeName', 'issueDate', 'issuerName', 'validFrom']) {
    if (!Object.hasOwn(out, field)) throw malformed(`${field} is missing`)
  }
  const body = isObject(claims.body) ? claims.body : {}
  if (Object.values(body).some((value) => !isBodyValue(value))) {
    throw malformed('a field of its body is neither text, number nor yes/no')
  }
  return { ...out, validUntil: out.validUntil, body } as unknown as ReadData
}

function isBodyValue(value: unknown): value is BodyValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function malformed(what: string): LicenceError {
  return new LicenceError('LICENCE_CREDENTIAL_MALFORMED', `not a licence: ${what}`)
}
