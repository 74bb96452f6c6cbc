/** The life cycle of a licence, row by row, on a node. */

import {
  LICENCE_OPERATIONS as OPERATION,
  LICENCE_STATUSES as STATUS,
  STATUS_LEAVES_SLOT,
} from '@vellum/contracts'
import { AbiCoder, id, keccak256, toBeHex, type Wallet } from 'ethers'
import { beforeAll, describe, expect, test } from 'vitest'
import { ADDRESSES, type Chain, INTERFACES, type Receipt } from './chain.ts'
import { refused } from './refused.ts'
import {
  accounts,
  CODE,
  createWorld,
  DAY,
  issue,
  OTHER_TYPE,
  offer,
  offerFor,
  PAYLOAD,
  register,
  successorOf,
  TYPE,
  wallet,
  YEAR,
} from './world.ts'

const { issuer, root, accrediting, registrar, supervisor, office } = accounts
const holder = wallet('holder')
const stranger = wallet('stranger')
let chain: Chain
let names = 0
/** A name that no other licence has. */
const fresh = (): string => `licence ${names++}`

const send = (from: Wallet, method: string, ...args: unknown[]): Promise<Receipt> =>
  chain.send(from, 'licenceRegistry', method, args)
const status = async (number: bigint): Promise<number> =>
  Number(await chain.ask<bigint>('licenceRegistry', 'statusOf', [number]))
const changes = (receipt: Receipt): unknown[] =>
  receipt.events
    .filter(({ name }) => name === 'LicenceChanged')
    .map(({ args }) => [args.number, Number(args.operation), Number(args.status)])

beforeAll(async () => {
  ;({ chain } = await createWorld())
  await register(chain, holder)
  return () => chain.stop()
})

/** A licence of each status, by the steps that lead there. */
const MADE: Readonly<Record<string, () => Promise<bigint>>> = {
  offered: () => offer(chain, holder.address, fresh()),
  declined: async () => {
    const number = await offer(chain, holder.address, fresh())
    await send(holder, 'decline', number)
    return number
  },
  inForce: () => issue(chain, holder, fresh()),
  suspended: async () => {
    const number = await issue(chain, holder, fresh())
    await send(issuer, 'suspend', number, 7)
    return number
  },
  cancelled: async () => {
    const number = await issue(chain, holder, fresh())
    await send(issuer, 'cancel', number, 7)
    return number
  },
  rescinded: async () => {
    const number = await issue(chain, holder, fresh())
    await send(issuer, 'rescind', number, 7, 0)
    return number
  },
  revoked: async () => {
    const number = await issue(chain, holder, fresh())
    await send(issuer, 'revoke', number, 7)
    return number
  },
  lapsed: async () => {
    const number = await issue(chain, holder, fresh())
    await send(issuer, 'renew', number, await successorOf(chain, fresh()))
    return number
  },
  transferredOut: async () => {
    const number = await issue(chain, holder, fresh())
    await send(issuer, 'transferOut', number, 99)
    return number
  },
}

