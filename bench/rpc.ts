/**
 * `pnpm bench rpc`: what clients ask most, over HTTP with kept connections and over WebSocket, one
 * request at a time and in batches, of our node and of anvil in the same run.
 *
 * Per core means per second of the server's own processor time: client and servers share the machine.
 * Both begin with the same genesis and the same token transfers, so that there are logs to find and
 * slots to prove. Sending is measured as asking: until the answer, not until the block.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bigIntToBytes, concatBytes, hexToBytes, keccak256Hex } from '@vellum/evm'
import { runClient } from './node.ts'
import type { ClientJob, Protocol } from './node-client.ts'
import {
  balanceOfCall,
  CONNECTIONS,
  loadGenesis,
  SENDERS,
  senders,
  TOKEN,
  writeLoad,
} from './node-load.ts'
import { type Server, startAnvilOn, startVellum, writeGenesis } from './node-servers.ts'
import type { Report, Row, RunOptions } from './table.ts'

const PORTS = { vellum: 18_655, anvil: 18_656 } as const
const BATCH = 20
const MEASURE_MS = 2_000
const WARM_MS = 1_500
const POLL_MS = 50
/** Asked about: so many that every batch is full. */
const askedAbout = senders.slice(0, CONNECTIONS * BATCH * 3)
/** Transfers of each sender before anything is measured, and in each of the four ways of sending. */
const FIRST_NONCES = 2
const SENT_NONCES = 4

const TRANSFER = keccak256Hex(new TextEncoder().encode('Transfer(address,address,uint256)'))
const topicOf = (sender: string): string => `0x${sender.slice(2).padStart(64, '0')}`
/** Slot of a balance in Erc20.sol, after `totalSupply`. */
const slotOf = (sender: string): string =>
  keccak256Hex(concatBytes(hexToBytes(topicOf(sender) as `0x${string}`), bigIntToBytes(1n, 32)))

/** Parameters of each method for each sender. */
const READS: Readonly<Record<string, (sender: string) => readonly unknown[]>> = {
  eth_call: (sender) => [{ to: TOKEN, data: balanceOfCall(sender as `0x${string}`) }, 'latest'],
  eth_getBalance: (sender) => [sender, 'latest'],
  eth_getLogs: (sender) => [
    { fromBlock: '0x0', toBlock: 'latest', address: TOKEN, topics: [TRANSFER, topicOf(sender)] },
  ],
  eth_getProof: (sender) => [TOKEN, [slotOf(sender)], 'latest'],
}

interface Way {
  readonly name: string
  readonly protocol: Protocol
  readonly batch: number
}

const WAYS: readonly Way[] = [
  { name: 'HTTP', protocol: 'http', batch: 1 },
  { name: 'WebSocket', protocol: 'websocket', batch: 1 },
  { name: `HTTP, batches of ${BATCH}`, protocol: 'http', batch: BATCH },
  { name: `WebSocket, batches of ${BATCH}`, protocol: 'websocket', batch: BATCH },
]

interface Measured {
  /** Requests, not batches, a second of the server's processor time. */
  readonly perCore: number
  /** Milliseconds of a request or batch. */
  readonly p99Ms: number
}

