/** Unified social credit codes (統一社會信用代碼, GB 32100): 18 characters, the last one a check. */

import { assertCheckDigit, weightedSum, wrongShape } from './check-digit.ts'
import { type OrganisationCode, parseOrganisationCode } from './organisation-code.ts'

const STANDARD = 'GB 32100'
const NAME = 'unified social credit code'
/** Without I, O, S, V and Z. */
export const CREDIT_CODE_ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'
/** 3^i mod 31. */
const WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28] as const

/** 18 characters, checked, and with a checked organisation code inside. */
export type CreditCode = string & { readonly brand: 'CreditCode' }

/**
 * The check digit of a credit code's first 17 characters.
 * @param body 17 characters of `CREDIT_CODE_ALPHABET`
 */
export function creditCheckDigit(body: string): string {
  return CREDIT_CODE_ALPHABET[(31 - (weightedSum(body, CREDIT_CODE_ALPHABET, WEIGHTS) % 31)) % 31]!
}

/**
 * Reads a credit code: its own check digit, then that of the organisation code in it.
 * @throws LicenceError LICENCE_IDENTIFIER_SHAPE, LICENCE_IDENTIFIER_CHECK; `details.standard` says of which
 */
export function parseCreditCode(text: string): CreditCode {
  if (text.length !== 18 || [...text].some((each) => !CREDIT_CODE_ALPHABET.includes(each))) {
    throw wrongShape(STANDARD, NAME, 'needs 18 of 0-9 and A-Z without I, O, S, V and Z')
  }
  const expected = creditCheckDigit(text.slice(0, 17))
  assertCheckDigit({ standard: STANDARD, name: NAME, expected, found: text[17]! })
  parseOrganisationCode(text.slice(8, 17))
  return text as CreditCode
}

/** The organisation code in a credit code: its characters 9 to 17. */
export function organisationOfCreditCode(code: CreditCode): OrganisationCode {
  return code.slice(8, 17) as OrganisationCode
}
