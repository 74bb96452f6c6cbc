import { type SigningKey, toBeHex } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  codeSize,
  createReplayMemory,
  decodeCode,
  decodeProof,
  encodeOfflineCode,
  encodeProof,
  fieldsOf,
  identifierDigest,
  issueCredential,
  LICENCE_LIMITS,
  LICENCE_STATUSES,
  LicenceError,
  pathIn,
  present,
  presentationSeed,
  readCredential,
  rootOf,
  STATUS_REASONS,
  type StatusLeaf,
  toBase45,
  verifyOffline,
  verifyOfflineCode,
  verifyProof,
} from '../src/index.ts'
import { CHAIN_ID, DATA, keyOf, NOW, secretOf } from './samples.ts'
import { addressOf, deepPath, sealedHeader, trusted, validatorKeys } from './sealed-chain.ts'

const holder = keyOf(2)
const credential = await issueCredential({
  data: DATA,
  chainId: CHAIN_ID,
  issuer: keyOf(1),
  holderKey: holder.publicKey,
  now: NOW - 1_000,
})
const read = readCredential(credential)
if (!read.ok) throw new Error(read.reason)
const { contentDigest, validity } = read.credential
const leaf: StatusLeaf = {
  number: 765_432,
  identifier: identifierDigest(DATA.identifier),
  status: 'InForce',
  version: 1,
  holder: holder.address,
  content: contentDigest,
  validFrom: validity.from,
  validUntil: validity.until,
  statusTime: NOW - 900,
}
const four = validatorKeys(4)
const shown = await present(
  { fields: ['holderName'], purpose: '出示' },
  { credential, key: holder, seed: presentationSeed(secretOf(9), 0), now: NOW },
)

function proofOf(
  keys: readonly SigningKey[],
  change: Partial<StatusLeaf> = {},
  header: Partial<Parameters<typeof sealedHeader>[0]> = {},
): Uint8Array {
  const changed = { ...leaf, ...change }
  const { path, root } = deepPath(changed)
  return encodeProof({ header: sealedHeader({ keys, root, ...header }), leaf: changed, path })
}

const rule = (keys: readonly SigningKey[] = four) => ({
  chain: trusted(keys),
  memory: createReplayMemory(),
  now: NOW,
  ageMax: 3_600,
})

describe('a status proof', () => {
  test('says what the licence was, at which height and time', () => {
    expect(verifyProof(proofOf(four), trusted(four))).toEqual({
      ok: true,
      status: { leaf, height: 1_234_567, time: NOW - 5 },
    })
  })

  test('of arbitrary bytes is refused, never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_500 }), (bytes) => {
        expect(() => decodeProof(Uint8Array.from([1, ...bytes]))).toThrow(LicenceError)
      }),
    )
  })

  test.for([
    ['round 3', { round: 3 }],
    ['a vote to add', { vote: { recipient: `0x${'77'.repeat(20)}`, kind: 'add' } }],
    ['a vote to drop', { vote: { recipient: `0x${'77'.repeat(20)}`, kind: 'drop' } }],
    ['a full bloom', { change: { logsBloom: new Uint8Array(256).fill(0xff) } }],
    ['an empty bloom', { change: { logsBloom: new Uint8Array(256) } }],
    ['a base fee', { change: { baseFeePerGas: 7n } }],
    [
      'no fields after London',
      {
        change: {
          withdrawalsRoot: undefined,
          blobGasUsed: undefined,
          excessBlobGas: undefined,
          parentBeaconBlockRoot: undefined,
          requestsHash: undefined,
        },
      },
    ],
  ] as const)('holds for a header with %s', ([, header]) => {
    expect(verifyProof(proofOf(four, {}, header as object), trusted(four)).ok).toBe(true)
  })

  test('cannot be made of a header that the short form does not say', () => {
    const { path, root } = deepPath(leaf)
    for (const change of [
      { difficulty: 2n },
      { excessBlobGas: 1n },
      { nonce: new Uint8Array(8).fill(1) },
    ]) {
      const header = sealedHeader({ keys: four, root, change })
      expect(() => encodeProof({ header, leaf, path })).toThrow(LicenceError)
    }
  })

  test('needs a quorum of the set that the verifier knows', () => {
    const few = proofOf(four, {}, { sealers: four.slice(0, 2) })
    expect(verifyProof(few, trusted(four))).toEqual({ ok: false, reason: 'too few seals' })
    const twice = proofOf(four, {}, { sealers: [four[0]!, four[1]!, four[1]!] })
    expect(verifyProof(twice, trusted(four))).toEqual({
      ok: false,
      reason: 'two seals of one validator',
    })
    const others = validatorKeys(8).filter((key) => !four.some((each) => each === key))
    const strangers = others.filter((key) => !four.map(addressOf).includes(addressOf(key)))
    expect(verifyProof(proofOf(strangers), trusted(four))).toEqual({
      ok: false,
      reason: 'not sealed by the validators',
    })
  })

  test('is of one chain: the same validators on another do not speak for this one', () => {
    const foreign = proofOf(four, {}, { chainId: CHAIN_ID + 1n })
    expect(verifyProof(foreign, trusted(four))).toEqual({
      ok: false,
      reason: 'not sealed by the validators',
    })
  })

  test('is judged by the set that was in force at its height', () => {
    const seven = validatorKeys(7)
    const chain = {
      ...trusted(four),
      validators: [
        { from: 100, set: seven.map(addressOf) },
        { from: 1_234_567, set: four.map(addressOf) },
      ],
    }
    expect(verifyProof(proofOf(four), chain).ok).toBe(true)
    const before = proofOf(seven, {}, { change: { number: 1_234_566 } })
    expect(verifyProof(before, chain).ok).toBe(true)
    const early = proofOf(seven, {}, { change: { number: 99 } })
    expect(verifyProof(early, chain)).toEqual({ ok: false, reason: 'height before trust' })
  })

  test('holds for every leaf of a small tree, and for no leaf in another place', () => {
    const leaves = [0, 1, 2, 5, 6, 40].map((number) => ({
      ...leaf,
      number,
      identifier: toBeHex(number + 1, 32),
    }))
    const root = rootOf(leaves[0]!, pathIn(leaves, 0))
    for (const each of leaves) {
      expect(rootOf(each, pathIn(leaves, each.number))).toEqual(root)
      const moved = { ...each, number: each.number ^ 1 }
      expect(rootOf(moved, pathIn(leaves, each.number))).not.toEqual(root)
    }
  })
})

