/**
 * What a licence says: the fields of GB/T 36903, read once.
 *
 * Dates are those of China (UTC+8, no daylight saving). A licence is valid from the beginning of its
 * first day to the end of its last one; without a last day (長期) for ever.
 */

import { daysOf, parseCitizenNumber } from './citizen-number.ts'
import { LICENCE_LIMITS } from './config.ts'
import { parseCreditCode } from './credit-code.ts'
import { LicenceError } from './error.ts'
import { parseLicenceIdentifier } from './licence-identifier.ts'
import { parseOrganisationCode } from './organisation-code.ts'

/** Kinds of number that a holder is known by. */
export type HolderCodeType =
  | 'citizen number'
  | 'unified social credit code'
  | 'organisation code'
  | 'passport'
  | 'other'

export interface LicenceData {
  /** GB/T 36904, with the codes of type and issuer in it. */
  readonly identifier: string
  /** 證照類型名稱 */
  readonly typeName: string
  /** 證照編號: what is printed on the licence. */
  readonly number: string
  /** YYYY-MM-DD */
  readonly issueDate: string
  readonly issuerName: string
  /** YYYY-MM-DD, the first day. */
  readonly validFrom: string
  /** YYYY-MM-DD, the last day; undefined: without end. */
  readonly validUntil: string | undefined
  /** 行政區劃 (GB/T 2260), six digits. */
  readonly region: string
  readonly holderName: string
  readonly holderCode: string
  readonly holderCodeType: HolderCodeType
  /** What this type of licence says beyond: names of letters and digits, to text, number or yes/no. */
  readonly body: Readonly<Record<string, BodyValue>>
}

export type BodyValue = string | number | boolean

/** Fields that say something of a person: each is a disclosure of its own, as is each of the body. */
export const PERSONAL_FIELDS = [
  'number',
  'region',
  'holderName',
  'holderCode',
  'holderCodeType',
] as const
/** Fields that every presentation shows. */
export const OPEN_FIELDS = [
  'identifier',
  'typeName',
  'issueDate',
  'issuerName',
  'validFrom',
] as const

/** The first second of the year 10000 in China: the end of what has no end. */
export const FOREVER = 253_402_272_000

/** Seconds since 1970; `until` is the first second that is not valid, `FOREVER`: without end. */
export interface Validity {
  readonly from: number
  readonly until: number
}

const CODE_TYPES: readonly string[] = [
  'citizen number',
  'unified social credit code',
  'organisation code',
  'passport',
  'other',
] satisfies HolderCodeType[]
const CHINA_OFFSET_SECONDS = 8 * 3_600
const DAY_SECONDS = 86_400
const BODY_NAME = /^[A-Za-z][A-Za-z0-9]{0,63}$/

/**
 * Checks the data of a licence: codes with their check digits, real dates in order, no empty text.
 * @throws LicenceError LICENCE_FIELD_INVALID, or that of a code
 */
export function parseLicenceData(data: LicenceData): LicenceData {
  parseLicenceIdentifier(data.identifier)
  for (const field of ['typeName', 'number', 'issuerName', 'holderName', 'holderCode'] as const) {
    assertText(field, data[field])
  }
  if (!/^[0-9]{6}$/.test(data.region)) throw invalid('region', 'needs six digits of GB/T 2260')
  if (!CODE_TYPES.includes(data.holderCodeType)) throw invalid('holderCodeType', 'is not known')
  assertHolderCode(data.holderCodeType, data.holderCode)
  const { from, until } = validityOf(data)
  dayOf('issueDate', data.issueDate)
  if (until <= from) throw invalid('validUntil', 'is before validFrom')
  const names = Object.keys(data.body)
  if (names.length > LICENCE_LIMITS.disclosuresMax - PERSONAL_FIELDS.length) {
    throw invalid('body', 'has too many fields')
  }
  for (const name of names) {
    if (!BODY_NAME.test(name)) throw invalid('body', 'has a name that is not letters and digits')
    const value: unknown = data.body[name]
    if (typeof value === 'string') assertText(`body.${name}`, value)
    else if (typeof value !== 'boolean' && !Number.isFinite(value)) {
      throw invalid(`body.${name}`, 'is neither text, number nor yes/no')
    }
  }
  return data
}

/** When a licence is valid, in seconds. @throws LicenceError LICENCE_FIELD_INVALID */
export function validityOf(data: Pick<LicenceData, 'validFrom' | 'validUntil'>): Validity {
  const from = dayOf('validFrom', data.validFrom)
  const until =
    data.validUntil === undefined ? FOREVER : dayOf('validUntil', data.validUntil) + DAY_SECONDS
  return { from, until }
}

/** First second of a day in China. */
function dayOf(field: string, text: string): number {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  const [year, month, day] = (match?.slice(1) ?? []).map(Number) as [number, number, number]
  const isReal =
    match !== null &&
    year >= 1970 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysOf(year, month)
  if (!isReal) throw invalid(field, 'needs a date as YYYY-MM-DD, from 1970 on')
  return Math.max(0, Date.UTC(year, month - 1, day) / 1_000 - CHINA_OFFSET_SECONDS)
}

function assertHolderCode(type: HolderCodeType, code: string): void {
  if (type === 'citizen number') parseCitizenNumber(code)
  if (type === 'unified social credit code') parseCreditCode(code)
  if (type === 'organisation code') parseOrganisationCode(code)
}

function assertText(field: string, value: unknown): void {
  const isText =
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= LICENCE_LIMITS.fieldCharactersMax
  if (!isText) throw invalid(field, `needs 1 to ${LICENCE_LIMITS.fieldCharactersMax} characters`)
}

function invalid(field: string, what: string): LicenceError {
  return new LicenceError('LICENCE_FIELD_INVALID', `${field} ${what}`, { field })
}
