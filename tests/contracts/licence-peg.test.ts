/** Licences of side chains in the index of the main chain. */

import type { Hash } from '@vellum/evm'
import { AbiCoder, id, keccak256, toBeHex } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { keyOf, OUTCOME, type PegChain, type Result } from './peg-chains.ts'
import {
  AT,
  issue,
  openLiar,
  openNetwork,
  type PegNetwork,
  refusal,
  SIDE_IDS,
  settle,
} from './peg-network.ts'
import { PAYLOAD, TYPE, YEAR } from './world.ts'

const INDEX = AT.licencePeg
const PEG = AT.licencePeg
const LICENCES = AT.licenceRegistry
const [A, B] = SIDE_IDS
const STATUS = {
  inForce: 1n,
  suspended: 2n,
  cancelled: 4n,
  lapsed: 5n,
  revoked: 7n,
  offered: 8n,
} as const

const person = keyOf('person')
const issuer = keyOf('issuer')
const registrar = keyOf('registrar')
const coder = AbiCoder.defaultAbiCoder()

let network: PegNetwork
let main: PegChain
let side: PegChain
let second: PegChain

beforeEach(async () => {
  network = await openNetwork()
  main = network.main
  side = network.sides[0]!
  second = network.sides[1]!
  await settle(network, person)
  await network.carry()
})

interface Found {
  readonly chainId: bigint
  readonly number: bigint
  readonly status: bigint
  readonly atHome: boolean
  readonly licence: Record<string, unknown>
}

const plain = (found: { toObject(deep: boolean): Found }): Found => found.toObject(true)
const indexed = (chainId: number, number: number): Found =>
  plain(main.ask(INDEX, 'licence', [chainId, number]))
const page = (chainId: number, from = 0, count = 256): Found[] =>
  main
    .ask<{ toObject(deep: boolean): Found }[]>(INDEX, 'licencesOf', [
      person.address,
      chainId,
      from,
      count,
    ])
    .map(plain)
const act = (method: string, ...args: unknown[]): Promise<Result> =>
  side.send(issuer, LICENCES, method, args)
const names = ({ events }: Result): string[] => events.map(({ name }) => name)