describe('the life cycle', () => {
  test('issue: an accredited issuer offers, and nothing is in force yet', async () => {
    const [count, now] = [
      await chain.ask<bigint>('licenceRegistry', 'licenceCount'),
      await chain.now(),
    ]
    const given = await offerFor(chain, holder.address, 'the first')
    const { payload: _, ...stated } = given as { payload: object }
    const receipt = await send(issuer, 'issue', given)
    expect(changes(receipt)).toEqual([[count, OPERATION.issue, STATUS.offered]])
    expect(receipt.events.find(({ name }) => name === 'LicencePayload')!.args).toMatchObject({
      number: count,
      data: PAYLOAD.data,
      hash: keccak256(PAYLOAD.data),
      length: 4n,
    })
    expect(await chain.ask('licenceRegistry', 'licence', [count])).toMatchObject({
      ...stated,
      issuer: CODE.issuer,
      version: 1n,
      issuedAt: expect.toSatisfy((time: bigint) => Number(time) >= now),
      previous: 0n,
      next: 0n,
      validFrom: BigInt((given as { validFrom: number }).validFrom),
      validUntil: BigInt((given as { validUntil: number }).validUntil),
      acceptBy: BigInt((given as { acceptBy: number }).acceptBy),
    })
    await refused(chain.ask('licenceRegistry', 'ownerOf', [count]), 'ERC721NonexistentToken')
    expect(await chain.ask('licenceRegistry', 'numberOf', [id('the first')])).toMatchObject([
      count,
      true,
    ])
  })

  test('accept: the holder takes it, and it is in force', async () => {
    const number = await MADE.offered!()
    const receipt = await send(holder, 'accept', number)
    expect(changes(receipt)).toEqual([[number, OPERATION.accept, STATUS.inForce]])
    expect(receipt.events.map(({ name }) => name)).toEqual(['Transfer', 'Locked', 'LicenceChanged'])
    expect(await status(number)).toBe(STATUS.inForce)
    expect(await chain.ask('licenceRegistry', 'ownerOf', [number])).toBe(holder.address)
    expect(await chain.ask('licenceRegistry', 'licencesOf', [holder.address])).toContain(number)
  })

  test('decline: the holder does not take it', async () => {
    const number = await MADE.offered!()
    expect(changes(await send(holder, 'decline', number))).toEqual([
      [number, OPERATION.decline, STATUS.declined],
    ])
    expect(await status(number)).toBe(STATUS.declined)
  })

  test('answer: the holder’s signature can be brought by anybody, once, and until its deadline', async () => {
    const sign = async (number: bigint, accepts: boolean, deadline: number): Promise<string> =>
      holder.signTypedData(
        {
          name: 'Vellum Licences',
          version: '1',
          chainId: chain.chainId,
          verifyingContract: ADDRESSES.licenceRegistry,
        },
        {
          Answer: [
            { name: 'number', type: 'uint256' },
            { name: 'content', type: 'bytes32' },
            { name: 'accepts', type: 'bool' },
            { name: 'deadline', type: 'uint64' },
          ],
        },
        {
          number,
          content: (await chain.ask<{ content: string }>('licenceRegistry', 'licence', [number]))
            .content,
          accepts,
          deadline,
        },
      )
    const deadline = (await chain.now()) + 60
    const [first, second] = [await MADE.offered!(), await MADE.offered!()]
    const yes = await sign(first, true, deadline)
    await refused(send(stranger, 'answer', second, true, deadline, yes), 'NotHolder')
    await refused(send(stranger, 'answer', first, false, deadline, yes), 'NotHolder')
    await refused(send(stranger, 'answer', first, true, deadline, '0x1234'), 'NotHolder')
    await send(stranger, 'answer', first, true, deadline, yes)
    expect(await status(first)).toBe(STATUS.inForce)
    await refused(send(stranger, 'answer', first, true, deadline, yes), 'StatusWrong')
    await send(stranger, 'answer', second, false, deadline, await sign(second, false, deadline))
    expect(await status(second)).toBe(STATUS.declined)
    const third = await MADE.offered!()
    const late = await sign(third, true, deadline)
    await chain.pass(120)
    await refused(send(stranger, 'answer', third, true, deadline, late), 'DeadlinePassed')
  })

  test('an offer lapses at its deadline, and its identifier may be offered again', async () => {
    const name = fresh()
    const number = await offer(chain, holder.address, name)
    await refused(
      send(issuer, 'issue', await offerFor(chain, holder.address, name)),
      'IdentifierTaken',
      [id(name), number],
    )
    await chain.pass(7 * DAY + 1)
    expect(await status(number)).toBe(STATUS.lapsed)
    await refused(send(holder, 'accept', number), 'StatusWrong', [number, BigInt(STATUS.lapsed)])
    const again = await issue(chain, holder, name)
    expect(await status(again)).toBe(STATUS.inForce)
    expect(await chain.ask('licenceRegistry', 'numberOf', [id(name)])).toMatchObject([again, true])
  })

  test.for([
    ['renew', OPERATION.renew],
    ['change', OPERATION.change],
  ] as const)(
    '%s: the successor takes effect as the predecessor lapses',
    async ([method, code]) => {
      const number = await MADE.inForce!()
      const receipt = await send(issuer, method, number, await successorOf(chain, fresh()))
      const successor = number + 1n
      expect(changes(receipt)).toEqual([
        [number, OPERATION.lapse, STATUS.lapsed],
        [successor, code, STATUS.inForce],
      ])
      expect([await status(number), await status(successor)]).toEqual([
        STATUS.lapsed,
        STATUS.inForce,
      ])
      expect(await chain.ask('licenceRegistry', 'licence', [successor])).toMatchObject({
        version: 2n,
        previous: number + 1n,
        holder: holder.address,
        licenceType: TYPE,
      })
      expect(await chain.ask('licenceRegistry', 'licence', [number])).toMatchObject({
        next: successor + 1n,
      })
      const held = await chain.ask<bigint[]>('licenceRegistry', 'licencesOf', [holder.address])
      expect(held.filter((each) => each === number || each === successor)).toEqual([successor])
      await refused(chain.ask('licenceRegistry', 'ownerOf', [number]), 'ERC721NonexistentToken')
    },
  )

  test('suspend and lift', async () => {
    const number = await MADE.inForce!()
    expect(changes(await send(issuer, 'suspend', number, 12))).toEqual([
      [number, OPERATION.suspend, STATUS.suspended],
    ])
    expect(await chain.ask('licenceRegistry', 'licence', [number])).toMatchObject({ reason: 12n })
    expect(await status(number)).toBe(STATUS.suspended)
    expect(changes(await send(issuer, 'lift', number, 13))).toEqual([
      [number, OPERATION.lift, STATUS.inForce],
    ])
    expect(await status(number)).toBe(STATUS.inForce)
  })

  for (const from of ['inForce', 'suspended'] as const) {
    test.for([
      ['cancel', STATUS.cancelled, []],
      ['revoke', STATUS.revoked, []],
      ['rescind', STATUS.rescinded, [0]],
    ] as const)(`%s: from ${from}`, async ([method, to, rest]) => {
      const number = await MADE[from]!()
      const receipt = await send(issuer, method, number, 9, ...rest)
      expect(changes(receipt)).toEqual([[number, OPERATION.end, to]])
      expect(await status(number)).toBe(to)
      expect(await chain.ask('licenceRegistry', 'licencesOf', [holder.address])).not.toContain(
        number,
      )
      await refused(chain.ask('licenceRegistry', 'ownerOf', [number]), 'ERC721NonexistentToken')
    })
  }

  test('rescind: may reach back to the issue and no further', async () => {
    const number = await MADE.inForce!()
    const { issuedAt } = await chain.ask<{ issuedAt: bigint }>('licenceRegistry', 'licence', [
      number,
    ])
    await chain.pass(DAY)
    await refused(send(issuer, 'rescind', number, 9, issuedAt - 1n), 'EffectInvalid')
    await refused(send(issuer, 'rescind', number, 9, (await chain.now()) + 3_600), 'EffectInvalid')
    await send(issuer, 'rescind', number, 9, issuedAt)
    expect(await chain.ask('licenceRegistry', 'licence', [number])).toMatchObject({
      statusTime: issuedAt,
      status: BigInt(STATUS.rescinded),
    })
  })

  test('requestCancellation: the holder asks, the issuer decides', async () => {
    const number = await MADE.inForce!()
    await refused(send(stranger, 'requestCancellation', number, 3), 'NotHolder')
    const receipt = await send(holder, 'requestCancellation', number, 3)
    expect(receipt.events).toMatchObject([
      { name: 'CancellationRequested', args: { number, reason: 3n } },
    ])
    expect(await status(number)).toBe(STATUS.inForce)
    await refused(send(holder, 'cancel', number, 3), 'NotIssuer')
    await send(issuer, 'cancel', number, 3)
    await refused(send(holder, 'requestCancellation', number, 3), 'StatusWrong')
  })

  test('lapse: by time alone, at the second at which the validity ends', async () => {
    const until = (await chain.now()) + 2 * DAY
    const number = await issue(chain, holder, fresh(), { validUntil: until })
    const at = (time: number): Promise<bigint> =>
      chain.ask('licenceRegistry', 'statusAt', [number, time])
    expect(await at(until - 1)).toBe(BigInt(STATUS.inForce))
    expect(await at(until)).toBe(BigInt(STATUS.lapsed))
    await chain.pass(2 * DAY)
    expect(await status(number)).toBe(STATUS.lapsed)
    for (const [method, rest] of [
      ['suspend', [1]],
      ['cancel', [1]],
      ['revoke', [1]],
      ['rescind', [1, 0]],
      ['transferOut', [99]],
    ] as const) {
      await refused(send(issuer, method, number, ...rest), 'StatusWrong', [number, 5n])
    }
    await refused(send(issuer, 'renew', number, await successorOf(chain, fresh())), 'StatusWrong')
  })

  test('transfer out and back: one home at a time', async () => {
    const name = fresh()
    const number = await issue(chain, holder, name)
    await refused(send(issuer, 'transferOut', number, chain.chainId), 'DestinationInvalid')
    const receipt = await send(issuer, 'transferOut', number, 99)
    expect(changes(receipt)).toEqual([[number, OPERATION.end, STATUS.transferredOut]])
    expect(await chain.ask('licenceRegistry', 'licence', [number])).toMatchObject({
      destination: 99n,
    })
    await refused(
      send(issuer, 'issue', await offerFor(chain, holder.address, name)),
      'IdentifierTaken',
    )
    for (const method of ['transferIn', 'cancelTransferOut']) {
      const args = method === 'transferIn' ? [await arrivalOf(name)] : [number]
      await refused(send(issuer, method, ...args), 'AccessManagedUnauthorized')
    }
  })

  test('rescindUnaccredited: nobody can while the issuer was accredited', async () => {
    const number = await MADE.inForce!()
    await refused(send(stranger, 'rescindUnaccredited', number, 1), 'StillAccredited', [number])
  })
})

