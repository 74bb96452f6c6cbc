/** The council, who may do what by it, and what it decides for the other contracts, on a node. */

import { LICENCE_STATUSES as STATUS } from '@vellum/contracts'
import { id, keccak256, toBeHex, type Wallet, zeroPadValue } from 'ethers'
import { beforeAll, describe, expect, test } from 'vitest'
import { ADDRESSES, type Chain, type ContractName, INTERFACES, type Receipt } from './chain.ts'
import { refused } from './refused.ts'
import {
  accounts,
  CODE,
  councillors,
  createWorld,
  DAY,
  issue,
  register,
  TYPE,
  wallet,
  YEAR,
} from './world.ts'

const [one, two, three] = councillors as [Wallet, Wallet, Wallet]
const { issuer, supervisor } = accounts
const stranger = wallet('stranger')
const HOUR = 3_600
let chain: Chain

const send = (from: Wallet, method: string, ...args: unknown[]): Promise<Receipt> =>
  chain.send(from, 'council', method, args)
const call = (to: ContractName, method: string, ...args: unknown[]): object => ({
  target: ADDRESSES[to],
  data: INTERFACES[to].encodeFunctionData(method, args),
})
const propose = async (...calls: object[]): Promise<bigint> =>
  (await send(one, 'propose', calls)).events[0]!.args.proposal as bigint

/** Two of three, and the delay. */
async function decide(...calls: object[]): Promise<Receipt> {
  const proposal = await propose(...calls)
  await send(two, 'approve', proposal)
  await chain.pass(HOUR)
  return send(stranger, 'execute', proposal, calls)
}

beforeAll(async () => {
  ;({ chain } = await createWorld())
  return () => chain.stop()
})

describe('the council', () => {
  const calls = [call('permissions', 'setFlags', stranger.address, 1)]

  test('decides with so many of its members, after the delay, once', async () => {
    await refused(send(stranger, 'propose', calls), 'NotMember', [stranger.address])
    const proposal = await propose(...calls)
    await refused(send(one, 'approve', proposal), 'AlreadyApproved')
    await refused(send(stranger, 'approve', proposal), 'NotMember')
    await chain.pass(2 * HOUR)
    await refused(send(one, 'execute', proposal, calls), 'TooFewApprovals', [proposal, 1n, 2n])
    await send(two, 'approve', proposal)
    const readyAt = BigInt((await chain.now()) + HOUR)
    await refused(send(one, 'execute', proposal, calls), 'TooEarly', [proposal, readyAt])
    await chain.pass(HOUR)
    const others = [call('permissions', 'setFlags', stranger.address, 3)]
    await refused(send(one, 'execute', proposal, others), 'CallsInvalid')
    await send(stranger, 'execute', proposal, calls)
    expect(await chain.ask('permissions', 'flagsOf', [stranger.address])).toBe(1n)
    await refused(send(one, 'execute', proposal, calls), 'AlreadyExecuted')
    await refused(send(three, 'approve', proposal), 'AlreadyExecuted')
  })

  test('the delay begins anew after an approval was withdrawn', async () => {
    const proposal = await propose(...calls)
    await send(two, 'approve', proposal)
    await chain.pass(HOUR)
    await send(one, 'withdrawApproval', proposal)
    await refused(send(one, 'withdrawApproval', proposal), 'NotApprovedBy')
    await refused(send(one, 'execute', proposal, calls), 'TooFewApprovals')
    await send(three, 'approve', proposal)
    await refused(send(one, 'execute', proposal, calls), 'TooEarly')
    await chain.pass(HOUR)
    await send(one, 'execute', proposal, calls)
  })

  test('a proposal expires', async () => {
    const proposal = await propose(...calls)
    await send(two, 'approve', proposal)
    await chain.pass(31 * DAY)
    await refused(send(one, 'execute', proposal, calls), 'Expired', [proposal])
    await refused(send(one, 'execute', 99n, calls), 'ProposalUnknown', [99n])
  })

  test('all calls of a proposal, or none', async () => {
    const flags = call('permissions', 'setFlags', one.address, 2)
    const bad = call('permissions', 'setFlags', one.address, 8)
    const proposal = await propose(flags, bad)
    await send(two, 'approve', proposal)
    await chain.pass(HOUR)
    await refused(send(one, 'execute', proposal, [flags, bad]), 'FlagsUnknown', [8n])
    expect(await chain.ask('permissions', 'flagsOf', [one.address])).toBe(0n)
    await refused(send(one, 'propose', []), 'CallsInvalid')
    await refused(send(one, 'propose', Array(65).fill(flags)), 'CallsInvalid')
  })

  test('changes its members by itself alone, and former members count no more', async () => {
    const waiting = await propose(...calls)
    await send(three, 'approve', waiting)
    const next = [one.address, two.address, wallet('four').address]
    await refused(send(one, 'constitute', next, 2, HOUR), 'NotCouncil', [one.address])
    for (const [members, threshold, delay, reason] of [
      [[], 1, 0, 'MembersInvalid'],
      [[one.address, one.address], 1, 0, 'MembersInvalid'],
      [next, 4, 0, 'ThresholdInvalid'],
      [next, 0, 0, 'ThresholdInvalid'],
      [next, 2, 91 * DAY, 'DelayTooLong'],
    ] as const) {
      await refused(decide(call('council', 'constitute', members, threshold, delay)), reason)
    }
    await decide(call('council', 'constitute', next, 2, HOUR))
    expect(await chain.ask('council', 'members')).toEqual(next)
    expect(await chain.ask('council', 'approvalsOf', [waiting])).toBe(1n)
    await refused(send(one, 'execute', waiting, calls), 'TooFewApprovals')
    await refused(send(three, 'propose', calls), 'NotMember')
  })
})