describe('the index', () => {
  test('has every licence as its chain has it, after every change', async () => {
    const number = await issue(side, person, 'one')
    const expectSame = async (status: bigint): Promise<void> => {
      await network.carry()
      const found = indexed(A, number)
      const record = side
        .ask<{ toObject(): Record<string, unknown> }>(LICENCES, 'licence', [number])
        .toObject()
      for (const field of [
        'identifier',
        'content',
        'licenceType',
        'issuer',
        'holder',
        'version',
        'validFrom',
        'validUntil',
        'statusTime',
        'status',
        'mark',
      ]) {
        expect(found.licence[field], field).toBe(record[field])
      }
      expect([found.status, found.atHome]).toEqual([status, true])
      expect(side.ask(LICENCES, 'statusOf', [number])).toBe(status)
    }
    await expectSame(STATUS.inForce)
    await act('suspend', number, 7)
    await expectSame(STATUS.suspended)
    await act('lift', number, 7)
    await expectSame(STATUS.inForce)
    await act('revoke', number, 7)
    await expectSame(STATUS.revoked)
  })

  test('a renewal is one message: never two in force, never none', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    const now = network.clock.seconds
    const successor = {
      identifier: id('two'),
      content: id('content two'),
      validFrom: now,
      validUntil: now + YEAR,
      payload: PAYLOAD,
    }
    await act('renew', number, successor)
    const carried = await network.carry()
    expect(carried).toHaveLength(1)
    expect(page(A).map(({ status }) => status)).toEqual([STATUS.lapsed, STATUS.inForce])
  })

  test('lists a person over all chains, in pages', async () => {
    for (let i = 0; i < 5; i++) await issue(side, person, `here ${i}`)
    await issue(second, person, 'there')
    await network.carry()
    expect(main.ask(INDEX, 'chainsOf', [person.address])).toEqual([BigInt(A), BigInt(B)])
    expect(main.ask(INDEX, 'countOf', [person.address, A])).toBe(5n)
    expect(page(A, 0, 2).map(({ number }) => number)).toEqual([0n, 1n])
    expect(page(A, 2, 2).map(({ number }) => number)).toEqual([2n, 3n])
    expect(page(A, 4, 2).map(({ number }) => number)).toEqual([4n])
    expect(page(A, 9, 2)).toEqual([])
    expect(page(B).map(({ chainId, number }) => [chainId, number])).toEqual([[BigInt(B), 0n]])
    expect(await refusal(() => page(A, 0, 257))).toBe('PageInvalid')
    expect(await refusal(() => indexed(A, 5))).toBe('LicenceUnknown')
  })

  test('what it says is in storage, at the slots that the protocol names', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    const slotOf = (key: bigint | number, outer: string): string =>
      keccak256(toBeHex(key, 32) + outer.slice(2))
    const first = BigInt(slotOf(number, slotOf(A, toBeHex(0, 32))))
    const value = (offset: number): bigint => {
      const slot = toBeHex(first + BigInt(offset), 32) as Hash
      const { storage } = main.chain.stateAt(main.height()).prove(INDEX, [slot])
      expect(storage[0]!.proof.length).toBeGreaterThan(0)
      return storage[0]!.value
    }
    const { licence } = indexed(A, number)
    expect([0, 1, 2, 3].map((offset) => toBeHex(value(offset), 32))).toEqual([
      licence.identifier,
      licence.content,
      licence.licenceType,
      licence.issuer,
    ])
    const holder = value(4)
    expect(toBeHex(holder & (2n ** 160n - 1n), 20)).toBe(person.address)
    expect([(holder >> 160n) & (2n ** 64n - 1n), holder >> 224n]).toEqual([
      licence.validFrom,
      licence.version,
    ])
    const times = value(5)
    expect([
      times & (2n ** 64n - 1n),
      (times >> 64n) & (2n ** 64n - 1n),
      (times >> 128n) & (2n ** 48n - 1n),
      (times >> 176n) & (2n ** 48n - 1n),
      (times >> 224n) & 255n,
      (times >> 232n) & 255n,
    ]).toEqual([
      licence.validUntil,
      licence.statusTime,
      licence.revision,
      licence.markRevision,
      licence.status,
      licence.mark,
    ])
    const home = slotOf(BigInt(id('one')), toBeHex(1, 32))
    const { storage } = main.chain.stateAt(main.height()).prove(INDEX, [home as Hash])
    expect(storage[0]!.value).toBe(BigInt(A) | (BigInt(number) << 64n))
  })

  test('of several messages about a licence the latest holds, in whatever order they come', async () => {
    const number = await issue(side, person, 'one')
    await act('suspend', number, 1)
    await act('lift', number, 1)
    await act('cancel', number, 1)
    const messages = network.sent()
    expect(messages).toHaveLength(5)
    const [offered, accepted, suspended, lifted, cancelled] = messages as [
      (typeof messages)[0],
      (typeof messages)[0],
      (typeof messages)[0],
      (typeof messages)[0],
      (typeof messages)[0],
    ]
    await network.deliver(lifted)
    expect(indexed(A, number).status).toBe(STATUS.inForce)
    await network.deliver(suspended)
    await network.deliver(offered)
    expect(indexed(A, number).status).toBe(STATUS.inForce)
    await network.deliver(cancelled)
    await network.deliver(accepted)
    expect(indexed(A, number).status).toBe(STATUS.cancelled)
    expect(main.ask(INDEX, 'countOf', [person.address, A])).toBe(1n)
  })

  test('what the identity makes of a licence may come before the licence', async () => {
    const number = await issue(side, person, 'one')
    const [, accepted] = network.sent()
    await main.send(registrar, AT.identityRegistry, 'suspend', [person.address, 1])
    const [claim] = network.sent()
    await network.deliver(claim!)
    const [marks] = network.sent()
    await network.deliver(marks!)
    expect(await refusal(() => indexed(A, number))).toBe('LicenceUnknown')
    await network.deliver(accepted!)
    const { licence, status } = indexed(A, number)
    expect([licence.status, licence.mark, status]).toEqual([
      STATUS.inForce,
      STATUS.suspended,
      STATUS.suspended,
    ])
  })

  test('counts with the identity as main knows it, before the side chain has heard', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    const move = (method: string): Promise<Result> =>
      main.send(registrar, AT.identityRegistry, method, [person.address, 1])
    await move('suspend')
    expect(indexed(A, number).status).toBe(STATUS.suspended)
    expect(indexed(A, number).licence.mark).toBe(0n)
    await network.carry()
    expect(indexed(A, number).licence.mark).toBe(STATUS.suspended)
    await move('reinstate')
    expect(indexed(A, number).status).toBe(STATUS.suspended)
    await network.carry()
    expect(indexed(A, number).status).toBe(STATUS.inForce)
    await move('cancel')
    expect(indexed(A, number).status).toBe(STATUS.cancelled)
  })

  test('counts with time', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    network.clock.seconds += YEAR
    expect(indexed(A, number).status).toBe(STATUS.lapsed)
  })
})

