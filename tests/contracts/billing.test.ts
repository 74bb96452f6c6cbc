/** Verifications: recorded once, charged by the tariff, and a bill from the events alone, on a node. */

import { AbiCoder, id, keccak256, Signature, type Wallet, ZeroHash } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { ADDRESSES, type Chain, INTERFACES, type Receipt } from './chain.ts'
import { refused } from './refused.ts'
import {
  accounts,
  CODE,
  councillors,
  createWorld,
  DAY,
  issue,
  OTHER_TYPE,
  register,
  TYPE,
  wallet,
} from './world.ts'

const { verifier, office, issuer } = accounts
const treasury = wallet('treasury')
const LOG = ADDRESSES.verificationLog
/** What `networkOptions` say of commercial verifiers. */
const [PER_USE, PER_BYTE, FREE] = [2_000_000n, 1_000n, 2]
let chain: Chain
let tags = 0

const entry = (changes: object = {}): Record<string, unknown> => ({
  licenceType: TYPE,
  commitment: id('blinded'),
  tag: id(`tag ${tags++}`),
  purpose: 12,
  result: 0,
  byteCount: 0,
  detail: '0xdada',
  ...changes,
})
const record = (from: Wallet, given: object): Promise<Receipt> =>
  chain.send(from, 'verificationLog', 'record', [given])
const balance = (of: string): Promise<bigint> => chain.ask('serviceCredit', 'balanceOf', [of])
const approve = (amount: bigint): Promise<Receipt> =>
  chain.send(verifier, 'serviceCredit', 'approve', [LOG, amount])

beforeEach(async () => {
  const lower = treasury.address.toLowerCase() as `0x${string}`
  ;({ chain } = await createWorld({ treasury: lower }))
  return () => chain.stop()
})

describe('the log', () => {
  test('records who, why and with what result, under a tag that serves once', async () => {
    const given = entry({ result: 3 })
    const { events } = await record(office, given)
    expect(events[0]).toMatchObject({
      name: 'VerificationRecorded',
      args: {
        tag: given.tag,
        verifier: CODE.office,
        index: 0n,
        licenceType: TYPE,
        commitment: given.commitment,
        purpose: 12n,
        result: 3n,
        detail: '0xdada',
      },
    })
    const types = [
      'uint256',
      'bytes32',
      'bytes32',
      'bytes32',
      'uint16',
      'uint8',
      'uint64',
      'bytes32',
    ]
    const values = [
      0,
      CODE.office,
      TYPE,
      given.commitment,
      12,
      3,
      await chain.now(),
      keccak256('0xdada'),
    ]
    expect(await chain.ask('verificationLog', 'digestOf', [given.tag])).toBe(
      keccak256(AbiCoder.defaultAbiCoder().encode(types, values)),
    )
    for (const from of [office, verifier])
      await refused(record(from, given), 'TagUsed', [given.tag])
    expect(await chain.ask('verificationLog', 'count')).toBe(1n)
  })

  test('is for verifiers, with a purpose and a tag', async () => {
    await refused(record(issuer, entry()), 'NotVerifier', [issuer.address])
    await refused(record(treasury, entry()), 'NotVerifier', [treasury.address])
    await refused(record(office, entry({ purpose: 0 })), 'PurposeMissing')
    await refused(record(office, entry({ tag: ZeroHash })), 'TagMissing')
    await refused(record(office, entry({ detail: `0x${'00'.repeat(1_025)}` })), 'DetailTooLong')
    await chain.send(accounts.root, 'organisationRegistry', 'suspend', [CODE.office])
    await refused(record(office, entry()), 'NotVerifier')
  })

  test('has nothing of whose licence it was', async () => {
    const holder = wallet('holder')
    await register(chain, holder)
    const number = await issue(chain, holder, 'verified')
    const { logs } = await record(office, entry({ commitment: keccak256(id(`salted ${number}`)) }))
    const bytes = JSON.stringify(logs).toLowerCase()
    for (const secret of [holder.address.slice(2), id('verified').slice(2)]) {
      expect(bytes).not.toContain(secret.toLowerCase())
    }
  })
})

