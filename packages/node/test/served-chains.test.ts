import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOfPublicKey, signTransaction } from '@vellum/ledger'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { DEV_ACCOUNTS, devValidatorKey } from '../src/dev-chain.ts'
import { devGenesis } from '../src/dev-genesis.ts'
import { writeGenesisFile } from '../src/host/chain-commands.ts'
import { type LocalNode, openLocalChain } from '../src/host/local-node.ts'
import { MAIN_CHAIN } from '../src/host/observation.ts'
import { CHAINS_MAX, createServedChains, type ServedChains } from '../src/host/served-chains.ts'
import { openSharedParts, type SharedParts } from '../src/host/shared-parts.ts'
import { loadSystemCrypto } from '../src/host/system.ts'
import type { Logger } from '../src/ports.ts'

const { crypto } = loadSystemCrypto()
const VALIDATORS = [addressOfPublicKey(crypto.publicKey(devValidatorKey()))]
const progress = { bytes: () => () => {}, count: () => () => {} }

let dataDir: string
let shared: SharedParts
let main: LocalNode
let served: ServedChains
/** What clients can reach. */
let open: Map<string, LocalNode>
let refuseDoor: boolean
let errors: string[]

const log: Logger = {
  error: (message) => void errors.push(message),
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => log,
}

/** A genesis of its own for each number. */
function genesisOf(number: number): object {
  const genesis = devGenesis(VALIDATORS, undefined, { chainId: 5_000 + number, timestamp: number })
  const { config } = genesis as { config: object }
  return { ...genesis, config: { ...config, vellum: { chainDomain: true } } }
}

async function start(): Promise<void> {
  const config = parseConfig({ dataDir, blocks: { heartbeatMs: 0 } })
  shared = await openSharedParts({
    config,
    log,
    validatorKey: devValidatorKey(),
    isNetworked: false,
  })
  main = await openLocalChain({ name: MAIN_CHAIN, config, log, progress }, shared)
  open = new Map()
  served = createServedChains({
    main,
    shared,
    config,
    acceptVoteLoss: false,
    log,
    progress,
    door: {
      open: (chain) => {
        if (refuseDoor) throw new Error('the door is shut')
        open.set(chain.name, chain)
      },
      close: (name) => void open.delete(name),
    },
  })
  await main.node.start()
  await served.openAll()
}

async function stop(): Promise<void> {
  await served.close()
  await main.close()
  await shared.close()
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'vellum-served-'))
  refuseDoor = false
  errors = []
  await writeGenesisFile(dataDir, JSON.stringify(devGenesis(VALIDATORS)))
  await start()
})