async function arrivalOf(name: string): Promise<object> {
  const now = await chain.now()
  return {
    identifier: id(name),
    content: id('content'),
    licenceType: TYPE,
    issuer: CODE.issuer,
    holder: holder.address,
    validFrom: now,
    validUntil: now + YEAR,
    issuedAt: now,
    version: 3,
    originChain: 99,
    originNumber: 5,
  }
}

describe('what no status allows', () => {
  /** Statuses from which each step is allowed; from all others it is refused, with the status. */
  const ALLOWED: Readonly<Record<string, readonly string[]>> = {
    accept: ['offered'],
    decline: ['offered'],
    renew: ['inForce'],
    change: ['inForce'],
    suspend: ['inForce'],
    lift: ['suspended'],
    cancel: ['inForce', 'suspended'],
    rescind: ['inForce', 'suspended'],
    revoke: ['inForce', 'suspended'],
    transferOut: ['inForce'],
  }
  test.for(Object.keys(ALLOWED))(
    '%s: from every status that the table does not name',
    async (method) => {
      for (const [from, make] of Object.entries(MADE)) {
        if (ALLOWED[method]!.includes(from)) continue
        const number = await make()
        const rest: unknown[] = []
        if (method === 'renew' || method === 'change') rest.push(await successorOf(chain, fresh()))
        else if (method === 'transferOut') rest.push(99)
        else if (method === 'rescind') rest.push(1, 0)
        else if (method !== 'accept' && method !== 'decline') rest.push(1)
        const sender = method === 'accept' || method === 'decline' ? holder : issuer
        await refused(send(sender, method, number, ...rest), 'StatusWrong', [
          number,
          BigInt(STATUS[from as keyof typeof STATUS]),
        ])
      }
    },
  )

  test.for(['renew', 'change', 'suspend', 'lift', 'cancel', 'revoke', 'transferOut'])(
    '%s: by another organisation, or nobody’s account',
    async (method) => {
      const number = await (method === 'lift' ? MADE.suspended! : MADE.inForce!)()
      const argument = /renew|change/.test(method) ? await successorOf(chain, fresh()) : 1
      await refused(send(accrediting, method, number, argument), 'NotIssuer', [
        number,
        CODE.accrediting,
      ])
      await refused(send(holder, method, number, argument), 'NotIssuer')
    },
  )

  test('accept and decline: by anybody but the holder', async () => {
    const number = await MADE.offered!()
    for (const sender of [issuer, stranger]) {
      await refused(send(sender, 'accept', number), 'NotHolder', [number, sender.address])
      await refused(send(sender, 'decline', number), 'NotHolder', [number, sender.address])
    }
  })

  test('issue: by who is not accredited, for a type or at all', async () => {
    const given = await offerFor(chain, holder.address, fresh())
    await refused(send(accrediting, 'issue', given), 'NotAccredited', [CODE.accrediting, TYPE])
    await refused(send(stranger, 'issue', given), 'NotAccredited')
    const other = await offerFor(chain, holder.address, fresh(), { licenceType: OTHER_TYPE })
    await refused(send(issuer, 'issue', other), 'NotAccredited', [CODE.issuer, OTHER_TYPE])
  })

  test('issue: to who has no identity, with no time, without identifier', async () => {
    const given = (changes: object): Promise<object> =>
      offerFor(chain, holder.address, fresh(), changes)
    const nobody = await offerFor(chain, stranger.address, fresh())
    await refused(send(issuer, 'issue', nobody), 'IdentityNotActive', [stranger.address])
    const now = await chain.now()
    await refused(send(issuer, 'issue', await given({ acceptBy: now })), 'DeadlinePassed')
    await refused(send(issuer, 'issue', await given({ validUntil: now })), 'PeriodInvalid')
    const reversed = await given({ validFrom: now + YEAR, validUntil: now + DAY })
    await refused(send(issuer, 'issue', reversed), 'PeriodInvalid')
    const unnamed = await given({ identifier: `0x${'00'.repeat(32)}` })
    await refused(send(issuer, 'issue', unnamed), 'IdentifierMissing')
  })

  test('issue: with an identifier that is in use', async () => {
    const name = fresh()
    const number = await issue(chain, holder, name)
    const again = await offerFor(chain, holder.address, name)
    await refused(send(issuer, 'issue', again), 'IdentifierTaken', [id(name), number])
    await send(issuer, 'revoke', number, 1)
    await refused(send(issuer, 'issue', again), 'IdentifierTaken', [id(name), number])
    const other = await MADE.inForce!()
    await refused(send(issuer, 'renew', other, await successorOf(chain, name)), 'IdentifierTaken')
  })

  test('renew: with a successor that is not valid yet, so that none were in force', async () => {
    const number = await MADE.inForce!()
    const later = await successorOf(chain, fresh(), { validFrom: (await chain.now()) + DAY })
    await refused(send(issuer, 'renew', number, later), 'PeriodInvalid')
    expect(await status(number)).toBe(STATUS.inForce)
  })

  test('payloads: too long for the chain, or kept nowhere', async () => {
    const given = (payload: object): Promise<object> =>
      offerFor(chain, holder.address, fresh(), { payload })
    const long = await given({ ...PAYLOAD, data: `0x${'ab'.repeat(1_025)}` })
    await refused(send(issuer, 'issue', long), 'CiphertextTooLong', [1_025n, 1_024n])
    await send(issuer, 'issue', await given({ ...PAYLOAD, data: `0x${'ab'.repeat(1_024)}` }))
    const url = { store: 2, data: '0x68747470', hash: id('ciphertext'), length: 5_000 }
    await refused(send(issuer, 'issue', await given({ ...url, data: '0x' })), 'PayloadInvalid')
    await refused(send(issuer, 'issue', await given({ ...url, length: 0 })), 'PayloadInvalid')
    await refused(
      send(issuer, 'issue', await given({ ...url, hash: `0x${'00'.repeat(32)}` })),
      'PayloadInvalid',
    )
    const { events } = await send(issuer, 'issue', await given(url))
    expect(events.find(({ name }) => name === 'LicencePayload')!.args).toMatchObject({
      store: 2n,
      data: '0x68747470',
      hash: id('ciphertext'),
      length: 5_000n,
    })
  })

  test('a licence that does not exist', async () => {
    await refused(send(issuer, 'cancel', 10n ** 9n, 1), 'LicenceUnknown', [10n ** 9n])
    await refused(chain.ask('licenceRegistry', 'statusOf', [10n ** 9n]), 'LicenceUnknown')
  })
})

