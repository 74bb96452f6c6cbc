/** Organisations and the chain of accreditation, on a node. */

import { encodeBytes32String, type Wallet } from 'ethers'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Chain, Receipt } from './chain.ts'
import { refused } from './refused.ts'
import { accounts, CODE, CODES, createWorld, DAY, OTHER_TYPE, TYPE, wallet, YEAR } from './world.ts'

const { root, accrediting, issuer, verifier, registrar } = accounts
let chain: Chain

const send = (from: Wallet, method: string, ...args: unknown[]): Promise<Receipt> =>
  chain.send(from, 'organisationRegistry', method, args)
const ask = <T>(method: string, ...args: unknown[]): Promise<T> =>
  chain.ask<T>('organisationRegistry', method, args)

beforeAll(async () => {
  ;({ chain } = await createWorld())
  return () => chain.stop()
})

describe('organisations', () => {
  test('codes of the standard are taken, once', async () => {
    for (const [name, code] of Object.entries(CODES)) {
      const known = encodeBytes32String(code)
      await refused(
        send(root, 'register', known, wallet(`${name} anew`).address, 0),
        'OrganisationKnown',
        [known],
      )
    }
  })

  test('a wrong check character is named, with the right one', async () => {
    const at = (code: string): Promise<unknown> =>
      send(root, 'register', encodeBytes32String(code), wallet('new').address, 0)
    // The check of the whole, of the organisation code inside, and what is no character of a code.
    await refused(at('11100000000013338X'), 'CreditCodeInvalid', [
      encodeBytes32String('11100000000013338X'),
      17n,
      '0x57',
    ])
    await refused(at('11100000000013339W'), 'CreditCodeInvalid', [
      encodeBytes32String('11100000000013339W'),
      16n,
      '0x38',
    ])
    await refused(at('1110000000001333 W'), 'CreditCodeInvalid')
    await refused(at('1110000I000013338W'), 'CreditCodeInvalid', [
      encodeBytes32String('1110000I000013338W'),
      7n,
      '0x00',
    ])
    await refused(at('11100000000013338W1'), 'CreditCodeInvalid', [
      encodeBytes32String('11100000000013338W1'),
      18n,
      '0x00',
    ])
  })

  test('only the root authority registers, changes, suspends', async () => {
    const other = wallet('other').address
    for (const [method, ...args] of [
      ['register', CODE.issuer, other, 0],
      ['changeAccount', CODE.issuer, other],
      ['setVerifierClass', CODE.issuer, 1],
      ['suspend', CODE.issuer],
      ['reinstate', CODE.issuer],
      ['appoint', TYPE, CODE.issuer, 0, 4_000_000_000],
      ['withdrawAppointment', TYPE, CODE.accrediting, 0, 0],
    ] as const) {
      await refused(send(accrediting, method, ...args), 'NotRoot', [accrediting.address])
    }
    await refused(send(root, 'setCapacities', CODE.issuer, 1), 'AccessManagedUnauthorized')
  })

  test('an account is of one organisation for ever; the former one says nothing more', async () => {
    const next = wallet('registrar, new account')
    const before = await chain.now()
    await refused(send(root, 'changeAccount', CODE.registrar, issuer.address), 'AccountTaken')
    await chain.pass(10)
    await send(root, 'changeAccount', CODE.registrar, next.address)
    const now = await chain.now()
    expect(await ask('organisationOf', next.address)).toBe(CODE.registrar)
    expect(BigInt(await ask<string>('organisationOf', registrar.address))).toBe(0n)
    expect(await ask('accountAt', CODE.registrar, before)).toBe(registrar.address)
    expect(await ask('accountAt', CODE.registrar, now)).toBe(next.address)
    await refused(send(root, 'changeAccount', CODE.registrar, registrar.address), 'AccountTaken')
  })

  test('a suspended organisation does nothing until it is reinstated', async () => {
    await send(root, 'suspend', CODE.verifier)
    expect(BigInt(await ask<string>('organisationOf', verifier.address))).toBe(0n)
    await send(root, 'reinstate', CODE.verifier)
    expect(await ask('organisationOf', verifier.address)).toBe(CODE.verifier)
  })
})

