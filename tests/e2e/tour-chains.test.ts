/**
 * The tour over side chains, on a node in a process of its own that relays: what it says is so, by an
 * independent look at the chains; and the commands of side chains, one after another.
 */

import { rmSync } from 'node:fs'
import {
  createChainReader,
  createIdentityDirectory,
  createLicenceDirectory,
  createLicenceIndex,
  createPresenceDirectory,
} from '@vellum/licence'
import {
  type ChainsTourOutcome,
  type CommandPorts,
  LIBRARY_COMMANDS,
  runChainsTour,
  TOUR_PERSON,
  tourBusinessLicence,
  tourLicence,
} from '@vellum/licence/cli'
import { DEV_ACCOUNTS, DEV_ORGANISATIONS, DEV_SIDE_CHAIN_ID, DEV_SIDE_CHAINS } from '@vellum/node'
import { getBytes, JsonRpcProvider } from 'ethers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPersonalData } from '../licence/personal-data.ts'
import { printed, type RunningNode, startWithTour, temporaryDirectory } from './running-node.ts'

const END = /delivered and acknowledged in .*\n.*Each step/
const [BUSINESS, HEALTH] = [BigInt(DEV_SIDE_CHAIN_ID), BigInt(DEV_SIDE_CHAIN_ID + 1)]
/** What the network aims at, delivered and acknowledged; this machine is shared by other tests. */
const HOP_MS_MAX = 2_000

const keyOf = (account: string): string =>
  DEV_ACCOUNTS.find(({ address }) => address === account)!.privateKey
const member = ({ code, account }: { code: string; account: string }) => ({
  code,
  privateKey: keyOf(account),
})
const { root, registrar, issuer, publicVerifier, commercialVerifier } = DEV_ORGANISATIONS

let directory: string
let node: RunningNode
let outcome: ChainsTourOutcome
/** Main, and the two side chains. */
let providers: readonly JsonRpcProvider[]
const told: string[] = []

const urlOf = (side: string): string => `${node.url}/chain/${side}`

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startWithTour(directory, '--side-chains', DEV_SIDE_CHAINS.join(','))
  await printed(node, END)
  told.push(node.output())
  providers = [node.url, ...DEV_SIDE_CHAINS.map(urlOf)].map(
    (url) => new JsonRpcProvider(url, undefined, { cacheTimeout: -1, pollingInterval: 50 }),
  )
})

