import { bigIntToBytes, bytesToHex, concatBytes, hexToBytes } from '@vellum/evm'
import {
  addressOfPublicKey,
  commitHash,
  createSecp256k1,
  decodeExtraData,
  encodeExtraData,
  genesisHeader,
  type Header,
  parseGenesis,
} from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { CONSENSUS_LIMITS, createQbftScheme, proposalFields, withSeals } from '../src/index.ts'

const crypto = createSecp256k1()
const key = new Uint8Array(32).fill(7)
const validator = addressOfPublicKey(crypto.publicKey(key))
const extraData = encodeExtraData({
  vanity: new Uint8Array(32),
  validators: [validator],
  vote: undefined,
  round: 0,
  seals: [],
})
const genesis = genesisHeader(
  parseGenesis({
    config: { chainId: 7, londonBlock: 0, qbft: {} },
    alloc: {},
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
    extraData: bytesToHex(extraData),
  }),
  `0x${'00'.repeat(32)}`,
)
const scheme = createQbftScheme({
  config: { epochLength: 30_000 },
  recover: (hash, seal) => crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!),
})
const ancestor = (): Header => genesis

function child(): Header {
  const validators = [validator]
  const fields = proposalFields({ proposer: validator, validators, round: 0, vote: undefined })
  return { ...genesis, number: 1, ...fields }
}

function sealed(header: Header): Header {
  const { r, s, yParity } = crypto.sign(commitHash(header), key)
  const seal = concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
  return withSeals(header, [seal])
}

describe('a chain of one validator', () => {
  test('its own blocks verify', () => {
    expect(scheme.verify(sealed(child()), genesis, ancestor)).toEqual({ ok: true })
  })

  const edits: readonly [string, (header: Header) => Header][] = [
    ['coinbase', (header) => ({ ...header, coinbase: `0x${'11'.repeat(20)}` })],
    ['difficulty', (header) => ({ ...header, difficulty: 2n })],
    ['nonce', (header) => ({ ...header, nonce: new Uint8Array(8).fill(1) })],
    ['mix hash', (header) => ({ ...header, mixHash: `0x${'00'.repeat(32)}` })],
    ['what was signed', (header) => ({ ...header, gasUsed: header.gasUsed + 1n })],
    ['no seal', (header) => ({ ...header, extraData: child().extraData })],
    ['two seals', (header) => changed(header, ({ seals }) => ({ seals: [seals[0]!, seals[0]!] }))],
    ['round than was sealed', (header) => changed(header, () => ({ round: 1 }))],
    [
      'a vote',
      (header) => changed(header, () => ({ vote: { recipient: validator, kind: 'drop' } })),
    ],
    ['validators', (header) => changed(header, () => ({ validators: [] }))],
    ['a high s', (header) => changed(header, ({ seals }) => ({ seals: [highS(seals[0]!)] }))],
  ]
  test.for(edits)('a header with another %s is refused', ([, edit]) => {
    expect(scheme.verify(edit(sealed(child())), genesis, ancestor)).toMatchObject({ ok: false })
  })
})

