/**
 * Strangers, in a process of their own (`flood.ts`): they knock at the ports for peers with keys that
 * nobody knows, send bytes that mean nothing, ask dear and senseless questions over HTTP from addresses
 * of their own, and hold connections open by sending a byte now and then.
 */

import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Hash } from '@vellum/evm'
import { startRawPeer } from '../../packages/node/test/raw-peer.ts'

export interface OutsidersTask {
  readonly genesis: Hash
  readonly targets: readonly { readonly peerPort: number; readonly rpcPort: number }[]
  readonly count: number
}

const SLOW_BYTE_MS = 1_000
const NOISE_BYTES = 4_096
const ANSWER_MS_MAX = 10_000
/** A loop that ends when its gas does. */
const ENDLESS = '0x5b600056'

const task = JSON.parse(process.argv[2]!) as OutsidersTask
const report = {
  'strangers that knocked': 0,
  'connections of noise': 0,
  'HTTP requests of strangers': 0,
  'of them answered with a result': 0,
  'slow connections': 0,
}
let isStopping = false
const agents = new Map<number, Agent>()

process.once('message', () => {
  isStopping = true
  process.send!(report)
})
// What a node does to a stranger's connection is an error here, at any time.
process.on('uncaughtException', () => {})
process.on('unhandledRejection', () => {})

const WAYS = [knock, noise, ask, ask, slowly] as const
await Promise.all(
  Array.from({ length: task.count }, async (_, i) => {
    for (let turn = 0; !isStopping; turn++) {
      await WAYS[i % WAYS.length]!(i, task.targets[(i + turn) % task.targets.length]!).catch(
        () => {},
      )
      await delay(0)
    }
  }),
)

type Target = OutsidersTask['targets'][number]

/** As a peer that speaks well, and that nobody knows. */
async function knock(number: number, { peerPort }: Target): Promise<void> {
  const detour = await openDetour(peerPort, addressOf(number))
  const peer = await startRawPeer(randomBytes(32), task.genesis)
  try {
    report['strangers that knocked'] += 1
    await peer.dial(`/ip4/127.0.0.1/tcp/${detour.port}`)
    await delay(100)
  } finally {
    await peer.stop()
    detour.close()
  }
}

/** Who calls its port comes to another one from an address of this machine. */
async function openDetour(
  port: number,
  localAddress: string,
): Promise<{ port: number; close(): void }> {
  const server = createServer((inner) => {
    const outer = connect({ host: '127.0.0.1', port, localAddress, noDelay: true })
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      socket.on('error', () => {})
      socket.on('close', () => other.destroy())
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  return { port: (server.address() as { port: number }).port, close: () => server.close() }
}

function noise(number: number, { peerPort }: Target): Promise<void> {
  report['connections of noise'] += 1
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: peerPort, localAddress: addressOf(number) })
    socket.on('connect', () => socket.write(randomBytes(NOISE_BYTES)))
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy())
  })
}

function ask(number: number, { rpcPort }: Target): Promise<void> {
  const agent = agents.get(number) ?? new Agent({ keepAlive: true, maxSockets: 4 })
  agents.set(number, agent)
  report['HTTP requests of strangers'] += 1
  return new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: rpcPort,
        localAddress: addressOf(number),
        agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        timeout: ANSWER_MS_MAX,
      },
      (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1')
        })
        answer.on('end', () => {
          if (text.includes('"result"')) report['of them answered with a result'] += 1
          resolve()
        })
        answer.on('error', () => resolve())
      },
    )
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => resolve())
    sent.end(question(report['HTTP requests of strangers']))
  })
}

function question(number: number): string {
  const call = (method: string, ...params: unknown[]): object => {
    return { jsonrpc: '2.0', id: number, method, params }
  }
  switch (number % 6) {
    case 0:
      return JSON.stringify(call('eth_call', { data: ENDLESS, gas: '0x2faf080' }, 'latest'))
    case 1:
      return JSON.stringify(call('eth_getLogs', { fromBlock: 'earliest', toBlock: 'latest' }))
    case 2:
      return JSON.stringify(
        Array.from({ length: 100 }, () => call('eth_getBlockByNumber', 'latest', true)),
      )
    case 3:
      return JSON.stringify(
        call('eth_sendRawTransaction', `0xf86b${randomBytes(110).toString('hex')}`),
      )
    case 4:
      return `${'['.repeat(1_000)}${randomBytes(50_000).toString('base64')}`
    default:
      return JSON.stringify(call('debug_traceBlockByNumber', 'latest'))
  }
}

/** A request of which a byte comes now and then. */
function slowly(number: number, { rpcPort }: Target): Promise<void> {
  report['slow connections'] += 1
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: rpcPort, localAddress: addressOf(number) })
    const timer = setInterval(() => socket.write('a'), SLOW_BYTE_MS)
    socket.on('connect', () => socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nX-A: '))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(timer)
      resolve()
    })
    socket.resume()
  })
}

/** Strangers come from everywhere: each has an address, and the budget of it. */
function addressOf(number: number): string {
  return `127.0.1.${(number % 250) + 1}`
}
