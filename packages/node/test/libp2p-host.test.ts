import { createServer, Socket } from 'node:net'
import type { Stream } from '@libp2p/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { NETWORK_LIMITS } from '../src/host/network-limits.ts'
import { peerIdOfKey } from '../src/host/peer-identity.ts'
import type { PeerAddress } from '../src/ports.ts'
import {
  addressOfKey,
  createLeapingTime,
  GENESIS,
  OTHER_GENESIS,
  startTestNode,
  type TestNode,
  type TestNodeOptions,
  testKey,
  turns,
  until,
} from './network-world.ts'
import { framed, type RawPeer, startRawPeer } from './raw-peer.ts'

const A = addressOfKey(testKey('a'))
const B = addressOfKey(testKey('b'))
const C = addressOfKey(testKey('c'))
const D = addressOfKey(testKey('d'))
const MEMBERS: readonly PeerAddress[] = [A, B, C, D]

const running: { stop(): Promise<void> }[] = []
const escaped: unknown[] = []
process.on('unhandledRejection', (error) => escaped.push(error))

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
  expect(escaped).toEqual([])
})

async function node(name: string, options: TestNodeOptions = {}): Promise<TestNode> {
  const started = await startTestNode(name, { members: MEMBERS, ...options })
  running.push(started.host)
  return started
}

async function raw(
  name: string,
  onStream?: (name: string, stream: Stream) => void,
  listen?: readonly string[],
): Promise<RawPeer> {
  const peer = await startRawPeer(testKey(name), GENESIS, {
    ...(onStream && { onStream }),
    ...(listen && { listen }),
  })
  running.push(peer)
  return peer
}

const locationOf = ({ host }: TestNode): string => host.listenAddresses()[0]!
const portOf = (at: TestNode): string => /tcp\/(\d+)/.exec(locationOf(at))![1]!
const areUp = (...nodes: TestNode[]): boolean =>
  nodes.every(({ transport }) => transport.peers().length === nodes.length - 1)

/** A node, and a peer beside it that it believes in. */
async function victim(
  options: TestNodeOptions = {},
): Promise<{ a: TestNode; streams: Awaited<ReturnType<RawPeer['join']>>; evil: RawPeer }> {
  const a = await node('a', options)
  const evil = await raw('b')
  const streams = await evil.join(await evil.dial(locationOf(a)))
  await until(() => a.transport.peers().length === 1)
  return { a, streams, evil }
}

