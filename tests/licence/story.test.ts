/** The whole story on a node as it is: from the registration of a citizen to the bill of a verifier. */

import { ADDRESSES, serviceCredit } from '@vellum/contracts'
import {
  answerRequest,
  billOf,
  bringAnswer,
  type ChainWriter,
  countersignIdentity,
  createChainReader,
  createChainWriter,
  createIdentityDirectory,
  createIdentityOffice,
  createIssuer,
  createKeyHolder,
  createLicenceDirectory,
  createReplayMemory,
  createSubjectRing,
  decryptWith,
  encodeOfflineCode,
  encryptTo,
  formatLicenceIdentifier,
  type Issued,
  type KeyHolder,
  type LicenceData,
  LicenceError,
  listVerifications,
  makeIdentity,
  nextVersion,
  openIdentity,
  openLicence,
  type Presentation,
  parseLicenceIdentifier,
  periodOf,
  present,
  presentationSeed,
  quoteVerification,
  readRequest,
  recordVerification,
  signAnswer,
  signKeyChange,
  signObjection,
  signRecovery,
  signRequest,
  verifyAnswer,
  verifyOffline,
  verifyOfflineCode,
  verifyOnline,
} from '@vellum/licence'
import { Contract, getBytes, id, toUtf8Bytes, type Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Chain } from '../contracts/chain.ts'
import { accounts, CODES, createWorld, DAY } from '../contracts/world.ts'
import { ChainProvider } from './chain-provider.ts'
import { findPersonalData } from './personal-data.ts'

const person = { type: 'citizen number', number: '34052419800101001X' } as const
const holderSecret = getBytes(id('the holder’s key'))
const holder = createKeyHolder(holderSecret)
const newSecret = getBytes(id('the holder’s next key'))
const seedSecret = getBytes(id('seeds of presentations'))
const ring = createSubjectRing([{ version: 1, secret: getBytes(id('back office')) }])
const TYPE = '11100000000013338W011'

const DATA: LicenceData = {
  identifier: formatLicenceIdentifier({
    type: TYPE,
    issuer: CODES.issuer,
    serial: '20270000403',
    version: 1,
  }),
  typeName: '不动产权证书',
  number: '湘(2026)长沙市不动产权第0012345号',
  issueDate: '2026-03-01',
  issuerName: '某某自然资源厅',
  validFrom: '2026-03-01',
  validUntil: '2066-02-28',
  region: '430100',
  holderName: '欧阳明月',
  holderCode: person.number,
  holderCodeType: 'citizen number',
  body: { address: '长沙市岳麓区麓山南路932号3栋1801室', area: '128.4675平方米' },
}

let chain: Chain
let chainId: bigint
let provider: ChainProvider
let issued: Issued
let credential: string
const used = { seeds: 0 }
const store: Uint8Array[] = []
const keyOf = (wallet: Wallet): KeyHolder => createKeyHolder(getBytes(wallet.privateKey))
const writer = (wallet: Wallet): ChainWriter => createChainWriter(wallet.connect(provider))
const now = (): Promise<number> => chain.now()

const issuerDesk = () =>
  createIssuer({
    chain: writer(accounts.issuer),
    chainId,
    key: keyOf(accounts.issuer),
    put: async (bytes) => ({ store: 'file', locator: String(store.push(bytes) - 1) }),
  })
const get = async ({ locator }: { locator: string }) => store[Number(locator)]!

/** A verifier asks, the holder shows, the verifier checks what was shown. */
async function show(text = credential, fields: readonly string[] = ['holderName']) {
  const at = await now()
  const asked = await signRequest({
    chainId,
    key: keyOf(accounts.verifier),
    purpose: '办理贷款',
    fields,
    now: at,
  })
  const read = readRequest(asked, at)
  if (!read.ok) throw new Error(read.reason)
  const seed = presentationSeed(seedSecret, used.seeds++)
  const shown = await answerRequest(read.request, { credential: text, key: holder, seed, now: at })
  const memory = createReplayMemory()
  const verdict = verifyAnswer(shown, { request: read.request, memory, now: at })
  if (!verdict.ok) throw new Error(verdict.reason)
  return verdict.presentation
}

