/** Organisation codes (組織機構代碼, GB 11714): eight characters and a check digit. */

import { ALPHANUMERIC, assertCheckDigit, weightedSum, wrongShape } from './check-digit.ts'

const STANDARD = 'GB 11714'
const NAME = 'organisation code'
const WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2] as const

/** Nine characters without a hyphen, checked. */
export type OrganisationCode = string & { readonly brand: 'OrganisationCode' }

/**
 * The check digit of an organisation code's first eight characters.
 * @param body eight characters of 0-9 and A-Z
 */
export function organisationCheckDigit(body: string): string {
  const digit = 11 - (weightedSum(body, ALPHANUMERIC, WEIGHTS) % 11)
  if (digit === 10) return 'X'
  return digit === 11 ? '0' : String(digit)
}

/**
 * Reads an organisation code, with or without the hyphen before its check digit.
 * @throws LicenceError LICENCE_IDENTIFIER_SHAPE, LICENCE_IDENTIFIER_CHECK
 */
export function parseOrganisationCode(text: string): OrganisationCode {
  const match = /^([0-9A-Z]{8})-?([0-9X])$/.exec(text)
  if (match === null) {
    throw wrongShape(STANDARD, NAME, 'needs eight of 0-9 and A-Z, and a check digit of 0-9 or X')
  }
  const [, body, found] = match as unknown as [string, string, string]
  const expected = organisationCheckDigit(body)
  assertCheckDigit({ standard: STANDARD, name: NAME, expected, found })
  return `${body}${found}` as OrganisationCode
}

/** The code as it is printed, with a hyphen. */
export function formatOrganisationCode(code: OrganisationCode): string {
  return `${code.slice(0, 8)}-${code.slice(8)}`
}
