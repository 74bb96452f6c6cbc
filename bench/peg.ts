/**
 * `pnpm bench peg`: messages between a main chain and a side chain of four validators each. Four processes
 * on this machine, each of which validates both chains with its own disk; two of them relay.
 *
 * Load: credit is locked on main by transactions signed ahead, sent in batches; the time is taken
 * from the first request until the sender's contract knows the outcome of the last message. Latency: one
 * message at a time, from sending its transaction until it is delivered, and until that is acknowledged.
 * The four and the client share the machine.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ADDRESSES } from '@vellum/contracts'
import { DEV_ACCOUNTS } from '@vellum/node'
import { Interface, Wallet } from 'ethers'
import {
  callRpc,
  createRunningNetwork,
  demand,
  type NetworkProcess,
  type RunningNetwork,
  runVellum,
} from '../tests/drill/running-network.ts'
import type { Report, RunOptions } from './table.ts'

const VALIDATORS = 4
const SIDE = 'business-licence'
const SIDE_ID = 133_701
const CHAIN_ID = 1337
const MESSAGES = 1_000
const CONNECTIONS = 2
/** Transactions in one request: what is measured is not the client. */
const TOGETHER = 50
const SAMPLES = 60
/** Between two samples: each finds idle chains. */
const REST_MS = 150
const POLL_MS = 5
const THROUGH_MS_MAX = 120_000
/** A message is proven twice, in two blocks of two chains, by validators that share two processors. */
const RATE_GOAL = 200
const DELIVERED_MS_GOAL = 150
const ACKNOWLEDGED_MS_GOAL = 250
const TAIL_MS_GOAL = 500