describe('permissions', () => {
  const slot = (key: string): Promise<string> =>
    chain.rpc('eth_getStorageAt', [ADDRESSES.permissions, key, 'latest'])
  const word = (value: bigint | number): string => zeroPadValue(toBeHex(value), 32)

  test('stand in the slots that nodes read', async () => {
    const node = wallet('a node').address
    await decide(
      call('permissions', 'setFlagsOfMany', [issuer.address, supervisor.address], 3),
      call('permissions', 'addNode', node),
      call('permissions', 'addNode', stranger.address),
      call('permissions', 'setMode', 2),
    )
    const key = keccak256(zeroPadValue(issuer.address, 32) + word(0).slice(2))
    expect(BigInt(await slot(key))).toBe(3n)
    expect(BigInt(await slot(word(1)))).toBe(2n)
    expect(BigInt(await slot(word(2)))).toBe(2n)
    expect(BigInt(await slot(keccak256(word(2))))).toBe(BigInt(node))
    for (const [account, may] of [
      [issuer.address, true],
      [two.address, false],
    ] as const) {
      expect(await chain.ask('permissions', 'maySend', [account])).toBe(true)
      expect(await chain.ask('permissions', 'mayDeploy', [account])).toBe(may)
    }
    await refused(decide(call('permissions', 'addNode', node)), 'NodeKnown')
    await decide(call('permissions', 'removeNode', node), call('permissions', 'setMode', 0))
    expect(await chain.ask('permissions', 'nodes')).toEqual([stranger.address])
    expect(await chain.ask('permissions', 'mayConnect', [node])).toBe(false)
    await refused(decide(call('permissions', 'removeNode', node)), 'NodeUnknown')
    await refused(decide(call('permissions', 'setMode', 4)), 'FlagsUnknown')
  })

  test('are governed, by a role too if the council gives one', async () => {
    const clerk = wallet('clerk')
    const set = (): Promise<Receipt> =>
      chain.send(clerk, 'permissions', 'setFlags', [clerk.address, 1])
    for (const [method, ...args] of [
      ['setFlags', clerk.address, 1],
      ['setFlagsOfMany', [clerk.address], 1],
      ['setMode', 1],
      ['addNode', clerk.address],
      ['removeNode', stranger.address],
    ] as const) {
      await refused(chain.send(clerk, 'permissions', method, args), 'AccessManagedUnauthorized')
    }
    const selector = INTERFACES.permissions.getFunction('setFlags')!.selector
    await decide(
      call('accessManager', 'setTargetFunctionRole', ADDRESSES.permissions, [selector], 7),
      call('accessManager', 'grantRole', 7, clerk.address, 0),
    )
    await set()
    await refused(chain.send(clerk, 'permissions', 'setMode', [1]), 'AccessManagedUnauthorized')
    await decide(call('accessManager', 'revokeRole', 7, clerk.address))
    await refused(set(), 'AccessManagedUnauthorized')
  })
})

