/** What the four kinds of code share: their alphabets, and errors that name the expected digit. */

import { LicenceError } from './error.ts'

export const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** Kinds of code, as errors name them. */
export type Standard = 'GB 11714' | 'GB 32100' | 'GB 11643' | 'GB/T 36904'

/** @throws LicenceError LICENCE_IDENTIFIER_CHECK unless the digit found is the expected one */
export function assertCheckDigit(check: {
  readonly standard: Standard
  readonly name: string
  readonly expected: string
  readonly found: string
}): void {
  const { standard, name, expected, found } = check
  if (found === expected) return
  throw new LicenceError(
    'LICENCE_IDENTIFIER_CHECK',
    `${name} (${standard}): the check digit must be ${expected}, not ${found}`,
    { standard, expected, found },
  )
}

/** An error of shape. @param what what such a code consists of */
export function wrongShape(standard: Standard, name: string, what: string): LicenceError {
  return new LicenceError('LICENCE_IDENTIFIER_SHAPE', `${name} (${standard}): ${what}`, {
    standard,
  })
}

/** Sum of values of characters by weights. */
export function weightedSum(text: string, alphabet: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, i) => sum + alphabet.indexOf(text[i]!) * weight, 0)
}
