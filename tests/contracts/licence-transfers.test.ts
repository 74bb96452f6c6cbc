/** Licences that move from one side chain to another: in force on one at most, and never lost. */

import { bytesToHex } from '@vellum/evm'
import { AbiCoder, id } from 'ethers'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Key, keyOf, type Message, OUTCOME, type PegChain, type Result } from './peg-chains.ts'
import {
  AT,
  issue,
  openLiar,
  openNetwork,
  type PegNetwork,
  type Receipt,
  refusal,
  SIDE_IDS,
  settle,
} from './peg-network.ts'
import { CODE, PAYLOAD, TYPE } from './world.ts'

const INDEX = AT.licencePeg
const LICENCES = AT.licenceRegistry
const IDENTITIES = AT.identityRegistry
const [A, B] = SIDE_IDS
const STATUS = { inForce: 1n, suspended: 2n, cancelled: 4n, transferredOut: 6n } as const
const JOURNEY = { none: 0n, out: 1n, back: 2n, stranded: 3n } as const

const person = keyOf('person')
const issuer = keyOf('issuer')
const registrar = keyOf('registrar')

let network: PegNetwork
let main: PegChain
let side: PegChain
let second: PegChain

async function begin(sides = 2): Promise<void> {
  network = await openNetwork({ sides })
  main = network.main
  side = network.sides[0]!
  second = network.sides[1]!
  await settle(network, person)
  await network.carry()
}

beforeEach(() => begin())

const status = (chain: PegChain, number: number): bigint =>
  chain.ask(LICENCES, 'statusOf', [number])
const transfer = (from: PegChain, number: number, to: number): Promise<Result> =>
  from.send(issuer, LICENCES, 'transferOut', [number, to])
const home = (name: string): { chainId: bigint; journey: bigint; number: bigint } =>
  main
    .ask<{ toObject(): { chainId: bigint; journey: bigint; number: bigint } }>(INDEX, 'homeOf', [
      id(name),
    ])
    .toObject()
const numberOn = (chain: PegChain, name: string): number =>
  Number(chain.ask<[bigint, boolean]>(LICENCES, 'numberOf', [id(name)])[0])
const move = (method: string, who: Key = person): Promise<Result> =>
  main.send(registrar, IDENTITIES, method, [who.address, 1])

/** Carries one message, and its outcome. */
async function step(message: Message): Promise<Receipt> {
  const receipt = await network.deliver(message)
  await network.acknowledge(message, receipt)
  return receipt
}

describe('a transfer', () => {
  test('takes a licence from one side chain to another, as it is', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    const before = side
      .ask<{ toObject(): Record<string, unknown> }>(LICENCES, 'licence', [number])
      .toObject()
    network.clock.seconds += 100
    await transfer(side, number, B)
    expect(status(side, number)).toBe(STATUS.transferredOut)
    await network.carry()
    const there = numberOn(second, 'one')
    const after = second
      .ask<{ toObject(): Record<string, unknown> }>(LICENCES, 'licence', [there])
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
      'issuedAt',
    ]) {
      expect(after[field], field).toBe(before[field])
    }
    expect([status(side, number), status(second, there)]).toEqual([
      STATUS.transferredOut,
      STATUS.inForce,
    ])
    expect(home('one')).toMatchObject({
      chainId: BigInt(B),
      journey: JOURNEY.none,
    })
    // Its new home tells of it from now on.
    await second.send(issuer, LICENCES, 'suspend', [there, 1])
    await network.carry()
    expect(home('one').number).toBe(BigInt(there))
    expect(main.ask<{ status: bigint }>(INDEX, 'licence', [B, there]).status).toBe(STATUS.suspended)
    // The ciphertext is not carried: the issuer announces it where the licence is now.
    const supplied = await second.send(issuer, LICENCES, 'supplyPayload', [there, PAYLOAD])
    expect(supplied.events.map(({ name }) => name)).toEqual(['LicencePayload'])
    expect(
      await refusal(() => second.send(person, LICENCES, 'supplyPayload', [there, PAYLOAD])),
    ).toBe('NotIssuer')
  })

  test('may go back, and on, under a new number each time', async () => {
    const number = await issue(side, person, 'one')
    await transfer(side, number, B)
    await network.carry()
    await transfer(second, numberOn(second, 'one'), A)
    await network.carry()
    const back = numberOn(side, 'one')
    expect(back).not.toBe(number)
    expect([status(side, number), status(side, back)]).toEqual([
      STATUS.transferredOut,
      STATUS.inForce,
    ])
    await transfer(side, back, B)
    await network.carry()
    expect(status(second, numberOn(second, 'one'))).toBe(STATUS.inForce)
    expect(home('one')).toMatchObject({ chainId: BigInt(B), journey: JOURNEY.none })
  })

  test('overtakes what was said of the licence before', async () => {
    const number = await issue(side, person, 'one')
    await transfer(side, number, B)
    const messages = network.sent()
    await step(messages.pop()!)
    for (const message of messages) await step(message)
    await network.carry()
    expect(home('one').chainId).toBe(BigInt(B))
    expect(main.ask<{ status: bigint }>(INDEX, 'licence', [A, number]).status).toBe(
      STATUS.transferredOut,
    )
    expect(status(second, numberOn(second, 'one'))).toBe(STATUS.inForce)
  })

  test('while it is on its way it is in force nowhere, and can begin no other', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    await transfer(side, number, B)
    const [departure] = network.sent()
    await network.deliver(departure!)
    expect(home('one')).toMatchObject({ chainId: BigInt(A), journey: JOURNEY.out })
    expect(await refusal(() => transfer(side, number, B))).toBe('StatusWrong')
    const [arrival] = network.sent()
    const receipt = await network.deliver(arrival!)
    const there = numberOn(second, 'one')
    // Until main has seen that it arrived, it cannot leave again.
    await transfer(second, there, A)
    const messages = network.sent()
    expect((await step(messages.at(-1)!)).outcome).toBe(OUTCOME.failed)
    expect(status(second, there)).toBe(STATUS.inForce)
    await network.acknowledge(arrival!, receipt)
    await transfer(second, there, A)
    await network.carry()
    expect(home('one')).toMatchObject({ chainId: BigInt(A), journey: JOURNEY.none })
  })
})

