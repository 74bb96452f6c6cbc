import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  answerRequest,
  codeSize,
  commitmentOf,
  createReplayMemory,
  decodeCode,
  encodeCode,
  fieldsOf,
  fromBase45,
  issueCredential,
  LICENCE_LIMITS,
  LicenceError,
  makeCopy,
  type PresentationRequest,
  present,
  presentationSeed,
  readRequest,
  selectFields,
  signRequest,
  tagOf,
  toBase45,
  verifyAnswer,
  verifyCopy,
  verifyPresentation,
} from '../src/index.ts'
import { CHAIN_ID, DATA, keyOf, NOW, secretOf } from './samples.ts'

const issuer = keyOf(1)
const holder = keyOf(2)
const verifier = keyOf(3)
const thief = keyOf(4)
const credential = await issueCredential({
  data: DATA,
  chainId: CHAIN_ID,
  issuer,
  holderKey: holder.publicKey,
  now: NOW - 1_000,
})
const requestText = await signRequest({
  chainId: CHAIN_ID,
  key: verifier,
  purpose: '办理贷款',
  fields: ['holderName', 'body.area'],
  now: NOW,
})
const request = requestOf(requestText)
const seed = presentationSeed(secretOf(9), 0)
const options = { credential, key: holder, seed, now: NOW }
const answer = await answerRequest(request, options)
const shown = await present({ fields: ['holderName'], purpose: '出示' }, options)

function requestOf(text: string): PresentationRequest {
  const read = readRequest(text, NOW)
  if (!read.ok) throw new Error(read.reason)
  return read.request
}

const expected = () => ({ request, memory: createReplayMemory(), now: NOW })
const reasonOf = (verdict: { ok: boolean; reason?: string }) => verdict.reason

describe('a request', () => {
  test('says who asks, what for and for which fields', () => {
    expect(request).toMatchObject({
      verifier: { chainId: CHAIN_ID, address: verifier.address },
      purpose: '办理贷款',
      fields: ['holderName', 'body.area'],
      issuedAt: NOW,
      expiresAt: NOW + 60,
    })
  })

  test('is refused when it is over, not begun, or signed by somebody else', async () => {
    expect(readRequest(requestText, NOW + 70)).toEqual({ ok: false, reason: 'request expired' })
    expect(readRequest(requestText, NOW - 11)).toEqual({
      ok: false,
      reason: 'request not yet valid',
    })
    const other = await signRequest({
      chainId: CHAIN_ID,
      key: thief,
      purpose: '办理贷款',
      fields: [],
      now: NOW,
    })
    const forged = `${requestText.split('.').slice(0, 2).join('.')}.${other.split('.')[2]}`
    expect(readRequest(forged, NOW)).toEqual({ ok: false, reason: 'request signature invalid' })
  })
})