describe('the token', () => {
  test('cannot move, be approved or be delegated', async () => {
    const number = await MADE.inForce!()
    const { address } = holder
    for (const [method, ...args] of [
      ['approve', stranger.address, number],
      ['setApprovalForAll', stranger.address, true],
      ['transferFrom', address, stranger.address, number],
      ['safeTransferFrom(address,address,uint256)', address, stranger.address, number],
      ['safeTransferFrom(address,address,uint256,bytes)', address, stranger.address, number, '0x'],
    ] as const) {
      await refused(send(holder, method, ...args), 'Soulbound')
    }
    expect(await chain.ask('licenceRegistry', 'locked', [number])).toBe(true)
    expect(await chain.ask('licenceRegistry', 'tokenURI', [number])).toBe('')
  })

  test('says what it is (ERC-165), and counts', async () => {
    for (const [interfaceId, expected] of [
      ['0x01ffc9a7', true],
      ['0x80ac58cd', true],
      ['0x5b5e139f', true],
      ['0xb45a3c0e', true],
      ['0xffffffff', false],
    ] as const) {
      expect(await chain.ask('licenceRegistry', 'supportsInterface', [interfaceId])).toBe(expected)
    }
    const count = (): Promise<bigint> => chain.ask('licenceRegistry', 'balanceOf', [holder.address])
    const before = await count()
    const number = await MADE.inForce!()
    expect(await count()).toBe(before + 1n)
    await send(issuer, 'renew', number, await successorOf(chain, fresh()))
    expect(await count()).toBe(before + 1n)
    await send(issuer, 'cancel', number + 1n, 1)
    expect(await count()).toBe(before)
  })
})

