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
import { createQbftScheme, proposalFields, withSeals } from '../src/index.ts'

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
