/**
 * The tour of a licence on a node in a process of its own: what it says is so, by an independent look at
 * the chain, and nothing of the person can be found anywhere afterwards.
 */

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  billOf,
  createChainReader,
  createLicenceDirectory,
  type LicenceData,
  periodOf,
} from '@vellum/licence'
import {
  type CastMember,
  runTour,
  TOUR_PERSON,
  type TourCast,
  type TourOutcome,
  tourLicence,
} from '@vellum/licence/cli'
import { DEV_ACCOUNTS, DEV_ORGANISATIONS, openLevel } from '@vellum/node'
import { JsonRpcProvider } from 'ethers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPersonalData } from '../licence/personal-data.ts'
import {
  printed,
  type RunningNode,
  runCommand,
  startWithTour,
  temporaryDirectory,
} from './running-node.ts'

const END = /in all\. Each step/
const CODE_BYTES_MAX = 2_850

const member = ({ code, account }: { code: string; account: string }): CastMember => ({
  code,
  privateKey: DEV_ACCOUNTS.find(({ address }) => address === account)!.privateKey,
})
const cast: TourCast = {
  root: member(DEV_ORGANISATIONS.root),
  registrar: member(DEV_ORGANISATIONS.registrar),
  issuer: member(DEV_ORGANISATIONS.issuer),
  publicVerifier: member(DEV_ORGANISATIONS.publicVerifier),
  commercialVerifier: member(DEV_ORGANISATIONS.commercialVerifier),
}
const company = cast.commercialVerifier.code

let directory: string
let node: RunningNode
let provider: JsonRpcProvider
let outcome: TourOutcome
/** What the tours printed. */
const told: string[] = []

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startWithTour(directory)
  await printed(node, END)
  told.push(node.output())
  provider = new JsonRpcProvider(node.url, undefined, { cacheTimeout: -1, pollingInterval: 50 })
})

afterAll(async () => {
  provider.destroy()
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('the tour', () => {
  test('ends the first start, and tells each step', () => {
    const output = node.output()
    const steps = [
      'Register',
      'Accredit',
      'Issue',
      'Accept',
      'Present',
      'Verify',
      'Charge',
      'Renew',
      'Old one',
      'Suspend',
      'Lift',
      'Offline',
      'Bill',
      'Look back',
    ]
    const places = steps.map((name) => output.search(new RegExp(`\\d s  ${name} `)))
    expect(places.every((place) => place >= 0)).toBe(true)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(output).toContain('refused: lapsed')
    expect(output).toContain('refused: suspended')
    expect(output).toMatch(/the holder lists 5 checks by 2 verifiers; .* finds 0/)
    expect(output).toMatch(/1 of 1 seals/)
  })

  test('left on the chain what it told', async () => {
    const chain = createChainReader(provider)
    const licences = createLicenceDirectory(chain)
    expect(await Promise.all([0n, 1n].map(licences.statusOf))).toEqual(['Lapsed', 'InForce'])
    const { holder, next } = await licences.recordOf(0n)
    expect(next).toBe(1n)
    expect(await licences.licencesOf(holder)).toEqual([1n])
    const operations = (await licences.historyOf(1n)).map(({ operation }) => operation)
    expect(operations).toEqual([2, 3, 6])
    const { timestamp } = (await provider.getBlock('latest'))!
    const bill = await billOf(chain, { verifier: company, period: periodOf(timestamp) })
    expect(bill.lines.map(({ use, amount }) => [use, amount > 0n])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, true],
    ])
    expect(bill.wrong).toEqual([])
    expect(node.output()).toContain(`4 checks, 3 free, 0.00${bill.total} credits`)
  })

  test('can be taken again, with another holder and other licences', async () => {
    outcome = await runTour({
      url: node.url,
      cast,
      print: (line) => void told.push(line),
      nowMs: Date.now,
    })
    expect(outcome).toMatchObject({ identityState: 'active', first: 2n, renewed: 3n })
  })

  test('checks well what is in force, and refuses the old one and the suspended one', () => {
    const { firstCheck, oldCheck, suspendedCheck, liftedCheck } = outcome
    const well = { ok: true, issuer: { ok: true }, status: { ok: true }, holder: { ok: true } }
    expect(firstCheck).toMatchObject({ ...well, number: 2n })
    expect(liftedCheck).toMatchObject({ ...well, number: 3n })
    expect(oldCheck).toMatchObject({ ok: false, status: { ok: false, reason: 'lapsed' } })
    expect(suspendedCheck).toMatchObject({ ok: false, status: { ok: false, reason: 'suspended' } })
  })

  test('shows codes that one QR code holds, offline ones too, and each once', () => {
    const { codeBytes, offlineBytes, offlineRefusal, replayRefusal } = outcome
    expect(codeBytes).toBeGreaterThan(500)
    expect(offlineBytes).toBeGreaterThan(codeBytes)
    expect(offlineBytes).toBeLessThan(CODE_BYTES_MAX)
    expect([offlineRefusal, replayRefusal]).toEqual([undefined, 'replayed'])
  })

  test('bills what it charged, and the holder alone sees who checked', () => {
    const { bill, paid, seen, seenByOthers } = outcome
    expect(bill.lines).toHaveLength(8)
    expect(bill.wrong).toEqual([])
    // The second tour has no free uses left.
    const own = bill.lines.slice(4).reduce((sum, { charged }) => sum + charged, 0n)
    expect(paid).toBe(own)
    expect(paid).toBeGreaterThan(0n)
    expect(seen.map(({ licence, verifier, result }) => [licence, verifier, result])).toEqual([
      [2n, cast.publicVerifier.code, 0],
      [2n, company, 0],
      [2n, company, 2],
      [3n, company, 2],
      [3n, company, 0],
    ])
    expect(seenByOthers).toBe(0)
  })

  test('says so where there is no node, and where the chain is another one', async () => {
    const nobody = await runCommand('tour', '--rpc', 'http://127.0.0.1:9')
    expect(nobody.code).toBe(1)
    expect(nobody.output).toContain('LICENCE_NODE_UNREACHABLE')
    expect(nobody.output).not.toContain('    at ')
    const stranger = { ...cast, issuer: { ...cast.issuer, code: '11220000013544541J' } }
    const ports = { url: node.url, print: () => {}, nowMs: Date.now }
    await expect(runTour({ ...ports, cast: stranger })).rejects.toMatchObject({
      code: 'LICENCE_CHAIN_ANSWER',
    })
  })
})

