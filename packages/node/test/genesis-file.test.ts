import { hexToBytes, keccak256Hex } from '@vellum/evm'
import { parseGenesis } from '@vellum/ledger'
import { describe, expect, it } from 'vitest'
import { devGenesis } from '../src/dev-genesis.ts'
import { parseGenesisFile } from '../src/genesis-file.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const json = {
  ...devGenesis([]),
  alloc: {
    '0x00000000000000000000000000000000000000aa': { balance: '12', nonce: '0x1' },
    '00000000000000000000000000000000000000BB': {
      balance: '0x10',
      code: '0x6001',
      storage: { '0x01': '0x02' },
      comment: 'a "quoted" } brace \\ and ] more',
    },
    '0x00000000000000000000000000000000000000cc': {},
  },
}

describe('parseGenesisFile', () => {
  it.each([undefined, 2])('agrees with parseGenesis, indented by %s', (indent) => {
    const { genesis, allocation } = parseGenesisFile(
      utf8(JSON.stringify(json, undefined, indent)),
      'x',
    )
    const whole = parseGenesis(json)
    expect(genesis).toEqual({ ...whole, alloc: [] })
    const byHash = (a: { address: string }, b: { address: string }): number =>
      keccak256Hex(hexToBytes(a.address)) < keccak256Hex(hexToBytes(b.address)) ? -1 : 1
    expect([...allocation]).toEqual([...whole.alloc].sort(byHash))
    // It can be walked again.
    expect([...allocation]).toHaveLength(3)
  })

  it('finds alloc only at the top, in any case, and escaped', () => {
    const { alloc, ...rest } = json
    const text = JSON.stringify({ extra: { alloc: { nonsense: 1 } }, ...rest })
    const file = `${text.slice(0, -1)},"\\u0041LLOC":${JSON.stringify(alloc)}}`
    expect([...parseGenesisFile(utf8(file), 'x').allocation]).toHaveLength(3)
  })

  it.each([
    ['{', 'no name'],
    ['[]', 'no object'],
    ['', 'no object'],
    ['{"alloc":{"0x12":{}}', 'no comma'],
    [JSON.stringify({ ...json, alloc: undefined }), 'alloc'],
    [JSON.stringify({ ...json, alloc: 7 }), 'alloc'],
    [JSON.stringify({ ...json, config: {} }), 'chainId'],
  ])('refuses %s', (text, reason) => {
    expect(() => parseGenesisFile(utf8(text), 'x')).toThrow(reason)
  })

  it.each([
    [{ '0x12': {} }, 'alloc.0x12'],
    [{ [`0x${'11'.repeat(20)}`]: { balance: 'much' } }, 'balance'],
    [{ [`0x${'aa'.repeat(20)}`]: {}, [`0x${'AA'.repeat(20)}`]: {} }, 'twice'],
    [{ [`0x${'11'.repeat(20)}`]: 5 }, 'must be an object'],
  ])('names the account that is wrong: %j', (alloc, reason) => {
    const { allocation } = parseGenesisFile(utf8(JSON.stringify({ ...json, alloc })), 'x')
    expect(() => [...allocation]).toThrow(reason)
  })
})
