/** Hosts on the loopback interface, and a clock that tests can push forward. */

import type { Hash } from '@vellum/evm'
import { keccak256 } from '@vellum/evm'
import {
  createLibp2pHost,
  type Libp2pHost,
  type Libp2pHostOptions,
} from '../src/host/libp2p-host.ts'
import { addressOfPeerId, peerIdOfKey } from '../src/host/peer-identity.ts'
import type {
  CancelTimer,
  Channel,
  Clock,
  Logger,
  PeerAddress,
  Question,
  Random,
  Timers,
  Transport,
} from '../src/ports.ts'

const silent: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

/** Time of the machine that can leap: what becomes due in the leap happens at once, in order. */
export interface LeapingTime extends Clock, Timers {
  leap(ms: number): void
}

export function createLeapingTime(): LeapingTime {
  let leapt = 0
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const elapsed = (): number => performance.now() + leapt
  return {
    now: () => Date.now() + leapt,
    elapsed,
    after: (afterMs, run): CancelTimer => {
      const timer = {
        at: elapsed() + afterMs,
        run: () => {
          cancel()
          run()
        },
      }
      const real = setTimeout(() => timer.run(), afterMs)
      const cancel = (): void => {
        clearTimeout(real)
        timers.delete(timer)
      }
      timers.add(timer)
      return cancel
    },
    leap: (ms) => {
      leapt += ms
      const due = [...timers].filter(({ at }) => at <= elapsed()).sort((a, b) => a.at - b.at)
      for (const { run } of due) run()
    },
  }
}

/** Bytes that look random and are the same in every run. */
export function createTestRandom(name: string): Random {
  let state = keccak256(new TextEncoder().encode(name))
  return {
    bytes: (size) => {
      state = keccak256(state)
      return Uint8Array.from({ length: size }, (_, i) => state[i % 32]!)
    },
  }
}

export function testKey(name: string): Uint8Array {
  return keccak256(new TextEncoder().encode(`key of ${name}`))
}

export function addressOfKey(key: Uint8Array): PeerAddress {
  return addressOfPeerId(peerIdOfKey(key))!
}

/** Waits for sockets, not for time: turns of the event loop pass until it holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Lets so many turns of the event loop pass, for what must not happen in them. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1))
}

export const GENESIS: Hash = `0x${'a1'.repeat(32)}`
export const OTHER_GENESIS: Hash = `0x${'b2'.repeat(32)}`

export interface TestNode {
  readonly address: PeerAddress
  readonly host: Libp2pHost
  readonly transport: Transport
  readonly messages: { from: PeerAddress; channel: Channel; body: Uint8Array }[]
  /** `up 0x…` and `down 0x…`, in order. */
  readonly changes: string[]
  answer: (from: PeerAddress, question: Question, body: Uint8Array) => Promise<Uint8Array>
  onMessage: (from: PeerAddress, channel: Channel, body: Uint8Array) => void
}

export interface TestNodeOptions extends Partial<Omit<Libp2pHostOptions, 'ports' | 'key'>> {
  readonly genesis?: Hash
  readonly time?: LeapingTime
  readonly log?: Logger
}

/** A started node of one chain that listens on the loopback interface. */
export async function startTestNode(
  name: string,
  options: TestNodeOptions = {},
): Promise<TestNode> {
  const time = options.time ?? createLeapingTime()
  const host = await createLibp2pHost({
    key: testKey(name),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootnodes: [],
    members: [],
    ...options,
    ports: {
      clock: time,
      timers: time,
      random: createTestRandom(name),
      log: options.log ?? silent,
    },
  })
  const transport = host.open(options.genesis ?? GENESIS)
  const node: TestNode = {
    address: host.address,
    host,
    transport,
    messages: [],
    changes: [],
    answer: (_from, _question, body) => Promise.resolve(body),
    onMessage: (from, channel, body) => void node.messages.push({ from, channel, body }),
  }
  await transport.start({
    onMessage: (from, channel, body) => node.onMessage(from, channel, body),
    onQuestion: (from, question, body) => node.answer(from, question, body),
    onPeerUp: (peer) => void node.changes.push(`up ${peer}`),
    onPeerDown: (peer) => void node.changes.push(`down ${peer}`),
  })
  return node
}