describe('a chain of four validators', () => {
  const keys = [1, 2, 3, 4].map((each) => new Uint8Array(32).fill(each))
  const signers = keys
    .map((each) => ({ key: each, address: addressOfPublicKey(crypto.publicKey(each)) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1))
  const validators = signers.map(({ address }) => address)
  const stranger = { key, address: validator }
  const four = createQbftScheme({
    config: { epochLength: 2 },
    recover: (hash, seal) => crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!),
  })
  const first: Header = changed(genesis, () => ({ validators }))

  type Proposal = Parameters<typeof proposalFields>[0]

  function header(fields: Partial<Proposal> = {}, number = 1): Header {
    const proposal = { proposer: validators[1]!, validators, round: 0, vote: undefined, ...fields }
    return { ...first, number, ...proposalFields(proposal) }
  }

  function sealedBy(unsealed: Header, by: readonly { readonly key: Uint8Array }[]): Header {
    const seals = by.map((each) => {
      const { r, s, yParity } = crypto.sign(commitHash(unsealed), each.key)
      return concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
    })
    return withSeals(unsealed, seals)
  }

  const verify = (sealedHeader: Header, ...ancestors: readonly Header[]) =>
    four.verify(sealedHeader, first, (number) => [first, ...ancestors][number]!)
  const [one, two, three] = signers as [
    (typeof signers)[number],
    (typeof signers)[number],
    (typeof signers)[number],
  ]
  const ok = { ok: true }
  const no = (reason: string) => ({ ok: false, reason })

  const seals: readonly [string, readonly { readonly key: Uint8Array }[], object][] = [
    ['three of four seals are enough', [one, two, three], ok],
    ['all four are fine, in any order', [...signers].reverse(), ok],
    ['two are too few', [one, two], no('too few seals')],
    ['none are too few', [], no('too few seals')],
    [
      'one validator’s seal twice does not count as two',
      [one, two, two],
      no('two seals of one validator'),
    ],
    [
      'a doubled seal beside a quorum is refused',
      [one, two, three, one],
      no('two seals of one validator'),
    ],
    ['a stranger’s seal is refused', [one, two, stranger], no('seal of nobody in the set')],
    [
      'a stranger’s seal beside a quorum is refused',
      [one, two, three, stranger],
      no('seal of nobody in the set'),
    ],
    ['more seals than validators are refused', [...signers, one], no('more seals than validators')],
  ]
  test.for(seals)('%s', ([, by, verdict]) => {
    expect(verify(sealedBy(header(), by))).toEqual(verdict)
  })

  test('seals of another round do not count, though the block has the same name', () => {
    const unsealed = header({ round: 1 })
    const { seals: ofOne } = decodeExtraData(sealedBy(unsealed, signers).extraData)
    const ofZero = header({ round: 0 })
    expect(four.hash(ofZero)).toBe(four.hash(unsealed))
    expect(verify(withSeals(ofZero, ofOne))).toEqual(no('seal of nobody in the set'))
    expect(verify(withSeals(unsealed, ofOne))).toEqual(ok)
  })

  test('the number of seals that it takes follows the size of the set', () => {
    for (const [size, needed] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 3],
    ] as const) {
      const some = signers.slice(0, size)
      const set = some.map(({ address }) => address)
      const genesisOf = changed(genesis, () => ({ validators: set }))
      const unsealed = header({ validators: set, proposer: set[0]! })
      // A history of its own: these are different chains.
      const scheme = createQbftScheme({
        config: { epochLength: 2 },
        recover: (hash, seal) => crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!),
      })
      const verdicts = some.map((_, i) =>
        scheme.verify(sealedBy(unsealed, some.slice(0, i + 1)), genesisOf, () => genesisOf),
      )
      expect(verdicts.map((each) => each.ok)).toEqual(some.map((_, i) => i + 1 >= needed))
    }
  })

  const fields: readonly [string, Header, object][] = [
    [
      'a coinbase outside the set',
      header({ proposer: validator }),
      no('coinbase is not a validator'),
    ],
    [
      'validators in another order',
      header({ validators: [...validators].reverse() }),
      no('validators differ from the chain’s'),
    ],
    [
      'a validator more',
      header({ validators: [...validators, validator].sort() }),
      no('validators differ from the chain’s'),
    ],
    [
      'a validator less',
      header({ validators: validators.slice(1) }),
      no('validators differ from the chain’s'),
    ],
    [
      'a round above the highest',
      header({ round: CONSENSUS_LIMITS.roundMax + 1 }),
      no('round out of range'),
    ],
    [
      'a vanity of 31 bytes',
      changed(header(), () => ({ vanity: new Uint8Array(31) })),
      no('vanity is not 32 bytes'),
    ],
    [
      'an ommers hash',
      { ...header(), ommersHash: genesis.stateRoot },
      no('consensus fields differ from QBFT'),
    ],
    [
      'a difficulty other than 1',
      { ...header(), difficulty: 5n },
      no('consensus fields differ from QBFT'),
    ],
    [
      'another mix hash',
      { ...header(), mixHash: genesis.stateRoot },
      no('consensus fields differ from QBFT'),
    ],
  ]
  test.for(fields)('%s is refused, sealed or proposed', ([, unsealed, verdict]) => {
    expect(verify(sealedBy(unsealed, signers))).toEqual(verdict)
    expect(four.verifyUnsealed(unsealed, first, () => first)).toEqual(verdict)
  })

  test('a proposal has no seals', () => {
    expect(four.verifyUnsealed(header(), first, () => first)).toEqual(ok)
    const early = sealedBy(header(), [one])
    expect(four.verifyUnsealed(early, first, () => first)).toEqual(no('a proposal has no seals'))
  })

  test('a vote that leaves nobody makes a block invalid, but not where it is ignored', () => {
    const set = [one.address]
    const alone = changed(genesis, () => ({ validators: set }))
    const vote = { recipient: one.address, kind: 'drop' } as const
    const only = { proposer: one.address, validators: set, vote }
    const scheme = createQbftScheme({
      config: { epochLength: 2 },
      recover: (hash, seal) => crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!),
    })
    const block = sealedBy(header(only), [one])
    expect(scheme.verify(block, alone, () => alone)).toEqual(no('vote would leave no validator'))
    const before = header({ ...only, vote: undefined })
    const epoch = sealedBy(header(only, 2), [one])
    expect(scheme.verify(epoch, before, (number) => [alone, before][number]!)).toEqual(ok)
  })

  test('the set is the chain’s: one that votes have changed needs the seals of the new one', () => {
    const set = [one.address, two.address]
    const two1 = changed(genesis, () => ({ validators: set }))
    const vote = { recipient: three.address, kind: 'add' } as const
    const scheme = createQbftScheme({
      config: { epochLength: 30_000 },
      recover: (hash, seal) => crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!),
    })
    const voted = [one, two].map(({ address }, i) =>
      header({ proposer: address, validators: set, vote }, i + 1),
    )
    const chain = [two1, ...voted]
    const read = (number: number): Header => chain[number]!
    const later = [one.address, two.address, three.address].sort()
    expect(scheme.validatorsAfter(1, read).validators).toEqual(set)
    expect(scheme.validatorsAfter(2, read).validators).toEqual(later)
    const next = header({ proposer: three.address, validators: later }, 3)
    expect(scheme.verify(sealedBy(next, [two, three]), voted[1]!, read)).toEqual(ok)
    const stale = header({ proposer: one.address, validators: set }, 3)
    expect(scheme.verify(sealedBy(stale, [one, two]), voted[1]!, read)).toEqual(
      no('validators differ from the chain’s'),
    )
  })
})

type Extra = ReturnType<typeof decodeExtraData>

function changed(header: Header, edit: (extra: Extra) => Partial<Extra>): Header {
  const extra = decodeExtraData(header.extraData)
  return { ...header, extraData: encodeExtraData({ ...extra, ...edit(extra) }) }
}

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

function highS(seal: Uint8Array): Uint8Array {
  const twin = seal.slice()
  const s = ORDER - BigInt(bytesToHex(seal.subarray(32, 64)))
  twin.set(hexToBytes(`0x${s.toString(16).padStart(64, '0')}`), 32)
  twin[64] = 1 - seal[64]!
  return twin
}
