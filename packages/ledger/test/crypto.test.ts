import { createRequire } from 'node:module'
import { bigIntToBytes, bytesToHex, concatBytes, hexToBytes, keccak256 } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addressOfPublicKey,
  createSecp256k1,
  type NativeSecp256k1,
  personalMessageHash,
} from '../src/crypto.ts'
import { signatureBytes } from '../src/signature.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
// The binding belongs to the node; the rules that both backends share are tested here.
const native = createRequire(new URL('../../node/package.json', import.meta.url))(
  'secp256k1/bindings.js',
) as NativeSecp256k1
const noble = createSecp256k1()
const fast = createSecp256k1(native)

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const privateKey = fc.bigInt({ min: 1n, max: ORDER - 1n }).map((key) => bigIntToBytes(key, 32))
const word = (value: bigint): Uint8Array => bigIntToBytes(value, 32)
const PROPERTY = { numRuns: 40, seed: 512 }

describe.each([noble, fast])('secp256k1 by $backend', (crypto) => {
  test('knows a published key and its address', () => {
    // The first account of the well-known development mnemonic "test test ... junk".
    const key = hexToBytes('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80')
    expect(addressOfPublicKey(crypto.publicKey(key))).toBe(
      '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
    )
  })

  test('signs by RFC 6979: the published signatures of key 1', () => {
    const hash = hexToBytes('0xa0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e')
    const signature = crypto.sign(hash, word(1n))
    // "Satoshi Nakamoto" by key 1 over SHA-256: the deterministic vector that wallets share.
    expect(bytesToHex(signatureBytes(signature))).toBe(
      '0x934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8' +
        '2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5',
    )
  })

  test('recovers the signer of every signature it makes, with low s', () => {
    fc.assert(
      fc.property(bytes32, privateKey, (hash, key) => {
        const signature = crypto.sign(hash, key)
        expect(signature.s <= ORDER / 2n).toBe(true)
        expect(crypto.signBytes(hash, key)).toEqual(
          concatBytes(signatureBytes(signature), Uint8Array.of(signature.yParity)),
        )
        const signer = addressOfPublicKey(crypto.publicKey(key))
        expect(crypto.recover(hash, signature)).toBe(signer)
        expect(crypto.recoverBytes(hash, signatureBytes(signature), signature.yParity)).toBe(signer)
      }),
      PROPERTY,
    )
  })

  test('refuses high s, but gives ECRECOVER the key', () => {
    const [hash, key] = [keccak256(word(5n)), word(6n)]
    const { r, s, yParity } = crypto.sign(hash, key)
    const high = { r, s: ORDER - s, yParity: yParity === 0 ? 1 : 0 } as const
    expect(crypto.recover(hash, high)).toBeUndefined()
    expect(crypto.recoverBytes(hash, signatureBytes(high), high.yParity)).toBeUndefined()
    expect(crypto.recoverPublicKey(hash, signatureBytes(high), high.yParity)).toEqual(
      crypto.publicKey(key),
    )
  })

  test('recovers nobody from numbers out of range, other sizes and other parities', () => {
    const hash = keccak256(word(5n))
    const { r, s, yParity } = crypto.sign(hash, word(6n))
    for (const wrong of [
      { r: 0n, s },
      { r: ORDER, s },
      { r: ORDER + r, s },
      { r: 1n << 256n, s },
      { r: -1n, s },
      { r, s: 0n },
      { r, s: ORDER },
      { r, s: 1n << 256n },
      { r, s: -s },
    ]) {
      expect(crypto.recover(hash, { ...wrong, yParity })).toBeUndefined()
    }
    const rs = signatureBytes({ r, s })
    expect(crypto.recoverBytes(hash, rs, yParity)).toBeDefined()
    for (const parity of [2, 3, 27, 28, -1, 0.5, Number.NaN]) {
      expect(crypto.recoverBytes(hash, rs, parity)).toBeUndefined()
    }
    expect(crypto.recoverBytes(hash, rs.subarray(1), yParity)).toBeUndefined()
    expect(crypto.recoverBytes(hash, concatBytes(rs, word(0n)), yParity)).toBeUndefined()
    expect(crypto.recoverBytes(hash.subarray(1), rs, yParity)).toBeUndefined()
  })

  test('recovers nobody where r is no x of the curve, or the key would be infinity', () => {
    // 5³ + 7 is not a square.
    expect(crypto.recoverBytes(word(1n), concatBytes(word(5n), word(1n)), 0)).toBeUndefined()
    // The key is (s·R - hash·G) / r: nothing is left if R is G and s is the hash.
    const gx = crypto.publicKey(word(1n)).subarray(0, 32)
    expect(crypto.recoverBytes(word(7n), concatBytes(gx, word(7n)), 0)).toBeUndefined()
    expect(crypto.recoverBytes(word(8n), concatBytes(gx, word(7n)), 0)).toBeDefined()
  })

  test('knows which bytes are a private key, and takes no others', () => {
    for (const bad of [word(0n), word(ORDER), word((1n << 256n) - 1n), word(1n).subarray(1)]) {
      expect(crypto.isPrivateKey(bad)).toBe(false)
      const refusal = expect.objectContaining({ code: 'LEDGER_PRIVATE_KEY_INVALID' })
      expect(() => crypto.sign(word(1n), bad)).toThrow(refusal)
      expect(() => crypto.signBytes(word(1n), bad)).toThrow(refusal)
      expect(() => crypto.publicKey(bad)).toThrow(refusal)
    }
    expect(crypto.isPrivateKey(word(1n))).toBe(true)
    expect(crypto.isPrivateKey(word(ORDER - 1n))).toBe(true)
  })
})

