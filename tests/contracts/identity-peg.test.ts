/** Identities of the main chain on side chains: opened, told of every change, proven to have been told. */

import { id } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Call, type Key, keyOf, OUTCOME, type PegChain, type Result } from './peg-chains.ts'
import {
  AT,
  issue,
  MAIN_ID,
  openNetwork,
  type PegNetwork,
  refusal,
  register,
  SIDE_IDS,
  settle,
  walletOf,
} from './peg-network.ts'
import { publicKeyOf, signKeyChange } from './world.ts'

const REGISTRY = AT.identityRegistry
const MIRROR = AT.identityRegistry
const PEG = AT.identityPeg
const LICENCES = AT.licenceRegistry
const [A, B] = SIDE_IDS
const STATUS = { none: 0n, active: 2n, suspended: 3n, cancelled: 4n } as const
const LICENCE = { inForce: 1n, suspended: 2n, cancelled: 4n } as const

const person = keyOf('person')
const registrar = keyOf('registrar')
const supervisor = keyOf('supervisor')
const stranger = keyOf('stranger')

let network: PegNetwork
let main: PegChain
let side: PegChain
let second: PegChain

beforeEach(async () => {
  network = await openNetwork()
  main = network.main
  side = network.sides[0]!
  second = network.sides[1]!
})

interface Presence {
  readonly state: bigint
  readonly undelivered: boolean
  readonly appliedStatus: bigint
  readonly claimed: bigint
  readonly applied: bigint
}

const mirrored = (chain: PegChain): bigint => chain.ask(MIRROR, 'statusOf', [person.address])
const licence = (chain: PegChain, number: number): bigint =>
  chain.ask(LICENCES, 'statusOf', [number])
const presence = (chainId: number): Presence =>
  main.ask<{ toObject(): Presence }>(PEG, 'presenceOf', [person.address, chainId]).toObject()
const applied = (): boolean => main.ask(PEG, 'isApplied', [person.address])
const open = (by: Key, chainId: number): Promise<Result> =>
  main.send(by, PEG, 'open', [person.address, chainId])
const move = (method: string): Promise<Result> =>
  main.send(registrar, REGISTRY, method, [person.address, 1])
const names = ({ events }: Result): string[] => events.map(({ name }) => name)

describe('opening', () => {
  test('an identity is on a side chain once somebody who may has opened it there', async () => {
    await register(network, person)
    expect(await refusal(() => open(stranger, A))).toBe('NotAllowed')
    expect(await refusal(() => open(keyOf('issuer'), A))).toBe('NotAllowed')
    await open(person, A)
    await open(registrar, B)
    expect([mirrored(side), mirrored(second), applied()]).toEqual([STATUS.none, STATUS.none, false])
    await network.carry()
    expect([mirrored(side), mirrored(second), applied()]).toEqual([
      STATUS.active,
      STATUS.active,
      true,
    ])
    expect(main.ask(PEG, 'chainsOf', [person.address])).toEqual([BigInt(A), BigInt(B)])
    const { publicKeyX, publicKeyY } = publicKeyOf(walletOf(person))
    expect(side.ask(MIRROR, 'publicKeyOf', [person.address])).toBe(publicKeyX + publicKeyY.slice(2))
    expect(side.ask<string>(MIRROR, 'identityOwner', [person.address]).toLowerCase()).toBe(
      person.address,
    )
    expect(await refusal(() => open(person, A))).toBe('AlreadyOpen')
    expect(await refusal(() => open(person, 77))).toBe('ChannelNotOpen')
  })

  test('a supervising authority may, and nobody for an identity that is cancelled or unknown', async () => {
    expect(await refusal(() => open(supervisor, A))).toBe('IdentityUnknown')
    await register(network, person)
    await open(supervisor, A)
    await move('cancel')
    expect(await refusal(() => open(supervisor, B))).toBe('StatusWrong')
  })

  test("by the holder's signature, which serves once", async () => {
    await register(network, person)
    const sign = (opens: boolean, nonce: number, deadline: number): Promise<string> =>
      walletOf(person).signTypedData(
        { name: 'Vellum Identity Peg', version: '1', chainId: MAIN_ID, verifyingContract: PEG },
        {
          Presence: [
            { name: 'identity', type: 'address' },
            { name: 'chainId', type: 'uint64' },
            { name: 'open', type: 'bool' },
            { name: 'nonce', type: 'uint32' },
            { name: 'deadline', type: 'uint64' },
          ],
        },
        { identity: person.address, chainId: A, open: opens, nonce, deadline },
      )
    const bring = (opens: boolean, deadline: number, signature: string): Promise<string> =>
      refusal(() =>
        main.send(stranger, PEG, 'bring', [person.address, A, opens, deadline, signature]),
      )
    const deadline = network.clock.seconds + 60
    const opening = await sign(true, 0, deadline)
    expect(await bring(true, deadline - 61, await sign(true, 0, deadline - 61))).toBe(
      'DeadlinePassed',
    )
    expect(await bring(false, deadline, opening)).toBe('NotAllowed')
    expect(await bring(true, deadline, opening)).toBe('not refused')
    await network.carry()
    expect(await bring(false, deadline, await sign(false, 1, deadline))).toBe('not refused')
    await network.carry()
    expect(mirrored(side)).toBe(STATUS.none)
    expect(await bring(true, deadline, opening)).toBe('NotAllowed')
  })
})