describe('what else governance decides', () => {
  test('nobody else decides it', async () => {
    for (const [to, method, ...args] of [
      ['identityRegistry', 'setRules', true, 0],
      ['identityRegistry', 'setListener', stranger.address],
      ['licenceRegistry', 'setCiphertextLimit', 2_048],
      ['verificationLog', 'setTreasury', stranger.address],
      ['serviceCredit', 'mint', stranger.address, 1],
      ['tariff', 'set', [TYPE, 1, 0, 0, 0]],
      ['organisationRegistry', 'setCapacities', CODE.issuer, 7],
    ] as const) {
      await refused(chain.send(stranger, to, method, args), 'AccessManagedUnauthorized')
    }
  })

  test('filing, objection, ciphertext on chain', async () => {
    await decide(
      call('identityRegistry', 'setRules', true, 60),
      call('licenceRegistry', 'setCiphertextLimit', 2_048),
    )
    expect(await chain.ask('identityRegistry', 'filingRequired')).toBe(true)
    expect(await chain.ask('identityRegistry', 'objectionSeconds')).toBe(60n)
    expect(await chain.ask('licenceRegistry', 'ciphertextLimit')).toBe(2_048n)
    await refused(decide(call('identityRegistry', 'setRules', true, 91 * DAY)), 'ObjectionTooLong')
    await refused(
      decide(call('licenceRegistry', 'setCiphertextLimit', 24_577)),
      'CiphertextTooLong',
    )
    await decide(call('identityRegistry', 'setRules', false, 60))
  })

  test('a listener that fails does not keep an identity in force', async () => {
    const holder = wallet('listened to')
    await register(chain, holder)
    await decide(call('identityRegistry', 'setListener', ADDRESSES.tariff))
    const { events } = await chain.send(supervisor, 'identityRegistry', 'suspend', [
      holder.address,
      1,
    ])
    expect(events.map(({ name }) => name)).toEqual(['IdentityStatusChanged', 'ListenerFailed'])
    expect(await chain.ask('identityRegistry', 'statusOf', [holder.address])).toBe(3n)
    await decide(call('identityRegistry', 'setListener', ADDRESSES.licenceRegistry))
  })
})

describe('what comes from another chain', () => {
  const holder = wallet('traveller')
  const status = (number: bigint): Promise<bigint> =>
    chain.ask('licenceRegistry', 'statusOf', [number])

  beforeAll(async () => {
    await register(chain, holder)
  })

  const arrival = async (name: string, changes: object = {}): Promise<object> => {
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
      ...changes,
    }
  }

  test('transfer in: in force here, of the version that it had', async () => {
    await decide(call('licenceRegistry', 'transferIn', await arrival('from afar')))
    const [number] = await chain.ask<[bigint]>('licenceRegistry', 'numberOf', [id('from afar')])
    expect(await status(number)).toBe(BigInt(STATUS.inForce))
    expect(await chain.ask('licenceRegistry', 'licence', [number])).toMatchObject({ version: 3n })
    expect(await chain.ask('licenceRegistry', 'ownerOf', [number])).toBe(holder.address)
    await refused(
      decide(call('licenceRegistry', 'transferIn', await arrival('from afar'))),
      'IdentifierTaken',
    )
    const nobody = await arrival('of nobody', { holder: stranger.address })
    await refused(decide(call('licenceRegistry', 'transferIn', nobody)), 'IdentityNotActive')
    const early = await arrival('issued before', { issuedAt: 1 })
    await refused(decide(call('licenceRegistry', 'transferIn', early)), 'NotAccredited')
  })

  test('cancel transfer out: in force again, unless it came back by another way', async () => {
    const number = await issue(chain, holder, 'away and back')
    await refused(decide(call('licenceRegistry', 'cancelTransferOut', number)), 'StatusWrong')
    await chain.send(issuer, 'licenceRegistry', 'transferOut', [number, 99])
    await decide(call('licenceRegistry', 'cancelTransferOut', number))
    expect(await status(number)).toBe(BigInt(STATUS.inForce))
    await chain.send(issuer, 'licenceRegistry', 'transferOut', [number, 99])
    await decide(call('licenceRegistry', 'transferIn', await arrival('away and back')))
    const [back] = await chain.ask<[bigint]>('licenceRegistry', 'numberOf', [id('away and back')])
    await refused(decide(call('licenceRegistry', 'cancelTransferOut', number)), 'IdentifierTaken', [
      id('away and back'),
      back,
    ])
    expect([await status(number), await status(back)]).toEqual([6n, 1n])
  })

  test('the identity outranks what is on its way', async () => {
    const person = wallet('suspended traveller')
    await register(chain, person)
    const number = await issue(chain, person, 'on its way')
    await chain.send(issuer, 'licenceRegistry', 'transferOut', [number, 99])
    await chain.send(supervisor, 'identityRegistry', 'suspend', [person.address, 1])
    await decide(call('licenceRegistry', 'cancelTransferOut', number))
    expect(await status(number)).toBe(BigInt(STATUS.suspended))
    const arriving = await arrival('arrives suspended', { holder: person.address })
    await refused(decide(call('licenceRegistry', 'transferIn', arriving)), 'IdentityNotActive')
    await chain.send(supervisor, 'identityRegistry', 'cancel', [person.address, 1])
    await refused(decide(call('licenceRegistry', 'transferIn', arriving)), 'IdentityNotActive')
    expect(await status(number)).toBe(BigInt(STATUS.cancelled))
    expect(await chain.ask('licenceRegistry', 'balanceOf', [person.address])).toBe(0n)
  })
})
