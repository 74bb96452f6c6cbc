import { quorum } from '@vellum/consensus'
import { decodeExtraData, decodeHeader, encodeExtraData, encodeHeader } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import {
  decodeSealedHeader,
  heightBetween,
  leanHeader,
  type TrustedHeader,
  trustedSealsNeeded,
  type UpdateQuestion,
  verifyUpdate,
} from '../src/index.ts'
import { crypto, DOMAIN, headerOf, sealedBy, type Validator, validatorsOf } from './peg-vectors.ts'

const recover = (hash: Uint8Array, seal: Uint8Array) =>
  crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!)
const NOW = 1_700_001_000

function trustedOf(validators: readonly Validator[], height = 10): TrustedHeader {
  const header = headerOf({ height, validators })
  const decoded = decodeSealedHeader(encodeHeader(header))
  if (!decoded.ok) throw new Error(decoded.reason)
  return decoded.header
}

function question(
  trusted: TrustedHeader,
  sealedHeader: Uint8Array,
  change: Partial<UpdateQuestion> = {},
): UpdateQuestion {
  return {
    trusted,
    sealedHeader,
    nowSeconds: NOW,
    trustingPeriodSeconds: 10_000,
    maxClockDriftSeconds: 60,
    fieldCount: 21,
    domain: DOMAIN,
    ...change,
  }
}

const four = validatorsOf(4)
const trusted = trustedOf(four)

describe('verifyUpdate', () => {
  test.each([1, 4, 7, 13, 21])(
    'a quorum of %i validators is enough, and one less is not',
    (size) => {
      const validators = validatorsOf(size)
      const header = headerOf({ height: 20, validators })
      const known = trustedOf(validators)
      const enough = encodeHeader(sealedBy(header, validators.slice(0, quorum(size))))
      expect(verifyUpdate(question(known, enough), recover).ok).toBe(true)
      const less = encodeHeader(sealedBy(header, validators.slice(0, quorum(size) - 1)))
      expect(verifyUpdate(question(known, less), recover)).toEqual({
        ok: false,
        reason: 'too few seals',
      })
    },
  )

  test('one of four trusted validators is too few, whoever the others are', () => {
    const strangers = validatorsOf(3, 100)
    const mixed = [four[0]!, ...strangers].sort((a, b) => (a.address < b.address ? -1 : 1))
    const header = sealedBy(headerOf({ height: 20, validators: mixed }), mixed)
    expect(verifyUpdate(question(trusted, encodeHeader(header)), recover)).toEqual({
      ok: false,
      reason: 'too few seals of the trusted set',
    })
    const two = [four[0]!, four[1]!, ...strangers.slice(1)].sort((a, b) =>
      a.address < b.address ? -1 : 1,
    )
    const known = sealedBy(headerOf({ height: 20, validators: two }), two)
    expect(verifyUpdate(question(trusted, encodeHeader(known)), recover).ok).toBe(true)
  })

  const sealed = (fields: Partial<Parameters<typeof headerOf>[0]> = {}): Uint8Array =>
    encodeHeader(sealedBy(headerOf({ height: 20, validators: four, ...fields }), four.slice(1)))

  test.each([
    ['not above the trusted height', sealed({ height: 10 }), {}],
    ['time runs backwards', sealed({ timestamp: 1_700_000_009 }), {}],
    ['ahead of the clock', sealed({ timestamp: NOW + 61 }), {}],
    ['trusted header expired', sealed(), { nowSeconds: 1_700_010_011 }],
    ['header of another chain', sealed({ domain: `0x${'11'.repeat(32)}` }), {}],
    ['another number of fields', sealed(), { fieldCount: 20 }],
    ['state root is zero', sealed({ stateRoot: `0x${'00'.repeat(32)}` }), {}],
  ] as const)('%s: refused', (reason, header, change) => {
    expect(verifyUpdate(question(trusted, header, change), recover)).toEqual({ ok: false, reason })
  })

  test('a header that governance gave is good from then on, however old it is', () => {
    const given = { ...trusted, since: NOW }
    const later = question(given, sealed({ timestamp: NOW }), { nowSeconds: NOW + 9_000 })
    expect(verifyUpdate(later, recover).ok).toBe(true)
  })

  test('the same seal twice, and seals of nobody, are refused', () => {
    const header = headerOf({ height: 20, validators: four })
    const twice = encodeHeader(sealedBy(header, [four[0]!, four[1]!, four[1]!]))
    expect(verifyUpdate(question(trusted, twice), recover)).toMatchObject({
      reason: 'two seals of one validator',
    })
    const stranger = validatorsOf(1, 500)[0]!
    const foreign = encodeHeader(sealedBy(header, [...four.slice(0, 3), stranger]))
    expect(verifyUpdate(question(trusted, foreign), recover)).toMatchObject({
      reason: 'seal of nobody in the set',
    })
  })
})