type Results = Readonly<Record<string, Measured>>

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-rpc-'))
  try {
    progress('signing transactions')
    const loads = writeLoads(directory)
    const dataDir = join(directory, 'data')
    mkdirSync(dataDir)
    const genesis = join(dataDir, 'genesis.json')
    writeGenesis(genesis, loadGenesis())
    const ours = await measure(await startVellum(dataDir, PORTS.vellum), loads, progress)
    const peer = await measure(await startAnvilOn(genesis, PORTS.anvil), loads, progress)
    return report(ours, peer)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Loads {
  readonly first: string
  /** One for each way. */
  readonly sent: readonly string[]
}

/** Files of transfers: their nonces go on from one to the next. */
function writeLoads(directory: string): Loads {
  const total = FIRST_NONCES + WAYS.length * SENT_NONCES
  const all = join(directory, 'all.txt')
  writeLoad('erc20', total * SENDERS, 0, all)
  const lines = readFileSync(all, 'latin1').split('\n')
  const part = (name: string, fromNonce: number, nonces: number, batch: number): string => {
    const own = lines.slice(fromNonce * SENDERS, (fromNonce + nonces) * SENDERS)
    const path = join(directory, `${name}.txt`)
    writeFileSync(path, batched(own, batch).join('\n'))
    return path
  }
  return {
    first: part('first', 0, FIRST_NONCES, 1),
    sent: WAYS.map(({ batch }, i) =>
      part(`sent-${i}`, FIRST_NONCES + i * SENT_NONCES, SENT_NONCES, batch),
    ),
  }
}

/** Lines in full batches: the client deals them out by turns, and a sender's must stay on one connection. */
function batched(lines: readonly string[], size: number): readonly string[] {
  if (size === 1) return lines
  const queues = Array.from({ length: CONNECTIONS }, (_, i) =>
    lines.filter((_, line) => line % CONNECTIONS === i),
  )
  const batches: string[] = []
  for (let at = 0; at < queues[0]!.length; at += size) {
    for (const queue of queues) batches.push(`[${queue.slice(at, at + size).join(',')}]`)
  }
  return batches
}

async function measure(
  server: Server,
  loads: Loads,
  progress: RunOptions['progress'],
): Promise<Results> {
  const results: Record<string, Measured> = {}
  const job = (protocol: Protocol, requests: ClientJob['requests']): ClientJob => ({
    port: server.port,
    connections: CONNECTIONS,
    protocol,
    requests,
  })
  try {
    await runClient(job('http', { kind: 'file', path: loads.first }))
    await included(server, FIRST_NONCES)
    for (const [method, params] of Object.entries(READS)) {
      const bodies = askedAbout.map((sender, id) =>
        JSON.stringify({ jsonrpc: '2.0', id, method, params: params(sender) }),
      )
      for (const { name, protocol, batch } of WAYS) {
        progress(`${server.name}: ${method}, ${name}`)
        const repeat = (forMs: number): ClientJob =>
          job(protocol, { kind: 'repeat', bodies: batched(bodies, batch), forMs })
        await runClient(repeat(WARM_MS))
        results[`${method}, ${name}`] = await timed(server, repeat(MEASURE_MS), batch)
      }
    }
    for (const [i, { name, protocol, batch }] of WAYS.entries()) {
      progress(`${server.name}: eth_sendRawTransaction, ${name}`)
      const sending = job(protocol, { kind: 'file', path: loads.sent[i]! })
      results[`eth_sendRawTransaction, ${name}`] = await timed(server, sending, batch)
      await included(server, FIRST_NONCES + (i + 1) * SENT_NONCES)
    }
  } finally {
    await server.stop()
  }
  return results
}

async function timed(server: Server, job: ClientJob, batch: number): Promise<Measured> {
  const before = server.cpuSeconds()
  const { answered, p99Ms } = await runClient(job)
  return { perCore: (answered * batch) / (server.cpuSeconds() - before), p99Ms }
}

/** Waits until every sender's transactions up to this nonce are in blocks. */
async function included(server: Server, nonce: number): Promise<void> {
  for (const sender of senders) {
    for (;;) {
      const count = await server.call<string>('eth_getTransactionCount', sender, 'latest')
      if (Number(count) >= nonce) break
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}

function report(ours: Results, peer: Results): Report {
  const rows: Row[] = []
  for (const [name, mine] of Object.entries(ours)) {
    const theirs = peer[name]!
    rows.push(
      {
        case: `${name}, per core`,
        unit: 'req/s',
        ours: mine.perCore,
        peer: theirs.perCore,
        ratio: mine.perCore / theirs.perCore,
        goal: 1,
      },
      {
        case: `${name}, p99`,
        unit: 'ms',
        ours: mine.p99Ms,
        peer: theirs.p99Ms,
        ratio: theirs.p99Ms / mine.p99Ms,
        goal: 1,
      },
    )
  }
  return {
    name: 'rpc',
    compared: [
      'Vellum: default settings, archive, every block synced to disk. Anvil: 1 s blocks, in memory.',
      `${CONNECTIONS} connections, one request or batch at a time on each; the same client for both.`,
      'per core: requests in a second of the server’s processor time; sending includes the blocks made meanwhile',
    ],
    rows,
  }
}