describe('the identity outranks', () => {
  test('suspended: what is in force is suspended with it, and comes back with it', async () => {
    const person = wallet('suspended person')
    await register(chain, person)
    const [plain, ended] = [
      await issue(chain, person, fresh()),
      await issue(chain, person, fresh()),
    ]
    await send(issuer, 'cancel', ended, 1)
    const waiting = await offer(chain, person.address, fresh())
    const receipt = await chain.send(registrar, 'identityRegistry', 'suspend', [person.address, 4])
    expect(leafEvents(receipt)).toEqual([[plain, OPERATION.identity, STATUS.suspended]])
    expect([await status(plain), await status(ended)]).toEqual([STATUS.suspended, STATUS.cancelled])
    await refused(send(person, 'accept', waiting), 'IdentityNotActive')
    await refused(send(issuer, 'renew', plain, await successorOf(chain, fresh())), 'StatusWrong')
    await refused(send(issuer, 'transferOut', plain, 99), 'StatusWrong')
    await refused(send(issuer, 'lift', plain, 1), 'StatusWrong')
    // The issuer’s own suspension outlives that of the identity.
    await send(issuer, 'suspend', plain, 5)
    await chain.send(registrar, 'identityRegistry', 'reinstate', [person.address, 0])
    expect(await status(plain)).toBe(STATUS.suspended)
    await send(issuer, 'lift', plain, 6)
    expect(await status(plain)).toBe(STATUS.inForce)
  })

  test('cancelled: everything live is cancelled, for ever', async () => {
    const person = wallet('cancelled person')
    await register(chain, person)
    const [plain, suspended] = [
      await issue(chain, person, fresh()),
      await issue(chain, person, fresh()),
    ]
    await send(issuer, 'suspend', suspended, 1)
    const waiting = await offer(chain, person.address, fresh())
    const receipt = await chain.send(supervisor, 'identityRegistry', 'cancel', [person.address, 4])
    expect(leafEvents(receipt)).toEqual(
      expect.arrayContaining([
        [plain, OPERATION.identity, STATUS.cancelled],
        [suspended, OPERATION.identity, STATUS.cancelled],
      ]),
    )
    expect([await status(plain), await status(suspended)]).toEqual([4, 4])
    expect(await chain.ask('licenceRegistry', 'licencesOf', [person.address])).toEqual([])
    expect(await chain.ask('licenceRegistry', 'balanceOf', [person.address])).toBe(0n)
    await refused(send(person, 'accept', waiting), 'NotHolder')
    for (const [method, number] of [
      ['lift', suspended],
      ['suspend', plain],
      ['revoke', plain],
    ] as const) {
      await refused(send(issuer, method, number, 1), 'StatusWrong', [number, 4n])
    }
  })

  function leafEvents(receipt: Receipt): unknown[] {
    return receipt.logs
      .map((log) => INTERFACES.licenceRegistry.parseLog(log))
      .filter((log) => log?.name === 'LicenceChanged')
      .map((log) => [log!.args.number, Number(log!.args.operation), Number(log!.args.status)])
  }
})

