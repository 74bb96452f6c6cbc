/**
 * `pnpm bench node`: two nodes over their real HTTP RPC, ours durable on disk, anvil in memory.
 *
 * Transactions: 30,000 signed ahead are sent over 16 connections, one request at a time on each, and
 * the time is taken from the first request until the last one is in a block. A load comes before those
 * with goals, for both: a node lives for months, and in its first seconds V8 compiles. Reads: as many
 * requests as the server answers, on 1 and on 16 connections; per core means per second of the server's
 * own processor time. Client and servers share the machine, and the client is the same process for both.
 */

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientJob, ClientResult } from './node-client.ts'
import {
  balanceOfCall,
  CONNECTIONS,
  type LoadName,
  loadGenesis,
  SENDERS,
  senders,
  TOKEN,
  writeLoad,
} from './node-load.ts'
import { type Server, startAnvilOn, startVellum, writeGenesis } from './node-servers.ts'
import type { Report, Row, RunOptions } from './table.ts'

export const TRANSACTIONS = 30_000
/** One after another, with the least ratio to the peer; the first one finds a process just started. */
const LOADS: readonly {
  readonly name: LoadName
  readonly about: string
  readonly goal?: number
}[] = [
  { name: 'erc20', about: 'erc20, the first 30,000 after the start' },
  { name: 'transfer', about: 'transfer', goal: 1.2 },
  { name: 'erc20', about: 'erc20', goal: 1.2 },
  { name: 'issue', about: 'issue', goal: 1 },
]
const READ_MS = 3_000
const WARM_MS = 1_500
const POLL_MS = 20
const QUIET_MS = 500
const PORTS = { vellum: 18_645, anvil: 18_646 } as const
const CLIENT = fileURLToPath(new URL('./node-client.ts', import.meta.url))

/** Bodies of each read, over all senders. */
const READS: Readonly<Record<string, readonly string[]>> = {
  eth_getBalance: senders.map((sender) => body('eth_getBalance', [sender, 'latest'])),
  'eth_call balanceOf': senders.map((sender) =>
    body('eth_call', [{ to: TOKEN, data: balanceOfCall(sender) }, 'latest']),
  ),
  eth_blockNumber: [body('eth_blockNumber', [])],
}

interface Measured {
  /** Transactions a second to inclusion, and processor microseconds of the server for each. */
  readonly loads: { readonly rate: number; readonly cpuMicros: number }[]
  /** Requests a second, and a second of the server's processor time, by read and connections. */
  readonly reads: Record<string, { readonly rate: number; readonly perCore: number }>
}

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-node-'))
  try {
    progress(`signing ${LOADS.length * TRANSACTIONS} transactions`)
    const files = LOADS.map(({ name }, round) => {
      const file = join(directory, `${round}.txt`)
      writeLoad(name, TRANSACTIONS, round, file)
      return file
    })
    const dataDir = join(directory, 'data')
    mkdirSync(dataDir)
    const genesis = join(dataDir, 'genesis.json')
    writeGenesis(genesis, loadGenesis())
    const ours = await measure(await startVellum(dataDir, PORTS.vellum), files, progress)
    const peer = await measure(await startAnvilOn(genesis, PORTS.anvil), files, progress)
    return report(ours, peer)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measure(
  server: Server,
  files: readonly string[],
  progress: RunOptions['progress'],
): Promise<Measured> {
  const measured: Measured = { loads: [], reads: {} }
  try {
    for (const [round, { about }] of LOADS.entries()) {
      progress(`${server.name}: ${TRANSACTIONS} × ${about}`)
      measured.loads.push(await measureLoad(server, files[round]!, round))
    }
    await quiet(server)
    for (const [name, bodies] of Object.entries(READS)) {
      for (const connections of [1, 16]) {
        progress(`${server.name}: ${name} on ${connections}`)
        const job = (forMs: number): ClientJob => ({
          port: server.port,
          connections,
          requests: { kind: 'repeat', bodies, forMs },
        })
        await runClient(job(WARM_MS))
        const cpu = server.cpuSeconds()
        const { answered, milliseconds } = await runClient(job(READ_MS))
        measured.reads[`${name}, ${connections}`] = {
          rate: (answered * 1000) / milliseconds,
          perCore: answered / (server.cpuSeconds() - cpu),
        }
      }
    }
    const { resident, peak } = server.memory()
    const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)
    progress(`${server.name}: ${mebibytes(resident)} MiB resident, ${mebibytes(peak)} at most`)
  } finally {
    await server.stop()
  }
  return measured
}