describe('a transfer that comes to nothing', () => {
  const expectBack = (number: number, expected: bigint = STATUS.inForce): void => {
    expect(status(side, number)).toBe(expected)
    expect(home('one')).toMatchObject({ chainId: BigInt(A), journey: JOURNEY.none })
    expect(second.ask<[bigint, boolean]>(LICENCES, 'numberOf', [id('one')])[1]).toBe(false)
  }
  let number: number

  beforeEach(async () => {
    number = await issue(side, person, 'one')
    await network.carry()
  })

  test('refused by main: there is no such chain', async () => {
    await transfer(side, number, 77)
    expect((await network.carry())[0]!.outcome).toBe(OUTCOME.failed)
    expectBack(number)
    expect(await refusal(() => transfer(side, number, A))).toBe('DestinationInvalid')
    await transfer(side, number, main.chainId)
    await network.carry()
    expectBack(number)
  })

  test('too late for main', async () => {
    await transfer(side, number, B)
    network.clock.seconds += 2 * 24 * 3_600
    const outcomes = (await network.carry()).map(({ outcome }) => outcome)
    expect(outcomes).toEqual([OUTCOME.expired, OUTCOME.delivered])
    expectBack(number)
  })

  test('the channel to main is paused: it does not begin', async () => {
    await side.send(keyOf('guardian'), AT.pegGateway, 'pauseChannel', [main.chainId])
    expect(await refusal(() => transfer(side, number, B))).toBe('ChannelNotOpen')
    expectBack(number)
  })

  test('too late for the destination', async () => {
    await transfer(side, number, B)
    await step(network.sent()[0]!)
    const [arrival] = network.sent()
    network.clock.seconds += 2 * 24 * 3_600
    expect((await step(arrival!)).outcome).toBe(OUTCOME.expired)
    expect(home('one').journey).toBe(JOURNEY.back)
    expect(status(side, number)).toBe(STATUS.transferredOut)
    await network.carry()
    expectBack(number)
  })

  test('refused by the destination: the identity is not open there', async () => {
    await main.send(person, AT.identityPeg, 'close', [person.address, B])
    await network.carry()
    await transfer(side, number, B)
    const outcomes = (await network.carry()).map(({ outcome }) => outcome)
    expect(outcomes.slice(0, 2)).toEqual([OUTCOME.delivered, OUTCOME.failed])
    expectBack(number)
  })

  test('refused by the destination: its issuer was not accredited for the type there', async () => {
    const from = network.clock.seconds - 1_000
    await second.send(keyOf('accrediting'), AT.organisationRegistry, 'withdrawAccreditation', [
      TYPE,
      CODE.issuer,
      0,
      from,
    ])
    await transfer(side, number, B)
    await network.carry()
    expectBack(number)
  })

  test('its home cannot take it back at once: it waits, and is asked again by anybody', async () => {
    await transfer(side, number, B)
    await step(network.sent()[0]!)
    const [arrival] = network.sent()
    network.clock.seconds += 2 * 24 * 3_600
    await step(arrival!)
    const [back] = network.sent()
    await network.decide(side, AT.pegGateway, 'removeApp', [AT.licencePeg])
    expect((await step(back!)).outcome).toBe(OUTCOME.failed)
    expect(home('one').journey).toBe(JOURNEY.stranded)
    await network.decide(side, AT.pegGateway, 'registerApp', [AT.licencePeg])
    const resend = (): Promise<string> =>
      refusal(() => main.send(keyOf('stranger'), INDEX, 'resend', [id('one')]))
    expect([await resend(), await resend()]).toEqual(['not refused', 'NothingToResend'])
    await network.carry()
    expectBack(number)
  })

  test('nor can it be asked: the channel is paused', async () => {
    await transfer(side, number, B)
    await step(network.sent()[0]!)
    const [arrival] = network.sent()
    network.clock.seconds += 2 * 24 * 3_600
    const receipt = await network.deliver(arrival!)
    await main.send(keyOf('guardian'), AT.pegGateway, 'pauseChannel', [A])
    await network.acknowledge(arrival!, receipt)
    expect(home('one').journey).toBe(JOURNEY.stranded)
    await network.decide(main, AT.pegGateway, 'resumeChannel', [A])
    await main.send(keyOf('stranger'), INDEX, 'resend', [id('one')])
    await network.carry()
    expectBack(number)
  })
})