describe('charging', () => {
  test('public bodies pay nothing', async () => {
    for (let i = 0; i < 4; i++) {
      const { events } = await record(office, entry({ byteCount: 10_000 }))
      expect(events[1]).toMatchObject({ name: 'Charged', args: { amount: 0n, use: BigInt(i + 1) } })
    }
    expect(await balance(treasury.address)).toBe(0n)
  })

  test('others have free uses in each period, then pay for each use and byte', async () => {
    await approve(10_000_000n)
    for (let i = 0; i < FREE; i++) await record(verifier, entry({ byteCount: 50 }))
    expect(await balance(treasury.address)).toBe(0n)
    const amount = PER_USE + 50n * PER_BYTE
    expect(await chain.ask('verificationLog', 'quote', [CODE.verifier, TYPE, 50])).toEqual([
      amount,
      10_000_000n,
    ])
    const { events } = await record(verifier, entry({ byteCount: 50 }))
    expect(events[1]!.args).toMatchObject({ amount, tariffVersion: 2n, use: 3n, byteCount: 50n })
    expect(await balance(treasury.address)).toBe(amount)
    expect(await balance(verifier.address)).toBe(10_000_000n - amount)
    // Another type has its own count, and so has another period.
    const other = await record(verifier, entry({ licenceType: OTHER_TYPE }))
    expect(other.events[1]!.args).toMatchObject({ amount: 0n, use: 1n })
    await chain.pass(30 * DAY)
    const later = await record(verifier, entry())
    expect(later.events[1]!.args).toMatchObject({ amount: 0n, use: 1n })
  })

  test('too little credit is a refusal, and nothing is recorded', async () => {
    for (let i = 0; i < FREE; i++) await record(verifier, entry())
    const given = entry()
    await refused(record(verifier, given), 'CreditInsufficient', [CODE.verifier, PER_USE, 0n])
    await approve(PER_USE - 1n)
    await refused(record(verifier, given), 'CreditInsufficient', [
      CODE.verifier,
      PER_USE,
      PER_USE - 1n,
    ])
    await approve(1_000_000_000n)
    const much = entry({ byteCount: 9_000 })
    await refused(record(verifier, much), 'CreditInsufficient', [
      CODE.verifier,
      PER_USE + 9_000n * PER_BYTE,
      10_000_000n,
    ])
    expect(await chain.ask('verificationLog', 'digestOf', [given.tag])).toBe(ZeroHash)
    expect(await chain.ask('verificationLog', 'count')).toBe(2n)
    await record(verifier, given)
  })

  test('a signed permit takes the place of an approval', async () => {
    const domain = {
      name: 'Vellum Service Credit',
      version: '1',
      chainId: chain.chainId,
      verifyingContract: ADDRESSES.serviceCredit,
    }
    const types = {
      Permit: [
        { name: 'owner', type: 'address' },
        { name: 'spender', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'nonce', type: 'uint256' },
        { name: 'deadline', type: 'uint256' },
      ],
    }
    const permit = {
      owner: verifier.address,
      spender: LOG,
      value: PER_USE,
      nonce: 0,
      deadline: 4e9,
    }
    const { v, r, s } = Signature.from(await verifier.signTypedData(domain, types, permit))
    const args = [permit.owner, permit.spender, permit.value, permit.deadline, v, r, s]
    await chain.send(office, 'serviceCredit', 'permit', args)
    await refused(chain.send(office, 'serviceCredit', 'permit', args), 'ERC2612InvalidSigner')
    for (let i = 0; i <= FREE; i++) await record(verifier, entry())
    expect(await balance(treasury.address)).toBe(PER_USE)
  })

  test('a class without a price cannot verify', async () => {
    await chain.send(accounts.root, 'organisationRegistry', 'setVerifierClass', [CODE.office, 9])
    await refused(record(office, entry()), 'NoPrice', [TYPE, 9n])
  })
})

