/** A verifier's trust follows the validators of a network of processes, on a chain whose headers name it. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { followValidators, gatherValidatorHeaders } from '@vellum/licence'
import { type CommandPorts, LIBRARY_COMMANDS } from '@vellum/licence/cli'
import { JsonRpcProvider } from 'ethers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createRunningNetwork,
  type NetworkProcess,
  type RunningNetwork,
} from '../drill/running-network.ts'
import { temporaryDirectory } from './running-node.ts'

const VALIDATORS = 4
const POLL_MS = 50
const directory = temporaryDirectory()
const files = new Map<string, string>()
const lines: string[] = []
let network: RunningNetwork
let late = 0

const ports: CommandPorts = {
  print: (line) => void lines.push(line),
  nowMs: () => Date.now() + late,
  readText: (path) => files.get(path)!,
  readTextIfThere: (path) => files.get(path),
  createText: (path, text) => void files.set(path, text),
  replaceText: (path, text) => void files.set(path, text),
  openKey: () => Promise.reject(new Error('no key is needed')),
  openStore: () => {
    throw new Error('no store is needed')
  },
}

async function run(line: string, node: NetworkProcess): Promise<string> {
  lines.length = 0
  const command = LIBRARY_COMMANDS.licence(ports)
  await command.parseAsync([...line.split(' '), '--rpc', node.url], { from: 'user' })
  return lines.join('\n')
}

const trust = () =>
  JSON.parse(files.get('trust.json')!) as {
    domain: string
    validators: { from: number; set: string[] }[]
  }

beforeAll(async () => {
  network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: VALIDATORS,
    followers: 1,
    chainId: 20_262,
    requestTimeout: 1,
  })
  for (const { folder } of network.nodes) {
    const path = join(folder, 'genesis.json')
    const genesis = JSON.parse(readFileSync(path, 'utf8')) as { config: { vellum?: object } }
    genesis.config.vellum = { ...genesis.config.vellum, chainDomain: true }
    writeFileSync(path, JSON.stringify(genesis))
  }
  for (const node of network.nodes) {
    node.configure((config) => {
      config.blocks = { ...config.blocks, heartbeatMs: 200 }
    })
  }
  await Promise.all(network.nodes.map((node) => node.start()))
})

afterAll(async () => {
  await network.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Votes of all until the set has changed. */
async function change(subject: NetworkProcess, isWanted: boolean): Promise<void> {
  const [first] = network.nodes as [NetworkProcess]
  for (const node of network.nodes.slice(0, VALIDATORS)) {
    if (node !== subject) await node.call('qbft_proposeValidatorVote', subject.address, isWanted)
  }
  const isIn = async (): Promise<boolean> =>
    (await first.call<string[]>('qbft_getValidatorsByBlockNumber', 'latest')).includes(
      subject.address,
    )
  while ((await isIn()) !== isWanted) await delay(POLL_MS)
}

test('trust is followed over two changes, by what any node tells, and no further than it may be', async () => {
  const [first, second] = network.nodes as [NetworkProcess, NetworkProcess]
  const follower = network.nodes[VALIDATORS]!
  while (Number(await first.call('eth_blockNumber')) < 2) await delay(POLL_MS)
  await run('trust --out trust.json', first)
  const genesis = await first.call<{ hash: string }>('eth_getBlockByNumber', '0x0', false)
  expect(trust().domain).toBe(genesis.hash)
  const before = files.get('trust.json')!

  await change(follower, true)
  await change(second, false)
  expect(await run('trust-update trust.json', follower)).toMatch(
    /^5 validators.*\n4 validators.*\n2 changes/,
  )
  const { validators } = trust()
  expect(validators.map(({ set }) => set.length)).toEqual([4, 5, 4])
  expect(validators[2]!.set).toContain(follower.address)
  expect(validators[2]!.set).not.toContain(second.address)
  for (const { from, set } of validators.slice(1)) {
    const block = `0x${from.toString(16)}`
    const previous = `0x${(from - 1).toString(16)}`
    expect(await first.call('qbft_getValidatorsByBlockNumber', block)).toEqual(set)
    expect(await first.call('qbft_getValidatorsByBlockNumber', previous)).not.toEqual(set)
  }
  expect(await run('trust-update trust.json', first)).toMatch(/^0 changes/)

  // What was gathered is refused by whoever trusts another chain or somebody else.
  const provider = new JsonRpcProvider(follower.url, 20_262, { staticNetwork: true })
  const file = JSON.parse(before) as ReturnType<typeof trust> & { registry: string; asOf: number }
  const chain = { ...file, chainId: 20_262n }
  const headers = await gatherValidatorHeaders(provider, file.validators[0]!.from)
  provider.destroy()
  const rule = { now: Math.floor(Date.now() / 1_000), trustSeconds: 3_600 }
  expect(followValidators(chain, headers, rule).ok).toBe(true)
  expect(followValidators({ ...chain, domain: undefined }, headers, rule)).toEqual({
    ok: false,
    reason: 'header of another chain',
  })
  const others = file.validators.map(({ from, set }) => ({
    from,
    set: set.map((each) => `0x${'0'.repeat(8)}${each.slice(10)}`),
  }))
  expect(followValidators({ ...chain, validators: others }, headers, rule)).toEqual({
    ok: false,
    reason: 'too few trusted seals',
  })

  files.set('trust.json', before)
  late = 91 * 86_400_000
  await expect(run('trust-update trust.json', first)).rejects.toMatchObject({
    details: { reason: 'trust too old' },
  })
  expect(files.get('trust.json')).toBe(before)
})
