import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bytesToHex, hexToBytes, keccak256Hex } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import {
  commitHash,
  decodeExtraData,
  decodeHeader,
  encodeExtraData,
  encodeHeader,
  FOREIGN,
  genesisHeader,
  type Header,
  LedgerError,
  parseGenesis,
  QBFT_MIX_HASH,
  qbftHash,
} from '../src/index.ts'
import { createOneSigner } from './one-signer.ts'

// The collection lies beside the repository and is not part of it.
const VECTORS = fileURLToPath(
  new URL('../../../../shared/conformance/qbft/vectors', import.meta.url),
)

const crypto = createSecp256k1()
const key = new Uint8Array(32).fill(7)
const validator = addressOfPublicKey(crypto.publicKey(key))
const sealer = createOneSigner(validator, key, crypto)
const genesis = genesisHeader(
  parseGenesis({
    config: { chainId: 7, londonBlock: 0, qbft: {} },
    alloc: {},
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
  }),
  `0x${'00'.repeat(32)}`,
)

function child(): Header {
  return { ...genesis, number: 1, ...sealer.fields }
}

describe('QBFT extra data', () => {
  test('encodes and decodes to the same', () => {
    const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
    const address = bytes(20).map((each) => bytesToHex(each))
    fc.assert(
      fc.property(
        fc.record({
          vanity: bytes(32),
          validators: fc.array(address, { maxLength: 5 }),
          vote: fc.option(fc.record({ recipient: address, kind: fc.constantFrom('add', 'drop') }), {
            nil: undefined,
          }),
          round: fc.nat(2 ** 31 - 1),
          seals: fc.array(bytes(65), { maxLength: 5 }),
        }),
        (extra) => {
          expect(decodeExtraData(encodeExtraData(extra as never))).toEqual(extra)
        },
      ),
    )
  })

  test('what is not canonical, or has an item more, is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(encodeExtraData(decodeExtraData(bytes))).toEqual(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(LedgerError)
        }
      }),
    )
  })

  test.skipIf(!existsSync(VECTORS))('agrees with Besu’s vectors', () => {
    const url = join(VECTORS, 'extra-data.json')
    const { cases } = JSON.parse(readFileSync(url, 'utf8')) as {
      cases: { id: string; kind: string; rlp: string }[]
    }
    expect(cases.length).toBeGreaterThan(10)
    for (const { id, kind, rlp } of cases) {
      if (kind === 'reject') {
        expect(() => decodeExtraData(hexToBytes(rlp)), id).toThrow(LedgerError)
      } else if (kind === 'roundtrip') {
        // Some of Besu's own vectors have vanity or seals of sizes that we refuse on purpose.
        let decoded: ReturnType<typeof decodeExtraData> | undefined
        try {
          decoded = decodeExtraData(hexToBytes(rlp))
        } catch (error) {
          expect(String(error), id).toMatch(/vanity|65 bytes/)
        }
        if (decoded !== undefined) expect(bytesToHex(encodeExtraData(decoded)), id).toBe(rlp)
      }
    }
  })
})

interface HeaderVector {
  readonly consensus: string
  readonly headerRlp: string
}

describe('QBFT hashes', () => {
  test('seals and round do not change the on-chain hash; the round changes what is sealed', () => {
    const extra = decodeExtraData(child().extraData)
    const other = {
      ...child(),
      extraData: encodeExtraData({ ...extra, round: 3, seals: [new Uint8Array(65)] }),
    }
    expect(qbftHash(other)).toBe(qbftHash(child()))
    expect(commitHash(other)).not.toEqual(commitHash(child()))
    expect(commitHash(child())).toEqual(hexToBytes(qbftHash(child())))
  })

  test('the genesis block is named by its bytes as they are', () => {
    expect(qbftHash(genesis)).toBe(keccak256Hex(encodeHeader(genesis)))
    expect(FOREIGN.hash(genesis)).toBe(keccak256Hex(encodeHeader(genesis)))
  })

  test.skipIf(!existsSync(VECTORS))(
    'a real Besu header of round 1: every seal is by a validator of its list',
    () => {
      const url = join(VECTORS, 'headers.json')
      const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { cases: HeaderVector[] }
      const vector = cases.find(({ consensus }) => consensus === 'qbft')!
      const header = decodeHeader(hexToBytes(vector.headerRlp))
      expect(bytesToHex(encodeHeader(header))).toBe(vector.headerRlp)
      expect(header.mixHash).toBe(QBFT_MIX_HASH)
      const { validators, seals, round } = decodeExtraData(header.extraData)
      expect(round).toBe(1)
      const signers = seals.map((seal) =>
        crypto.recoverBytes(commitHash(header), seal.subarray(0, 64), seal[64]!),
      )
      expect(new Set(signers).size).toBe(3)
      for (const signer of signers) expect(validators).toContain(signer)
    },
  )
})