describe('what happens to an identity', () => {
  test('suspension reaches every licence on every side chain, and main has the proof', async () => {
    await settle(network, person)
    await network.carry()
    const numbers = [await issue(side, person, 'one'), await issue(side, person, 'two')]
    const elsewhere = await issue(second, person, 'three')
    await network.carry()
    const suspended = await move('suspend')
    expect(names(suspended).filter((name) => name === 'ClaimSent')).toHaveLength(2)
    expect(applied()).toBe(false)
    expect(presence(A)).toMatchObject({ appliedStatus: STATUS.active })
    expect(licence(side, numbers[0]!)).toBe(LICENCE.inForce)
    await network.carry()
    for (const number of numbers) expect(licence(side, number)).toBe(LICENCE.suspended)
    expect(licence(second, elsewhere)).toBe(LICENCE.suspended)
    expect(applied()).toBe(true)
    for (const chainId of [A, B]) {
      const { appliedStatus, applied: version, claimed } = presence(chainId)
      expect([appliedStatus, version]).toEqual([STATUS.suspended, claimed])
    }
    await move('reinstate')
    await network.carry()
    expect(licence(side, numbers[1]!)).toBe(LICENCE.inForce)
    await move('cancel')
    await network.carry()
    for (const number of numbers) expect(licence(side, number)).toBe(LICENCE.cancelled)
    expect(side.ask(LICENCES, 'balanceOf', [person.address])).toBe(0n)
    expect(presence(A).appliedStatus).toBe(STATUS.cancelled)
    expect(await refusal(() => issue(side, person, 'four'))).toBe('IdentityNotActive')
  })

  test('a new key speaks on the side chains, and the old one does not', async () => {
    await settle(network, person)
    await network.carry()
    const number = await issue(side, person, 'one')
    const next = keyOf('next key')
    const change = { identity: person.address, to: walletOf(next), nonce: 0 }
    const signatures = await signKeyChange(main, 'KeyChange', change, [
      walletOf(person),
      walletOf(next),
    ])
    const { publicKeyX, publicKeyY } = publicKeyOf(walletOf(next))
    await main.send(stranger, REGISTRY, 'rotate', [
      person.address,
      publicKeyX,
      publicKeyY,
      4_000_000_000,
      ...signatures,
    ])
    await network.carry()
    const ask = (by: Key): Promise<string> =>
      refusal(() => side.send(by, LICENCES, 'requestCancellation', [number, 1]))
    expect([await ask(person), await ask(next)]).toEqual(['NotHolder', 'not refused'])
    const identityOf = (key: Key): string =>
      side.ask<string>(MIRROR, 'identityOf', [key.address]).toLowerCase()
    expect([identityOf(person), identityOf(next)]).toEqual([person.address, person.address])
    expect(side.ask(MIRROR, 'publicKeyOf', [person.address])).toBe(publicKeyX + publicKeyY.slice(2))
  })

  test('the claim with the highest version holds, in whatever order they come', async () => {
    await settle(network, person, [side])
    await network.carry()
    const number = await issue(side, person, 'one')
    await network.carry()
    await move('suspend')
    await move('reinstate')
    await move('suspend')
    const [first, reinstated, last] = network.sent()
    const receipts = []
    for (const message of [last!, first!, reinstated!]) {
      receipts.push([message, await network.deliver(message)] as const)
      expect([mirrored(side), licence(side, number)]).toEqual([STATUS.suspended, LICENCE.suspended])
    }
    for (const [message, receipt] of receipts.reverse()) await network.acknowledge(message, receipt)
    expect(presence(A)).toMatchObject({ appliedStatus: STATUS.suspended })
    expect(applied()).toBe(true)
  })

  test('a side chain that is paused keeps no other from hearing of a suspension, and hears of it later', async () => {
    await settle(network, person)
    await network.carry()
    const number = await issue(side, person, 'one')
    await network.carry()
    await main.send(keyOf('guardian'), AT.pegGateway, 'pauseChannel', [A])
    const done = names(await move('suspend'))
    expect(done).toContain('ClaimNotSent')
    expect(done).toContain('ClaimSent')
    expect(done).not.toContain('ListenerFailed')
    expect(presence(A).undelivered).toBe(true)
    await network.decide(main, AT.pegGateway, 'resumeChannel', [A])
    await network.carry()
    expect([mirrored(side), mirrored(second)]).toEqual([STATUS.active, STATUS.suspended])
    const resend = (chainId: number): Promise<string> =>
      refusal(() => main.send(stranger, PEG, 'resend', [person.address, chainId]))
    expect([await resend(A), await resend(A), await resend(B)]).toEqual([
      'not refused',
      'NothingToResend',
      'NothingToResend',
    ])
    await network.carry()
    expect([mirrored(side), licence(side, number)]).toEqual([STATUS.suspended, LICENCE.suspended])
    expect(applied()).toBe(true)
  })

  test('a claim that came too late is told again', async () => {
    await settle(network, person, [side])
    const [message] = network.sent()
    network.clock.seconds += 2 * 24 * 3_600
    const receipt = await network.deliver(message!)
    expect(receipt.outcome).toBe(OUTCOME.expired)
    await network.acknowledge(message!, receipt)
    expect(presence(A)).toMatchObject({ undelivered: true, appliedStatus: STATUS.none })
    await main.send(stranger, PEG, 'resend', [person.address, A])
    await network.carry()
    expect(mirrored(side)).toBe(STATUS.active)
  })

  test('too little gas fails the suspension as a whole: it never succeeds without telling', async () => {
    await settle(network, person)
    await network.carry()
    const data = main.data(REGISTRY, 'suspend', [person.address, 1])
    const call = (gas: number): Call => ({
      from: registrar,
      to: REGISTRY,
      data,
      gas,
    })
    let failed = 0
    for (let gas = 40_000; ; gas += 4_000) {
      const [result] = await main.block(call(gas))
      if (!result!.succeeded) {
        failed++
        continue
      }
      expect(names(result!)).toEqual([
        'IdentityStatusChanged',
        ...['MessageSent', 'MessageCommitted', 'ClaimSent'],
        ...['MessageSent', 'MessageCommitted', 'ClaimSent'],
      ])
      break
    }
    expect(failed).toBeGreaterThan(10)
  })
})