const VAULT = new Interface(['function lock(uint64,address,uint256,uint64)'])
const CREDIT = new Interface([
  'function approve(address,uint256)',
  'function balanceOf(address) view returns (uint256)',
])

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-peg-'))
  const network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: VALIDATORS,
    chainId: CHAIN_ID,
    sideChains: [SIDE],
  })
  try {
    progress(`starting ${VALIDATORS} validators of two chains`)
    await Promise.all(network.nodes.map((node) => node.start()))
    const user = new Wallet(DEV_ACCOUNTS[5]!.privateKey)
    await attach(network)
    await approve(network.nodes[0]!, user)
    progress(`${SAMPLES} messages one by one`)
    const samples = await sampleLatencies(network, user)
    progress(`${MESSAGES} messages at once`)
    const load = await underLoad(network, user, progress)
    return report(samples, load)
  } finally {
    await network.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function attach({ nodes }: RunningNetwork): Promise<void> {
  const [node] = nodes
  await runVellum(['sidechain', 'attach', SIDE, '--dev', '--rpc', node!.url])
}

interface Question {
  readonly chain: string
  readonly to: string
  readonly of: Interface
  readonly method: string
  readonly args: readonly unknown[]
}

async function ask(node: NetworkProcess, question: Question): Promise<bigint> {
  const { chain, to, of, method, args } = question
  const data = of.encodeFunctionData(method, [...args])
  const url = `${node.url}/chain/${chain}`
  const output = await callRpc<string>(url, 'eth_call', [{ to, data }, 'latest'])
  return of.decodeFunctionResult(method, output)[0] as bigint
}

function minted(node: NetworkProcess, user: Wallet): Promise<bigint> {
  const { serviceCredit: to } = ADDRESSES
  const args = [user.address]
  return ask(node, { chain: SIDE, to, of: CREDIT, method: 'balanceOf', args })
}

/** Messages of main whose outcome main knows, as a relaying node counts them. */
async function through({ nodes }: RunningNetwork): Promise<bigint> {
  const { channels } = await nodes[0]!.call<{
    channels: { sentCount: string; outgoing: { undelivered: string; unacknowledged: string } }[]
  }>('peg_status')
  const { sentCount, outgoing } = channels[0]!
  return BigInt(sentCount) - BigInt(outgoing.undelivered) - BigInt(outgoing.unacknowledged)
}

async function sign(user: Wallet, nonce: number, to: string, data: string): Promise<string> {
  return user.signTransaction({
    chainId: CHAIN_ID,
    nonce,
    to,
    data,
    gasLimit: 400_000,
    gasPrice: 0,
  })
}

function lock(user: Wallet, nonce: number): Promise<string> {
  const data = VAULT.encodeFunctionData('lock', [SIDE_ID, user.address, 1, 0])
  return sign(user, nonce, ADDRESSES.creditBridge, data)
}

async function approve(node: NetworkProcess, user: Wallet): Promise<void> {
  const data = CREDIT.encodeFunctionData('approve', [ADDRESSES.creditBridge, 2n ** 200n])
  const raw = await sign(user, 0, ADDRESSES.serviceCredit, data)
  await node.call('eth_sendRawTransactionSync', raw)
}

interface Sample {
  readonly deliveredMs: number
  readonly acknowledgedMs: number
}

/** Sent to one node, and looked for at another; its outcome at a third. */
async function sampleLatencies(network: RunningNetwork, user: Wallet): Promise<Sample[]> {
  const [, first, , last] = network.nodes
  const samples: Sample[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const raw = await lock(user, 1 + i)
    const [had, done] = await Promise.all([minted(last!, user), through(network)])
    const began = performance.now()
    await first!.call('eth_sendRawTransaction', raw)
    await until(async () => (await minted(last!, user)) > had)
    const deliveredMs = performance.now() - began
    await until(async () => (await through(network)) > done)
    samples.push({ deliveredMs, acknowledgedMs: performance.now() - began })
    await delay(REST_MS)
  }
  return samples
}

interface Load {
  readonly sentMs: number
  readonly deliveredMs: number
  readonly acknowledgedMs: number
}

async function underLoad(
  network: RunningNetwork,
  user: Wallet,
  progress: (line: string) => void,
): Promise<Load> {
  const [, first, , last] = network.nodes
  const raws: string[] = []
  for (let i = 0; i < MESSAGES; i++) raws.push(await lock(user, 1 + SAMPLES + i))
  const [had, done] = await Promise.all([minted(last!, user), through(network)])
  const began = performance.now()
  let next = 0
  const connection = async (): Promise<void> => {
    while (next < raws.length) {
      const some = raws.slice(next, next + TOGETHER)
      next += some.length
      const hashes = await demand(first!, 'eth_sendRawTransaction', some)
      if (!hashes.every((hash) => typeof hash === 'string'))
        throw new Error('a message was refused')
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  const sentMs = performance.now() - began
  let deliveredMs: number | undefined
  let shownAt = began
  await until(async () => {
    const now = performance.now()
    const delivered = (await minted(last!, user)) - had
    if (delivered >= BigInt(MESSAGES)) deliveredMs ??= performance.now() - began
    const acknowledged = (await through(network)) - done
    if (now - shownAt > 5_000) {
      shownAt = now
      progress(`${delivered} delivered, ${acknowledged} acknowledged`)
    }
    return acknowledged >= BigInt(MESSAGES)
  }, 100)
  return { sentMs, deliveredMs: deliveredMs!, acknowledgedMs: performance.now() - began }
}

async function until(holds: () => Promise<boolean>, pollMs = POLL_MS): Promise<void> {
  const began = performance.now()
  while (!(await holds())) {
    if (performance.now() - began > THROUGH_MS_MAX) throw new Error('it does not get through')
    await delay(pollMs)
  }
}

function report(samples: readonly Sample[], load: Load): Report {
  const at = (part: number, of: (sample: Sample) => number): number => {
    const sorted = samples.map(of).sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
  }
  const delivered = ({ deliveredMs }: Sample): number => deliveredMs
  const acknowledged = ({ acknowledgedMs }: Sample): number => acknowledgedMs
  const rate = (ms: number): number => (MESSAGES * 1_000) / ms
  const ms = { unit: 'ms', goalFor: 'ours at most' } as const
  const perSecond = { unit: 'messages/s', goalFor: 'ours' } as const
  return {
    name: 'peg',
    compared: [
      `main and a side chain of ${VALIDATORS} validators each, in ${VALIDATORS} processes on this machine, of which two relay`,
      `latency: ${SAMPLES} messages one by one; load: ${MESSAGES} messages at once`,
    ],
    rows: [
      { case: 'delivered, p50', ours: at(0.5, delivered), ...ms, goal: DELIVERED_MS_GOAL },
      { case: 'delivered, p99', ours: at(0.99, delivered), ...ms, goal: TAIL_MS_GOAL },
      { case: 'acknowledged, p50', ours: at(0.5, acknowledged), ...ms, goal: ACKNOWLEDGED_MS_GOAL },
      { case: 'acknowledged, p99', ours: at(0.99, acknowledged), ...ms, goal: TAIL_MS_GOAL },
      { case: 'committed at the source', ours: rate(load.sentMs), unit: 'messages/s' },
      { case: 'delivered', ours: rate(load.deliveredMs), ...perSecond, goal: RATE_GOAL },
      {
        case: 'delivered and acknowledged',
        ours: rate(load.acknowledgedMs),
        ...perSecond,
        goal: RATE_GOAL,
      },
    ],
  }
}