describe('a channel that does not work', () => {
  test('holds up no licence; what was not told is told later', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    await side.send(keyOf('guardian'), AT.pegGateway, 'pauseChannel', [main.chainId])
    expect(names(await act('suspend', number, 1))).toContain('ChangesNotTold')
    expect(side.ask(PEG, 'isUntold', [number])).toBe(true)
    await network.decide(side, AT.pegGateway, 'resumeChannel', [main.chainId])
    await side.send(keyOf('stranger'), PEG, 'resend', [[number]])
    await network.carry()
    expect(indexed(A, number).status).toBe(STATUS.suspended)
    expect(await refusal(() => side.send(person, PEG, 'resend', [[number]]))).toBe(
      'NothingToResend',
    )
    expect(await refusal(() => side.send(person, PEG, 'resend', [[]]))).toBe('NumbersInvalid')
  })

  test('what main refused, of licences and of identities, is told again', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    await network.decide(main, AT.pegGateway, 'removeApp', [INDEX])
    await act('suspend', number, 1)
    await network.carry()
    await act('lift', number, 1)
    await main.send(registrar, AT.identityRegistry, 'suspend', [person.address, 1])
    const outcomes = (await network.carry()).map(({ outcome }) => outcome)
    expect(outcomes).toContain(OUTCOME.failed)
    expect(side.ask(PEG, 'isUntold', [number])).toBe(true)
    await network.decide(main, AT.pegGateway, 'registerApp', [INDEX])
    await side.send(person, PEG, 'resend', [[number]])
    await network.carry()
    const { licence } = indexed(A, number)
    expect([licence.status, licence.mark]).toEqual([STATUS.inForce, STATUS.suspended])
  })

  test('too little gas fails a change as a whole: it never succeeds without telling', async () => {
    const number = await issue(side, person, 'one')
    const data = side.data(LICENCES, 'suspend', [number, 1])
    let failed = 0
    for (let gas = 40_000; ; gas += 4_000) {
      const [result] = await side.block({ from: issuer, to: LICENCES, data, gas })
      if (!result!.succeeded) {
        failed++
        continue
      }
      expect(names(result!)).toEqual([
        'LicenceChanged',
        'MessageSent',
        'MessageCommitted',
        'EntriesSent',
      ])
      break
    }
    expect(failed).toBeGreaterThan(10)
  })
})

