/**
 * Fuzzing of the network: a member that has lost its mind beside one that has not.
 *
 * It sends mutated messages on every channel, mutated questions and addresses, damaged frames of the
 * multiplexer under a good encryption, and bytes that mean nothing to the port. The node must not
 * fail, must not keep what it is sent, and must serve its honest peer all the while. Bans are off,
 * or the fuzzing would be over after three cases.
 */

import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Address, concatBytes, equalBytes } from '@vellum/evm'
import { NETWORK_LIMITS, type NetworkLimits } from '../../packages/node/src/host/network-limits.ts'
import { parsePeerLocation } from '../../packages/node/src/host/peer-identity.ts'
import {
  addressOfKey,
  GENESIS,
  startTestNode,
  type TestNode,
  testKey,
} from '../../packages/node/test/network-world.ts'
import { framed, type RawPeer, startRawPeer } from '../../packages/node/test/raw-peer.ts'
import { createPrng, type Prng } from './prng.ts'

export interface NetworkFuzzOptions {
  readonly runs: number
  /** Case i uses seed + i. */
  readonly seed: number
}

export interface NetworkFuzzReport {
  readonly passed: number
  readonly failed: readonly {
    readonly seed: number
    readonly scenario: string
    readonly difference: string
  }[]
  /** Bytes of live heap and buffers after a tenth of the runs, and at the end. */
  readonly heap: { readonly early: number; readonly late: number }
  /** Cases of each kind. */
  readonly cases: ReadonlyMap<string, number>
  /** Messages and questions that came through to the node: a part of the mutations is valid. */
  readonly delivered: number
  /** Sessions that the node ended. */
  readonly ended: number
}

const FAILURES_MAX = 5
/** The honest peer is asked after so many cases. */
const HONEST_EVERY = 10
/** Milliseconds in which everything must be done that a case waits for. */
const CASE_MS_MAX = 20_000
/** Live heap may rise by this much, and by no more. */
export const NETWORK_HEAP_GROWTH_MAX = 32 * 1_048_576

const FOREVER = Number.MAX_SAFE_INTEGER
const PLENTY = { perSecond: 100_000, burst: 100_000 }
const LIMITS: Partial<NetworkLimits> = {
  severeFaultsMax: FOREVER,
  slightFaultsMax: FOREVER,
  connectionsPerSecondMax: 100_000,
  connectionsPendingMax: 32,
  muxerStreams: PLENTY,
  questions: {
    status: { ...NETWORK_LIMITS.questions.status, asked: PLENTY },
    blocks: { ...NETWORK_LIMITS.questions.blocks, asked: PLENTY },
    snapshot: { ...NETWORK_LIMITS.questions.snapshot, asked: PLENTY },
  },
}

interface Arena {
  readonly target: TestNode
  readonly honest: TestNode
  readonly evil: RawPeer
  readonly evilAddress: Address
  /** The streams of the mad member, opened again where they were closed. */
  streams: Awaited<ReturnType<RawPeer['join']>> | undefined
  delivered: number
}

type Attack = (arena: Arena, prng: Prng) => Promise<string>

export async function fuzzTransport(
  options: NetworkFuzzOptions,
  progress: (done: number) => void,
): Promise<NetworkFuzzReport> {
  const escaped: unknown[] = []
  const onEscaped = (error: unknown): void => void escaped.push(error)
  process.on('unhandledRejection', onEscaped)
  process.on('uncaughtException', onEscaped)
  const arena = await openArena()
  const failed: { seed: number; scenario: string; difference: string }[] = []
  const cases = new Map<string, number>()
  let passed = 0
  let early = 0
  try {
    for (let i = 0; i < options.runs && failed.length < FAILURES_MAX; i++) {
      const seed = (options.seed + i) >>> 0
      const prng = createPrng(seed)
      const kind = prng.pick(KINDS)
      cases.set(kind, (cases.get(kind) ?? 0) + 1)
      let scenario = kind
      let difference: string | undefined
      try {
        scenario = `${kind}: ${await inTime(ATTACKS[kind]!(arena, prng))}`
        if (i % HONEST_EVERY === 0) difference = await inTime(honestFault(arena, i))
      } catch (error) {
        difference = describe(error)
      }
      if (escaped.length > 0) difference = `escaped: ${describe(escaped.shift())}`
      if (difference === undefined) passed++
      else failed.push({ seed, scenario, difference })
      if (i === Math.floor(options.runs / 10)) early = liveBytes()
      progress(i + 1)
    }
    const ended = arena.target.changes.filter((line) => line === `down ${arena.evilAddress}`).length
    return {
      passed,
      failed,
      heap: { early, late: liveBytes() },
      cases,
      delivered: arena.delivered,
      ended,
    }
  } finally {
    await Promise.all([arena.evil.stop(), arena.honest.host.stop(), arena.target.host.stop()])
    process.off('unhandledRejection', onEscaped)
    process.off('uncaughtException', onEscaped)
  }
}

