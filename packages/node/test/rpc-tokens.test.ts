import { createHmac } from 'node:crypto'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createTokenReader, makeToken, readTokenSecret } from '../src/host/rpc-tokens.ts'

const SECRET = Buffer.alloc(32, 7)
const NOW = 1_800_000_000

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token made without the library that reads it. */
function token(
  payload: object,
  options: { header?: object; secret?: Uint8Array; hash?: string } = {},
): string {
  const { header = { alg: 'HS256', typ: 'JWT' }, secret = SECRET, hash = 'sha256' } = options
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`
}

const read = async (text: string, now = NOW): Promise<unknown> =>
  createTokenReader(SECRET, () => now)(text)

describe('createTokenReader', () => {
  it.each([
    ['of this moment', { iat: NOW }, undefined],
    ['of a minute ago', { iat: NOW - 60 }, undefined],
    ['of a minute from now, by another clock', { iat: NOW + 60 }, undefined],
    [
      'that grants methods',
      { iat: NOW, permissions: ['debug', 'eth_call'] },
      ['debug', 'eth_call'],
    ],
    ['that grants nothing', { iat: NOW, permissions: [] }, []],
    ['with more in it', { iat: NOW, id: 'client 7', exp: NOW + 5 }, undefined],
  ])('takes a token %s', async (_, payload, grants) => {
    expect(await read(token(payload))).toMatchObject({ grants })
  })

  const good = token({ iat: NOW })
  const [head, body, seal] = good.split('.') as [string, string, string]
  it.each([
    ['older than a minute', token({ iat: NOW - 61 })],
    ['of later than a minute', token({ iat: NOW + 61 })],
    ['without a time', token({})],
    ['whose time is text', token({ iat: String(NOW) })],
    ['that has expired', token({ iat: NOW - 10, exp: NOW - 5 })],
    ['that is not good yet', token({ iat: NOW, nbf: NOW + 10 })],
    ['with another secret', token({ iat: NOW }, { secret: Buffer.alloc(32, 8) })],
    ['with another hash', token({ iat: NOW }, { header: { alg: 'HS512' }, hash: 'sha512' })],
    ['without a seal', `${encode({ alg: 'none' })}.${body}.`],
    ['that says it needs none', token({ iat: NOW }, { header: { alg: 'none' } })],
    [
      'that asks for more than is known',
      token({ iat: NOW }, { header: { alg: 'HS256', crit: ['x'], x: 1 } }),
    ],
    ['with another body', `${head}.${encode({ iat: NOW, permissions: ['*'] })}.${seal}`],
    ['cut short', good.slice(0, -1)],
    ['of two parts', `${head}.${body}`],
    ['that is none', 'x'],
    ['that is nothing', ''],
    ['too long to be one', `${good}${'A'.repeat(5_000)}`],
    ['whose permissions are text', token({ iat: NOW, permissions: '*' })],
    ['whose permissions are no texts', token({ iat: NOW, permissions: [1] })],
    ['with too many permissions', token({ iat: NOW, permissions: Array<string>(257).fill('a') })],
  ])('refuses a token %s', async (_, text) => {
    expect(await read(text)).toBeUndefined()
  })

  it('answers at once for a token that it has read, until that is too old', async () => {
    let now = NOW
    const reader = createTokenReader(SECRET, () => now)
    expect(await reader(good)).toMatchObject({ grants: undefined })
    now = NOW + 60
    expect(reader(good)).toMatchObject({ grants: undefined })
    now = NOW + 61
    expect(await reader(good)).toBeUndefined()
    expect(await reader(good)).toBeUndefined()
  })

  it('takes what makeToken makes', async () => {
    const made = await makeToken(SECRET, { nowSeconds: NOW + 0.9, permissions: ['admin'] })
    expect(await read(made)).toEqual({ grants: ['admin'] })
    expect(
      await read(await makeToken(SECRET, { nowSeconds: NOW, permissions: undefined })),
    ).toEqual({
      grants: undefined,
    })
  })
})

describe('readTokenSecret', () => {
  const file = (text: string, mode = 0o600): string => {
    const path = join(mkdtempSync(join(tmpdir(), 'vellum-secret-')), 'jwt.hex')
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  it.each(['07'.repeat(32), `0x${'07'.repeat(32)}\n`])('reads %j', (text) => {
    expect([...readTokenSecret(file(text))]).toEqual([...SECRET])
  })

  it.each([
    ['nothing', ''],
    ['a short one', '07'.repeat(31)],
    ['a long one', '07'.repeat(33)],
    ['no hex', 'zz'.repeat(32)],
  ])('refuses %s, and says how to make one', (_, text) => {
    expect(() => readTokenSecret(file(text))).toThrow(/openssl rand -hex 32/)
  })

  it('refuses a file that others can read', () => {
    expect(() => readTokenSecret(file('07'.repeat(32), 0o644))).toThrow(/chmod 600/)
  })
})
