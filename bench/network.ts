/**
 * `pnpm bench network`: four validators on this machine, each a process with its own disk, spoken to
 * through the RPC of one.
 *
 * Load: 30,000 transactions signed ahead, sent over 16 connections, one request at a time on each; the
 * time is taken from the first request until the last one is in a final block. A node lives for months, so
 * the goal is for the second load: during the first V8 compiles, a second of processor time in each
 * process. Latency: one transaction at a time, from sending it until its receipt is there, asked for
 * again and again. The four and the client share the machine.
 *
 * `VELLUM_BENCH_NODE_FLAGS=--cpu-prof` and the like go to the first validator.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DEV_CHAIN_ID } from '@vellum/node'
import { createRunningNetwork, type RunningNetwork } from '../tests/drill/running-network.ts'
import { measureLoad, TRANSACTIONS } from './node.ts'
import {
  CONNECTIONS,
  GAS_LIMIT,
  type LoadName,
  loadGenesis,
  SENDERS,
  writeLoad,
} from './node-load.ts'
import { cpuSecondsOf, memoryOf } from './node-servers.ts'
import type { Report, RunOptions } from './table.ts'

const VALIDATORS = 4
/** Besu's own published figure for four validators on four machines is 520 to 645. */
const RATE_GOAL = 2_500
/** One after another; the first one finds the processes just started. */
const LOADS: readonly {
  readonly name: LoadName
  readonly about: string
  readonly goal?: number
}[] = [
  { name: 'erc20', about: 'the first 30,000 after the start' },
  { name: 'erc20', about: 'the next 30,000', goal: RATE_GOAL },
  { name: 'issue', about: 'the next 30,000' },
]
const LATENCY_MS_GOAL = 40
const SAMPLES = 200
const WARM_SAMPLES = 30
/** Between two samples: each finds an idle network. */
const REST_MS = 30
/** Between two questions for a receipt. */
const POLL_MS = 1
const CONNECT_MS_MAX = 30_000

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-network-'))
  const { alloc } = loadGenesis() as { alloc: object }
  const network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: VALIDATORS,
    chainId: DEV_CHAIN_ID,
    genesis: { alloc, gasLimit: `0x${GAS_LIMIT.toString(16)}` },
    nodeFlags: (index) => (index === 0 ? nodeFlags() : []),
  })
  try {
    progress(`signing ${LOADS.length * TRANSACTIONS} transactions`)
    const files = LOADS.map(({ name }, round) => {
      const file = join(directory, `${round}.txt`)
      writeLoad(name, TRANSACTIONS, round, file)
      return file
    })
    const single = join(directory, 'single.txt')
    // One transaction of each sender, after all the others.
    writeLoad('erc20', SENDERS, (LOADS.length * TRANSACTIONS) / SENDERS, single)
    progress(`starting ${VALIDATORS} validators`)
    await Promise.all(network.nodes.map((node) => node.start()))
    await connected(network)

    const loads: Load[] = []
    for (const [round, { name }] of LOADS.entries()) {
      progress(`${TRANSACTIONS} × ${name}`)
      loads.push(await underLoad(network, files[round]!, round))
    }
    progress(`${SAMPLES} transactions one by one`)
    const bodies = readFileSync(single, 'latin1').split('\n')
    const latencies = await sampleLatencies(network.nodes[0]!.rpcPort, bodies)
    const memory = network.nodes.map(({ pid }) => memoryOf(pid).peak >> 20)
    return report(loads, latencies, memory)
  } finally {
    await network.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Load {
  /** Transactions a second to a final block. */
  readonly rate: number
  /** Processor microseconds of each validator for a transaction. */
  readonly cpuMicros: readonly number[]
  readonly blocks: number
}

async function underLoad({ nodes }: RunningNetwork, file: string, round: number): Promise<Load> {
  const [first] = nodes as [RunningNetwork['nodes'][number]]
  const before = nodes.map(({ pid }) => cpuSecondsOf(pid))
  const height = Number(await first.call<string>('eth_blockNumber'))
  const { rate } = await measureLoad(
    { port: first.rpcPort, call: first.call, cpuSeconds: () => cpuSecondsOf(first.pid) },
    file,
    round,
  )
  return {
    rate,
    cpuMicros: nodes.map(({ pid }, i) => ((cpuSecondsOf(pid) - before[i]!) * 1e6) / TRANSACTIONS),
    blocks: Number(await first.call<string>('eth_blockNumber')) - height,
  }
}

/** Milliseconds from sending to the receipt, ascending. */
async function sampleLatencies(port: number, bodies: readonly string[]): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const latencies: number[] = []
  for (const [i, body] of bodies.slice(0, WARM_SAMPLES + SAMPLES).entries()) {
    await delay(REST_MS)
    const startedAt = performance.now()
    const hash = await post<string>(agent, port, body)
    const question = `{"jsonrpc":"2.0","id":1,"method":"eth_getTransactionReceipt","params":["${hash}"]}`
    while ((await post<object | null>(agent, port, question)) === null) await delay(POLL_MS)
    if (i >= WARM_SAMPLES) latencies.push(performance.now() - startedAt)
  }
  agent.destroy()
  return latencies.sort((a, b) => a - b)
}

function post<Result>(agent: Agent, port: number, body: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': body.length },
      },
      (answer) => {
        let text = ''
        answer.on('data', (data: Buffer) => {
          text += data.toString()
        })
        answer.on('end', () => {
          const { result, error } = JSON.parse(text) as { result: Result; error?: object }
          if (error === undefined) resolve(result)
          else reject(new Error(JSON.stringify(error)))
        })
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}

async function connected({ nodes }: RunningNetwork): Promise<void> {
  const deadline = performance.now() + CONNECT_MS_MAX
  for (;;) {
    const counts = await Promise.all(nodes.map((node) => node.call<string>('net_peerCount')))
    if (counts.every((count) => Number(count) === nodes.length - 1)) return
    if (performance.now() > deadline) throw new Error(`not connected: ${counts.join()}`)
    await delay(50)
  }
}

function nodeFlags(): string[] {
  return (process.env.VELLUM_BENCH_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '')
}

function report(
  loads: readonly Load[],
  latencies: readonly number[],
  memory: readonly number[],
): Report {
  const at = (share: number): number => latencies[Math.ceil(latencies.length * share) - 1]!
  return {
    name: 'network',
    compared: [
      `${VALIDATORS} validators in processes of their own on this machine, default settings, archive,`,
      'every vote and every block synced to disk. No peer was measured beside them.',
    ],
    rows: [
      ...LOADS.map(({ name, about, goal }, i) => ({
        case: `${name}, ${CONNECTIONS} connections to one validator, to a final block: ${about}`,
        unit: 'tx/s',
        ours: loads[i]!.rate,
        ...(goal !== undefined && { goal, goalFor: 'ours' as const }),
      })),
      {
        case: `one transaction at a time, sent to receipt, p50 of ${SAMPLES}`,
        unit: 'ms',
        ours: at(0.5),
        goal: LATENCY_MS_GOAL,
        goalFor: 'ours at most',
      },
      { case: 'the same, p99', unit: 'ms', ours: at(0.99) },
    ],
    notes: [
      ...loads.map(
        ({ cpuMicros, blocks }, i) =>
          `${LOADS[i]!.name}, ${LOADS[i]!.about}: ${blocks} blocks; processor time for a transaction, µs, of each validator: ${cpuMicros.map(Math.round).join(', ')}`,
      ),
      `memory at most, MiB, of each validator: ${memory.join(', ')}`,
    ],
  }
}