describe('recorded together', () => {
  const together = (from: Wallet, entries: readonly object[]): Promise<Receipt> =>
    chain.send(from, 'verificationLog', 'recordMany', [entries])
  const namesOf = ({ events }: Receipt): string[] => events.map(({ name }) => name)

  test('entries leave what they would leave one by one, and are paid in one transfer', async () => {
    await approve(10_000_000n)
    const entries = [
      ...[10, 20, 30, 40].map((byteCount) => entry({ byteCount })),
      entry({ licenceType: OTHER_TYPE }),
      entry({ byteCount: 50, result: 2, detail: '0x' }),
    ]
    await record(office, entry())
    const receipt = await together(verifier, entries)
    expect(namesOf(receipt)).toEqual(entries.flatMap(() => ['VerificationRecorded', 'Charged']))
    const transfers = receipt.logs.filter(({ address }) => address === ADDRESSES.serviceCredit)
    const owed = 3n * PER_USE + 120n * PER_BYTE
    expect(transfers).toHaveLength(1)
    expect(await balance(treasury.address)).toBe(owed)

    const other = await createWorld({
      treasury: treasury.address.toLowerCase() as `0x${string}`,
    })
    const first = chain
    chain = other.chain
    await approve(10_000_000n)
    await record(office, entry())
    const alone = []
    for (const each of entries) alone.push(await record(verifier, each))
    expect(receipt.events).toEqual(alone.flatMap(({ events }) => events))
    expect(await balance(treasury.address)).toBe(owed)
    expect(await chain.ask('verificationLog', 'count')).toBe(7n)
    await chain.stop()
    chain = first
    expect(await chain.ask('verificationLog', 'count')).toBe(7n)
  })

  test('one that is refused refuses all, and nothing is charged', async () => {
    await approve(10_000_000n)
    const used = entry()
    await record(office, used)
    const good = [entry(), entry(), entry()]
    await refused(together(verifier, [...good, used]), 'TagUsed', [used.tag])
    await refused(together(verifier, [...good, good[0]!]), 'TagUsed', [good[0]!.tag])
    await refused(together(verifier, [...good, entry({ purpose: 0 })]), 'PurposeMissing')
    await refused(together(verifier, [...good, entry({ tag: ZeroHash })]), 'TagMissing')
    await refused(together(issuer, good), 'NotVerifier', [issuer.address])
    expect(await chain.ask('verificationLog', 'count')).toBe(1n)
    expect(await chain.ask('verificationLog', 'digestOf', [good[0]!.tag])).toBe(ZeroHash)
    expect(await balance(verifier.address)).toBe(10_000_000n)
  })

  test('credit has to be enough for all together', async () => {
    await approve(PER_USE * 2n - 1n)
    const entries = Array.from({ length: FREE + 2 }, () => entry())
    await refused(together(verifier, entries), 'CreditInsufficient', [
      CODE.verifier,
      PER_USE * 2n,
      PER_USE * 2n - 1n,
    ])
    await together(verifier, entries.slice(1))
    expect(await balance(treasury.address)).toBe(PER_USE)
  })

  test('are at least one and at most 96, which fit one transaction with the longest details', async () => {
    const longest = `0x${'da'.repeat(1_024)}`
    await refused(together(office, []), 'EntryCountOutOfRange', [0n])
    const many = Array.from({ length: 97 }, () => entry())
    await refused(together(office, many), 'EntryCountOutOfRange', [97n])
    const most = Array.from({ length: 96 }, () => entry({ detail: longest }))
    expect((await together(office, most)).status).toBe(1)
  })
})

test('a bill is recomputed from the charges and the tariff’s versions, over a change of it', async () => {
  await approve(10_000_000n)
  for (const byteCount of [10, 20, 30, 40]) await record(verifier, entry({ byteCount }))
  const [one, two] = councillors as [Wallet, Wallet]
  const data = INTERFACES.tariff.encodeFunctionData('set', [[TYPE, 2, 5_000n, 7n, 1]])
  const calls = [{ target: ADDRESSES.tariff, data }]
  await chain.send(one, 'council', 'propose', [calls])
  await chain.send(two, 'council', 'approve', [0])
  await chain.pass(3_600)
  await chain.send(one, 'council', 'execute', [0, calls])
  for (const byteCount of [50, 60]) await record(verifier, entry({ byteCount }))
  await record(office, entry({ byteCount: 70 }))

  const logs = await chain.rpc<{ address: string; topics: string[]; data: string }[]>(
    'eth_getLogs',
    [{ address: LOG, fromBlock: '0x0' }],
  )
  const uses = new Map<string, number>()
  let bill = 0n
  for (const log of logs) {
    const parsed = INTERFACES.verificationLog.parseLog(log)!
    if (parsed.name !== 'Charged' || parsed.args.verifier !== CODE.verifier) continue
    const { licenceType, period, tariffVersion, byteCount, amount } = parsed.args
    const key = `${licenceType} ${period}`
    const before = uses.get(key) ?? 0
    uses.set(key, before + 1)
    const { perUse, perByte, freeUses } = await chain.ask<Record<string, bigint>>(
      'tariff',
      'entryOf',
      [tariffVersion],
    )
    const owed = before < Number(freeUses) ? 0n : perUse! + perByte! * byteCount
    expect(owed).toBe(amount)
    bill += owed
  }
  expect(bill).toBe(2n * PER_USE + 70n * PER_BYTE + 2n * 5_000n + 110n * 7n)
  expect(await balance(treasury.address)).toBe(bill)
  expect(await balance(verifier.address)).toBe(10_000_000n - bill)
})