test('a chain that refused a licence, and says that it has it, is not believed', async () => {
  const number = await issue(side, person, 'one')
  await network.carry()
  await transfer(side, number, B)
  await step(network.sent()[0]!)
  const [arrival] = network.sent()
  network.clock.seconds += 2 * 24 * 3_600
  await step(arrival!)
  await network.carry()
  expect(home('one')).toMatchObject({ chainId: BigInt(A), journey: JOURNEY.none })
  const liar = await openLiar(network, second)
  const now = network.clock.seconds
  const lie = [
    7,
    id('one'),
    id('x'),
    TYPE,
    CODE.issuer,
    person.address,
    1,
    2 * now,
    now,
    1,
    1,
    1,
    0,
  ]
  const payload = AbiCoder.defaultAbiCoder().encode(
    [
      'uint48',
      'tuple(uint64,bytes32,bytes32,bytes32,bytes32,address,uint64,uint64,uint64,uint64,uint32,uint8,uint8)[]',
    ],
    [2n ** 47n, [lie]],
  )
  expect(await liar.tell(INDEX, `0x01${payload.slice(2)}`)).toBe(OUTCOME.delivered)
  const found = (chainId: number, there: number) =>
    main.ask<{ status: bigint; atHome: boolean }>(INDEX, 'licence', [chainId, there])
  expect(found(B, 7).atHome).toBe(false)
  expect([found(A, number).atHome, found(A, number).status]).toEqual([true, STATUS.inForce])
  const contested = main.chain
    .receipts(main.height())!
    .flatMap(({ logs }) => logs)
    .map((log) => ({ topics: [...log.topics], data: bytesToHex(log.data) }))
    .map((log) => main.interfaces.get(INDEX)!.parseLog(log)?.name)
  expect(contested).toContain('HomeContested')
})

describe('the identity outranks what is on its way', () => {
  test('suspended before it arrives: it is not taken in, and comes back suspended', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    await transfer(side, number, B)
    const [departure] = network.sent()
    await step(departure!)
    const [arrival] = network.sent()
    await move('suspend')
    // The destination hears of the suspension first.
    const claims = network.sent()
    for (const claim of claims) await step(claim)
    expect((await step(arrival!)).outcome).toBe(OUTCOME.failed)
    await network.carry()
    expect(status(side, number)).toBe(STATUS.suspended)
    expect(second.ask<[bigint, boolean]>(LICENCES, 'numberOf', [id('one')])[1]).toBe(false)
  })

  test('cancelled after it arrives: cancelled there', async () => {
    const number = await issue(side, person, 'one')
    await transfer(side, number, B)
    await network.carry()
    await move('cancel')
    await network.carry()
    const there = numberOn(second, 'one')
    expect([status(side, number), status(second, there)]).toEqual([
      STATUS.transferredOut,
      STATUS.cancelled,
    ])
  })

  test('cancelled on its way back: cancelled at home', async () => {
    const number = await issue(side, person, 'one')
    await network.carry()
    await transfer(side, number, B)
    await step(network.sent()[0]!)
    const [arrival] = network.sent()
    network.clock.seconds += 2 * 24 * 3_600
    await step(arrival!)
    await move('cancel')
    await network.carry()
    expect(status(side, number)).toBe(STATUS.cancelled)
    expect(side.ask(LICENCES, 'balanceOf', [person.address])).toBe(0n)
  })
})