describe('an answer', () => {
  test('shows what was asked for, and nothing else', () => {
    const verdict = verifyAnswer(answer, expected())
    if (!verdict.ok) throw new Error(verdict.reason)
    const { data } = verdict.presentation.credential
    expect(data.holderName).toBe(DATA.holderName)
    expect(data.body).toEqual({ area: 128.46 })
    expect(data.holderCode).toBeUndefined()
    expect(verdict.presentation.seed).toEqual(seed)
  })

  test('is good once: replayed', () => {
    const once = expected()
    expect(verifyAnswer(answer, once).ok).toBe(true)
    expect(reasonOf(verifyAnswer(answer, once))).toBe('replayed')
  })

  test('is good for a minute, with ten seconds of grace: expired', () => {
    expect(verifyAnswer(answer, { ...expected(), now: NOW + 69 }).ok).toBe(true)
    expect(reasonOf(verifyAnswer(answer, { ...expected(), now: NOW + 70 }))).toBe('expired')
    expect(reasonOf(verifyAnswer(answer, { ...expected(), now: NOW - 11 }))).toBe('not yet valid')
  })

  test('with a field taken away: presentation altered', () => {
    const parts = answer.split('~')
    const altered = [...parts.slice(0, 1), ...parts.slice(2)].join('~')
    expect(reasonOf(verifyAnswer(altered, expected()))).toBe('presentation altered')
  })

  test('with a field added: presentation altered', () => {
    const more = selectFields(credential, ['holderCode']).split('~')[1]!
    const altered = answer.replace('~', `~${more}~`)
    expect(reasonOf(verifyAnswer(altered, expected()))).toBe('presentation altered')
  })

  test('with a field exchanged for another person’s: disclosure altered', async () => {
    const other = await issueCredential({
      data: { ...DATA, holderName: '别人' },
      chainId: CHAIN_ID,
      issuer,
      holderKey: thief.publicKey,
      now: NOW,
    })
    const foreign = selectFields(other, ['holderName']).split('~')[1]!
    const own = selectFields(credential, ['holderName']).split('~')[1]!
    const verdict = verifyAnswer(answer.replace(own, foreign), expected())
    expect(reasonOf(verdict)).toBe('disclosure altered')
  })

  test('by somebody who has the credential and not its key: wrong holder', async () => {
    const stolen = await answerRequest(request, { ...options, key: thief })
    expect(reasonOf(verifyAnswer(stolen, expected()))).toBe('wrong holder')
  })

  test('without any holder’s signature: holder missing', () => {
    const bare = selectFields(credential, ['holderName', 'body.area'])
    expect(reasonOf(verifyAnswer(bare, expected()))).toBe('holder missing')
  })

  test('to another request or another verifier: wrong request, wrong verifier', async () => {
    const again = requestOf(
      await signRequest({
        chainId: CHAIN_ID,
        key: verifier,
        purpose: '办理贷款',
        fields: [],
        now: NOW,
      }),
    )
    expect(reasonOf(verifyAnswer(answer, { ...expected(), request: again }))).toBe('wrong request')
    const elsewhere = { ...request, verifier: { chainId: CHAIN_ID, address: thief.address } }
    expect(reasonOf(verifyAnswer(answer, { ...expected(), request: elsewhere }))).toBe(
      'wrong verifier',
    )
  })

  test('for another purpose, or with less than was asked: wrong purpose, field missing', async () => {
    const other = await answerRequest({ ...request, purpose: '别的' }, options)
    expect(reasonOf(verifyAnswer(other, expected()))).toBe('wrong purpose')
    const less = await answerRequest({ ...request, fields: ['holderName'] }, options)
    expect(reasonOf(verifyAnswer(less, expected()))).toBe('field missing')
  })

  test('of a licence that is over, or has not begun', async () => {
    const late = validityEnd()
    const old = await present({ fields: [], purpose: '出示' }, { ...options, now: late })
    const at = { memory: createReplayMemory(), now: late }
    expect(reasonOf(verifyPresentation(old, at))).toBe('licence expired')
    const early = validityEnd('validFrom') - 100
    const young = await present({ fields: [], purpose: '出示' }, { ...options, now: early })
    expect(reasonOf(verifyPresentation(young, { ...at, now: early }))).toBe('licence not yet valid')
  })

  test('that claims a longer life than a minute is refused', async () => {
    const long = await present({ fields: [], purpose: '出示' }, options)
    const copy = await makeCopy(
      { fields: [], purpose: '出示', note: NOTE, seconds: 3_600 },
      options,
    )
    expect(verifyPresentation(long, { memory: createReplayMemory(), now: NOW }).ok).toBe(true)
    expect(reasonOf(verifyPresentation(copy, { memory: createReplayMemory(), now: NOW }))).toBe(
      'a copy',
    )
  })
})

