/** Credit as people write it. */

import { formatUnits, parseUnits } from 'ethers'
import { LicenceError } from '../error.ts'

const CREDIT_DECIMALS = 6

/** @param amount millionths of a credit */
export function creditText(amount: bigint): string {
  return `${formatUnits(amount, CREDIT_DECIMALS)} credits`
}

/** @returns millionths of a credit @throws LicenceError LICENCE_FIELD_INVALID */
export function unitsOf(text: string): bigint {
  try {
    return parseUnits(text, CREDIT_DECIMALS)
  } catch {
    throw new LicenceError('LICENCE_FIELD_INVALID', 'credits need a number such as 10.5', {
      field: 'credits',
    })
  }
}
