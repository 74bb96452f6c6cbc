import { bytesToHex } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { encodeTypedStruct, formatStructType, typedDataHash } from '../src/typed-data.ts'

/** The example of EIP-712. */
const MAIL = {
  domain: {
    name: 'Ether Mail',
    version: '1',
    chainId: 1,
    verifyingContract: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC',
  },
  types: {
    Mail: [
      { name: 'from', type: 'Person' },
      { name: 'to', type: 'Person' },
      { name: 'contents', type: 'string' },
    ],
    Person: [
      { name: 'name', type: 'string' },
      { name: 'wallet', type: 'address' },
    ],
  },
  primaryType: 'Mail',
  message: {
    from: { name: 'Cow', wallet: '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826' },
    to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
    contents: 'Hello, Bob!',
  },
} as const

const refusal = (path: string) =>
  expect.objectContaining({ code: 'LEDGER_TYPED_DATA_INVALID', details: { path } })
const one = (type: string, value: unknown): Uint8Array =>
  encodeTypedStruct({ T: [{ name: 'v', type }] }, 'T', { v: value }).subarray(32)

describe('typedDataHash', () => {
  test('hashes the example of EIP-712', () => {
    expect(bytesToHex(typedDataHash(MAIL))).toBe(
      '0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2',
    )
  })

  test('changes with every field of the domain, and with a field that is absent', () => {
    const { domain } = MAIL
    const domains = [
      domain,
      { ...domain, name: 'Other' },
      { ...domain, version: '2' },
      { ...domain, chainId: 2n },
      { ...domain, verifyingContract: `0x${'11'.repeat(20)}` },
      { ...domain, salt: new Uint8Array(32) },
      {},
    ]
    const hashes = domains.map((one) => bytesToHex(typedDataHash({ ...MAIL, domain: one })))
    expect(new Set(hashes).size).toBe(domains.length)
  })
})

describe('formatStructType', () => {
  test('puts the struct first and those it needs after it, sorted, once each', () => {
    const types = {
      Zoo: [{ name: 'b', type: 'Bear[2][]' }],
      Bear: [
        { name: 'a', type: 'Ant' },
        { name: 'zoo', type: 'Zoo[]' },
      ],
      Ant: [{ name: 'x', type: 'uint8' }],
    }
    expect(formatStructType(types, 'Zoo')).toBe('Zoo(Bear[2][] b)Ant(uint8 x)Bear(Ant a,Zoo[] zoo)')
  })
})

describe('encodeTypedStruct', () => {
  test('encodes numbers from all their forms, and negative ones in two’s complement', () => {
    const seven = `0x${'00'.repeat(31)}07`
    for (const value of [7, 7n, '7', '0x07']) expect(bytesToHex(one('uint8', value))).toBe(seven)
    expect(bytesToHex(one('int16', -1))).toBe(`0x${'ff'.repeat(32)}`)
    expect(bytesToHex(one('int256', -(2n ** 255n)))).toBe(`0x80${'00'.repeat(31)}`)
  })

  test('pads bytesN on the right, addresses and booleans on the left', () => {
    expect(bytesToHex(one('bytes3', '0xaBcDef'))).toBe(`0xabcdef${'00'.repeat(29)}`)
    expect(bytesToHex(one('bool', true))).toBe(`0x${'00'.repeat(31)}01`)
    const address = new Uint8Array(20).fill(0x22)
    expect(bytesToHex(one('address', address))).toBe(`0x${'00'.repeat(12)}${'22'.repeat(20)}`)
  })

  test.each<[string, unknown]>([
    ['uint8', 256],
    ['uint8', -1],
    ['int8', 128],
    ['int8', -129],
    ['uint256', 2n ** 256n],
    ['uint8', 1.5],
    ['uint8', '0x'],
    ['uint8', ''],
    ['uint8', null],
    ['bool', 1],
    ['address', '0x11'],
    ['address', 'not hex'],
    ['bytes3', '0x1111'],
    ['bytes', 'abc'],
    ['bytes', 7],
    ['string', 7],
    ['string', '\ud83e'],
    ['uint8[]', 7],
    ['uint8[2]', [1]],
    ['bytes0', '0x'],
    ['bytes33', '0x'],
    ['uint7', 1],
    ['uint264', 1],
    ['uint', 1],
    ['Unknown', {}],
    ['toString', {}],
    ['uint8[x]', [1]],
    ['[]', [1]],
  ])('refuses for %s the value %o', (type, value) => {
    expect(() => one(type, value)).toThrow(refusal('T.v'))
  })

  test('names the place of what does not fit', () => {
    const types = {
      A: [{ name: 'list', type: 'B[]' }],
      B: [{ name: 'n', type: 'uint8' }],
    }
    const encode = (value: unknown) => () => encodeTypedStruct(types, 'A', value)
    expect(encode({ list: [{ n: 1 }, { n: 300 }] })).toThrow(refusal('A.list[1].n'))
    expect(encode({ list: [{ n: 1 }, {}] })).toThrow(refusal('A.list[1].n'))
    expect(encode({ list: [null] })).toThrow(refusal('A.list[0]'))
    expect(encode({})).toThrow(refusal('A.list'))
  })

  test('refuses what is nested without end, instead of running out of stack', () => {
    const types = { A: [{ name: 'a', type: 'A[]' }] }
    let value: unknown = { a: [] }
    for (let i = 0; i < 10_000; i++) value = { a: [value] }
    const code = expect.objectContaining({ code: 'LEDGER_TYPED_DATA_INVALID' })
    expect(() => encodeTypedStruct(types, 'A', value)).toThrow(code)
    expect(() => one(`uint8${'[]'.repeat(10_000)}`, [])).not.toThrow()
  })
})