test('a holder has at most 128 in force, so that the end of an identity fits into a transaction', async () => {
  const person = wallet('collector')
  await register(chain, person)
  const until = (await chain.now()) + 5 * DAY
  for (let i = 0; i < 122; i++) await issue(chain, person, fresh())
  for (let i = 0; i < 6; i++) await issue(chain, person, fresh(), { validUntil: until })
  const more = await offer(chain, person.address, fresh())
  await refused(send(person, 'accept', more), 'HolderFull', [person.address])
  // What time has ended makes room once somebody says so.
  await chain.pass(6 * DAY)
  await refused(send(person, 'accept', more), 'HolderFull')
  await send(stranger, 'identityChanged', person.address)
  await send(person, 'accept', more)
  for (let i = 0; i < 5; i++) await issue(chain, person, fresh())
  const held = await chain.ask<bigint[]>('licenceRegistry', 'licencesOf', [person.address])
  expect(held.length).toBe(128)
  const suspension = await chain.send(registrar, 'identityRegistry', 'suspend', [person.address, 1])
  expect(suspension.events.map(({ name }) => name)).toEqual(['IdentityStatusChanged'])
  await chain.send(registrar, 'identityRegistry', 'reinstate', [person.address, 1])
  const end = await chain.send(registrar, 'identityRegistry', 'cancel', [person.address, 1])
  // What a claim of the main chain gives to it, with what the main chain is told.
  expect(Math.max(suspension.gasUsed, end.gasUsed)).toBeLessThan(4_500_000)
  for (const number of held) expect(await status(number)).toBe(STATUS.cancelled)
  expect(await chain.ask('licenceRegistry', 'balanceOf', [person.address])).toBe(6n)
})