async function openArena(): Promise<Arena> {
  const keys = ['target', 'honest', 'mad'].map(testKey)
  const members = keys.map(addressOfKey)
  const target = await startTestNode('target', { members, limits: LIMITS })
  const honest = await startTestNode('honest', {
    members,
    bootnodes: target.host.listenAddresses(),
  })
  const evil = await startRawPeer(keys[2]!, GENESIS)
  const arena: Arena = {
    target,
    honest,
    evil,
    evilAddress: members[2]!,
    streams: undefined,
    delivered: 0,
  }
  target.onMessage = (from, channel, body) => {
    if (from === arena.evilAddress) arena.delivered++
    else target.transport.send(from, channel, body)
  }
  target.answer = (from, _question, body) => {
    if (from === arena.evilAddress) arena.delivered++
    return Promise.resolve(body)
  }
  await inTime(turnsUntil(() => target.transport.peers().length === 1))
  return arena
}

/** What is wrong with the node as its honest peer sees it. */
async function honestFault(arena: Arena, number: number): Promise<string | undefined> {
  const { target, honest } = arena
  if (honest.changes.length > 1) return `the honest peer was told: ${honest.changes.join(', ')}`
  const body = Uint8Array.from({ length: 200 }, (_, i) => (i + number) & 0xff)
  const before = honest.messages.length
  if (!honest.transport.send(target.address, 'consensus', body)) return 'a message was dropped'
  await turnsUntil(() => honest.messages.length > before)
  const [echo] = honest.messages.splice(0)
  if (!equalBytes(echo!.body, body)) return 'the echo differs'
  const answer = await honest.transport.ask(target.address, 'blocks', body)
  return equalBytes(answer, body) ? undefined : 'the answer differs'
}

/** Streams that stand, on a connection that stands. */
async function joined(arena: Arena): Promise<NonNullable<Arena['streams']>> {
  const { evil, target } = arena
  for (;;) {
    const { streams } = arena
    if (streams !== undefined && Object.values(streams).every(({ status }) => status === 'open')) {
      return streams
    }
    try {
      const connection = await evil.dial(target.host.listenAddresses()[0]!)
      // What is left of the streams before would be taken for the new ones.
      for (const stream of Object.values(streams ?? {})) stream.abort(new Error('again'))
      arena.streams = await evil.join(connection)
    } catch {
      // The node is still busy with the end of the connection before.
      await turnsUntil(() => true)
    }
  }
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  channel: async (arena, prng) => {
    const streams = await joined(arena)
    const channel = prng.pick(['consensus', 'transactions', 'head'] as const)
    const bytes = mutatedFrames(prng)
    sendCut(streams[channel], bytes, prng)
    return `${channel} ${hex(bytes)}`
  },
  question: async (arena, prng) => {
    await joined(arena)
    const question = prng.pick(['status', 'blocks', 'snapshot'] as const)
    const bytes = mutatedFrames(prng)
    const [connection] = arena.evil.libp2p.getConnections()
    const stream = await arena.evil.open(connection!, question).catch(() => undefined)
    if (stream === undefined) return `${question}, not opened`
    sendCut(stream, bytes, prng)
    const end = prng.pick(['close', 'reset', 'leave'] as const)
    if (end === 'close') await stream.close().catch(() => {})
    if (end !== 'close' || prng.oneIn(2)) stream.abort(new Error('reset'))
    return `${question} ${hex(bytes)} then ${end}`
  },
  addresses: async (arena, prng) => {
    const streams = await joined(arena)
    const message = mutated(locationsMessage(arena, prng), prng)
    sendCut(streams.peers, framed(message), prng)
    return hex(message)
  },
  multiplexer: async (arena, prng) => {
    await joined(arena)
    const bytes = yamuxFrames(prng)
    const wire = arena.evil.wire()
    if (wire?.status === 'open') wire.send(bytes)
    await turnsUntil(() => true)
    // What comes after half a frame would be taken for its other half.
    for (const connection of arena.evil.libp2p.getConnections()) {
      connection.abort(new Error('again'))
    }
    return hex(bytes)
  },
  socket: async (arena, prng) => {
    const port = Number(/tcp\/(\d+)/.exec(arena.target.host.listenAddresses()[0]!)![1])
    const bytes = socketBytes(prng)
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        if (prng.oneIn(2)) socket.end(bytes)
        else socket.write(bytes, () => socket.resetAndDestroy())
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve())
      socket.resume()
      // A node that waits for more would keep it open for seconds.
      socket.setTimeout(20, () => socket.destroy())
    })
    return hex(bytes)
  },
}

