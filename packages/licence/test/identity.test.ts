import { verifyTypedData } from 'ethers'
import { describe, expect, test } from 'vitest'
import {
  countersignIdentity,
  LicenceError,
  makeIdentity,
  openIdentity,
  type SignedStatement,
} from '../src/index.ts'
import { CHAIN_ID, keyOf, NOW, secretOf } from './samples.ts'

const registrar = keyOf(1)
const holder = keyOf(2)
const details = { name: '欧阳明月', document: '身份证' }
const signed = await makeIdentity({
  chainId: CHAIN_ID,
  registrar,
  registrarCode: '11100000000013661B',
  holderKey: holder.publicKey,
  kind: 'citizen',
  subject: `0x${'5a'.repeat(32)}`,
  details,
  version: 1,
  deadline: NOW + 3_600,
})
const desk = { chainId: CHAIN_ID, key: holder, privateKey: secretOf(2) }

async function codeOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  )
  if (error instanceof LicenceError) return error.code
  throw error
}

describe('making an identity', () => {
  test('tells the holder what was reviewed, and nobody else', () => {
    expect(openIdentity(signed, secretOf(2))).toEqual(details)
    expect(() => openIdentity(signed, secretOf(3))).toThrow(LicenceError)
    const text = Buffer.from(signed.payload).toString('latin1')
    expect(text).not.toContain(Buffer.from(details.name).toString('latin1'))
  })

  test('is signed by the registrar and countersigned by the holder, as EIP-712 says', async () => {
    const both = await countersignIdentity(signed, desk)
    const domain = {
      name: 'Vellum Identities',
      version: '1',
      chainId: CHAIN_ID,
      verifyingContract: '0x0000000000000000000000000000000000005605',
    }
    const field = (text: string) => {
      const [type, name] = text.split(' ') as [string, string]
      return { type, name }
    }
    const Identity = [
      'address holder',
      'bytes32 publicKeyX',
      'bytes32 publicKeyY',
      'bytes32 subject',
      'uint8 kind',
      'bytes32 registrar',
      'bytes32 digest',
      'bytes32 payloadHash',
      'uint64 version',
      'uint64 deadline',
    ].map(field)
    const { statement, registrarSignature, holderSignature } = both
    expect(verifyTypedData(domain, { Identity }, statement, registrarSignature)).toBe(
      registrar.address,
    )
    const Countersignature = ['Identity identity', 'bytes registrarSignature'].map(field)
    const value = { identity: statement, registrarSignature }
    expect(verifyTypedData(domain, { Countersignature, Identity }, value, holderSignature)).toBe(
      holder.address,
    )
  })

  test('commits to the details with a salt: the same twice gives two digests', async () => {
    const again = await makeIdentity({
      chainId: CHAIN_ID,
      registrar,
      registrarCode: '11100000000013661B',
      holderKey: holder.publicKey,
      kind: 'citizen',
      subject: `0x${'5a'.repeat(32)}`,
      details,
      version: 1,
      deadline: NOW + 3_600,
    })
    expect(again.statement.digest).not.toBe(signed.statement.digest)
  })

  test('is not countersigned where the details are not those of the statement', async () => {
    const other: SignedStatement = {
      ...signed,
      statement: { ...signed.statement, digest: `0x${'00'.repeat(32)}` },
    }
    expect(await codeOf(countersignIdentity(other, desk))).toBe('LICENCE_IDENTITY_INVALID')
  })

  test('is not countersigned where it names another key, or is for another one', async () => {
    const named = { ...signed, statement: { ...signed.statement, holder: keyOf(3).address } }
    expect(await codeOf(countersignIdentity(named, desk))).toBe('LICENCE_IDENTITY_INVALID')
    const foreign = { ...desk, key: keyOf(3), privateKey: secretOf(3) }
    expect(await codeOf(countersignIdentity(signed, foreign))).toBe('LICENCE_DECRYPTION_FAILED')
  })

  test('needs a registrar with a valid code', async () => {
    const run = makeIdentity({
      chainId: CHAIN_ID,
      registrar,
      registrarCode: '11100000000013661C',
      holderKey: holder.publicKey,
      kind: 'citizen',
      subject: `0x${'5a'.repeat(32)}`,
      details,
      version: 1,
      deadline: NOW,
    })
    expect(await codeOf(run)).toBe('LICENCE_IDENTIFIER_CHECK')
  })
})