describe('leaving', () => {
  const close = (by: Key): Promise<Result> => main.send(by, PEG, 'close', [person.address, A])

  test('with a licence in force the side chain refuses, and hears of everything as before', async () => {
    await settle(network, person, [side])
    await network.carry()
    const number = await issue(side, person, 'one')
    await network.carry()
    expect(await refusal(() => close(stranger))).toBe('NotAllowed')
    await close(person)
    expect(await refusal(() => close(person))).toBe('NotOpen')
    const outcomes = (await network.carry()).map(({ outcome }) => outcome)
    expect(outcomes).toEqual([OUTCOME.failed, OUTCOME.delivered])
    expect([mirrored(side), presence(A).state, applied()]).toEqual([STATUS.active, 1n, true])
    await move('suspend')
    await network.carry()
    expect(licence(side, number)).toBe(LICENCE.suspended)
  })

  test('without one the identity leaves, and can be opened again', async () => {
    await settle(network, person, [side])
    await network.carry()
    const number = await issue(side, person, 'one')
    await side.send(keyOf('issuer'), LICENCES, 'cancel', [number, 1])
    await network.carry()
    await close(registrar)
    await network.carry()
    expect([mirrored(side), presence(A).state]).toEqual([STATUS.none, 0n])
    expect(main.ask(PEG, 'chainsOf', [person.address])).toEqual([])
    expect(await refusal(() => issue(side, person, 'two'))).toBe('IdentityNotActive')
    expect((await network.carry()).length).toBe(0)
    await open(person, A)
    await network.carry()
    expect(mirrored(side)).toBe(STATUS.active)
    await issue(side, person, 'three')
  })

  test('a suspension on the way out keeps the identity open', async () => {
    await settle(network, person, [side])
    await network.carry()
    await close(person)
    await move('suspend')
    const [leaving, suspended] = network.sent()
    const receipts = [
      [suspended!, await network.deliver(suspended!)],
      [leaving!, await network.deliver(leaving!)],
    ] as const
    for (const [message, receipt] of receipts) await network.acknowledge(message, receipt)
    expect([mirrored(side), presence(A).state, applied()]).toEqual([STATUS.suspended, 1n, true])
    expect(main.ask(PEG, 'chainsOf', [person.address])).toEqual([BigInt(A)])
  })

  test('a side chain that governance has retired is struck off by anybody, no other is', async () => {
    await settle(network, person)
    await network.carry()
    const forget = (chainId: number): Promise<string> =>
      refusal(() => main.send(stranger, PEG, 'forget', [person.address, chainId]))
    expect(await forget(A)).toBe('ChainNotRetired')
    await network.decide(main, AT.pegGateway, 'closeChannel', [A])
    expect(await forget(A)).toBe('ChainNotRetired')
    await network.decide(main, AT.qbftLightClient, 'closeClient', [A])
    expect([await forget(A), await forget(A)]).toEqual(['not refused', 'NotOpen'])
    expect(main.ask(PEG, 'chainsOf', [person.address])).toEqual([BigInt(B)])
  })
})