describe('who is connected', () => {
  test('who knows one member finds all', async () => {
    const a = await node('a')
    const b = await node('b', { bootnodes: [locationOf(a)] })
    const c = await node('c', { bootnodes: [locationOf(a)] })
    const d = await node('d', { bootnodes: [locationOf(c)] })
    await until(() => areUp(a, b, c, d))
    expect([...b.transport.peers()].sort()).toEqual([A, C, D].sort())
  })

  test('two who call each other at once end with one stable connection', async () => {
    const ports = [await freePort(), await freePort()]
    const at = (i: number, name: string): string =>
      `/ip4/127.0.0.1/tcp/${ports[i]}/p2p/${peerIdOfKey(testKey(name))}`
    const options = (i: number, other: string): TestNodeOptions => ({
      listen: [`/ip4/127.0.0.1/tcp/${ports[i]}`],
      bootnodes: [other],
    })
    const [a, b] = (await Promise.all([
      node('a', options(0, at(1, 'b'))),
      node('b', options(1, at(0, 'a'))),
    ])) as [TestNode, TestNode]
    await until(() => areUp(a, b))
    await turns(100)
    expect(areUp(a, b)).toBe(true)
    expect(a.transport.send(B, 'head', Uint8Array.of(1))).toBe(true)
    expect(b.transport.send(A, 'head', Uint8Array.of(2))).toBe(true)
    await until(() => a.messages.length === 1 && b.messages.length === 1)
  })

  test('a peer of another genesis is connected and never up', async () => {
    const a = await node('a')
    const b = await node('b', { bootnodes: [locationOf(a)], genesis: OTHER_GENESIS })
    const c = await node('c', { bootnodes: [locationOf(a)] })
    await until(() => areUp(a, c))
    await turns(200)
    expect(a.transport.peers()).toEqual([C])
    expect(b.changes).toEqual([])
    // The connection serves both chains as soon as both speak both.
    const other = b.host.open(GENESIS)
    const changes: string[] = []
    await other.start({
      onMessage: () => {},
      onQuestion: () => Promise.reject(new Error('nobody asks')),
      onPeerUp: (peer) => void changes.push(`up ${peer}`),
      onPeerDown: (peer) => void changes.push(`down ${peer}`),
    })
    await until(() => changes.length === 2 && a.transport.peers().length === 2)
    expect(changes.sort()).toEqual([`up ${A}`, `up ${C}`].sort())
  })

  test('who is on no list is refused, before a protocol is agreed on, and dialled by nobody', async () => {
    const a = await node('a')
    const stranger = await raw('stranger', undefined, ['/ip4/127.0.0.1/tcp/0'])
    const seen: string[] = []
    stranger.libp2p.addEventListener('connection:open', () => void seen.push('open'))
    const connection = await stranger.dial(locationOf(a)).catch(() => undefined)
    // Noise has proven who it is by then; what it opens afterwards is cut.
    if (connection !== undefined) await until(() => connection.status !== 'open')
    await expect(
      (async () => stranger.join(await stranger.dial(locationOf(a))))(),
    ).rejects.toBeDefined()
    expect(a.changes).toEqual([])
    // A member tells of a stranger: nobody calls it.
    const before = stranger.libp2p.getConnections().length
    const b = await node('b', { bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    await turns(200)
    expect(stranger.libp2p.getConnections()).toHaveLength(before)
  })

  test('a chain admits peers beside the list, and lets go of those it no longer admits', async () => {
    const stranger = addressOfKey(testKey('stranger'))
    const a = await node('a', { members: [] })
    const s = await node('stranger', { members: [A], bootnodes: [locationOf(a)] })
    await turns(50)
    expect(a.changes).toEqual([])
    a.transport.admit([stranger])
    await until(() => areUp(a, s))
    a.transport.admit([])
    await until(() => a.transport.peers().length === 0 && s.transport.peers().length === 0)
    expect(a.changes).toEqual([`up ${stranger}`, `down ${stranger}`])
    a.transport.admit([stranger])
    await until(() => areUp(a, s))
  })

  test('who is admitted to one chain of a host is a stranger to its others', async () => {
    const stranger = addressOfKey(testKey('stranger'))
    const a = await node('a', { members: [] })
    const other = a.host.open(OTHER_GENESIS)
    const handlers = {
      onMessage: () => {},
      onQuestion: () => Promise.reject(new Error('nobody asks')),
      onPeerUp: () => {},
      onPeerDown: () => {},
    }
    await other.start(handlers)
    a.transport.admit([stranger])
    const s = await node('stranger', { members: [A], bootnodes: [locationOf(a)] })
    const foreign = s.host.open(OTHER_GENESIS)
    await foreign.start(handlers)
    await until(() => areUp(a, s))
    await turns(200)
    expect(other.peers()).toEqual([])
    expect(foreign.peers()).toEqual([])
  })

  test('a member that was away is found again at the same place', async () => {
    const a = await node('a')
    const port = await freePort()
    const listen = [`/ip4/127.0.0.1/tcp/${port}`]
    const b = await node('b', { listen, bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    await b.host.stop()
    await until(() => a.transport.peers().length === 0)
    // It knows nobody this time: the others have to call.
    const again = await node('b', { listen })
    await until(() => areUp(a, again))
    expect(a.changes).toEqual([`up ${B}`, `down ${B}`, `up ${B}`])
  })

  test('a peer that says nothing for 20 s is given up', async () => {
    const time = createLeapingTime()
    const { a, evil } = await victim({ time })
    time.leap(NETWORK_LIMITS.silenceMsMax - 5_000)
    await turns(20)
    expect(a.transport.peers()).toEqual([B])
    time.leap(6_000)
    await until(() => a.transport.peers().length === 0)
    await until(() => evil.libp2p.getConnections().every(({ status }) => status !== 'open'))
  })

  test('honest peers keep each other alive', async () => {
    const time = createLeapingTime()
    const a = await node('a', { time })
    const b = await node('b', { time, bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    for (let i = 0; i < 30; i++) {
      time.leap(5_000)
      await turns(10)
    }
    expect(a.changes).toEqual([`up ${B}`])
    expect(b.changes).toEqual([`up ${A}`])
  })

  test('a port that is taken is named: NODE_PORT_TAKEN', async () => {
    const a = await node('a')
    await expect(node('b', { listen: [`/ip4/127.0.0.1/tcp/${portOf(a)}`] })).rejects.toMatchObject({
      code: 'NODE_PORT_TAKEN',
    })
    await expect(node('c', { listen: ['/ip4/192.0.2.1/tcp/0'] })).rejects.toMatchObject({
      code: 'NODE_NETWORK_FAILED',
    })
  })

  test('addresses that are none are refused before anything starts: NODE_CONFIG_INVALID', async () => {
    for (const options of [
      { bootnodes: ['/ip4/127.0.0.1/tcp/1'] },
      { listen: ['localhost'] },
      { listen: ['/ip4/127.0.0.1/udp/0'] },
      { announce: ['/ip4/127.0.0.1/tcp/1/ws'] },
    ]) {
      await expect(node('a', options)).rejects.toMatchObject({ code: 'NODE_CONFIG_INVALID' })
    }
  })

  test('packets leave at once: TCP_NODELAY is set on both ends', async () => {
    const a = await node('a')
    const b = await node('b', { bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    const [port, far] = [Number(portOf(a)), Number(portOf(b))]
    const ends = (process as unknown as { _getActiveHandles(): unknown[] })
      ._getActiveHandles()
      .filter((handle) => handle instanceof Socket)
      .filter(({ localPort, remotePort }) => localPort === port || remotePort === port)
    expect(ends.length).toBeGreaterThanOrEqual(2)
    expect(ends.every(({ remotePort }) => remotePort !== far)).toBe(true)
    expect(ends.map(hasNoDelay)).toEqual(ends.map(() => true))
  })
})

/** How Node.js remembers that it has set the option. */
function hasNoDelay(socket: Socket): unknown {
  const mark = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'kSetNoDelay',
  )
  return mark && (socket as unknown as Record<symbol, unknown>)[mark]
}

describe('who breaks the rules', () => {
  test('a message above the limit is refused by its length, and is a severe fault', async () => {
    const { a, streams, evil } = await victim()
    const { messageBytesMax } = NETWORK_LIMITS.channels.head
    streams.head.send(framed(Uint8Array.of(7)))
    await until(() => a.messages.length === 1)
    for (let i = 0; i < 3; i++) {
      const { head } = i === 0 ? streams : await evil.join(await evil.dial(locationOf(a)))
      await until(() => a.transport.peers().length === 1)
      head.send(framed(new Uint8Array(0), messageBytesMax + 1))
      await until(() => a.transport.peers().length === 0)
    }
    // The third was one too many.
    await until(() => evil.libp2p.getConnections().every(({ status }) => status !== 'open'))
    await expect((async () => evil.join(await evil.dial(locationOf(a))))()).rejects.toBeDefined()
    expect(a.messages).toHaveLength(1)
  })

  test('a message that never ends is cut off after 30 s; what it announced was not set aside', async () => {
    const time = createLeapingTime()
    const { a, streams } = await victim({ time })
    const before = process.memoryUsage().arrayBuffers
    const alive = framed(Uint8Array.of(0))
    streams.consensus.send(framed(new Uint8Array(100), 8_000_000))
    await turns(20)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000)
    for (let second = 0; second < 29; second++) {
      time.leap(1_000)
      streams.consensus.send(Uint8Array.of(1))
      streams.peers.send(alive)
      await turns(3)
    }
    expect(a.transport.peers()).toEqual([B])
    time.leap(3_000)
    await until(() => a.changes.length === 2)
    expect(a.changes).toEqual([`up ${B}`, `down ${B}`])
    expect(a.messages).toEqual([])
  })

  test('a flood is held back: what is over the budget waits at the sender', async () => {
    const time = createLeapingTime()
    const { a, streams } = await victim({ time })
    const { burst, perSecond } = NETWORK_LIMITS.channels.head.messages
    const one = framed(Uint8Array.of(9))
    streams.head.send(Buffer.concat(Array.from({ length: 1_000 }, () => one)))
    await until(() => a.messages.length >= burst)
    await turns(20)
    // What the clock of the machine gave meanwhile is little.
    expect(a.messages.length).toBeLessThan(burst + perSecond)
    const before = a.messages.length
    time.leap(2_000)
    await until(() => a.messages.length > before)
    expect(a.transport.peers()).toEqual([B])
  })

  test('a flood of frames of the multiplexer holds up the socket of who sends it', async () => {
    const time = createLeapingTime()
    const { a, evil, streams } = await victim({
      time,
      limits: { muxerFrames: { perSecond: 100, burst: 400 } },
    })
    // Windows of a stream that there is not: version 0, type 1.
    const update = Uint8Array.of(0, 1, 0, 0, 0, 0, 0x10, 1, 0, 0, 0, 9)
    evil.wire()!.send(Buffer.concat(Array.from({ length: 2_000 }, () => update)))
    await turns(20)
    streams.head.send(framed(Uint8Array.of(1)))
    await turns(50)
    expect(a.messages).toEqual([])
    time.leap(17_000)
    await until(() => a.messages.length === 1)
    expect(a.transport.peers()).toEqual([B])
  })

  test('a frame of the multiplexer above the window ends the connection by its head', async () => {
    const { a, evil } = await victim()
    const head = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1, 0, 0x10, 0, 1)
    evil.wire()!.send(head)
    await until(() => a.transport.peers().length === 0)
  })

  test('a flood that does not end bans', async () => {
    const time = createLeapingTime()
    const { a, streams } = await victim({ time })
    const frames = Buffer.concat(Array.from({ length: 200 }, () => framed(Uint8Array.of(9))))
    const alive = framed(Uint8Array.of(0))
    for (let second = 0; a.transport.peers().length > 0; second++) {
      expect(second).toBeLessThan(120)
      if (streams.head.status === 'open') streams.head.send(frames)
      if (streams.peers.status === 'open') streams.peers.send(alive)
      await turns(5)
      time.leap(1_000)
    }
    expect(a.changes).toEqual([`up ${B}`, `down ${B}`])
  })

  test('a banned peer is refused both ways for ten minutes, and welcome afterwards', async () => {
    const time = createLeapingTime()
    const a = await node('a', { time })
    const b = await node('b', { time, bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    for (let i = 0; i < 3; i++) a.transport.penalise(B, 'a test', 'severe')
    await until(() => a.transport.peers().length === 0 && b.transport.peers().length === 0)
    for (let minute = 0; minute < 9; minute++) {
      time.leap(60_000)
      await turns(30)
    }
    expect(a.changes).toEqual([`up ${B}`, `down ${B}`])
    expect(b.changes).toEqual([`up ${A}`, `down ${A}`])
    time.leap(61_000)
    await until(() => {
      time.leap(100)
      return areUp(a, b)
    })
  })

  test('addresses that are none are a severe fault', async () => {
    const { a, streams, evil } = await victim()
    for (let i = 0; i < 3; i++) streams.peers.send(framed(Uint8Array.of(2, 0xff, 0xff)))
    await until(() => a.transport.peers().length === 0)
    await until(() => evil.libp2p.getConnections().every(({ status }) => status !== 'open'))
  })

  test('a question above its limit, or two on one stream, are severe faults', async () => {
    const { a, evil } = await victim()
    const connection = evil.libp2p.getConnections()[0]!
    const { requestBytesMax } = NETWORK_LIMITS.questions.blocks
    const tooLong = await evil.open(connection, 'blocks')
    tooLong.send(framed(new Uint8Array(0), requestBytesMax + 1))
    await until(() => tooLong.status === 'reset')
    const twice = await evil.open(connection, 'status')
    twice.send(Buffer.concat([framed(Uint8Array.of(1)), framed(Uint8Array.of(2))]))
    await until(() => twice.status === 'reset')
    expect(a.transport.peers()).toEqual([B])
    a.transport.penalise(B, 'the third', 'severe')
    await until(() => a.transport.peers().length === 0)
  })

  test('a question that is not finished, and an answer that is not taken, end in 10 s', async () => {
    const time = createLeapingTime()
    const { a, evil, streams } = await victim({ time })
    a.answer = () => Promise.resolve(new Uint8Array(8_000_000))
    const connection = evil.libp2p.getConnections()[0]!
    const slow = await evil.open(connection, 'status')
    slow.send(Uint8Array.of(0, 0))
    const lazy = await evil.open(connection, 'blocks')
    lazy.pause()
    lazy.send(framed(Uint8Array.of(1)))
    await turns(20)
    for (let second = 0; second < 12; second++) {
      time.leap(1_000)
      streams.peers.send(framed(Uint8Array.of(0)))
      await turns(3)
    }
    await until(() => slow.status === 'reset' && lazy.status === 'reset')
    expect(a.transport.peers()).toEqual([B])
  })

  test('an answer above its limit is refused by its length: NODE_PEER_REFUSED', async () => {
    const a = await node('a')
    const { answerBytesMax } = NETWORK_LIMITS.questions.status
    const evil = await raw('b', (name, stream) => {
      if (name === 'status') stream.send(framed(new Uint8Array(0), answerBytesMax + 1))
    })
    await evil.join(await evil.dial(locationOf(a)))
    await until(() => a.transport.peers().length === 1)
    await expect(a.transport.ask(B, 'status', Uint8Array.of(1))).rejects.toMatchObject({
      code: 'NODE_PEER_REFUSED',
    })
  })

  test('a peer that goes while it is asked is away: NODE_PEER_AWAY', async () => {
    const a = await node('a')
    const b = await node('b', { bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    let isAsked = false
    b.answer = () => {
      isAsked = true
      return new Promise(() => {})
    }
    const answer = a.transport.ask(B, 'blocks', Uint8Array.of(1))
    answer.catch(() => {})
    await until(() => isAsked)
    await b.host.stop()
    await expect(answer).rejects.toMatchObject({ code: 'NODE_PEER_AWAY' })
  })

  test('more questions than may be open are refused here: NODE_PEER_REFUSED', async () => {
    const a = await node('a')
    const b = await node('b', { bootnodes: [locationOf(a)] })
    await until(() => areUp(a, b))
    const { openMax } = NETWORK_LIMITS.questions.blocks
    const asked = Array.from({ length: openMax + 1 }, (_, i) =>
      a.transport.ask(B, 'blocks', Uint8Array.of(i)).catch((error: { code: string }) => error.code),
    )
    const answers = await Promise.all(asked)
    expect(answers.slice(0, openMax)).toEqual(
      Array.from({ length: openMax }, (_, i) => Uint8Array.of(i)),
    )
    expect(answers[openMax]).toBe('NODE_PEER_REFUSED')
  })

  test('what a slow reader does not take is dropped beyond the queue, in order', async () => {
    const { a, streams } = await victim()
    const { queueBytesMax, messageBytesMax } = NETWORK_LIMITS.channels.transactions
    // A peer that does not read: its side of our stream is paused by the test.
    void streams
    const large = new Uint8Array(messageBytesMax)
    let taken = 0
    while (a.transport.send(B, 'transactions', large)) taken++
    expect(taken).toBe(Math.floor(queueBytesMax / messageBytesMax))
    expect(a.transport.send(B, 'transactions', new Uint8Array(messageBytesMax + 1))).toBe(false)
    // Other channels are not in its way.
    expect(a.transport.send(B, 'head', Uint8Array.of(1))).toBe(true)
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