async function record(shown: Presentation) {
  const desk = writer(accounts.verifier)
  const report = await verifyOnline(desk, shown)
  const detail = encryptTo(shown.credential.holderKey, toUtf8Bytes(shown.purpose))
  return {
    report,
    entry: await recordVerification(desk, {
      shown,
      report,
      chainId,
      purpose: 3,
      byteCount: 100,
      detail,
    }),
  }
}

const refusedWith = async (sent: Promise<unknown>): Promise<unknown> => {
  const error = await sent.then(
    () => new Error('not refused'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof LicenceError)) throw error
  return error.details.error
}

beforeAll(async () => {
  ;({ chain } = await createWorld())
  chainId = BigInt(chain.chainId)
  provider = new ChainProvider(chain)
})
afterAll(async () => {
  provider.destroy()
  await chain.stop()
})

// One story: each chapter stands on those before it.
describe('a licence, from registration to the bill', () => {
  test('a registrar registers a citizen, who was not known', async () => {
    const office = createIdentityOffice(writer(accounts.registrar))
    const directory = createIdentityDirectory(createChainReader(provider))
    expect(await directory.findPerson(ring, person)).toBeUndefined()
    const signed = await makeIdentity({
      chainId,
      registrar: keyOf(accounts.registrar),
      registrarCode: CODES.registrar,
      holderKey: holder.publicKey,
      kind: 'citizen',
      subject: ring.tag(person),
      details: { name: DATA.holderName, number: person.number },
      version: 1,
      deadline: (await now()) + DAY,
    })
    const both = await countersignIdentity(signed, {
      chainId,
      key: holder,
      privateKey: holderSecret,
    })
    await office.register(both)
    expect(await directory.stateOf(holder.address)).toBe('active')
    expect(await directory.findPerson(ring, person)).toBe(holder.address)
    expect(await directory.publicKeyOf(holder.address)).toEqual(holder.publicKey)
    const kept = (await directory.payloadOf(holder.address))!
    const statement = { digest: kept.digest }
    expect(openIdentity({ payload: kept.payload, statement }, holderSecret)).toEqual({
      name: DATA.holderName,
      number: person.number,
    })
    expect(await refusedWith(office.register(both))).toBe('IdentityKnown')
  })

  test('an accredited authority offers a licence, and the holder opens and accepts it', async () => {
    const at = await now()
    issued = await issuerDesk().offer({
      data: DATA,
      holder: { identity: holder.address, publicKey: holder.publicKey },
      now: at,
      acceptBy: at + DAY,
    })
    const licences = createLicenceDirectory(createChainReader(provider))
    expect(await licences.statusOf(issued.number)).toBe('Offered')
    credential = await openLicence(createChainReader(provider), issued.number, {
      key: holder,
      privateKey: holderSecret,
      get,
    })
    expect(credential).toBe(issued.credential)
    const { content } = await licences.recordOf(issued.number)
    const answer = await signAnswer(
      chainId,
      { number: issued.number, content, accepts: true, deadline: at + DAY },
      holder,
    )
    await bringAnswer(writer(accounts.office), answer)
    expect(await licences.statusOf(issued.number)).toBe('InForce')
    expect(await licences.licencesOf(holder.address)).toEqual([issued.number])
    expect(await refusedWith(bringAnswer(writer(accounts.office), answer))).toBe('StatusWrong')
  })

  test('the leaf of the status tree is the one that the contract makes', async () => {
    const licences = createLicenceDirectory(createChainReader(provider))
    const { leafHash } = await import('@vellum/licence')
    const leaf = await licences.leafOf(issued.number)
    const word = await chain.ask<string>('licenceRegistry', 'leafOf', [issued.number])
    expect(`0x${Buffer.from(leafHash(leaf)).toString('hex')}`).toBe(word)
  })

  test('an issuer that is not accredited is refused', async () => {
    const desk = createIssuer({
      chain: writer(accounts.office),
      chainId,
      key: keyOf(accounts.office),
      put: async () => ({ store: 'file', locator: 'x' }),
    })
    const identifier = formatLicenceIdentifier({
      ...parseLicenceIdentifier(DATA.identifier),
      serial: '20270000777',
    })
    const at = await now()
    const offer = desk.offer({
      data: { ...DATA, identifier },
      holder: { identity: holder.address, publicKey: holder.publicKey },
      now: at,
      acceptBy: at + DAY,
    })
    expect(await refusedWith(offer)).toBe('NotAccredited')
  })

  test('a verifier checks it: all three checks go well, and the entry is on chain', async () => {
    const credit = new Contract(
      ADDRESSES.serviceCredit,
      serviceCredit.abi as unknown as string[],
      accounts.verifier.connect(provider),
    )
    const approval = await credit.getFunction('approve')(ADDRESSES.verificationLog, 7_000_000n, {
      maxFeePerGas: 0,
      maxPriorityFeePerGas: 0,
    })
    await approval.wait()
    const { report, entry } = await record(await show())
    expect(report).toMatchObject({
      ok: true,
      number: issued.number,
      issuer: { ok: true },
      status: { ok: true },
      holder: { ok: true },
    })
    expect(entry.index).toBe(0n)
    expect(entry.blockNumber).toBeGreaterThan(0)
  })

  test('one showing is recorded once', async () => {
    const shown = await show()
    await record(shown)
    expect(await refusedWith(record(shown))).toBe('TagUsed')
  })

  test('an offline code with a proof of the node is accepted, with nothing but the validators', async () => {
    const licences = createLicenceDirectory(createChainReader(provider))
    const proof = await licences.proofOf(issued.number)
    const at = await now()
    const seed = presentationSeed(seedSecret, used.seeds++)
    const shown = await present(
      { fields: ['holderName', 'body.area'], purpose: '出示' },
      { credential, key: holder, seed, now: at },
    )
    const set = await chain.rpc<string[]>('qbft_getValidatorsByBlockNumber', ['latest'])
    const trusted = { chainId, registry: ADDRESSES.licenceRegistry, validators: [{ from: 0, set }] }
    const rule = { chain: trusted, now: at, ageMax: 3_600 }
    const code = encodeOfflineCode(shown, proof)
    const verdict = verifyOfflineCode(code, { ...rule, memory: createReplayMemory() })
    if (!verdict.ok) throw new Error(verdict.reason)
    expect(verdict.answer.status.leaf.status).toBe('InForce')
    await issuerDesk().suspend(issued.number, 7)
    const later = await licences.proofOf(issued.number)
    const memory = createReplayMemory()
    expect(verifyOffline({ text: shown, proof: later }, { ...rule, memory })).toEqual({
      ok: false,
      reason: 'suspended',
    })
    await issuerDesk().lift(issued.number, 8)
  })

  test('renewed: the new one is in force, the old one is refused as lapsed', async () => {
    const identifier = formatLicenceIdentifier(nextVersion(parseLicenceIdentifier(DATA.identifier)))
    const before = credential
    const renewed = await issuerDesk().renew(issued.number, {
      data: { ...DATA, identifier },
      holder: { identity: holder.address, publicKey: holder.publicKey },
      now: await now(),
    })
    const reader = createChainReader(provider)
    const old = await verifyOnline(reader, await show(before))
    expect(old).toMatchObject({ ok: false, issuer: { ok: true }, holder: { ok: true } })
    expect(old.status).toEqual({ ok: false, reason: 'lapsed' })
    const licences = createLicenceDirectory(reader)
    expect((await licences.recordOf(issued.number)).next).toBe(renewed.number)
    expect((await licences.recordOf(renewed.number)).previous).toBe(issued.number)
    issued = renewed
    credential = await openLicence(reader, renewed.number, {
      key: holder,
      privateKey: holderSecret,
      get,
    })
    expect((await verifyOnline(reader, await show())).ok).toBe(true)
  })

  test('suspended: refused; lifted: good again', async () => {
    const desk = issuerDesk()
    await desk.suspend(issued.number, 7)
    const { report } = await record(await show())
    expect(report.status).toEqual({ ok: false, reason: 'suspended' })
    await desk.lift(issued.number, 8)
    expect((await verifyOnline(createChainReader(provider), await show())).ok).toBe(true)
  })

  test('an identity that is suspended outranks the licence', async () => {
    const office = createIdentityOffice(writer(accounts.registrar))
    await office.suspend(holder.address, 1)
    const report = await verifyOnline(createChainReader(provider), await show())
    expect(report.status).toEqual({ ok: false, reason: 'suspended' })
    expect(report.holder).toEqual({ ok: false, reason: 'identity not active' })
    await office.reinstate(holder.address, 2)
  })

  test('accreditation that is withdrawn from before the issue fails the issuer’s check', async () => {
    const type = `0x${Buffer.from(TYPE).toString('hex').padEnd(64, '0')}`
    const code = `0x${Buffer.from(CODES.issuer).toString('hex').padEnd(64, '0')}`
    const args = [type, code, 0, (await now()) + 1]
    await chain.send(accounts.root, 'organisationRegistry', 'withdrawAccreditation', args)
    // Later than the issue: it stands.
    expect((await verifyOnline(createChainReader(provider), await show())).ok).toBe(true)
    const { issuedAt } = await createLicenceDirectory(createChainReader(provider)).recordOf(
      issued.number,
    )
    const earlier = [type, code, 0, issuedAt - 1]
    await chain.send(accounts.root, 'organisationRegistry', 'withdrawAccreditation', earlier)
    const report = await verifyOnline(createChainReader(provider), await show())
    expect(report.issuer).toEqual({ ok: false, reason: 'issuer not accredited' })
  })

  test('the third use is charged; without credit it is refused before anything is recorded', async () => {
    const desk = createChainReader(provider)
    const quote = await quoteVerification(desk, {
      verifier: CODES.verifier,
      licenceType: TYPE,
      byteCount: 100,
    })
    expect(quote.amount).toBe(2_100_000n)
    await record(await show())
    await record(await show())
    expect(await refusedWith(record(await show()))).toBe('CreditInsufficient')
  })

  test('the bill is the same from the chain alone', async () => {
    const period = periodOf(await now())
    const bill = await billOf(createChainReader(provider), { verifier: CODES.verifier, period })
    expect(bill.lines.map(({ use, amount }) => [use, amount])).toEqual([
      [1, 0n],
      [2, 0n],
      [3, 2_100_000n],
      [4, 2_100_000n],
      [5, 2_100_000n],
    ])
    expect(bill.total).toBe(6_300_000n)
    expect(bill.wrong).toEqual([])
    const paid = await chain.ask<bigint>('serviceCredit', 'balanceOf', [accounts.verifier.address])
    expect(paid).toBe(10_000_000n - bill.total)
  })

  test('the holder lists who checked, and nobody else can', async () => {
    const reader = createChainReader(provider)
    const numbers = [0n, 1n]
    const mine = { secret: seedSecret, presentations: used.seeds, numbers, chainId }
    const seen = await listVerifications(reader, mine)
    expect(seen.map(({ licence, verifier, result }) => [licence, verifier, result])).toEqual([
      [0n, CODES.verifier, 0],
      [0n, CODES.verifier, 0],
      [1n, CODES.verifier, 2],
      [1n, CODES.verifier, 1],
      [1n, CODES.verifier, 1],
    ])
    expect(Buffer.from(decryptWith(holderSecret, seen[0]!.detail)).toString()).toBe('办理贷款')
    const other = await listVerifications(reader, { ...mine, secret: getBytes(id('somebody')) })
    expect(other).toEqual([])
  })

  test('a key that was replaced is refused, and was the holder’s before', async () => {
    const directory = createIdentityDirectory(createChainReader(provider))
    const office = createIdentityOffice(writer(accounts.office))
    const fresh = createKeyHolder(newSecret)
    const change = {
      identity: holder.address,
      newKey: fresh.publicKey,
      nonce: await directory.nonceOf(holder.address),
      deadline: (await now()) + DAY,
    }
    await office.rotate(change, {
      old: await signKeyChange(chainId, change, holder),
      new: await signKeyChange(chainId, change, fresh),
    })
    const report = await verifyOnline(createChainReader(provider), await show())
    expect(report.holder).toEqual({ ok: false, reason: 'key replaced' })
    const keys = await directory.keysOf(holder.address)
    expect(keys.map(({ address }) => address)).toEqual([holder.address, fresh.address])
    expect(keys[0]!.until).toBe(keys[1]!.from)
  })

  test('a recovery that the holder did not ask for ends with an objection', async () => {
    const directory = createIdentityDirectory(createChainReader(provider))
    const office = createIdentityOffice(writer(accounts.office))
    const thief = createKeyHolder(getBytes(id('a thief’s key')))
    const change = {
      identity: holder.address,
      newKey: thief.publicKey,
      nonce: await directory.nonceOf(holder.address),
      deadline: (await now()) + DAY,
    }
    await office.requestRecovery(change, {
      registrar: await signRecovery(chainId, change, keyOf(accounts.registrar)),
      supervisor: await signRecovery(chainId, change, keyOf(accounts.supervisor)),
      new: await signRecovery(chainId, change, thief),
    })
    const nonce = await directory.nonceOf(holder.address)
    const objection = { identity: holder.address, nonce }
    const signature = await signObjection(chainId, objection, createKeyHolder(newSecret))
    await office.object(holder.address, signature)
    await chain.pass(8 * DAY)
    expect(await refusedWith(office.completeRecovery(holder.address))).toBe('NoRecovery')
  })

  test('a lost key: registrar and supervisor begin, the time to object passes, the key is new', async () => {
    const directory = createIdentityDirectory(createChainReader(provider))
    const office = createIdentityOffice(writer(accounts.office))
    const third = createKeyHolder(getBytes(id('a third key')))
    const change = {
      identity: holder.address,
      newKey: third.publicKey,
      nonce: await directory.nonceOf(holder.address),
      deadline: (await now()) + DAY,
    }
    await office.requestRecovery(change, {
      registrar: await signRecovery(chainId, change, keyOf(accounts.registrar)),
      supervisor: await signRecovery(chainId, change, keyOf(accounts.supervisor)),
      new: await signRecovery(chainId, change, third),
    })
    expect(await refusedWith(office.completeRecovery(holder.address))).toBe('RecoveryWaits')
    await chain.pass(8 * DAY)
    await office.completeRecovery(holder.address)
    expect(await directory.publicKeyOf(holder.address)).toEqual(third.publicKey)
  })

  test('no byte of the chain tells anything of the person', async () => {
    const height = Number(await chain.rpc<string>('eth_blockNumber', []))
    const parts: string[] = []
    for (let number = 0; number <= height; number++) {
      const tag = `0x${number.toString(16)}`
      const block = await chain.rpc<{ transactions: { input: string }[] }>('eth_getBlockByNumber', [
        tag,
        true,
      ])
      parts.push(...block.transactions.map(({ input }) => input.slice(2)))
      const logs = await chain.rpc<{ data: string; topics: string[] }[]>('eth_getLogs', [
        { fromBlock: tag, toBlock: tag },
      ])
      parts.push(
        ...logs.flatMap(({ data, topics }) => [data, ...topics].map((each) => each.slice(2))),
      )
    }
    const bytes = Buffer.from(parts.join(''), 'hex')
    expect(bytes.length).toBeGreaterThan(20_000)
    const { body, holderName, holderCode, number } = DATA
    const values = {
      holderName,
      holderCode,
      number,
      birth: '19800101',
      ...(body as Record<string, string>),
    }
    expect(findPersonalData(bytes, values)).toEqual([])
    // The scan does find what is there: the verifier's code is public.
    expect(findPersonalData(bytes, { verifier: CODES.verifier })).not.toEqual([])
  })
})