describe('an offline code', () => {
  test.for([4, 7, 13])('fits one QR code with %i validators', async (count) => {
    const keys = validatorKeys(count)
    const full = new Uint8Array(256).fill(0x55)
    const some = ['holderName', 'number', 'body.address', 'body.area', 'body.right']
    const sizes = await Promise.all(
      [['holderName'], some, fieldsOf(credential)].map(async (fields) => {
        const text = await present(
          { fields, purpose: '出示' },
          { credential, key: holder, seed: presentationSeed(secretOf(9), 1), now: NOW },
        )
        const usual = encodeOfflineCode(text, proofOf(keys))
        expect(verifyOfflineCode(usual, rule(keys)).ok).toBe(true)
        // A block with hundreds of events fills its bloom: 184 bytes more.
        const busy = proofOf(keys, {}, { change: { logsBloom: full } })
        const busySize = codeSize(usual) + busy.length - proofOf(keys).length
        return { fields: fields.length, usual: codeSize(usual), busy: busySize }
      }),
    )
    const proof = proofOf(keys)
    console.log(
      `offline code, n = ${count}, a million licences: proof ${proof.length} bytes; ` +
        sizes.map((s) => `${s.fields} fields: ${s.usual} bytes (full bloom ${s.busy})`).join('; '),
    )
    for (const { usual, busy } of sizes) {
      const most = LICENCE_LIMITS.codeBytesMax
      expect(count <= 7 ? busy : usual).toBeLessThanOrEqual(most)
    }
  })

  test('is accepted, once', () => {
    const once = rule()
    const code = encodeOfflineCode(shown, proofOf(four))
    const verdict = verifyOfflineCode(code, once)
    if (!verdict.ok) throw new Error(verdict.reason)
    expect(verdict.answer.presentation.credential.data.holderName).toBe(DATA.holderName)
    expect(verdict.answer.status.height).toBe(1_234_567)
    expect(verifyOfflineCode(code, once)).toEqual({ ok: false, reason: 'replayed' })
  })

  test.for(Object.entries(STATUS_REASONS))(
    'of a licence that is %s is refused: %s',
    ([status, reason]) => {
      expect(LICENCE_STATUSES).toContain(status)
      const proof = proofOf(four, { status: status as StatusLeaf['status'] })
      expect(verifyOffline({ text: shown, proof }, rule())).toEqual({ ok: false, reason })
    },
  )

  test.for([
    [{ identifier: identifierDigest('another') }, 'another licence'],
    [{ holder: keyOf(5).address }, 'another licence'],
    [{ content: `0x${'12'.repeat(32)}` }, 'another credential'],
    [{ validUntil: validity.until + 1 }, 'another credential'],
  ] as const)('with the proof of another leaf (%o) is refused: %s', ([change, reason]) => {
    const proof = proofOf(four, change)
    expect(verifyOffline({ text: shown, proof }, rule())).toEqual({ ok: false, reason })
  })

  test('with the proof of another licence can be shown again with its own', () => {
    const once = rule()
    const wrong = proofOf(four, { holder: keyOf(5).address })
    expect(verifyOffline({ text: shown, proof: wrong }, once).ok).toBe(false)
    expect(verifyOffline({ text: shown, proof: proofOf(four) }, once).ok).toBe(true)
  })

  test('is as fresh as the verifier wants it', () => {
    const proof = proofOf(four)
    expect(verifyOffline({ text: shown, proof }, { ...rule(), ageMax: 4 })).toEqual({
      ok: false,
      reason: 'proof too old',
    })
    const future = proofOf(four, {}, { change: { timestamp: NOW + 11 } })
    expect(verifyOffline({ text: shown, proof: future }, rule())).toEqual({
      ok: false,
      reason: 'proof from the future',
    })
  })

  test('is refused with any bit flipped', () => {
    const code = encodeOfflineCode(shown, proofOf(four))
    const bytes = bytesOf(code)
    let refused = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      try {
        decodeCode(`VL1:${toBase45(flipped)}`)
      } catch (error) {
        expect(error).toBeInstanceOf(LicenceError)
        refused++
      }
    }
    expect(refused).toBe(bytes.length * 8)
  })
})

function bytesOf(code: string): Uint8Array {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
  const out: number[] = []
  const digits = [...code.slice(4)].map((each) => alphabet.indexOf(each))
  for (let i = 0; i < digits.length; i += 3) {
    const [a, b, c] = [digits[i]!, digits[i + 1]!, digits[i + 2]]
    if (c === undefined) out.push(a + b * 45)
    else out.push((a + b * 45 + c * 2025) >> 8, (a + b * 45 + c * 2025) & 0xff)
  }
  return Uint8Array.from(out)
}
