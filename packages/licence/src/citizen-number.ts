/**
 * Citizen numbers (公民身份號碼, GB 11643): region, date of birth, sequence, check (ISO 7064 MOD 11-2).
 *
 * These are personal data. No error of this module repeats any part of the number but the check.
 */

import { assertCheckDigit, weightedSum, wrongShape } from './check-digit.ts'
import { LicenceError } from './error.ts'

const STANDARD = 'GB 11643'
const NAME = 'citizen number'
const DIGITS = '0123456789'
const CHECKS = '10X98765432'
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2] as const

/** First two digits of regions (GB/T 2260): provinces, 71 and 83 Taiwan, 81 Hong Kong, 82 Macao. */
const PROVINCES = new Set(
  (
    '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 ' +
    '50 51 52 53 54 61 62 63 64 65 71 81 82 83 91'
  ).split(' '),
)
const YEAR_MIN = 1800
const YEAR_MAX = 2199

/** 18 characters, checked. */
export type CitizenNumber = string & { readonly brand: 'CitizenNumber' }

/**
 * The check digit of a citizen number's first 17 digits.
 * @param body 17 digits
 */
export function citizenCheckDigit(body: string): string {
  return CHECKS[weightedSum(body, DIGITS, WEIGHTS) % 11]!
}

/**
 * Reads a citizen number: shape, region, date of birth, check digit. That somebody has the number,
 * or that the district exists, no algorithm can tell.
 * @throws LicenceError LICENCE_IDENTIFIER_SHAPE, _REGION, _DATE, _CHECK
 */
export function parseCitizenNumber(text: string): CitizenNumber {
  if (!/^[0-9]{17}[0-9X]$/.test(text)) {
    throw wrongShape(STANDARD, NAME, 'needs 17 digits, and a check digit of 0-9 or X')
  }
  if (!PROVINCES.has(text.slice(0, 2)) || text.slice(2, 6) === '0000') {
    throw new LicenceError(
      'LICENCE_IDENTIFIER_REGION',
      `${NAME} (${STANDARD}): it begins with no region of GB/T 2260`,
      { standard: STANDARD },
    )
  }
  const [year, month, day] = [text.slice(6, 10), text.slice(10, 12), text.slice(12, 14)].map(Number)
  if (!isRealDate(year!, month!, day!)) {
    throw new LicenceError(
      'LICENCE_IDENTIFIER_DATE',
      `${NAME} (${STANDARD}): its date of birth does not exist`,
      { standard: STANDARD },
    )
  }
  const expected = citizenCheckDigit(text.slice(0, 17))
  assertCheckDigit({ standard: STANDARD, name: NAME, expected, found: text[17]! })
  return text as CitizenNumber
}

function isRealDate(year: number, month: number, day: number): boolean {
  if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12) return false
  return day >= 1 && day <= daysOf(year, month)
}

/** Days of a month (1 to 12) of the Gregorian calendar. */
export function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}
