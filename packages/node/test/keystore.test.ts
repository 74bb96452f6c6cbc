import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { bytesToHex, hexToBytes } from '@vellum/evm'
import { Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { decryptKeystore, encryptKeystore, keystoreAddress } from '../src/host/keystore.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
/** So that the tests do not spend their time on scrypt. */
const LIGHT = { n: 2 ** 12, r: 8, p: 1 }
const WEAK = { acceptWeak: true }

const suite = new URL(
  '../../../../shared/conformance/ethereum-tests/KeyStoreTests/basic_tests.json',
  import.meta.url,
)

interface KeystoreCase {
  readonly json: unknown
  readonly password: string
  readonly priv: string
}

describe('keystores', () => {
  // The collection lies beside the repository and is not part of it.
  const cases = existsSync(suite)
    ? (JSON.parse(readFileSync(suite, 'utf8')) as Record<string, KeystoreCase>)
    : {}
  it.each(Object.entries(cases))(
    'opens %s of ethereum/tests',
    async (_, { json, password, priv }) => {
      const key = await decryptKeystore(JSON.stringify(json), utf8(password), WEAK)
      expect(bytesToHex(key)).toBe(`0x${priv}`)
    },
  )

  it('writes what it and ethers read', async () => {
    const wallet = new Wallet(bytesToHex(randomBytes(32)))
    const address = wallet.address.toLowerCase() as `0x${string}`
    const owner = { address, password: utf8('pass wörd') }
    const text = await encryptKeystore(hexToBytes(wallet.privateKey), owner, LIGHT)
    expect(keystoreAddress(text)).toBe(address)
    expect(bytesToHex(await decryptKeystore(text, owner.password, WEAK))).toBe(wallet.privateKey)
    expect((await Wallet.fromEncryptedJson(text, 'pass wörd')).privateKey).toBe(wallet.privateKey)
  })

  it('refuses a wrong password, a changed byte, and a weak file unless it is accepted', async () => {
    const owner = { address: `0x${'11'.repeat(20)}`, password: utf8('right') } as const
    const text = await encryptKeystore(new Uint8Array(32).fill(7), owner, LIGHT)
    await expect(decryptKeystore(text, utf8('wrong'), WEAK)).rejects.toMatchObject({
      code: 'NODE_KEYSTORE_PASSWORD',
    })
    const { ciphertext } = (JSON.parse(text) as { crypto: { ciphertext: string } }).crypto
    const flipped = (Number.parseInt(ciphertext[0]!, 16) ^ 1).toString(16) + ciphertext.slice(1)
    await expect(
      decryptKeystore(text.replace(ciphertext, flipped), owner.password, WEAK),
    ).rejects.toMatchObject({ code: 'NODE_KEYSTORE_PASSWORD' })
    await expect(decryptKeystore(text, owner.password)).rejects.toMatchObject({
      code: 'NODE_KEYSTORE_WEAK',
    })
  })

  it.each([
    ['{', 'not JSON'],
    ['[]', 'the file must be an object'],
    ['{"version":1}', 'version must be 3'],
    ['{"version":3,"crypto":{"cipher":"aes-256-cbc"}}', 'aes-128-ctr'],
    [file({ kdfparams: { dklen: 32, n: 2 ** 25, r: 64, p: 1, salt: '00' } }), 'over 1 GiB'],
    [file({ kdfparams: { dklen: 32, n: 1000, r: 8, p: 1, salt: '00' } }), 'power of two'],
    [file({ kdfparams: { dklen: 32, n: 1024, r: 8, p: 99, salt: '00' } }), 'p must be'],
    [file({ kdf: 'argon2' }), 'kdf must be'],
    [file({ mac: 'zz' }), 'mac must be hex'],
  ])('refuses %s', async (text, reason) => {
    await expect(decryptKeystore(text, utf8('x'))).rejects.toMatchObject({
      code: 'NODE_KEYSTORE_INVALID',
      message: expect.stringContaining(reason),
    })
  })
})

function file(changes: object): string {
  const crypto = {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '00'.repeat(16) },
    ciphertext: '00'.repeat(32),
    mac: '00'.repeat(32),
    kdf: 'scrypt',
    kdfparams: { dklen: 32, n: 2 ** 18, r: 8, p: 1, salt: '00' },
    ...changes,
  }
  return JSON.stringify({ version: 3, crypto })
}