test('licences come and go by the peg alone, whoever governs the chain', async () => {
  const number = await issue(side, person, 'one')
  const arrival = [
    id('made up'),
    id('x'),
    TYPE,
    CODE.issuer,
    person.address,
    1,
    2n ** 40n,
    1,
    1,
    B,
    0,
  ]
  for (const [method, args] of [
    ['transferIn', [arrival]],
    ['cancelTransferOut', [number]],
  ] as const) {
    expect(await refusal(() => side.send(issuer, LICENCES, method, args))).toBe('NotPeg')
    expect(await refusal(() => network.decide(side, LICENCES, method, args))).toBe('NotPeg')
  }
  expect(
    await refusal(() => side.send(issuer, AT.licencePeg, 'licenceTransferred', [number])),
  ).toBe('NotRegistry')
  expect(await refusal(() => side.send(issuer, AT.licencePeg, 'licencesChanged', [[number]]))).toBe(
    'NotRegistry',
  )
})

test('property: whatever is transferred, carried, delayed and lost, a licence is in force once at most, and in the end once', async () => {
  const names = ['x', 'y']
  const command = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('transfer' as const),
        name: fc.nat(1),
        to: fc.nat(2),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('deliver' as const), which: fc.nat(20) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('acknowledge' as const), which: fc.nat(20) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('expire' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('identity' as const), suspends: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('resend' as const), name: fc.nat(1) }) },
  )
  let moved = 0
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 60 }), async (commands) => {
      await begin(3)
      for (const name of names) await issue(side, person, name)
      await network.carry()
      /** Records of an identifier that are not given away, on all chains. */
      const places = (name: string): bigint[] =>
        network.sides.flatMap((chain) => {
          const found: bigint[] = []
          const count = Number(chain.ask<bigint>(LICENCES, 'licenceCount'))
          for (let number = 0; number < count; number++) {
            const record = chain.ask<{ identifier: string; status: bigint }>(LICENCES, 'licence', [
              number,
            ])
            if (record.identifier === id(name) && record.status !== STATUS.transferredOut) {
              found.push(BigInt(chain.chainId))
            }
          }
          return found
        })
      const open: Message[] = []
      const received: [Message, Receipt][] = []
      let suspended = false
      for (const each of commands) {
        if (each.do === 'transfer') {
          const name = names[each.name]!
          const [at] = places(name)
          if (at === undefined) continue
          const from = network.chain(Number(at))
          const reason = await refusal(() =>
            transfer(from, numberOn(from, name), SIDE_IDS[each.to]!),
          )
          expect(['not refused', 'DestinationInvalid', 'StatusWrong']).toContain(reason)
          if (reason === 'not refused') moved++
        } else if (each.do === 'deliver' && open.length > 0) {
          const [message] = open.splice(each.which % open.length, 1)
          received.push([message!, await network.deliver(message!)])
        } else if (each.do === 'acknowledge' && received.length > 0) {
          const [pair] = received.splice(each.which % received.length, 1)
          await network.acknowledge(...pair!)
        } else if (each.do === 'expire') {
          network.clock.seconds += 24 * 3_600 + 1
        } else if (each.do === 'identity' && each.suspends !== suspended) {
          suspended = each.suspends
          await move(suspended ? 'suspend' : 'reinstate')
        } else if (each.do === 'resend') {
          const resent = refusal(() => main.send(person, INDEX, 'resend', [id(names[each.name]!)]))
          expect(['not refused', 'NothingToResend']).toContain(await resent)
        }
        open.push(...network.sent())
        for (const name of names) expect(places(name).length).toBeLessThanOrEqual(1)
      }
      for (const message of open) received.push([message, await network.deliver(message)])
      for (const pair of received) await network.acknowledge(...pair)
      await network.carry()
      for (const name of names) {
        if (home(name).journey === JOURNEY.stranded) {
          await main.send(person, INDEX, 'resend', [id(name)])
          await network.carry()
        }
        expect(places(name)).toEqual([home(name).chainId])
        expect(home(name).journey).toBe(JOURNEY.none)
      }
    }),
    { numRuns: 25 },
  )
  expect(moved).toBeGreaterThan(25)
}, 300_000)