describe('accreditation', () => {
  const held = (time: number): Promise<boolean> =>
    ask('isAccredited', CODE.issuer, OTHER_TYPE, time)

  test('only an accrediting authority of the type accredits, and only from now on', async () => {
    const now = await chain.now()
    const later = now + YEAR
    await refused(send(root, 'accredit', TYPE, CODE.issuer, 0, later), 'NotAccrediting')
    await refused(
      send(accrediting, 'accredit', OTHER_TYPE, CODE.issuer, 0, later),
      'NotAccrediting',
    )
    await refused(
      send(accrediting, 'accredit', TYPE, CODE.issuer, now - 60, later),
      'PeriodInvalid',
    )
    await refused(send(accrediting, 'accredit', TYPE, CODE.issuer, 0, now), 'PeriodInvalid')
    const unknown = encodeBytes32String('nobody')
    await refused(send(accrediting, 'accredit', TYPE, unknown, 0, later), 'OrganisationUnknown')
  })

  test('a type is named by a valid code and three digits', async () => {
    for (const type of [
      '11100000000013338W01',
      '11100000000013338W01A',
      '11100000000013338W0110',
    ]) {
      await refused(
        send(root, 'appoint', encodeBytes32String(type), CODE.accrediting, 0, 4_000_000_000),
        'LicenceTypeInvalid',
      )
    }
    await refused(
      send(
        root,
        'appoint',
        encodeBytes32String('11100000000013338A011'),
        CODE.accrediting,
        0,
        4_000_000_000,
      ),
      'CreditCodeInvalid',
    )
  })

  test('holds from its first second to before its last, while the appointment holds too', async () => {
    const now = await chain.now()
    const [from, until] = [now + DAY, now + 10 * DAY]
    await send(root, 'appoint', OTHER_TYPE, CODE.accrediting, 0, now + 20 * DAY)
    await send(accrediting, 'accredit', OTHER_TYPE, CODE.issuer, from, until)
    expect(await Promise.all([from - 1, from, until - 1, until].map(held))).toEqual([
      false,
      true,
      true,
      false,
    ])
    // Withdrawn by hindsight and from a later day; a withdrawal is never taken back.
    await refused(
      send(issuer, 'withdrawAccreditation', OTHER_TYPE, CODE.issuer, 0, 0),
      'NotAccrediting',
    )
    await send(accrediting, 'withdrawAccreditation', OTHER_TYPE, CODE.issuer, 0, now + 8 * DAY)
    expect(await Promise.all([now + 8 * DAY - 1, now + 8 * DAY].map(held))).toEqual([true, false])
    await refused(
      send(accrediting, 'withdrawAccreditation', OTHER_TYPE, CODE.issuer, 0, now + 9 * DAY),
      'WithdrawnEarlier',
      [BigInt(now + 8 * DAY)],
    )
    await send(root, 'withdrawAccreditation', OTHER_TYPE, CODE.issuer, 0, now + 6 * DAY)
    expect(await held(now + 6 * DAY)).toBe(false)
    // The appointment above it ends: so does what hangs on it.
    await send(root, 'withdrawAppointment', OTHER_TYPE, CODE.accrediting, 0, now + 4 * DAY)
    expect(await Promise.all([now + 4 * DAY - 1, now + 4 * DAY].map(held))).toEqual([true, false])
    await chain.pass(5 * DAY)
    await refused(
      send(accrediting, 'accredit', OTHER_TYPE, CODE.issuer, 0, now + 30 * DAY),
      'NotAccrediting',
    )
    expect(await ask('accreditationsOf', OTHER_TYPE, CODE.issuer)).toMatchObject([
      { by: CODE.accrediting, withdrawnFrom: BigInt(now + 6 * DAY) },
    ])
    await refused(
      send(root, 'withdrawAccreditation', OTHER_TYPE, CODE.issuer, 1, 0),
      'GrantUnknown',
    )
  })
})