test('a side chain that lies writes of its own licences alone', async () => {
  const there = await issue(second, person, 'there')
  await network.carry()
  const liar = await openLiar(network, side)
  const entry = [
    'tuple(uint64 number,bytes32 identifier,bytes32 content,bytes32 licenceType,bytes32 issuer,address holder,uint64 validFrom,uint64 validUntil,uint64 statusTime,uint64 issuedAt,uint32 version,uint8 status,uint8 mark)[]',
  ]
  const lie = {
    number: there,
    identifier: id('there'),
    content: id('lie'),
    licenceType: TYPE,
    issuer: TYPE,
    holder: person.address,
    validFrom: 1,
    validUntil: 4_000_000_000,
    statusTime: 1,
    issuedAt: 1,
    version: 1,
    status: 7,
    mark: 4,
  }
  const payload = coder.encode(['uint48', ...entry], [2n ** 48n - 1n, [lie]])
  expect(await liar.tell(PEG, `0x01${payload.slice(2)}`)).toBe(OUTCOME.delivered)
  expect(indexed(B, there)).toMatchObject({ status: STATUS.inForce, atHome: true })
  expect(indexed(A, there)).toMatchObject({ status: STATUS.revoked, atHome: false })
  // What it says of another's licence it cannot send away either.
  const departure = coder.encode(
    ['uint48', entry[0]!.slice(0, -2), 'uint64'],
    [2n ** 48n - 1n, lie, A],
  )
  expect(await liar.tell(PEG, `0x03${departure.slice(2)}`)).toBe(OUTCOME.failed)
  // Words that nobody says, and none at all.
  expect(await liar.tell(PEG, '0x04')).toBe(OUTCOME.failed)
  expect(await liar.tell(PEG, '0x')).toBe(OUTCOME.failed)
  // Once governance has retired it, the other chain is the home of what both tell of.
  expect(main.ask<{ chainId: bigint }>(INDEX, 'homeOf', [id('there')]).chainId).toBe(BigInt(B))
})

test('an identifier that a retired chain claimed first goes to the chain that has it', async () => {
  const liar = await openLiar(network, side)
  const claimed = id('claimed')
  const payload = coder.encode(
    [
      'uint48',
      'tuple(uint64 number,bytes32 identifier,bytes32 content,bytes32 licenceType,bytes32 issuer,address holder,uint64 validFrom,uint64 validUntil,uint64 statusTime,uint64 issuedAt,uint32 version,uint8 status,uint8 mark)[]',
    ],
    [1, [[9, claimed, id('x'), TYPE, TYPE, person.address, 1, 4_000_000_000, 1, 1, 1, 1, 0]]],
  )
  await liar.tell(PEG, `0x01${payload.slice(2)}`)
  const number = await issue(second, person, 'claimed')
  await network.carry()
  expect(indexed(B, number).atHome).toBe(false)
  await network.decide(main, AT.pegGateway, 'closeChannel', [A])
  await network.decide(main, AT.qbftLightClient, 'closeClient', [A])
  await second.send(issuer, LICENCES, 'suspend', [number, 1])
  await network.carry()
  expect(indexed(B, number)).toMatchObject({ atHome: true, status: STATUS.suspended })
})

test('no end of the peg may do anything that governance does', () => {
  const apps = [
    'creditBridge',
    'identityPeg',
    'licencePeg',
    'pegGateway',
    'identityRegistry',
  ] as const
  let restricted = 0
  for (const chain of network.all) {
    for (const [target, abi] of chain.interfaces) {
      abi.forEachFunction((method) => {
        if (method.constant) return
        for (const app of apps) {
          const answer = chain.ask<[boolean, bigint]>(AT.accessManager, 'canCall', [
            AT[app],
            target,
            method.selector,
          ])
          expect(answer, `${app} ${method.name}`).toEqual([false, 0n])
          restricted++
        }
      })
    }
    for (const app of apps) {
      for (const role of [0n, 1n]) {
        expect(chain.ask<[boolean]>(AT.accessManager, 'hasRole', [role, AT[app]])[0]).toBe(false)
      }
    }
  }
  expect(restricted).toBeGreaterThan(300)
})
