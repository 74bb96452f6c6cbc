/** The relayer as a process of its own, between chains of a node: killed at each step, and two at once. */

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ADDRESSES } from '@vellum/contracts'
import { hexToBytes } from '@vellum/evm'
import { addressOfPublicKey } from '@vellum/ledger'
import { DEV_ACCOUNTS, encryptKeystore, loadSystemCrypto } from '@vellum/node'
import { Contract, id, JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  printed,
  type RunningNode,
  startNode,
  startRelay,
  temporaryDirectory,
} from './running-node.ts'

/** Kills at each step; set higher for the long form. */
const KILLS = Number(process.env.VELLUM_RELAY_KILLS ?? 1)
const SIDE = 'business-licence'
const SIDE_ID = 133_701
const PASSWORD = 'a password of many words'
/** Guessed fast: a test does not wait. */
const LIGHT = { n: 2 ** 12, r: 8, p: 6 }
/** Far below the time after which a relayer counts again. */
const THROUGH_MS_MAX = 20_000

const directory = temporaryDirectory()
let node: RunningNode
let user: Wallet
let vault: Contract
let gateway: Contract
let sideCredit: Contract
/** Locked so far. */
let total = 0n

beforeAll(async () => {
  const config = join(directory, 'node.json')
  writeFileSync(config, JSON.stringify({ relay: { enabled: false } }))
  const dataDir = join(directory, 'data')
  node = await startNode(dataDir, '--side-chains', SIDE, '--config', config)
  await printed(node, /is attached/)
  const main = new JsonRpcProvider(node.url, undefined, {
    pollingInterval: 50,
    // Or else two transactions in a row get one nonce.
    cacheTimeout: -1,
  })
  const side = new JsonRpcProvider(`${node.url}/chain/${SIDE}`)
  user = new Wallet(DEV_ACCOUNTS[5]!.privateKey, main)
  const credit = new Contract(
    ADDRESSES.serviceCredit,
    ['function approve(address,uint256)', 'function balanceOf(address) view returns (uint256)'],
    user,
  )
  vault = new Contract(
    ADDRESSES.creditBridge,
    ['function lock(uint64,address,uint256,uint64)'],
    user,
  )
  gateway = new Contract(
    ADDRESSES.pegGateway,
    [
      'function sentCount(uint64) view returns (uint64)',
      'function outboxOf(uint64,uint64) view returns (bytes32)',
    ],
    main,
  )
  sideCredit = credit.connect(side) as Contract
  await (await credit.getFunction('approve')(ADDRESSES.creditBridge, 2n ** 200n)).wait()
  for (const name of ['one', 'two']) {
    const key = hexToBytes(id(`relayer ${name}`) as `0x${string}`)
    const { crypto } = loadSystemCrypto()
    const address = addressOfPublicKey(crypto.publicKey(key))
    const password = new TextEncoder().encode(PASSWORD)
    const keystore = await encryptKeystore(key, { address, password }, LIGHT)
    writeFileSync(join(directory, `${name}.json`), keystore, { mode: 0o600 })
  }
  writeFileSync(join(directory, 'password'), PASSWORD, { mode: 0o600 })
})

afterAll(async () => {
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

function relay(name: string, ...flags: readonly string[]): RunningNode {
  return startRelay(
    ...['--main', node.url, '--side', SIDE, '--keystore', join(directory, `${name}.json`)],
    ...['--password-file', join(directory, 'password'), '--accept-weak-keystore'],
    ...flags,
  )
}

async function lock(amount: bigint): Promise<void> {
  await (await vault.getFunction('lock')(SIDE_ID, user.address, amount, 0)).wait()
  total += amount
}

/** Messages of main without an outcome. */
async function open(): Promise<number> {
  const sent: bigint = await gateway.getFunction('sentCount')(SIDE_ID)
  const all = Array.from({ length: Number(sent) }, (_, i) => i + 1)
  const ids = await Promise.all(all.map((each) => gateway.getFunction('outboxOf')(SIDE_ID, each)))
  return ids.filter((each: string) => BigInt(each) !== 0n).length
}

/** Milliseconds until every message of main has had its outcome. */
async function through(): Promise<number> {
  const began = performance.now()
  while ((await open()) > 0) {
    if (performance.now() - began > THROUGH_MS_MAX) throw new Error('it does not get through')
    await delay(50)
  }
  return performance.now() - began
}

async function expectWhole(): Promise<void> {
  expect(await sideCredit.getFunction('balanceOf')(user.address)).toBe(total)
  const [audit] = await node.call<{ ok: boolean; locked: string }[]>('peg_audit')
  expect(audit).toMatchObject({ ok: true, locked: `0x${total.toString(16)}` })
}

describe('vellum relay', () => {
  it('carries a message and its outcome in less than two seconds', async () => {
    const relayer = relay('one')
    await printed(relayer, /relaying as/)
    await lock(5n)
    const first = await through()
    await lock(7n)
    const ms = await through()
    await expectWhole()
    expect(Math.min(first, ms)).toBeLessThan(2_000)
    expect(await relayer.stop()).toBe(0)
  })

  it.for([
    'observed',
    'launching',
    'headers planned',
    'proofs built',
    'tried',
    'submitting',
    'landed',
  ])('killed when it comes to the step: %s', async (step) => {
    for (let run = 0; run < KILLS; run++) {
      const killed = relay('one', '--exit-at', `${step}:${1 + (run % 2)}`)
      await printed(killed, /relaying as/)
      const ended = new Promise((resolve) => killed.process.once('close', resolve))
      await lock(1n)
      await lock(2n)
      await ended
      expect(killed.process.signalCode).toBe('SIGKILL')
      const next = relay('one')
      await through()
      await expectWhole()
      await next.stop()
    }
  })

  it('two of them race, and each message has one effect', async () => {
    const both = [relay('one'), relay('two')]
    await Promise.all(both.map((each) => printed(each, /relaying as/)))
    for (let i = 1n; i <= 10n; i++) await lock(i)
    await through()
    await expectWhole()
    for (const each of both) expect(await each.stop()).toBe(0)
  })
})