test('an identity is open on at most 32 side chains', async () => {
  await register(network, person)
  for (let chainId = 1; chainId <= 33; chainId++) {
    await network.decide(main, AT.pegGateway, 'openChannel', [chainId])
    const expected = chainId <= 32 ? 'not refused' : 'ChainsFull'
    expect(await refusal(() => open(person, chainId))).toBe(expected)
  }
  // Telling all of them fits a transaction.
  const { gasUsed } = await move('suspend')
  expect(gasUsed).toBeLessThan(8_000_000)
})

test('a claim goes through as many licences as a holder can have, within the gas of its message', async () => {
  await settle(network, person, [side])
  await network.carry()
  for (let i = 0; i < 128; i++) await issue(side, person, `many ${i}`)
  network.sent()
  const gas: Record<string, number> = {}
  for (const method of ['suspend', 'reinstate', 'cancel']) {
    await move(method)
    const [claim, marks] = await network.carry()
    expect([claim!.outcome, marks!.outcome]).toEqual([OUTCOME.delivered, OUTCOME.delivered])
    gas[`${method} applied`] = claim!.gasUsed
    gas[`${method} indexed`] = marks!.gasUsed
  }
  expect(licence(side, 0)).toBe(LICENCE.cancelled)
  expect(licence(side, 127)).toBe(LICENCE.cancelled)
  // Of the whole transaction, with proofs.
  expect(Math.max(...Object.values(gas))).toBeLessThan(5_000_000)
}, 60_000)

test('what nobody has proven, the mirror does not believe: its own chain cannot tell it', async () => {
  expect(
    await refusal(() => network.decide(side, MIRROR, 'onDelivered', [id('message'), A, '0x'])),
  ).toBe('NotGateway')
  const from = `0x00010000020539${'14'}${PEG.slice(2)}`
  expect(
    await refusal(() =>
      network.decide(side, MIRROR, 'receiveMessage', [id('message'), from, '0x']),
    ),
  ).toBe('ERC7786RecipientUnauthorizedGateway')
})