afterAll(async () => {
  for (const provider of providers) provider.destroy()
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('the tour over side chains', () => {
  test('ends the first start, and tells each step', () => {
    const output = node.output()
    const steps = [
      'Register',
      'Open',
      'Accredit',
      'Issue',
      'Accept',
      'List',
      'Credit',
      'Pay',
      'Withdraw',
      'Suspend',
      'Check',
    ]
    const places = steps.map((name) => output.search(new RegExp(`\\d s  ${name} `)))
    expect(places.every((place) => place >= 0)).toBe(true)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(output.match(/proven back after/g)).toHaveLength(6)
    expect(output.match(/checked with its validators alone/g)).toHaveLength(2)
    expect(output.match(/refused: suspended/g)).toHaveLength(2)
  })

  test('can be taken again, with another person, and each hop is proven in time', async () => {
    const [business, health] = DEV_SIDE_CHAINS.map((name) => ({ name, url: urlOf(name) })) as [
      { name: string; url: string },
      { name: string; url: string },
    ]
    outcome = await runChainsTour({
      url: node.url,
      sides: [business, health],
      cast: {
        root: member(root),
        registrar: member(registrar),
        issuer: member(issuer),
        publicVerifier: member(publicVerifier),
        commercialVerifier: member(commercialVerifier),
      },
      print: (line) => void told.push(line),
      nowMs: Date.now,
    })
    expect(outcome.licences).toEqual([
      { chainId: BUSINESS, number: 1n },
      { chainId: HEALTH, number: 1n },
    ])
    expect(outcome.listed.map(({ status, isAtHome }) => [status, isAtHome])).toEqual([
      ['InForce', true],
      ['InForce', true],
    ])
    expect(outcome.proofRefusals).toEqual([undefined, undefined])
    expect(outcome.charged).toBeGreaterThan(0n)
    expect(outcome.returned).toBe(outcome.moved - outcome.charged)
    for (const { status, presence } of outcome.suspended) {
      expect(status).toBe('Suspended')
      expect(presence).toMatchObject({ state: 'open', appliedState: 'suspended' })
    }
    for (const { ok, status } of outcome.refusals) {
      expect([ok, status]).toEqual([false, { ok: false, reason: 'suspended' }])
    }
    expect(outcome.hops).toHaveLength(6)
    const median = outcome.hops.map(({ backMs }) => backMs).sort((a, b) => a - b)[3]!
    expect(median).toBeLessThan(HOP_MS_MAX)
  })

  test('left on the chains what it told', async () => {
    const [main, ...sides] = providers.map((provider) => createChainReader(provider))
    const { holder } = outcome
    expect(await createIdentityDirectory(main!).stateOf(holder)).toBe('suspended')
    for (const [i, side] of sides.entries()) {
      expect(await createIdentityDirectory(side).stateOf(holder)).toBe('suspended')
      expect(await createLicenceDirectory(side).statusOf(1n)).toBe('Suspended')
      const presence = await createPresenceDirectory(main!).presenceOf(
        holder,
        BigInt(DEV_SIDE_CHAIN_ID + i),
      )
      expect(presence.applied).toBe(presence.claimed)
    }
    const listed = await createLicenceIndex(main!).licencesOf(holder)
    expect(listed.map(({ chainId, status }) => [chainId, status])).toEqual([
      [BUSINESS, 'Suspended'],
      [HEALTH, 'Suspended'],
    ])
    // Two tours have been paid for, and no more is locked than that.
    const [locked] = await main!.ask('creditVault', 'lockedFor', [HEALTH])
    const [supply] = await sides[1]!.ask('serviceCredit', 'totalSupply', [])
    expect(locked).toBe(supply)
    expect(locked).toBeGreaterThan(outcome.charged)
    expect((await main!.ask('creditVault', 'lockedFor', [BUSINESS]))[0]).toBe(0n)
  })

  test('nothing of the person is in blocks or receipts of any chain, or in what was printed', async () => {
    const shape = { issuer: issuer.code, serial: '123456789', version: 1, now: 1_790_000_000 }
    const values: Record<string, string> = { birth: '19800101' }
    for (const [i, data] of [tourLicence(shape), tourBusinessLicence(shape)].entries()) {
      const { holderName, holderCode, number, body } = data
      expect(holderCode).toBe(TOUR_PERSON.number)
      const fields = { holderName, holderCode, number, ...(body as Record<string, string>) }
      for (const [name, text] of Object.entries(fields)) values[`${name} ${i}`] = text
    }
    const parts: string[] = []
    for (const provider of providers) {
      const height = await provider.getBlockNumber()
      for (let number = 0; number <= height; number++) {
        const tag = `0x${number.toString(16)}`
        parts.push(...hexIn(await provider.send('eth_getBlockByNumber', [tag, true])))
        parts.push(...hexIn(await provider.send('eth_getBlockReceipts', [tag])))
      }
    }
    const bytes = Buffer.from(parts.join(''), 'hex')
    expect(bytes.includes(Buffer.from(commercialVerifier.code))).toBe(true)
    expect(findPersonalData(bytes, values)).toEqual([])
    expect(findPersonalData(Buffer.from(told.join('\n')), values)).toEqual([])
  })
})

describe('the commands of side chains', () => {
  const files = new Map<string, string>()
  const lines: string[] = []
  const keys: Readonly<Record<string, string>> = {
    'registrar.json': keyOf(registrar.account),
    'issuer.json': keyOf(issuer.account),
    'verifier.json': keyOf(commercialVerifier.account),
  }
  const ports: CommandPorts = {
    print: (line) => void lines.push(line),
    nowMs: Date.now,
    readText: (path) => files.get(path)!,
    readTextIfThere: (path) => files.get(path),
    createText: (path, text) => void files.set(path, text),
    replaceText: (path, text) => void files.set(path, text),
    openKey: async (keystore) => getBytes(keys[keystore]!),
    openStore: () => ({
      put: () => Promise.reject(new Error('no store')),
      get: async () => new Uint8Array(),
    }),
  }

  /** @param on name of a side chain; main unless told @returns what it printed */
  async function run(line: string, on?: string): Promise<string> {
    const [name, ...words] = line.split(' ')
    const command = LIBRARY_COMMANDS[name as keyof typeof LIBRARY_COMMANDS](ports)
    const url = on === undefined ? node.url : urlOf(on)
    const rpc = words[0] === 'check-proof' ? [] : ['--rpc', url]
    lines.length = 0
    await command.parseAsync([...words, ...rpc], { from: 'user' })
    return lines.join('\n')
  }

  test('list, prove and check the licences of a person', async () => {
    const { holder } = outcome
    const listed = await run(`licence list --holder ${holder}`)
    expect(listed).toMatch(
      /^chain 133701 licence 1: Suspended, .*\nchain 133702 licence 1: Suspended, .*\n2 licences$/,
    )
    await run('licence trust --out trust.json')
    await run('licence prove 133702 1 --out proof.json')
    const checked = await run('licence check-proof proof.json --trust trust.json')
    expect(checked).toMatch(/^chain 133702 licence 1: Suspended, .*\nas of block \d+ of the main/)
    const [trust, proof] = ['trust.json', 'proof.json'].map((path) => JSON.parse(files.get(path)!))
    files.set('other.json', JSON.stringify({ ...trust, domain: `0x${'12'.repeat(32)}` }))
    await expect(run('licence check-proof proof.json --trust other.json')).rejects.toMatchObject({
      details: { reason: 'header of another chain' },
    })
    files.set('changed.json', JSON.stringify({ ...proof, number: '0' }))
    await expect(run('licence check-proof changed.json --trust trust.json')).rejects.toMatchObject({
      details: { reason: 'licence not proven' },
    })
  })

  test('say where an identity is; reinstate it, and close it where nothing is in force', async () => {
    const { holder } = outcome
    expect(await run(`identity where ${holder}`)).toMatch(
      /^133701 {2}open, suspended by change \d+\n133702 {2}open, suspended by change \d+$/,
    )
    await run(`identity reinstate ${holder} --reason 1 --key registrar.json`)
    const closing = `identity close ${holder} --on 133701 --key registrar.json --wait`
    // It is refused there, and told anew that it is open.
    expect(await run(closing)).toMatch(/chain 133701 has applied it after .* s: active$/)
    expect(await run(`identity where ${holder}`)).toMatch(/^133701 {2}open, active/)
    await run('licence cancel 1 --reason 1 --key issuer.json', DEV_SIDE_CHAINS[0])
    await run(closing)
    expect(await run(`identity where ${holder}`)).toMatch(/^133702 /)
    expect(await run(`identity show ${holder}`, DEV_SIDE_CHAINS[0])).toContain('state     none')
    expect(await run(`identity show ${holder}`, DEV_SIDE_CHAINS[1])).toMatch(
      /identity {2}did:ethr:0x539:.*\nstate {5}active\nkey .* as the main chain told$/,
    )
    await run(`identity open ${holder} --on 133701 --key registrar.json --wait`)
    await expect(
      run(`identity open ${holder} --on 133701 --key registrar.json`),
    ).rejects.toMatchObject({ details: { error: 'AlreadyOpen' } })
    await expect(
      run(`identity resend ${holder} --on 133701 --key registrar.json`),
    ).rejects.toMatchObject({ details: { error: 'NothingToResend' } })
  })

  test('move credit to a side chain and back', async () => {
    const account = commercialVerifier.account
    await run('credit lock 2.5 --to 133701 --key verifier.json')
    await holds(async () =>
      (await run(`credit show ${account}`, DEV_SIDE_CHAINS[0])).includes('2.5'),
    )
    expect(await run('credit side 133701')).toMatch(/^locked {4}2\.5 credits\nmay move /)
    await run('credit withdraw 2.5 --key verifier.json --seconds 60', DEV_SIDE_CHAINS[0])
    await holds(async () => (await run('credit side 133701')).includes('locked    0.0 credits'))
    await expect(
      run('credit withdraw 2.5 --key verifier.json', DEV_SIDE_CHAINS[0]),
    ).rejects.toMatchObject({ details: { error: 'ERC20InsufficientBalance' } })
    await expect(run('credit lock 1 --to 99 --key verifier.json')).rejects.toMatchObject({
      details: { error: 'ChannelNotOpen' },
    })
  })

  test('transfer a licence to another side chain, which comes back as nobody is accredited there', async () => {
    const { holder } = outcome
    const chain = createChainReader(providers[2]!)
    const before = await createLicenceDirectory(chain).recordOf(1n)
    await run('licence transfer-out 1 --to 133701 --key issuer.json', DEV_SIDE_CHAINS[1])
    await holds(async () => (await createLicenceDirectory(chain).statusOf(1n)) === 'InForce')
    const operations = (await createLicenceDirectory(chain).historyOf(1n)).map(
      ({ operation }) => operation,
    )
    expect(operations.slice(-2)).toEqual([5, 10])
    expect(before.holder).toBe(holder)
    // Back at home, and main says so.
    const index = createLicenceIndex(createChainReader(providers[0]!))
    const [licence] = (await index.licencesOf(holder)).filter(({ chainId }) => chainId === HEALTH)
    expect([licence!.status, licence!.isAtHome]).toEqual(['InForce', true])
  })
})

/** Waits until something is so. */
async function holds(isSo: () => Promise<boolean>): Promise<void> {
  await expect.poll(isSo, { timeout: 20_000, interval: 50 }).toBe(true)
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