describe('leaves', () => {
  test('the last event of a licence has everything that its stored leaf commits to', async () => {
    const coder = AbiCoder.defaultAbiCoder()
    const last = new Map<bigint, Record<string, unknown>>()
    const logs = await chain.rpc<{ topics: string[]; data: string }[]>('eth_getLogs', [
      { address: ADDRESSES.licenceRegistry, fromBlock: '0x0' },
    ])
    for (const log of logs) {
      const parsed = INTERFACES.licenceRegistry.parseLog(log)
      if (parsed?.name !== 'LicenceChanged') continue
      last.set(parsed.args.number as bigint, parsed.args.toObject())
    }
    const count = Number(await chain.ask<bigint>('licenceRegistry', 'licenceCount'))
    expect(last.size).toBe(count)
    expect(count).toBeGreaterThan(50)
    const words = [
      'uint256',
      'bytes32',
      'uint8',
      'uint32',
      'address',
      'bytes32',
      'uint64',
      'uint64',
      'uint64',
    ]
    const first = BigInt(keccak256(toBeHex(STATUS_LEAVES_SLOT, 32)))
    for (const [number, said] of last) {
      const { identifier, status: code, version, holder: owner, content } = said
      const { validFrom, validUntil, statusTime } = said
      const data = coder.encode(words, [
        number,
        identifier,
        code,
        version,
        owner,
        content,
        validFrom,
        validUntil,
        statusTime,
      ])
      expect(await chain.ask('licenceRegistry', 'leafData', [number])).toBe(data)
      const leaf = keccak256(data)
      expect(await chain.ask('licenceRegistry', 'leafOf', [number])).toBe(leaf)
      const slot = toBeHex(first + number, 32)
      expect(await chain.rpc('eth_getStorageAt', [ADDRESSES.licenceRegistry, slot, 'latest'])).toBe(
        leaf,
      )
    }
  })
})