describe('both backends', () => {
  test('are what they say', () => {
    expect([noble.backend, fast.backend]).toEqual(['noble', 'native'])
  })

  test('make the same signatures and keys', () => {
    fc.assert(
      fc.property(bytes32, privateKey, (hash, key) => {
        expect(fast.sign(hash, key)).toEqual(noble.sign(hash, key))
        expect(fast.signBytes(hash, key)).toEqual(noble.signBytes(hash, key))
        expect(fast.publicKey(key)).toEqual(noble.publicKey(key))
      }),
      PROPERTY,
    )
  })

  test('recover the same from any bytes: random, at the edges, and signatures with one bit changed', () => {
    const edge = fc
      .constantFrom(
        0n,
        1n,
        2n,
        5n,
        ORDER / 2n,
        ORDER / 2n + 1n,
        ORDER - 1n,
        ORDER,
        (1n << 256n) - 1n,
      )
      .map(word)
    const part = fc.oneof(bytes32, edge)
    const random = fc.tuple(part, part).map((parts) => concatBytes(...parts))
    const flipped = fc.tuple(bytes32, privateKey, fc.nat(511)).map(([hash, key, bit]) => {
      const rs = signatureBytes(fast.sign(hash, key))
      rs[bit >> 3]! ^= 1 << (bit & 7)
      return rs
    })
    fc.assert(
      fc.property(part, fc.oneof(random, flipped), fc.constantFrom(0, 1), (hash, rs, parity) => {
        expect(fast.recoverBytes(hash, rs, parity)).toBe(noble.recoverBytes(hash, rs, parity))
        const keys = [fast, noble].map((crypto) => crypto.recoverPublicKey(hash, rs, parity))
        expect(keys[0]).toEqual(keys[1])
      }),
      { numRuns: 150, seed: 99 },
    )
  })
})

describe('personalMessageHash', () => {
  test('hashes the prefix of EIP-191, the length in bytes, and the message', () => {
    // "hello world", as the documentation of ethers has it, and the empty message.
    expect(bytesToHex(personalMessageHash(hexToBytes('0x68656c6c6f20776f726c64')))).toBe(
      '0xd9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68',
    )
    expect(bytesToHex(personalMessageHash(new Uint8Array(0)))).toBe(
      '0x5f35dce98ba4fba25530a026ed80b2cecdaa31091ba4958b99b52ea1d068adad',
    )
  })
})
