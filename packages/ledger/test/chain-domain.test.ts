import { crc32 } from 'node:zlib'
import { type Hash, ZERO_HASH } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import {
  type Chain,
  createMemoryKeyValue,
  createPool,
  type ExecutedBlock,
  formatGenesis,
  openChain,
  parseGenesis,
} from '../src/index.ts'
import { createOneSigner, oneSignerGenesis } from './one-signer.ts'

const crypto = createSecp256k1()
const key = new Uint8Array(32).fill(3)
const validator = addressOfPublicKey(crypto.publicKey(key))
const sealer = createOneSigner(validator, key, crypto)

function open(chainId: number, vellum?: object): Promise<Chain> {
  return openChain({
    genesis: oneSignerGenesis({ validator, chainId, ...(vellum && { vellum }) }),
    disk: createMemoryKeyValue(),
    crc32,
    scheme: sealer,
    crypto,
    retainedBlocks: undefined,
  })
}

function next(chain: Chain): ExecutedBlock {
  const { header } = chain.head()
  const pool = createPool({
    state: () => chain.state(),
    next: () => ({
      rules: chain.rulesAt(header.number + 1, header.timestamp),
      gasLimit: header.gasLimit,
    }),
  })
  const built = chain.build(pool, {
    timestamp: header.timestamp + 1,
    fields: sealer.fields,
    gasLimitTarget: header.gasLimit,
  })
  return chain.sealed(built, sealer.seal(built.block.header))
}

describe('a chain with a domain', () => {
  test('names itself in every header after the first', async () => {
    const chain = await open(7, { chainDomain: true })
    expect(chain.block(0)?.header.parentBeaconBlockRoot).toBe(ZERO_HASH)
    for (let number = 1; number <= 3; number++) {
      const executed = next(chain)
      expect(executed.block.header.parentBeaconBlockRoot).toBe(chain.hashAt(0))
      await chain.append(executed)
    }
  })

  test.each<[string, (genesis: Hash) => Hash]>([
    ['no chain', () => ZERO_HASH],
    ['another chain', (own) => `${own.slice(0, -1)}${own.endsWith('0') ? '1' : '0'}` as Hash],
  ])('refuses a sealed block that names %s', async (_, nameOf) => {
    const chain = await open(7, { chainDomain: true })
    const { block } = next(chain)
    const header = sealer.seal({
      ...block.header,
      parentBeaconBlockRoot: nameOf(chain.hashAt(0)!),
    })
    expect(chain.execute({ ...block, header })).toMatchObject({
      ok: false,
      reason: 'the header is of another chain',
    })
  })

  test('needs the header field of Cancun, and QBFT', () => {
    const json = formatGenesis(oneSignerGenesis({ validator, vellum: { chainDomain: true } }))
    expect(parseGenesis(json).chainDomain).toBe(true)
    const { cancunTime: _, pragueTime: __, osakaTime: ___, ...early } = json.config
    const { qbft: ____, ...foreign } = json.config
    for (const config of [early, foreign]) {
      expect(() => parseGenesis({ ...json, config })).toThrow(/chainDomain/)
    }
  })
})

test('a chain without a domain names nothing', async () => {
  const chain = await open(7)
  expect(next(chain).block.header.parentBeaconBlockRoot).toBe(ZERO_HASH)
})
