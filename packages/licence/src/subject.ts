/**
 * Subject tags: the same person, the same tag, and nobody without the key can guess whose it is.
 *
 *   tag = HMAC-SHA-256(key, "vellum subject 1" 0 type 0 number)
 *
 * A plain hash of a citizen number is found by trying all of them. The key never leaves the back
 * office. When it is changed, old keys stay in the ring, so that who was registered under one of
 * them is found.
 */

import { computeHmac } from 'ethers'
import { joinBytes, utf8 } from './bytes.ts'
import { parseCitizenNumber } from './citizen-number.ts'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError } from './error.ts'

export type DocumentType = 'citizen number' | 'passport' | 'social security card'

export interface PersonDocument {
  readonly type: DocumentType
  /** As printed. */
  readonly number: string
}

export interface SubjectKey {
  /** Distinct in a ring; grows. */
  readonly version: number
  /** 32 bytes or more. */
  readonly secret: Uint8Array
}

export interface SubjectRing {
  /** Tag under the newest key, 0x and 64 digits. */
  tag(document: PersonDocument): string
  /** Tags under all keys, the newest first: all to be looked for before a person counts as new. */
  tags(document: PersonDocument): readonly { readonly version: number; readonly tag: string }[]
}

const DOMAIN = 'vellum subject 1'
const SECRET_BYTES_MIN = 32

/** @throws LicenceError LICENCE_SUBJECT_KEY for no key, a short one, or two of one version */
export function createSubjectRing(keys: readonly SubjectKey[]): SubjectRing {
  const versions = new Set(keys.map((key) => key.version))
  const isUsable =
    keys.length > 0 &&
    keys.length <= LICENCE_LIMITS.subjectKeysMax &&
    versions.size === keys.length &&
    keys.every((key) => key.secret.length >= SECRET_BYTES_MIN)
  if (!isUsable) {
    throw new LicenceError('LICENCE_SUBJECT_KEY', 'needs keys of 32 bytes, one for each version')
  }
  const newestFirst = [...keys].sort((a, b) => b.version - a.version)
  const tagUnder = (key: SubjectKey, document: PersonDocument): string => {
    const { type, number } = normalised(document)
    const zero = Uint8Array.of(0)
    return computeHmac(
      'sha256',
      key.secret,
      joinBytes([utf8(DOMAIN), zero, utf8(type), zero, utf8(number)]),
    )
  }
  return {
    tag: (document) => tagUnder(newestFirst[0]!, document),
    tags: (document) =>
      newestFirst.map((key) => ({ version: key.version, tag: tagUnder(key, document) })),
  }
}

/** One spelling of each number: no spaces, capital letters. */
function normalised({ type, number }: PersonDocument): PersonDocument {
  const text = number.normalize('NFKC').replaceAll(/\s/g, '').toUpperCase()
  if (type === 'citizen number') return { type, number: parseCitizenNumber(text) }
  if (!/^[0-9A-Z]{5,32}$/.test(text)) {
    throw new LicenceError('LICENCE_FIELD_INVALID', `a ${type} has 5 to 32 letters and digits`, {
      field: type,
    })
  }
  return { type, number: text }
}