export async function measureLoad(
  server: Pick<Server, 'port' | 'call' | 'cpuSeconds'>,
  path: string,
  round: number,
): Promise<{ rate: number; cpuMicros: number }> {
  const lastNonce = BigInt(((round + 1) * TRANSACTIONS) / SENDERS)
  const cpu = server.cpuSeconds()
  const startedAt = performance.now()
  await runClient({ port: server.port, connections: CONNECTIONS, requests: { kind: 'file', path } })
  // Every sender's last nonce counts; they are asked in turn, each until it is there.
  for (const sender of senders) {
    for (;;) {
      const nonce = await server.call<string>('eth_getTransactionCount', sender, 'latest')
      if (BigInt(nonce) === lastNonce) break
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    if (sender === senders[0]) await settled(server, lastNonce)
  }
  const seconds = (finishedAt - startedAt) / 1000
  return {
    rate: TRANSACTIONS / seconds,
    cpuMicros: ((server.cpuSeconds() - cpu) * 1e6) / TRANSACTIONS,
  }
}

let finishedAt = 0

/** Waits for the last senders' last transactions; what then remains to be asked is no part of the time. */
async function settled(server: Pick<Server, 'call'>, lastNonce: bigint): Promise<void> {
  for (;;) {
    const nonces = await Promise.all(
      senders
        .slice(-CONNECTIONS * 2)
        .map((sender) => server.call<string>('eth_getTransactionCount', sender, 'latest')),
    )
    if (nonces.every((nonce) => BigInt(nonce) === lastNonce)) break
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  finishedAt = performance.now()
}

/** Waits until the server has finished what the load left behind, such as compaction. */
async function quiet(server: Server): Promise<void> {
  for (let busy = true; busy; ) {
    const before = server.cpuSeconds()
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    busy = server.cpuSeconds() - before > QUIET_MS / 1000 / 20
  }
}

export async function runClient(job: ClientJob): Promise<ClientResult> {
  const child = spawn(process.execPath, [CLIENT], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(job))
  let output = ''
  for await (const data of child.stdout) output += String(data)
  const result = JSON.parse(output) as ClientResult
  if (result.failures > 0) {
    throw new Error(`${result.failures} requests failed, first: ${result.firstFailure}`)
  }
  return result
}

function report(ours: Measured, peer: Measured): Report {
  const rows: Row[] = []
  for (const [i, { about, goal }] of LOADS.entries()) {
    const [mine, theirs] = [ours.loads[i]!.rate, peer.loads[i]!.rate]
    rows.push({
      case: `${about}, ${CONNECTIONS} connections, to inclusion`,
      unit: 'tx/s',
      ours: mine,
      peer: theirs,
      ratio: mine / theirs,
      goal,
    })
  }
  for (const name of Object.keys(ours.reads)) {
    const [mine, theirs] = [ours.reads[name]!, peer.reads[name]!]
    rows.push(
      {
        case: `${name} ${plural(name)}`,
        unit: 'req/s',
        ours: mine.rate,
        peer: theirs.rate,
        ratio: mine.rate / theirs.rate,
      },
      {
        case: `${name} ${plural(name)}, per core`,
        unit: 'req/s',
        ours: mine.perCore,
        peer: theirs.perCore,
        ratio: mine.perCore / theirs.perCore,
        goal: 1,
      },
    )
  }
  const cpu = (measured: Measured): string =>
    LOADS.map(({ name }, i) => `${name} ${Math.round(measured.loads[i]!.cpuMicros)}`).join(', ')
  return {
    name: 'node',
    compared: [
      `Vellum: default settings, archive, every block synced to disk. Anvil: 1 s blocks, in memory.`,
      `The same ${TRANSACTIONS} transactions of ${SENDERS} senders each, the same client process.`,
    ],
    rows,
    notes: [
      `processor time of the server for a transaction, µs: ours ${cpu(ours)}; anvil ${cpu(peer)}`,
    ],
  }
}

function plural(name: string): string {
  return name.endsWith(', 1') ? 'connection' : 'connections'
}

function body(method: string, params: readonly unknown[]): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
}