/** Most cases go where most of our own code is. */
const KINDS: readonly string[] = [
  ...Array.from({ length: 10 }, () => 'channel'),
  ...Array.from({ length: 6 }, () => 'question'),
  ...Array.from({ length: 4 }, () => 'addresses'),
  'multiplexer',
  'socket',
]

function mutatedFrames(prng: Prng): Uint8Array {
  const frames = Array.from({ length: 1 + prng.below(4) }, () =>
    framed(prng.bytes(prng.pick([0, 1, 7, 60, 300, 2_000]))),
  )
  const bytes = concatBytes(...frames)
  return prng.oneIn(3) ? bytes : mutated(bytes, prng)
}

/** One thing wrong, or two. */
function mutated(bytes: Uint8Array, prng: Prng): Uint8Array {
  let result = Uint8Array.from(bytes)
  for (let left = 1 + prng.below(2); left > 0; left--) {
    const at = prng.below(result.length + 1)
    switch (prng.below(6)) {
      case 0:
        if (at < result.length) result[at]! ^= 1 << prng.below(8)
        break
      case 1:
        result = result.slice(0, at)
        break
      case 2:
        result = concatBytes(result, prng.bytes(prng.below(40))) as typeof result
        break
      case 3:
        result = concatBytes(
          result.subarray(0, at),
          prng.bytes(4),
          result.subarray(at),
        ) as typeof result
        break
      case 4:
        if (at < result.length) result[at] = prng.pick([0, 0x7f, 0x80, 0xff])
        break
      default:
        if (result.length >= 4) new DataView(result.buffer).setUint32(0, edgeLength(prng))
    }
  }
  return result
}

function edgeLength(prng: Prng): number {
  return prng.pick([0, 1, 255, 4_096, 4_097, 65_536, 1_048_577, 8_912_897, 0x7fffffff, 0xffffffff])
}

function locationsMessage({ target, honest }: Arena, prng: Prng): Uint8Array {
  const text = prng.pick([target, honest]).host.listenAddresses()[0]!
  const location = parsePeerLocation(text).multiaddr.bytes
  const item = concatBytes(Uint8Array.of(0xb8, location.length), location)
  const list = concatBytes(Uint8Array.of(0xf8, item.length), item)
  return concatBytes(Uint8Array.of(prng.below(4)), prng.oneIn(4) ? prng.bytes(30) : list)
}

/** Heads of 12 bytes with fields that may be anything, bodies that may not be there. */
function yamuxFrames(prng: Prng): Uint8Array {
  return concatBytes(
    ...Array.from({ length: 1 + prng.below(5) }, () => {
      const head = new Uint8Array(12)
      const view = new DataView(head.buffer)
      head[0] = prng.oneIn(10) ? prng.below(256) : 0
      head[1] = prng.oneIn(10) ? prng.below(256) : prng.below(4)
      view.setUint16(2, prng.oneIn(10) ? prng.below(65_536) : prng.pick([0, 1, 2, 4, 8]))
      view.setUint32(4, prng.oneIn(4) ? prng.uint32() : prng.below(20))
      view.setUint32(8, prng.oneIn(2) ? edgeLength(prng) : prng.below(64))
      return concatBytes(head, prng.bytes(prng.below(80)))
    }),
  )
}

function socketBytes(prng: Prng): Uint8Array {
  const hello = new TextEncoder().encode('\x13/multistream/1.0.0\n\x07/noise\n')
  return prng.oneIn(2)
    ? prng.bytes(prng.below(600))
    : concatBytes(hello, prng.bytes(prng.below(300)))
}

/** In one piece or in two. */
function sendCut(
  stream: { readonly writeStatus: string; send(bytes: Uint8Array): boolean },
  bytes: Uint8Array,
  prng: Prng,
): void {
  const at = prng.oneIn(2) ? prng.below(bytes.length + 1) : 0
  for (const part of [bytes.subarray(0, at), bytes.subarray(at)]) {
    // The node may have answered the first with a reset.
    if (part.length > 0 && stream.writeStatus === 'writable') stream.send(part)
  }
}

async function turnsUntil(condition: () => boolean): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, 1))
  while (!condition())
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${CASE_MS_MAX} ms`)), CASE_MS_MAX)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 400)).toString('hex')
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function liveBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
