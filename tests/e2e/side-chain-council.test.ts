/** A side chain of a network whose council has several members, and takes its time. */

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ADDRESSES } from '@vellum/contracts'
import { DEV_ACCOUNTS } from '@vellum/node'
import { Contract, JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createRunningNetwork,
  type NetworkProcess,
  type RunningNetwork,
} from '../drill/running-network.ts'
import { runCommand, temporaryDirectory } from './running-node.ts'

const DELAY_SECONDS = 3
/** Of main, whose side chain has two digits behind it. */
const CHAIN_ID = 1337
const SIDE_CHAIN_ID = 133_701
/** Members of the council, and the one who has credit; by their keystores of `account dev-keys`. */
const [MEMBERS, PAYER] = [['root', 'registrar'], DEV_ACCOUNTS[5]!]

const directory = temporaryDirectory()
let network: RunningNetwork
let node: NetworkProcess

const keystoreOf = (name: string): string[] => [
  ...['--keystore', join(directory, 'keys', `${name}.json`)],
  ...['--password-file', join(directory, 'keys', 'password')],
]

beforeAll(async () => {
  const keys = await runCommand('account', 'dev-keys', join(directory, 'keys'))
  expect(keys.code, keys.output).toBe(0)
  const contracts = join(directory, 'contracts.json')
  const [, root, registrar] = DEV_ACCOUNTS.map(({ address }) => address)
  writeFileSync(
    contracts,
    JSON.stringify({
      council: { members: [root, registrar], threshold: 2, delaySeconds: DELAY_SECONDS },
      credit: { [PAYER.address]: '1000000' },
    }),
  )
  network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: 1,
    chainId: CHAIN_ID,
    sideChains: ['fishing'],
    contracts,
  })
  node = network.nodes[0]!
  // What is sent stays on its way.
  node.configure((config) => void Object.assign(config, { relay: { enabled: false } }))
  await node.start()
})

afterAll(async () => {
  await network.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Runs a command of one member of the council after another, as far as each can. */
async function decide(words: readonly string[], done: RegExp): Promise<void> {
  const [first, second] = MEMBERS as [string, string]
  const run = (member: string): ReturnType<typeof runCommand> =>
    runCommand('sidechain', ...words, ...keystoreOf(member), '--rpc', node.url)
  const proposed = await run(first)
  expect(proposed.code, proposed.output).toBe(0)
  expect(proposed.output).toContain('1 more of the council must approve')
  expect(proposed.output).not.toMatch(done)
  // The same member once more changes nothing.
  expect((await run(first)).output).toContain('1 more of the council must approve')
  const approved = await run(second)
  expect(approved.code, approved.output).toBe(0)
  expect(approved.output).toContain('runs this command again')
  expect(approved.output).not.toMatch(done)
  await delay((DELAY_SECONDS + 1) * 1_000)
  const executed = await run(first)
  expect(executed.code, executed.output).toBe(0)
  expect(executed.output).toMatch(done)
}

describe('a side chain and a council of two, with a delay', () => {
  it('is attached when both have approved and the delay is over', async () => {
    const stranger = await runCommand(
      ...['sidechain', 'attach', 'fishing', ...keystoreOf('holder'), '--rpc', node.url],
    )
    expect(stranger).toMatchObject({ code: 1, output: expect.stringContaining('no member') })
    await decide(['attach', 'fishing'], /fishing .* is attached/)
    const listed = await runCommand('sidechain', 'list', '--rpc', node.url)
    expect(listed.output).toMatch(/fishing .*followed by main, channel open/)
  }, 90_000)

  it('is followed again after a guardian froze it, when the council trusts one of its blocks', async () => {
    const provider = new JsonRpcProvider(node.url, undefined, {
      pollingInterval: 100,
      cacheTimeout: -1,
    })
    const client = new Contract(
      ADDRESSES.qbftLightClient,
      [
        'function freezeClient(uint64)',
        'function stateRoot(uint64,uint64) view returns (bytes32)',
        'function latestHeight(uint64) view returns (uint64)',
      ],
      new Wallet(DEV_ACCOUNTS[1]!.privateKey, provider),
    )
    const nothing = await runCommand(
      ...['sidechain', 'revive', 'fishing', ...keystoreOf('root'), '--rpc', node.url],
    )
    expect(nothing.output).toContain('nothing to revive')
    await (await client.getFunction('freezeClient')(SIDE_CHAIN_ID, { gasPrice: 0n })).wait()
    const latest = await client.getFunction('latestHeight')(SIDE_CHAIN_ID)
    await expect(client.getFunction('stateRoot')(SIDE_CHAIN_ID, latest)).rejects.toThrow()
    await decide(['revive', 'fishing', '--block', '0'], /main follows fishing again/)
    expect(await client.getFunction('stateRoot')(SIDE_CHAIN_ID, 0)).toMatch(/^0x/)
    provider.destroy()
  }, 90_000)

  it('is not retired while credit is locked for it, unless that is insisted on', async () => {
    const provider = new JsonRpcProvider(node.url, undefined, {
      pollingInterval: 100,
      cacheTimeout: -1,
    })
    const payer = new Wallet(PAYER.privateKey, provider)
    const credit = new Contract(
      ADDRESSES.serviceCredit,
      ['function approve(address,uint256) returns (bool)'],
      payer,
    )
    const vault = new Contract(
      ADDRESSES.creditBridge,
      ['function lock(uint64,address,uint256,uint64) returns (bytes32)'],
      payer,
    )
    await (await credit.approve!(ADDRESSES.creditBridge, 700n, { gasPrice: 0n })).wait()
    const lock = await vault.lock!(SIDE_CHAIN_ID, payer.address, 700n, 0n, { gasPrice: 0n })
    await lock.wait()
    provider.destroy()
    const [member] = MEMBERS as [string]
    const retire = ['sidechain', 'retire', 'fishing', ...keystoreOf(member), '--rpc', node.url]
    const refused = await runCommand(...retire)
    expect(refused.code).toBe(1)
    expect(refused.output).toContain('locked on main for fishing: 700 millionths of a credit')
    expect(refused.output).toContain('on their way from main')
    expect(refused.output).toContain('nothing was done')
    await decide(['retire', 'fishing', '--force'], /does not follow fishing any more/)
    const listed = await runCommand('sidechain', 'list', '--rpc', node.url)
    expect(listed.output).toMatch(/fishing .*taken off/)
  }, 90_000)
})