describe('privacy', () => {
  test('nothing of the person is in blocks, receipts or what was printed', async () => {
    const parts: string[] = []
    const height = await provider.getBlockNumber()
    for (let number = 0; number <= height; number++) {
      const tag = `0x${number.toString(16)}`
      const block = await node.call<object>('eth_getBlockByNumber', tag, true)
      const receipts = await node.call<object>('eth_getBlockReceipts', tag)
      parts.push(...hexIn([block, receipts]))
    }
    const bytes = Buffer.from(parts.join(''), 'hex')
    expect(bytes.includes(Buffer.from(company))).toBe(true)
    expect(findPersonalData(bytes, personalValues())).toEqual([])
    expect(findPersonalData(Buffer.from(told.join('\n')), personalValues())).toEqual([])
  })

  test('nothing of the person is in the database or any file of the node', async () => {
    expect(await node.stop()).toBe(0)
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    )
    for (const { parentPath, name } of files) {
      const found = findPersonalData(readFileSync(join(parentPath, name)), personalValues())
      expect(found, join(parentPath, name)).toEqual([])
    }
    // Record by record too: in files a record may be cut in two.
    const store = await openLevel(join(directory, 'store'))
    const records: Uint8Array[] = []
    for await (const [key, value] of store.iterate({
      from: new Uint8Array(),
      to: new Uint8Array(64).fill(0xff),
    }))
      records.push(key, value)
    await store.close()
    const bytes = Buffer.concat(records)
    expect(bytes.includes(Buffer.from(company))).toBe(true)
    expect(findPersonalData(bytes, personalValues())).toEqual([])
  })
})

test('a chain that has had its tour starts without, and shows it when it is asked to', async () => {
  node = await startWithTour(directory)
  const asked = await runCommand('tour', '--rpc', node.url)
  expect(asked.code, asked.output).toBe(0)
  expect(asked.output).toMatch(END)
  expect(asked.output).toContain('licence 4 is offered')
  // Had the start taken one as well, it would have begun before.
  expect(node.output()).not.toContain('Register')
  const again = new JsonRpcProvider(node.url)
  const licences = createLicenceDirectory(createChainReader(again))
  expect(await licences.statusOf(5n)).toBe('InForce')
  await expect(licences.statusOf(6n)).rejects.toMatchObject({
    details: { error: 'LicenceUnknown' },
  })
  again.destroy()
})

/** The holder's fields. Their numbers and words are long enough to be found nowhere by chance. */
function personalValues(): Record<string, string> {
  const shape = { issuer: cast.issuer.code, serial: '123456789', version: 1, now: 1_790_000_000 }
  const { holderName, holderCode, number, body }: LicenceData = tourLicence(shape)
  expect(holderCode).toBe(TOUR_PERSON.number)
  return {
    holderName,
    holderCode,
    number,
    birth: '19800101',
    ...(body as Record<string, string>),
  }
}

/** All bytes that stand in hex anywhere in some JSON. */
function hexIn(value: unknown): string[] {
  if (typeof value === 'string') {
    const digits = /^0x([0-9a-f]*)$/.exec(value)?.[1] ?? ''
    return [digits.length % 2 === 0 ? digits : `0${digits}`]
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(hexIn)
}
