import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  creditCheckDigit,
  formatLicenceIdentifier,
  formatOrganisationCode,
  LicenceError,
  nextVersion,
  organisationOfCreditCode,
  parseCitizenNumber,
  parseCreditCode,
  parseLicenceIdentifier,
  parseOrganisationCode,
} from '../src/index.ts'

const ORGANISATIONS = ['00001333-8', '00612224-4', '00001366-1', '00250028-7', 'D2143569-X']
const CREDITS = [
  '91350100M000100Y43',
  '11100000000013338W',
  '11430000006122244L',
  '11100000000013661B',
  '11330105002500287C',
]
const CITIZENS = ['11010519491231002X', '440524188001010014', '34052419800101001X']
const LICENCES = [
  '1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U',
  '1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9',
  '1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0',
  '1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F',
]
const ALL = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const TRIALS = 100_000

// Hundreds of thousands of errors: their stacks would take most of the time.
Error.stackTraceLimit = 0

const errorOf = (run: () => unknown): LicenceError => {
  try {
    run()
  } catch (error) {
    if (error instanceof LicenceError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Numbers below a bound, always the same ones (Lehmer). */
function draws(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

/** One character of a text exchanged for another one of the same alphabet. */
interface Slip {
  readonly text: string
  readonly from: string
  readonly to: string
  readonly position: number
}

function slips(texts: readonly string[], alphabet: string, positions: (text: string) => number[]) {
  const below = draws(20_261_122)
  const out: Slip[] = []
  while (out.length < TRIALS) {
    const valid = texts[below(texts.length)]!
    const places = positions(valid)
    const position = places[below(places.length)]!
    const from = valid[position]!
    const to = alphabet[below(alphabet.length)]!
    if (from === to) continue
    out.push({
      text: valid.slice(0, position) + to + valid.slice(position + 1),
      from,
      to,
      position,
    })
  }
  return out
}

function isRefused(run: () => unknown): boolean {
  try {
    run()
    return false
  } catch (error) {
    return error instanceof LicenceError
  }
}

describe('organisation codes (GB 11714)', () => {
  test.for(ORGANISATIONS)('%s is valid, with and without its hyphen', (text) => {
    expect(formatOrganisationCode(parseOrganisationCode(text))).toBe(text)
    expect(parseOrganisationCode(text.replace('-', ''))).toBe(text.replace('-', ''))
  })

  test('a wrong check digit is named with the right one', () => {
    const error = errorOf(() => parseOrganisationCode('00001333-7'))
    expect(error.code).toBe('LICENCE_IDENTIFIER_CHECK')
    expect(error.message).toBe('organisation code (GB 11714): the check digit must be 8, not 7')
    expect(error.details).toEqual({ standard: 'GB 11714', expected: '8', found: '7' })
  })

  test('of 100,000 slips all are caught but those between values that differ by 11, 22 or 33', () => {
    const wrong = slips(ORGANISATIONS, ALL, (text) =>
      [...text].flatMap((c, i) => (c === '-' ? [] : i)),
    )
    const missed = wrong.filter((slip) => !isRefused(() => parseOrganisationCode(slip.text)))
    expect(missed.length).toBeGreaterThan(0)
    for (const { from, to, position } of missed) {
      expect(position).toBeLessThan(8)
      expect(Math.abs(ALL.indexOf(from) - ALL.indexOf(to)) % 11).toBe(0)
    }
    // And the other way round: only such slips can be missed, none of the others was.
    const blind = wrong.filter(
      ({ from, to, position }) => position < 8 && (ALL.indexOf(from) - ALL.indexOf(to)) % 11 === 0,
    )
    expect(missed).toEqual(blind)
  })
})

describe('unified social credit codes (GB 32100)', () => {
  test.for(CREDITS)('%s is valid', (text) => {
    expect(organisationOfCreditCode(parseCreditCode(text))).toBe(text.slice(8, 17))
  })

  test('a wrong check digit is named with the right one', () => {
    const error = errorOf(() => parseCreditCode('11100000000013338X'))
    expect(error.details).toEqual({ standard: 'GB 32100', expected: 'W', found: 'X' })
  })

  test('the organisation code inside is checked, too', () => {
    const body = '11100000000013339'
    const error = errorOf(() => parseCreditCode(body + creditCheckDigit(body)))
    expect(error.details.standard).toBe('GB 11714')
  })

  test('letters that look like digits are refused', () => {
    expect(errorOf(() => parseCreditCode('1110000000001333OW')).code).toBe(
      'LICENCE_IDENTIFIER_SHAPE',
    )
  })

  test('of 100,000 slips all are caught', () => {
    const wrong = slips(CREDITS, ALL, (text) => [...text].map((_, i) => i))
    expect(wrong.filter((slip) => !isRefused(() => parseCreditCode(slip.text)))).toEqual([])
  })
})

describe('citizen numbers (GB 11643)', () => {
  test.for(CITIZENS)('%s is valid', (text) => {
    expect(parseCitizenNumber(text)).toBe(text)
  })

  test('a wrong check digit is named with the right one, and the number is not repeated', () => {
    const error = errorOf(() => parseCitizenNumber('110105194912310021'))
    expect(error.message).toBe('citizen number (GB 11643): the check digit must be X, not 1')
    expect(JSON.stringify([error.message, error.details])).not.toContain('1949')
  })

  test.for([
    ['110105194902290020', 'LICENCE_IDENTIFIER_DATE'],
    ['110105194913310020', 'LICENCE_IDENTIFIER_DATE'],
    ['110105170012310020', 'LICENCE_IDENTIFIER_DATE'],
    ['990105194912310020', 'LICENCE_IDENTIFIER_REGION'],
    ['110000194912310020', 'LICENCE_IDENTIFIER_REGION'],
    ['11010519491231002x', 'LICENCE_IDENTIFIER_SHAPE'],
    ['1101051949123100', 'LICENCE_IDENTIFIER_SHAPE'],
  ] as const)('%s is refused: %s', ([text, code]) => {
    expect(errorOf(() => parseCitizenNumber(text)).code).toBe(code)
  })

  test('of 100,000 slips all are caught', () => {
    const wrong = slips(CITIZENS, '0123456789X', (text) => [...text].map((_, i) => i))
    expect(wrong.filter((slip) => !isRefused(() => parseCitizenNumber(slip.text)))).toEqual([])
  })
})

describe('licence identifiers (GB/T 36904)', () => {
  test.for(LICENCES)('%s is valid, and is formatted as it was', (text) => {
    expect(formatLicenceIdentifier(parseLicenceIdentifier(text))).toBe(text)
  })

  test('a wrong check character is named with the right one', () => {
    const error = errorOf(() => parseLicenceIdentifier(LICENCES[0]!.replace(/.$/, 'V')))
    expect(error.details).toEqual({ standard: 'GB/T 36904', expected: 'U', found: 'V' })
  })

  test('the credit codes inside are checked, too', () => {
    const type = '11100000000013338X011'
    const error = errorOf(() =>
      formatLicenceIdentifier({ type, issuer: '340100', serial: '000000016', version: 1 }),
    )
    expect(error.details.standard).toBe('GB 32100')
  })

  test('the next version differs in version and check', () => {
    const first = parseLicenceIdentifier(LICENCES[2]!)
    expect(nextVersion(first)).toEqual({ ...first, version: 3 })
    expect(isRefused(() => nextVersion({ ...first, version: 999 }))).toBe(true)
  })

  test('of 100,000 slips all are caught', () => {
    const wrong = slips(LICENCES, ALL, (text) =>
      [...text].flatMap((c, i) => (i < 15 || c === '.' ? [] : i)),
    )
    expect(wrong.filter((slip) => !isRefused(() => parseLicenceIdentifier(slip.text)))).toEqual([])
  })
})

test('arbitrary text never crashes a parser', () => {
  const parsers = [
    parseOrganisationCode,
    parseCreditCode,
    parseCitizenNumber,
    parseLicenceIdentifier,
  ]
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.string({ unit: 'binary' }), (parse, text) => {
      isRefused(() => parse(text))
    }),
  )
})
