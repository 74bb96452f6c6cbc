/** Records of a busy verifier, on a node as it is: how they gather, and whom a refusal concerns. */

import { serviceCredit } from '@vellum/contracts'
import {
  type ChainWriter,
  createChainWriter,
  createKeyHolder,
  createRecorder,
  createReplayMemory,
  issueCredential,
  LICENCE_LIMITS,
  present,
  presentationSeed,
  type Recorder,
  recordVerifications,
  type VerificationEntry,
  verifyPresentation,
} from '@vellum/licence'
import { Contract, getBytes, id } from 'ethers'
import { beforeEach, expect, test } from 'vitest'
import { ADDRESSES, type Chain } from '../contracts/chain.ts'
import { accounts, CODE, createWorld } from '../contracts/world.ts'
import { ChainProvider } from './chain-provider.ts'

const keyOf = (name: string) => createKeyHolder(getBytes(id(name)))
const holder = keyOf('holder')
const PER_USE = 2_000_000n
const FREE = 2

let chain: Chain
let writer: ChainWriter
/** Methods that were sent, with the number of entries. */
let sent: number[]
let shown = 0
let credential: string

beforeEach(async () => {
  ;({ chain } = await createWorld())
  const provider = new ChainProvider(chain)
  const desk = createChainWriter(accounts.verifier.connect(provider))
  sent = []
  writer = {
    ...desk,
    send: (to, method, args) => {
      if (method === 'recordMany') sent.push((args[0] as readonly unknown[]).length)
      return desk.send(to, method, args)
    },
  }
  const now = await chain.now()
  credential = await issueCredential({
    data: {
      identifier: '1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U',
      typeName: '不动产权证书',
      number: '湘(2026)长沙市不动产权第0012345号',
      issueDate: '2023-01-01',
      issuerName: '湖南省自然资源厅',
      validFrom: '2023-01-01',
      validUntil: '2066-02-28',
      region: '430100',
      holderName: '欧阳明月',
      holderCode: '34052419800101001X',
      holderCodeType: 'citizen number',
      body: {},
    },
    chainId: BigInt(chain.chainId),
    issuer: keyOf('issuer'),
    holderKey: holder.publicKey,
    now,
  })
  return () => chain.stop()
})

/** A showing of its own: its tag serves once. */
async function entry(): Promise<VerificationEntry> {
  const now = await chain.now()
  const seed = presentationSeed(getBytes(id('seeds')), shown++)
  const text = await present(
    { fields: ['holderName'], purpose: '核验' },
    { credential, key: holder, seed, now },
  )
  const verdict = verifyPresentation(text, { memory: createReplayMemory(), now })
  if (!verdict.ok) throw new Error(verdict.reason)
  const check = { ok: true } as const
  const report = {
    ok: true,
    number: 0n,
    issuer: check,
    status: check,
    holder: check,
    blockNumber: 1,
  }
  return {
    shown: verdict.presentation,
    report,
    chainId: BigInt(chain.chainId),
    purpose: 3,
    byteCount: 0,
  }
}

const entriesOf = (count: number): Promise<VerificationEntry[]> =>
  Promise.all(Array.from({ length: count }, entry))

async function approve(amount: bigint): Promise<void> {
  const abi = serviceCredit.abi as unknown as string[]
  const provider = writer.provider
  const credit = new Contract(ADDRESSES.serviceCredit, abi, accounts.verifier.connect(provider))
  await credit.getFunction('approve')(ADDRESSES.verificationLog, amount)
}

/** What came of each: its index, or why it was refused. */
async function recordAll(
  recorder: Recorder,
  entries: readonly VerificationEntry[],
): Promise<(bigint | string)[]> {
  const results = await Promise.allSettled(entries.map((each) => recorder.record(each)))
  return results.map((each) =>
    each.status === 'fulfilled' ? each.value.index : each.reason.details.error,
  )
}

test('the first goes alone, and those that came meanwhile go together, in their order', async () => {
  await approve(10_000_000n)
  const recorder = createRecorder(writer)
  const [first, ...rest] = await entriesOf(6)
  const results = await Promise.all([first!, ...rest].map((each) => recorder.record(each)))
  expect(sent).toEqual([1, 5])
  expect(results.map(({ index }) => index)).toEqual([0n, 1n, 2n, 3n, 4n, 5n])
  expect(new Set(results.slice(1).map(({ transactionHash }) => transactionHash)).size).toBe(1)
  expect(await chain.ask('verificationLog', 'count')).toBe(6n)
})

test('a refused one is told alone, and the others are recorded', async () => {
  await approve(10_000_000n)
  const recorder = createRecorder(writer)
  const [first, one, two, three, four] = await entriesOf(5)
  const all = [first!, one!, two!, one!, three!, four!]
  const results = await recordAll(recorder, all)
  expect(results).toEqual([0n, 1n, 2n, 'TagUsed', 3n, 4n])
  expect(await chain.ask('verificationLog', 'count')).toBe(5n)
})

test('with credit for some, those are recorded and the others told that it is too little', async () => {
  await approve(PER_USE)
  const results = await recordAll(createRecorder(writer), await entriesOf(5))
  expect(results.filter((each) => each === 'CreditInsufficient')).toHaveLength(5 - FREE - 1)
  expect(await chain.ask('verificationLog', 'count')).toBe(BigInt(FREE + 1))
  const seen = await chain.ask('verificationLog', 'quote', [CODE.verifier, id('type'), 0])
  expect(seen).toEqual([0n, 0n])
})

test('the same answers come from one call, or none', async () => {
  await approve(10_000_000n)
  const entries = await entriesOf(3)
  const { indexes } = await recordVerifications(writer, entries)
  expect(indexes).toEqual([0n, 1n, 2n])
  const again = recordVerifications(writer, [await entry(), entries[0]!])
  await expect(again).rejects.toMatchObject({ details: { error: 'TagUsed' } })
  expect(await chain.ask('verificationLog', 'count')).toBe(3n)
})

test('no transaction has more than the contract takes', async () => {
  await approve(10_000_000n)
  const waits = LICENCE_LIMITS.recordsMax + 4
  const tagged = await entriesOf(waits + 1)
  const free = { ...writer, account: accounts.office.address }
  const office = createChainWriter(accounts.office.connect(writer.provider as ChainProvider))
  const results = await recordAll(
    createRecorder({
      ...free,
      send: (to, method, args) => {
        sent.push((args[0] as readonly unknown[]).length)
        return office.send(to, method, args)
      },
    }),
    tagged,
  )
  expect(sent).toEqual([1, LICENCE_LIMITS.recordsMax, 4])
  expect(results).toEqual(tagged.map((_, i) => BigInt(i)))
  expect(await chain.ask('verificationLog', 'ENTRIES_MAX')).toBe(BigInt(LICENCE_LIMITS.recordsMax))
})
