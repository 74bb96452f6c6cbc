/**
 * Licence identifiers (電子證照標識, GB/T 36904):
 *
 *   1.2.156.3005.2.TYPE.ISSUER.SERIAL.VERSION.CHECK
 *
 * CHECK is ISO 7064 MOD 37,36 over TYPE, ISSUER, SERIAL and VERSION without the dots.
 */

import { id } from 'ethers'
import { ALPHANUMERIC, assertCheckDigit, wrongShape } from './check-digit.ts'
import { parseCreditCode } from './credit-code.ts'

const STANDARD = 'GB/T 36904'
const NAME = 'licence identifier'
const ROOT = '1.2.156.3005.2.'
const CREDIT_CODE_LENGTH = 18
const VERSION_MAX = 999

export interface LicenceIdentifier {
  /** 21 characters: credit code of the authority that defines the type, and three digits. */
  readonly type: string
  /** Code of the issuing authority: a credit code, or 6 to 18 characters of an older kind. */
  readonly issuer: string
  /** 1 to 32 characters. The standard names 9 as the least; numbers with fewer are in use. */
  readonly serial: string
  /** 1 to 999. */
  readonly version: number
}

/**
 * Check character of ISO 7064 MOD 37,36.
 * @param text characters of 0-9 and A-Z
 */
export function mod3736CheckDigit(text: string): string {
  let product = 36
  for (const each of text) {
    product = (product + ALPHANUMERIC.indexOf(each)) % 36
    if (product === 0) product = 36
    product = (2 * product) % 37
  }
  return ALPHANUMERIC[(37 - product) % 36]!
}

/**
 * Reads a licence identifier: shape, check character, then the codes of authorities inside.
 * @throws LicenceError LICENCE_IDENTIFIER_SHAPE, LICENCE_IDENTIFIER_CHECK; `details.standard` says of which
 */
export function parseLicenceIdentifier(text: string): LicenceIdentifier {
  const match =
    /^1\.2\.156\.3005\.2\.([0-9A-Z]{18}[0-9]{3})\.([0-9A-Z]{6,18})\.([0-9A-Z]{1,32})\.([0-9]{3})\.([0-9A-Z])$/.exec(
      text,
    )
  if (match === null) {
    throw wrongShape(STANDARD, NAME, `needs ${ROOT}TYPE.ISSUER.SERIAL.VERSION.CHECK`)
  }
  const [, type, issuer, serial, version, found] = match as unknown as string[]
  const expected = mod3736CheckDigit(`${type}${issuer}${serial}${version}`)
  assertCheckDigit({ standard: STANDARD, name: NAME, expected, found: found! })
  return checked({ type: type!, issuer: issuer!, serial: serial!, version: Number(version) })
}

/**
 * The identifier as text, with its check character.
 * @throws LicenceError as `parseLicenceIdentifier`
 */
export function formatLicenceIdentifier(identifier: LicenceIdentifier): string {
  const { type, issuer, serial, version } = identifier
  const versionText = String(version).padStart(3, '0')
  const check = mod3736CheckDigit(`${type}${issuer}${serial}${versionText}`)
  const text = `${ROOT}${[type, issuer, serial, versionText, check].join('.')}`
  parseLicenceIdentifier(text)
  return text
}

/** The identifier of the licence that follows this one: the same with the next version. */
export function nextVersion(identifier: LicenceIdentifier): LicenceIdentifier {
  return checked({ ...identifier, version: identifier.version + 1 })
}

/** What stands on chain for an identifier: keccak256 of its text in UTF-8. */
export function identifierDigest(text: string): string {
  return id(text)
}

function checked(identifier: LicenceIdentifier): LicenceIdentifier {
  const { type, issuer, version } = identifier
  if (version < 1 || version > VERSION_MAX) {
    throw wrongShape(STANDARD, NAME, 'the version goes from 001 to 999')
  }
  parseCreditCode(type.slice(0, CREDIT_CODE_LENGTH))
  if (issuer.length === CREDIT_CODE_LENGTH) parseCreditCode(issuer)
  return identifier
}
