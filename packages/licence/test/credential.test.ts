import { SDJwtInstance } from '@sd-jwt/core'
import { getBytes, sha256, toUtf8Bytes } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contentDigestOf,
  createSubjectRing,
  decryptWith,
  ENVELOPE_OVERHEAD,
  encryptTo,
  FOREVER,
  fieldsOf,
  isReferredTo,
  issueCredential,
  type LicenceData,
  LicenceError,
  parseLicenceData,
  placeCiphertext,
  readCredential,
  selectFields,
  validityOf,
} from '../src/index.ts'
import { CHAIN_ID, DATA, keyOf, NOW, secretOf } from './samples.ts'

const issuer = keyOf(1)
const holder = keyOf(2)
const text = await issueCredential({
  data: DATA,
  chainId: CHAIN_ID,
  issuer,
  holderKey: holder.publicKey,
  now: NOW,
})

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof LicenceError) return error.code
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('a credential', () => {
  test('gives back what it was made of, with issuer and holder', () => {
    const read = readCredential(text)
    if (!read.ok) throw new Error(read.reason)
    const { credential } = read
    expect(credential.data).toEqual(DATA)
    expect(credential.issuer).toEqual({ chainId: CHAIN_ID, address: issuer.address })
    expect(credential.holder).toBe(holder.address)
    expect(credential.issuedAt).toBe(NOW)
    expect(credential.typeCode).toBe('11100000000013338W011')
  })

  test('shows nothing of a person without disclosures', () => {
    const bare = selectFields(text, [])
    const read = readCredential(bare)
    if (!read.ok) throw new Error(read.reason)
    expect(Object.keys(read.credential.data).sort()).toEqual(
      'body identifier issueDate issuerName typeName validFrom validUntil'.split(' '),
    )
    expect(read.credential.data.body).toEqual({})
    const payload = atob(bare.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))
    for (const value of [DATA.holderCode, '3405', DATA.region, '128.46']) {
      expect(payload).not.toContain(value)
    }
  })

  test('shows the fields that are chosen and no other', () => {
    expect(fieldsOf(text)).toEqual(
      expect.arrayContaining(['holderName', 'number', 'body.area', 'body.shared']),
    )
    const read = readCredential(selectFields(text, ['holderName', 'body.area']))
    if (!read.ok) throw new Error(read.reason)
    expect(read.credential.data.holderName).toBe(DATA.holderName)
    expect(read.credential.data.holderCode).toBeUndefined()
    expect(read.credential.data.body).toEqual({ area: 128.46 })
  })

  test('has one content digest, whatever it shows', () => {
    const some = selectFields(text, ['holderName'])
    expect(contentDigestOf(some)).toBe(contentDigestOf(text))
    const [jwt] = text.split('~')
    expect(contentDigestOf(text)).toBe(sha256(toUtf8Bytes(jwt!)))
  })

  test('has salts of its own: two of the same data share no digest', async () => {
    const twin = await issueCredential({
      data: DATA,
      chainId: CHAIN_ID,
      issuer,
      holderKey: holder.publicKey,
      now: NOW,
    })
    const shared = twin.split('~').filter((part) => part !== '' && text.includes(part))
    expect(shared).toEqual([])
  })

  test('is read by the SD-JWT library, too', async () => {
    const library = new SDJwtInstance({
      hasher: (data: string | ArrayBuffer) => getBytes(sha256(toUtf8Bytes(data as string))),
      verifier: () => true,
    })
    const { payload } = await library.verify(text, { currentDate: NOW })
    expect(payload).toMatchObject({ holderName: DATA.holderName, body: { area: 128.46 } })
  })

  test('is refused where another field is asked for', () => {
    expect(codeOf(() => selectFields(text, ['body.colour']))).toBe('LICENCE_FIELD_UNKNOWN')
  })

  test('is refused with any one character changed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: text.length - 1 }),
        fc.constantFrom(...'ABCdef0129-_.~'),
        (at, character) => {
          fc.pre(text[at] !== character)
          const changed = text.slice(0, at) + character + text.slice(at + 1)
          let accepted: boolean
          try {
            accepted = readCredential(changed).ok
          } catch (error) {
            expect(error).toBeInstanceOf(LicenceError)
            accepted = false
          }
          expect(accepted).toBe(false)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('tells a changed disclosure from a changed signature', async () => {
    const other = await issueCredential({
      data: { ...DATA, holderName: '別人' },
      chainId: CHAIN_ID,
      issuer,
      holderKey: holder.publicKey,
      now: NOW,
    })
    const foreign = other.split('~').find((part) => !text.includes(part))!
    expect(readCredential(`${selectFields(text, [])}${foreign}~`)).toEqual({
      ok: false,
      reason: 'disclosure altered',
    })
    const [head, body] = text.split('.') as [string, string]
    const signature = other.split('~')[0]!.split('.')[2]!
    expect(readCredential(`${head}.${body}.${signature}~`)).toEqual({
      ok: false,
      reason: 'issuer signature invalid',
    })
  })

  test('is refused with a disclosure that comes twice', () => {
    const one = selectFields(text, ['holderName'])
    const disclosure = one.split('~')[1]!
    expect(readCredential(`${one}${disclosure}~`)).toEqual({
      ok: false,
      reason: 'disclosure altered',
    })
  })
})

describe('licence data', () => {
  test.for([
    [{ validUntil: '2035-02-29' }, 'LICENCE_FIELD_INVALID'],
    [{ validUntil: '2025-01-01' }, 'LICENCE_FIELD_INVALID'],
    [{ holderName: ' ' }, 'LICENCE_FIELD_INVALID'],
    [{ region: '4301' }, 'LICENCE_FIELD_INVALID'],
    [{ holderCode: '340524198001010011' }, 'LICENCE_IDENTIFIER_CHECK'],
    [{ body: { 'a b': 1 } }, 'LICENCE_FIELD_INVALID'],
    [{ body: { a: null } }, 'LICENCE_FIELD_INVALID'],
    [{ identifier: DATA.identifier.replace(/U$/, 'V') }, 'LICENCE_IDENTIFIER_CHECK'],
  ] as const)('%o is refused: %s', ([change, code]) => {
    expect(codeOf(() => parseLicenceData({ ...DATA, ...change } as LicenceData))).toBe(code)
  })

  test('days begin and end in China', () => {
    const { from, until } = validityOf({ validFrom: '2026-03-01', validUntil: '2026-03-01' })
    expect(new Date(from * 1_000).toISOString()).toBe('2026-02-28T16:00:00.000Z')
    expect(until - from).toBe(86_400)
    expect(validityOf({ validFrom: '2026-03-01', validUntil: undefined }).until).toBe(FOREVER)
  })
})

describe('encryption to the holder', () => {
  const plaintext = toUtf8Bytes(text)

  test('is opened by the holder alone', () => {
    const ciphertext = encryptTo(holder.publicKey, plaintext)
    expect(ciphertext.length).toBe(plaintext.length + ENVELOPE_OVERHEAD)
    expect(decryptWith(secretOf(2), ciphertext)).toEqual(plaintext)
    expect(codeOf(() => decryptWith(secretOf(3), ciphertext))).toBe('LICENCE_DECRYPTION_FAILED')
  })

  test('is not opened with a bit flipped, wherever it is', () => {
    const ciphertext = encryptTo(holder.publicKey, Uint8Array.of(1, 2, 3))
    for (let bit = 0; bit < ciphertext.length * 8; bit += 13) {
      const flipped = ciphertext.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(codeOf(() => decryptWith(secretOf(2), flipped))).toBe('LICENCE_DECRYPTION_FAILED')
    }
  })

  test('stays on chain up to the threshold and goes to the store beyond', async () => {
    const kept: Uint8Array[] = []
    const put = async (bytes: Uint8Array) => {
      kept.push(bytes)
      return { store: 'file', locator: 'a' }
    }
    const small = await placeCiphertext(new Uint8Array(1_024), { put })
    expect(small.place).toBe('chain')
    const large = await placeCiphertext(new Uint8Array(1_025), { put })
    if (large.place !== 'store') throw new Error('not in the store')
    expect(kept.length).toBe(1)
    expect(isReferredTo(kept[0]!, large.reference)).toBe(true)
    expect(isReferredTo(new Uint8Array(1_025).fill(1), large.reference)).toBe(false)
  })
})

describe('subject tags', () => {
  const document = { type: 'citizen number', number: '34052419800101001X' } as const
  const old = { version: 1, secret: secretOf(7) }
  const fresh = { version: 2, secret: secretOf(8) }

  test('are the same for the same document, however it is written', () => {
    const ring = createSubjectRing([old])
    expect(ring.tag({ ...document, number: '340524 19800101 001x' })).toBe(ring.tag(document))
    expect(ring.tag(document)).toMatch(/^0x[0-9a-f]{64}$/)
  })

  test('differ by key, by kind of document and by number', () => {
    const ring = createSubjectRing([old])
    const tags = [
      ring.tag(document),
      createSubjectRing([fresh]).tag(document),
      ring.tag({ type: 'passport', number: '34052419800101001X' }),
      ring.tag({ ...document, number: '11010519491231002X' }),
    ]
    expect(new Set(tags).size).toBe(4)
  })

  test('of an old key stay known after a new one has come', () => {
    const before = createSubjectRing([old]).tag(document)
    const ring = createSubjectRing([old, fresh])
    expect(ring.tags(document).map(({ version }) => version)).toEqual([2, 1])
    expect(ring.tags(document)[1]!.tag).toBe(before)
    expect(ring.tag(document)).not.toBe(before)
  })

  test('need keys of 32 bytes', () => {
    expect(codeOf(() => createSubjectRing([{ version: 1, secret: new Uint8Array(31) }]))).toBe(
      'LICENCE_SUBJECT_KEY',
    )
    expect(codeOf(() => createSubjectRing([old, { ...fresh, version: 1 }]))).toBe(
      'LICENCE_SUBJECT_KEY',
    )
  })
})
