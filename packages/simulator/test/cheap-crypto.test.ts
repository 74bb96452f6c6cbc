import { keccak256 } from '@vellum/evm'
import { addressOfPublicKey, signatureBytes } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { createCheapCrypto } from '../src/cheap-crypto.ts'
import { createPrng } from '../src/prng.ts'

const crypto = createCheapCrypto()
const prng = createPrng('cheap')
const key = prng.bytes(32)
const hash = keccak256(key)
const address = addressOfPublicKey(crypto.publicKey(key))

describe('cheap signatures', () => {
  test('recover their signer, by numbers and by bytes', () => {
    const signature = crypto.sign(hash, key)
    expect(crypto.recover(hash, signature)).toBe(address)
    expect(crypto.recoverBytes(hash, signatureBytes(signature), signature.yParity)).toBe(address)
    expect(crypto.recoverPublicKey(hash, signatureBytes(signature), 0)).toEqual(
      crypto.publicKey(key),
    )
    expect(crypto.sign(hash, key)).toEqual(signature)
  })

  test('recover nobody after any bit is flipped, in the signature or in the hash', () => {
    const rs = signatureBytes(crypto.sign(hash, key))
    for (let bit = 0; bit < 512; bit++) {
      const altered = rs.slice()
      altered[bit >> 3]! ^= 1 << (bit & 7)
      expect(crypto.recoverBytes(hash, altered, 0)).toBeUndefined()
    }
    for (let bit = 0; bit < 256; bit++) {
      const altered = hash.slice()
      altered[bit >> 3]! ^= 1 << (bit & 7)
      expect(crypto.recoverBytes(altered, rs, 0)).toBeUndefined()
    }
    expect(crypto.recoverBytes(hash, rs, 1)).toBeUndefined()
    expect(crypto.recoverBytes(hash, rs.subarray(1), 0)).toBeUndefined()
  })

  test('differ between keys', () => {
    const other = prng.bytes(32)
    expect(crypto.recover(hash, crypto.sign(hash, other))).not.toBe(address)
    expect(crypto.sign(hash, other).s).not.toBe(crypto.sign(hash, key).s)
  })

  test('are not made with a key of zeros', () => {
    expect(() => crypto.sign(hash, new Uint8Array(32))).toThrow('private key')
    expect(crypto.isPrivateKey(new Uint8Array(31).fill(1))).toBe(false)
  })
})
