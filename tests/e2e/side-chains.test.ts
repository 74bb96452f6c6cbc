/** A network whose nodes serve main and side chains: four validators in processes of their own. */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DEV_ACCOUNTS } from '@vellum/node'
import { JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  callRpc,
  createRunningNetwork,
  type NetworkProcess,
  type RunningNetwork,
} from '../drill/running-network.ts'
import { runCommand, temporaryDirectory } from './running-node.ts'

const CHAIN_ID = 1337
const SIDES = ['business-licence', 'health-licence']
const CHAINS = ['main', ...SIDES]
const CATCH_UP_MS_MAX = 30_000
/** As often as blocks come here; and no answers of a moment ago. */
const POLLING = { pollingInterval: 100, cacheTimeout: -1 }

const directory = temporaryDirectory()
let network: RunningNetwork
let nodes: readonly NetworkProcess[]

interface ChainLine {
  readonly name: string
  readonly state: string
  readonly reason: string | null
  readonly genesis: string | null
}

beforeAll(async () => {
  network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: 4,
    chainId: CHAIN_ID,
    sideChains: SIDES,
  })
  nodes = network.nodes
  await Promise.all(nodes.map((node) => node.start()))
})

afterAll(async () => {
  await network.stop()
  rmSync(directory, { recursive: true, force: true })
})

function on<Result>(
  node: NetworkProcess,
  chain: string,
  method: string,
  ...params: unknown[]
): Promise<Result> {
  return callRpc(`${node.url}/chain/${chain}`, method, params)
}

async function height(node: NetworkProcess, chain: string): Promise<number> {
  return Number(await on<string>(node, chain, 'eth_blockNumber'))
}