describe('a set that changes', () => {
  test('is followed by headers in between, where it cannot be followed at once', () => {
    // One of seven leaves and one comes at each height: from 10 to 24 nobody is left.
    const pool = validatorsOf(30)
    const setAt = (height: number): Validator[] => pool.slice(height - 10, height - 3)
    const headerAt = (height: number): Uint8Array => {
      const validators = setAt(height).sort((a, b) => (a.address < b.address ? -1 : 1))
      return encodeHeader(sealedBy(headerOf({ height, validators }), validators.slice(0, 5)))
    }
    let known = trustedOf(setAt(10).sort((a, b) => (a.address < b.address ? -1 : 1)))
    const path: number[] = []
    let height = 24
    while (known.height < 24) {
      const verdict = verifyUpdate(question(known, headerAt(height)), recover)
      if (verdict.ok) {
        path.push(height)
        known = verdict.header
        height = 24
      } else height = heightBetween(known.height, height, verdict.reason)!
      expect(height).toBeDefined()
    }
    expect(path.at(-1)).toBe(24)
    expect(path.length).toBeGreaterThan(1)
    expect(path.length).toBeLessThan(14)
  })

  test('nothing in between helps against any other fault', () => {
    expect(heightBetween(10, 20, 'too few seals')).toBeUndefined()
    expect(heightBetween(10, 11, 'too few seals of the trusted set')).toBeUndefined()
    expect(heightBetween(10, 20, 'too few seals of the trusted set')).toBe(15)
  })
})

describe('leanHeader', () => {
  test('leaves out the seals that nobody needs, and stays valid', () => {
    const seven = validatorsOf(7)
    const known = trustedOf(
      seven
        .slice(4)
        .concat(validatorsOf(4, 300))
        .sort((a, b) => (a.address < b.address ? -1 : 1)),
    )
    const whole = encodeHeader(sealedBy(headerOf({ height: 20, validators: seven }), seven))
    const lean = leanHeader(whole, known.validators, recover)
    expect(decodeExtraData(decodeHeader(lean).extraData).seals).toHaveLength(5)
    expect(lean.length).toBeLessThan(whole.length)
    expect(verifyUpdate(question(known, lean), recover).ok).toBe(true)
    expect(trustedSealsNeeded(known.validators.length)).toBe(3)
  })
})

test('decodeSealedHeader: a second encoding of a header is none', () => {
  const header = sealedBy(headerOf({ height: 20, validators: four }), four)
  const extra = decodeExtraData(header.extraData)
  const descending = encodeExtraData({ ...extra, validators: [...extra.validators].reverse() })
  expect(decodeSealedHeader(encodeHeader({ ...header, extraData: descending }))).toMatchObject({
    reason: 'set of validators invalid',
  })
  const short = encodeExtraData({ ...extra, vanity: new Uint8Array(31) })
  expect(decodeSealedHeader(encodeHeader({ ...header, extraData: short }))).toMatchObject({
    reason: 'not one canonical encoding',
  })
  expect(decodeSealedHeader(encodeHeader(header).subarray(1))).toMatchObject({ ok: false })
})