function validityEnd(which: 'validFrom' | 'validUntil' = 'validUntil'): number {
  const payload = JSON.parse(
    atob(credential.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')),
  )
  return which === 'validFrom' ? payload.nbf : payload.exp
}

const NOTE = { creator: '长沙市政务服务中心', cause: '贷款审批', watermark: '仅供贷款使用' }

describe('a presentation for anybody', () => {
  test('is good once, also signed again over the same seed', async () => {
    const memory = createReplayMemory()
    expect(verifyPresentation(shown, { memory, now: NOW }).ok).toBe(true)
    const twin = await present({ fields: [], purpose: '出示' }, { ...options, now: NOW + 1 })
    expect(reasonOf(verifyPresentation(twin, { memory, now: NOW + 1 }))).toBe('replayed')
  })

  test('is no answer, and an answer is none', () => {
    expect(reasonOf(verifyAnswer(shown, expected()))).toBe('wrong verifier')
    const memory = createReplayMemory()
    expect(reasonOf(verifyPresentation(answer, { memory, now: NOW }))).toBe('wrong verifier')
  })
})

describe('memory of presentations', () => {
  test('forgets what has expired, and refuses when it is full of what has not', () => {
    const memory = createReplayMemory(2)
    expect(memory.note({ id: 'a', expiresAt: 10, now: 0 })).toBe('new')
    expect(memory.note({ id: 'b', expiresAt: 20, now: 0 })).toBe('new')
    expect(memory.note({ id: 'c', expiresAt: 20, now: 10 })).toBe('full')
    expect(memory.note({ id: 'c', expiresAt: 20, now: 11 })).toBe('new')
    expect(memory.note({ id: 'b', expiresAt: 20, now: 20 })).toBe('seen')
  })
})

describe('a purpose-bound copy', () => {
  test('names purpose, creator, cause and watermark, and the original', async () => {
    const text = await makeCopy(
      { fields: ['holderName'], purpose: '贷款', note: NOTE, seconds: 86_400 },
      options,
    )
    const verdict = verifyCopy(text, NOW + 86_000)
    if (!verdict.ok) throw new Error(verdict.reason)
    expect(verdict.copy.note).toEqual(NOTE)
    expect(verdict.copy.credential.identifier).toBe(DATA.identifier)
    expect(reasonOf(verifyCopy(text, NOW + 86_410))).toBe('expired')
    expect(reasonOf(verifyCopy(shown, NOW))).toBe('not a copy')
  })

  test('lasts a year at most', () => {
    const seconds = LICENCE_LIMITS.copySecondsMax + 1
    expect(() => makeCopy({ fields: [], purpose: 'a', note: NOTE, seconds }, options)).toThrow(
      LicenceError,
    )
  })
})

describe('blinding', () => {
  test('seeds, tags and commitments of one holder have nothing in common', () => {
    const seeds = Array.from({ length: 100 }, (_, i) => presentationSeed(secretOf(9), i))
    expect(new Set(seeds.map(tagOf)).size).toBe(100)
    const commitments = seeds.map((each) =>
      commitmentOf({ seed: each, chainId: CHAIN_ID, number: 7n }),
    )
    expect(new Set(commitments).size).toBe(100)
    expect(commitmentOf({ seed, chainId: CHAIN_ID, number: 8n })).not.toBe(commitments[0])
    expect(commitmentOf({ seed, chainId: CHAIN_ID + 1n, number: 7n })).not.toBe(commitments[0])
  })
})

describe('codes', () => {
  test('base45 of RFC 9285', () => {
    const text = (value: string) => new TextEncoder().encode(value)
    expect(toBase45(text('AB'))).toBe('BB8')
    expect(toBase45(text('Hello!!'))).toBe('%69 VD92EX0')
    expect(toBase45(text('base-45'))).toBe('UJCLQE7W581')
    expect(fromBase45('QED8WEX0')).toEqual(text('ietf!'))
    for (const wrong of ['GGW', 'A', '::', 'ab8', ':::']) expect(fromBase45(wrong)).toBeUndefined()
  })

  test('base45 gives back any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(fromBase45(toBase45(bytes))).toEqual(bytes)
      }),
    )
  })

  test('hold presentations, requests and copies, and give them back letter by letter', async () => {
    const copy = await makeCopy({ fields: [], purpose: 'a', note: NOTE, seconds: 9 }, options)
    for (const text of [answer, shown, copy]) {
      expect(decodeCode(encodeCode({ kind: 'presentation', text }))).toEqual({
        kind: 'presentation',
        text,
      })
    }
    const code = encodeCode({ kind: 'request', text: requestText })
    expect(decodeCode(code)).toEqual({ kind: 'request', text: requestText })
    expect(code).toMatch(/^VL1:[0-9A-Z $%*+\-./:]+$/)
  })

  test('give back text that looks like what stands for a hash', async () => {
    const odd = await issueCredential({
      data: { ...DATA, typeName: '~0', issuerName: '"~1"', body: { note: '~0', other: '"~0"' } },
      chainId: CHAIN_ID,
      issuer,
      holderKey: holder.publicKey,
      now: NOW,
    })
    const purpose = '~0'
    const text = await present({ fields: ['body.note'], purpose }, { ...options, credential: odd })
    const code = encodeCode({ kind: 'presentation', text })
    expect(decodeCode(code)).toEqual({ kind: 'presentation', text })
  })

  test('of a licence with all fields fit one QR code', async () => {
    const all = await present({ fields: fieldsOf(credential), purpose: '出示' }, options)
    const code = encodeCode({ kind: 'presentation', text: all })
    console.log(
      `a licence with ${fieldsOf(credential).length} personal fields shown: ` +
        `${all.length} characters as SD-JWT, ${codeSize(code)} bytes in a code`,
    )
    expect(codeSize(code)).toBeLessThanOrEqual(LICENCE_LIMITS.codeBytesMax)
    expect(code.length).toBeLessThanOrEqual(4_296)
  })

  test('are refused with any one character changed', () => {
    const code = encodeCode({ kind: 'presentation', text: shown })
    fc.assert(
      fc.property(fc.nat(code.length - 1), fc.constantFrom(...'0AZ$:/ a'), (at, character) => {
        fc.pre(code[at] !== character)
        const changed = code.slice(0, at) + character + code.slice(at + 1)
        expect(() => decodeCode(changed)).toThrow(LicenceError)
      }),
      { numRuns: 1_000 },
    )
  })

  test('that would blow up are refused', async () => {
    const { deflateSync } = await import('fflate')
    const { sha256, getBytes } = await import('ethers')
    const body = Uint8Array.from([1, ...deflateSync(new Uint8Array(1_000_000), { level: 9 })])
    const check = getBytes(sha256(body)).slice(0, 4)
    const code = `VL1:${toBase45(Uint8Array.from([...check, ...body]))}`
    expect(() => decodeCode(code)).toThrow('too large')
  })

  test('larger than a QR code are refused, with what to do', () => {
    const long = Array.from({ length: 3 }, (_, i) => toBase64(2_000, i)).join('.')
    expect(() => encodeCode({ kind: 'request', text: long })).toThrow('show fewer fields')
  })
})

/** Text that does not deflate well. */
function toBase64(size: number, seedOf: number): string {
  let state = seedOf + 1
  const bytes = Uint8Array.from({ length: size }, () => {
    state = (state * 48_271) % 2_147_483_647
    return state & 0xff
  })
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