describe('accreditation', () => {
  test('withdrawn: issues end, what was issued before stands and can still be ended', async () => {
    const until = (await chain.now()) + YEAR
    await chain.send(root, 'organisationRegistry', 'appoint', [
      OTHER_TYPE,
      CODE.accrediting,
      0,
      until,
    ])
    await chain.send(accrediting, 'organisationRegistry', 'accredit', [
      OTHER_TYPE,
      CODE.issuer,
      0,
      until,
    ])
    await chain.pass(60)
    const before = await issue(chain, holder, fresh(), { licenceType: OTHER_TYPE })
    await chain.pass(60)
    await chain.send(accrediting, 'organisationRegistry', 'withdrawAccreditation', [
      OTHER_TYPE,
      CODE.issuer,
      0,
      0,
    ])
    const given = await offerFor(chain, holder.address, fresh(), { licenceType: OTHER_TYPE })
    await refused(send(issuer, 'issue', given), 'NotAccredited')
    await refused(send(issuer, 'renew', before, await successorOf(chain, fresh())), 'NotAccredited')
    expect(await status(before)).toBe(STATUS.inForce)
    expect(await chain.ask('licenceRegistry', 'wasAccredited', [before])).toBe(true)
    await send(issuer, 'suspend', before, 1)
    // Withdrawn by hindsight, from before the issue: anybody can have it recorded.
    const { issuedAt } = await chain.ask<{ issuedAt: bigint }>('licenceRegistry', 'licence', [
      before,
    ])
    await chain.send(accrediting, 'organisationRegistry', 'withdrawAccreditation', [
      OTHER_TYPE,
      CODE.issuer,
      0,
      issuedAt,
    ])
    expect(await chain.ask('licenceRegistry', 'wasAccredited', [before])).toBe(false)
    await send(office, 'rescindUnaccredited', before, 8)
    expect(await chain.ask('licenceRegistry', 'licence', [before])).toMatchObject({
      status: BigInt(STATUS.rescinded),
      statusTime: issuedAt,
    })
  })
})