afterEach(async () => {
  await stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function add(name: string, number: number): Promise<void> {
  const outcome = await served.add({ name, genesis: genesisOf(number), bootnodes: [] })
  expect(outcome).toMatchObject({ ok: true })
}

/** Sends a transaction; resolves with the number of its block. */
async function transact({ node, genesis }: LocalNode): Promise<number> {
  const { chain, backend } = node
  const account = DEV_ACCOUNTS[1]!
  const made = new Promise<number>((resolve) => {
    const undo = chain.onHead(({ block }) => {
      undo()
      resolve(block.header.number)
    })
  })
  const signed = signTransaction(
    {
      type: 2,
      chainId: genesis.chainId,
      nonce: backend.pool.nonce(account.address),
      gasLimit: 21_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: account.address,
      value: 0n,
      data: new Uint8Array(),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    Buffer.from(account.privateKey.slice(2), 'hex'),
    crypto,
  )
  await backend.pool.submit(signed.encoded)
  return made
}

function states(): (readonly [string, string])[] {
  return served.all().map(({ name, state }) => [name, state] as const)
}

function metric(line: RegExp): boolean {
  return line.test(shared.observation.metrics.text())
}

describe('the chains of a process', () => {
  it('come, make blocks, and are there again after a start', async () => {
    await add('fishing', 1)
    expect(await transact(open.get('fishing')!)).toBe(1)
    expect(await transact(main)).toBe(1)
    await stop()
    await start()
    expect(states()).toEqual([
      ['main', 'serving'],
      ['fishing', 'serving'],
    ])
    expect(open.get('fishing')!.node.chain.head().header.number).toBe(1)
    expect(served.chains().map(({ name }) => name)).toEqual(['main', 'fishing'])
  })

  it('a side chain that cannot write stops alone, is told of, and can be served again', async () => {
    const told: string[] = []
    served.onAdded(({ name }) => void told.push(`+${name}`))
    served.onRemoved(({ name }) => void told.push(`-${name}`))
    await add('fishing', 1)
    await add('hunting', 2)
    const fishing = open.get('fishing')!
    const { disk } = fishing.directory
    Object.assign(disk, { batch: () => Promise.reject(new Error('no space left on device')) })
    void transact(fishing).catch(() => {})
    await fishing.node.failed
    // What it leads to comes in its turn; this one comes after it.
    await served.remove('nothing', false)
    expect(states()).toEqual([
      ['main', 'serving'],
      ['fishing', 'failed'],
      ['hunting', 'serving'],
    ])
    expect(served.all()[1]!.reason).toContain('no space left')
    expect(errors.some((line) => line.includes('not served any more'))).toBe(true)
    expect([...open.keys()]).toEqual(['hunting'])
    expect(metric(/^vellum_chain_up\{chain="fishing"\} 0$/m)).toBe(true)
    expect(metric(/^vellum_chain_up\{chain="main"\} 1$/m)).toBe(true)
    expect(await transact(main)).toBe(1)
    expect(await transact(open.get('hunting')!)).toBe(1)
    expect(await served.add({ name: 'fishing', genesis: undefined, bootnodes: [] })).toMatchObject({
      ok: true,
    })
    expect(await transact(open.get('fishing')!)).toBe(1)
    expect(told).toEqual(['+fishing', '+hunting', '-fishing', '+fishing'])
  })

  it('a folder that is no chain is told of, and the others are served', async () => {
    await add('fishing', 1)
    await add('hunting', 2)
    await stop()
    writeFileSync(join(dataDir, 'chains/fishing/genesis.json'), '{')
    await start()
    expect(states()).toEqual([
      ['main', 'serving'],
      ['fishing', 'failed'],
      ['hunting', 'serving'],
    ])
    expect(metric(/^vellum_chain_up\{chain="fishing"\} 0$/m)).toBe(true)
    // It can be thrown away nevertheless.
    expect(await served.remove('fishing', true)).toEqual({ ok: true, value: undefined })
    expect(readdirSync(join(dataDir, 'chains'))).toEqual(['hunting'])
  })

  it('of two that want one name at once, one gets it', async () => {
    const outcomes = await Promise.all(
      [1, 2].map((number) =>
        served.add({ name: 'fishing', genesis: genesisOf(number), bootnodes: [] }),
      ),
    )
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false])
    expect(served.chains()[1]!.genesis.chainId).toBe(5_001n)
  })

  it('one that cannot be served leaves nothing behind', async () => {
    refuseDoor = true
    await expect(
      served.add({ name: 'fishing', genesis: genesisOf(1), bootnodes: [] }),
    ).rejects.toThrow('the door is shut')
    expect(states()).toEqual([['main', 'serving']])
    expect(existsSync(join(dataDir, 'chains'))).toBe(false)
    refuseDoor = false
    await add('fishing', 1)
  })

  it('taken off, it stays off after a start; its blocks are there when it is wanted again', async () => {
    await add('fishing', 1)
    await transact(open.get('fishing')!)
    expect(await served.remove('fishing', false)).toMatchObject({ ok: true })
    await stop()
    await start()
    expect(states()).toEqual([
      ['main', 'serving'],
      ['fishing', 'stopped'],
    ])
    await served.add({ name: 'fishing', genesis: undefined, bootnodes: [] })
    expect(open.get('fishing')!.node.chain.head().header.number).toBe(1)
    await stop()
    await start()
    expect(states()[1]).toEqual(['fishing', 'serving'])
  })

  it(`are ${CHAINS_MAX} at most`, async () => {
    for (let i = 1; i < CHAINS_MAX; i++) await add(`side-${i}`, i)
    expect(await served.add({ name: 'more', genesis: genesisOf(99), bootnodes: [] })).toEqual({
      ok: false,
      reason: `a node serves at most ${CHAINS_MAX} chains`,
    })
    for (let i = 1; i < CHAINS_MAX; i++) {
      expect(await transact(open.get(`side-${i}`)!)).toBe(1)
    }
  })

  it('never end main', async () => {
    expect(await served.remove('main', true)).toMatchObject({ ok: false })
    expect(await transact(main)).toBe(1)
  })
})