/** Sends a transaction over a node, and waits for its block. @returns the block's number */
async function transact(node: NetworkProcess, chain: string): Promise<number> {
  const provider = new JsonRpcProvider(`${node.url}/chain/${chain}`, undefined, POLLING)
  try {
    const wallet = new Wallet(DEV_ACCOUNTS[5]!.privateKey, provider)
    const sent = await wallet.sendTransaction({ to: wallet.address, value: 0n, gasPrice: 0n })
    return (await sent.wait())!.blockNumber
  } finally {
    provider.destroy()
  }
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + CATCH_UP_MS_MAX
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${CATCH_UP_MS_MAX} ms`)
    await delay(50)
  }
}

/** All nodes that run have the same block. */
async function expectSame(chain: string, number: number): Promise<void> {
  const hashes = new Set<string>()
  for (const node of nodes) {
    if (!node.isRunning) continue
    await until(async () => (await height(node, chain)) >= number, `${node.name} has ${chain}`)
    const tag = `0x${number.toString(16)}`
    const block = await on<{ hash: string }>(node, chain, 'eth_getBlockByNumber', tag, false)
    hashes.add(block.hash)
  }
  expect(hashes.size, chain).toBe(1)
}

function chainsOf(node: NetworkProcess): Promise<readonly ChainLine[]> {
  return callRpc(node.url, 'admin_chains', [])
}

describe('a network with side chains', () => {
  it('serves each chain at its path, with its own chain id, and main at / too', async () => {
    const ids = CHAINS.map(async (chain) =>
      Number(await on<string>(nodes[1]!, chain, 'eth_chainId')),
    )
    expect(await Promise.all(ids)).toEqual([1337, 133_701, 133_702])
    expect(Number(await nodes[1]!.call('eth_chainId'))).toBe(1337)
    expect((await chainsOf(nodes[2]!)).map(({ name, state }) => [name, state])).toEqual(
      CHAINS.map((name) => [name, 'serving']),
    )
    const genesis = new Set(
      await Promise.all(nodes.map(async (node) => JSON.stringify(await chainsOf(node)))),
    )
    expect(genesis.size).toBe(1)
  })

  it('makes blocks on each chain alone, and all nodes have them', async () => {
    for (const [i, chain] of CHAINS.entries()) {
      const before = await Promise.all(CHAINS.map((each) => height(nodes[0]!, each)))
      const number = await transact(nodes[i]!, chain)
      await expectSame(chain, number)
      const after = await Promise.all(CHAINS.map((each) => height(nodes[0]!, each)))
      expect(after.map((each, at) => each > before[at]!)).toEqual(
        CHAINS.map((each) => each === chain),
      )
    }
  })

  it('takes a transaction of one chain on no other', async () => {
    const provider = new JsonRpcProvider(`${nodes[0]!.url}/chain/health-licence`)
    const wallet = new Wallet(DEV_ACCOUNTS[6]!.privateKey, provider)
    const raw = await wallet.signTransaction(
      await wallet.populateTransaction({ to: wallet.address, value: 0n, gasPrice: 0n }),
    )
    provider.destroy()
    for (const chain of ['main', 'business-licence']) {
      await expect(on(nodes[0]!, chain, 'eth_sendRawTransaction', raw)).rejects.toThrow('chain id')
    }
  })

  it('goes on everywhere without one node, whose chains all catch up after kill -9', async () => {
    const [killed, alive] = [nodes[3]!, nodes[0]!]
    await killed.end('SIGKILL')
    const numbers = new Map<string, number>()
    for (const chain of CHAINS) numbers.set(chain, await transact(alive, chain))
    await killed.start()
    for (const chain of CHAINS) {
      await expectSame(chain, numbers.get(chain)!)
      // It votes, too: without another one blocks need it.
      await until(async () => {
        const status = await on<{ quorum: { live: number } }>(
          alive,
          chain,
          'vellum_consensusStatus',
        )
        return status.quorum.live === 4
      }, `${chain} has four live validators`)
    }
  })

  it('needs no side chain to go on: a damaged one is told of, and main is served', async () => {
    const node = nodes[2]!
    await node.end('SIGTERM')
    const folder = join(node.folder, 'data/chains/health-licence')
    const head = readFileSync(join(folder, 'head'))
    rmSync(join(folder, 'head'))
    await node.start()
    const health = (await chainsOf(node)).find(({ name }) => name === 'health-licence')!
    expect(health.state).toBe('failed')
    expect(health.reason).toContain('head')
    expect(node.output()).toContain('NOT SERVED')
    expect((await fetch(`${node.url}/chain/health-licence`, { method: 'POST' })).status).toBe(404)
    const metrics = metricsOf(node)
    expect((await fetch(`${metrics}/readiness/health-licence`)).status).toBe(503)
    expect((await fetch(`${metrics}/liveness`)).status).toBe(200)
    expect(await (await fetch(`${metrics}/metrics`)).text()).toContain(
      'vellum_chain_up{chain="health-licence"} 0',
    )
    for (const chain of CHAINS) {
      const number = await transact(nodes[0]!, chain)
      if (chain !== 'health-licence')
        await until(async () => (await height(node, chain)) >= number, chain)
    }
    // Mended, it is served again without a start of the node.
    writeFileSync(join(folder, 'head'), head)
    await callRpc(node.url, 'admin_addChain', [{ name: 'health-licence' }])
    await expectSame('health-licence', await height(nodes[0]!, 'health-licence'))
  })

  it('verifies and exports the blocks of one chain of a directory', async () => {
    const node = nodes[1]!
    await node.end('SIGTERM')
    const data = join(node.folder, 'data')
    const file = join(directory, 'health.rlp')
    for (const args of [
      ['verify', '--chain', 'health-licence', '--data-dir', data],
      ['export', file, '--chain', 'health-licence', '--data-dir', data],
    ]) {
      const { code, output } = await runCommand(...args)
      expect(code, output).toBe(0)
      expect(output).toMatch(/blocks:? 0 to|blocks 1 to/)
    }
    const wrong = await runCommand('verify', '--chain', 'nothing', '--data-dir', data)
    expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining('nothing') })
    await node.start()
  })
})

describe('side chains that come and go', () => {
  const all = (): string[] => nodes.map(({ url }) => url)

  it('a trial is made, used and thrown away, and nothing of it is left on main or on disk', async () => {
    const before = await mainFacts()
    const made = await runCommand('sidechain', 'trial', 'fishing', '--rpc', ...all())
    expect(made.code, made.output).toBe(0)
    expect(made.output).toContain('validators are there')
    await expectSame('fishing', await transact(nodes[0]!, 'fishing'))
    await nodes[1]!.end('SIGKILL')
    await nodes[1]!.start()
    await expectSame('fishing', await transact(nodes[1]!, 'fishing'))
    const gone = await runCommand('sidechain', 'trial', 'fishing', '--discard', '--rpc', ...all())
    expect(gone.code, gone.output).toBe(0)
    expect(await mainFacts()).toEqual(before)
    for (const node of nodes) {
      expect(readdirSync(join(node.folder, 'data/chains')).sort()).toEqual(SIDES)
      await expect(on(node, 'fishing', 'eth_chainId')).rejects.toThrow()
      // Main's, those of two side chains, and the note of what was discarded.
      const votes = readdirSync(join(node.folder, 'keystore')).filter(
        (name) => name.startsWith('votes-') && !name.endsWith('.lock'),
      )
      expect(votes).toHaveLength(1 + SIDES.length + 1)
    }
    await transact(nodes[2]!, 'main')
  })

  it('a chain is made, attached by the council, not thrown away as a trial, and retired', async () => {
    const out = join(directory, 'hunting.json')
    const made = await runCommand('sidechain', 'create', 'hunting', '--out', out, '--rpc', ...all())
    expect(made.code, made.output).toBe(0)
    expect(existsSync(out)).toBe(true)
    const attach = ['sidechain', 'attach', 'hunting', '--rpc', nodes[0]!.url]
    const wrongKey = await runCommand(...attach)
    expect(wrongKey).toMatchObject({ code: 1, output: expect.stringContaining('council') })
    const attached = await runCommand(...attach, '--dev')
    expect(attached.code, attached.output).toBe(0)
    expect(attached.output).toContain('is attached')
    expect((await runCommand(...attach, '--dev')).output).toContain('attached already')
    const listed = await runCommand('sidechain', 'list', '--rpc', nodes[3]!.url)
    expect(listed.output).toMatch(/hunting .*followed by main, channel open/)
    const discard = await runCommand(
      'sidechain',
      'trial',
      'hunting',
      '--discard',
      '--rpc',
      ...all(),
    )
    expect(discard).toMatchObject({ code: 1, output: expect.stringContaining('retire') })
    const retire = ['sidechain', 'retire', 'hunting', '--dev', '--rpc', ...all()]
    const retired = await runCommand(...retire)
    expect(retired.code, retired.output).toBe(0)
    const again = await runCommand('sidechain', 'list', '--rpc', nodes[3]!.url)
    expect(again.output).toMatch(/hunting .*taken off; its data are kept/)
    // It stays off after a start, and can be thrown away.
    await nodes[0]!.end('SIGTERM')
    await nodes[0]!.start()
    expect((await chainsOf(nodes[0]!)).find(({ name }) => name === 'hunting')?.state).toBe(
      'stopped',
    )
    await callRpc(nodes[0]!.url, 'admin_removeChain', ['hunting', true])
    expect(existsSync(join(nodes[0]!.folder, 'data/chains/hunting'))).toBe(false)
  })

  it('no two have one name, one chain id or one genesis; none can do without a domain', async () => {
    const node = nodes[0]!
    const genesis = JSON.parse(
      readFileSync(join(node.folder, 'chains/business-licence.json'), 'utf8'),
    ) as { config: { chainId: number; vellum: { chainDomain?: boolean } } }
    const add = (name: string, given?: object): Promise<unknown> =>
      callRpc(node.url, 'admin_addChain', [{ name, ...(given && { genesis: given }) }])
    const folders = (): string[] => readdirSync(join(node.folder, 'data/chains')).sort()
    const before = folders()
    await expect(add('business-licence', genesis)).rejects.toThrow('served already')
    await expect(add('copy', genesis)).rejects.toThrow('chain id 133701')
    const { vellum } = genesis.config
    const other = { ...genesis, config: { ...genesis.config, chainId: 4_242 } }
    await expect(add('copy', other)).rejects.toThrow('it is the chain that is served as')
    const open = { ...other, timestamp: '0x1' }
    const { chainDomain: _, ...rest } = vellum
    const foreign = { ...open, config: { ...open.config, vellum: rest } }
    await expect(add('copy', foreign)).rejects.toThrow('chainDomain')
    await expect(add('main', open)).rejects.toThrow('cannot be its name')
    await expect(add('../main', open)).rejects.toThrow('cannot be its name')
    await expect(add('nothing')).rejects.toThrow('give its genesis')
    await expect(add('copy', { config: {} })).rejects.toThrow('genesis')
    expect(folders()).toEqual(before)
  })
})

/** What a trial must not change. */
async function mainFacts(): Promise<unknown> {
  const { stateRoot, number } = await on<{ stateRoot: string; number: string }>(
    nodes[0]!,
    'main',
    'eth_getBlockByNumber',
    'latest',
    false,
  )
  return { stateRoot, number }
}

function metricsOf(node: NetworkProcess): string {
  return `http://127.0.0.1:${node.rpcPort + 1_000}`
}
