/**
 * One chain on a host: the `Transport` port.
 *
 * A session with a peer is six streams, one for each channel and direction, on the link to it. The
 * peer is up when all six stand: both speak this chain. If one ends, all end, and are opened again.
 * Questions take a stream each. Names of protocols carry the hash of the genesis block, so that
 * nodes of different chains have nothing to say to each other.
 */

import type { Connection, Stream } from '@libp2p/interface'
import type { Hash } from '@vellum/evm'
import { NodeError } from '../error.ts'
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
  TransportHandlers,
} from '../ports.ts'
import { type FrameReader, type FrameWriter, readFrames, writeFrames } from './framed-stream.ts'
import type { NetworkLimits } from './network-limits.ts'
import { createTokenBucket, type TokenBucket } from './token-bucket.ts'

export const CHANNELS: readonly Channel[] = ['consensus', 'transactions', 'head']
export const QUESTIONS: readonly Question[] = ['status', 'blocks', 'snapshot']

/** Reading a channel stops for so many milliseconds at least. */
const PAUSE_MS_MIN = 50
/** A channel over its budget is a fault once in so many milliseconds. */
const FLOOD_FAULT_MS = 1_000
/** An address as text, with which the keys of our memories begin. */
const ADDRESS_CHARS = 42
/** Milliseconds before a session is opened again, at first. */
const REOPEN_MS_MIN = 100

export type StreamHandler = (stream: Stream, connection: Connection) => void

/** What a chain asks of its host. */
export interface ChainHost {
  /** Listens and connects, if it does not yet. */
  start(): Promise<void>
  handle(protocol: string, openMax: number, handler: StreamHandler): Promise<void>
  unhandle(protocols: readonly string[]): Promise<void>
  connectionOf(peer: PeerAddress): Connection | undefined
  peerOf(connection: Connection): PeerAddress | undefined
  linked(): readonly PeerAddress[]
  /** Whether the peer may speak this chain. */
  isAllowed(peer: PeerAddress): boolean
  isBanned(peer: PeerAddress): boolean
  penalise(peer: PeerAddress, reason: string, weight: 'slight' | 'severe', count?: number): void
  /** What follows from it comes in a turn of its own. */
  admit(peers: readonly PeerAddress[]): void
}

export interface ChainNetwork extends Transport {
  onLinkUp(peer: PeerAddress): void
  onLinkDown(peer: PeerAddress): void
  /** Ends sessions with peers that are not allowed any more. */
  onAllowedChanged(): void
  onSweep(): void
}

export interface ChainNetworkOptions {
  readonly genesisHash: Hash
  readonly limits: NetworkLimits
}

export interface ChainNetworkPorts {
  readonly host: ChainHost
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly log: Logger
}

/** The streams of this chain with one peer, on one connection. */
interface Session {
  readonly peer: PeerAddress
  readonly connection: Connection
  readonly outbound: Map<Channel, { readonly stream: Stream; readonly writer: FrameWriter }>
  readonly inbound: Map<Channel, { readonly stream: Stream; readonly reader: FrameReader }>
  isUp: boolean
  isEnded: boolean
  /** Timers of readers that are held back. */
  readonly held: Set<CancelTimer>
}

/** How often a session was opened in vain. */
interface Reopening {
  count: number
  cancel: CancelTimer | undefined
}

/** What a peer has asked. */
interface Asker {
  readonly bucket: TokenBucket
  /** Answers are made one after another: one large answer waits for its peer at a time. */
  last: Promise<void>
}

export function protocolOf(genesisHash: Hash, name: Channel | Question): string {
  return `/vellum/${genesisHash.slice(2)}/${name}/1`
}

export function createChainNetwork(
  { genesisHash, limits }: ChainNetworkOptions,
  { host, clock, timers, random, log }: ChainNetworkPorts,
): ChainNetwork {
  const sessions = new Map<PeerAddress, Session>()
  const reopenings = new Map<PeerAddress, Reopening>()
  /** By peer and question. */
  const askers = new Map<string, Asker>()
  /** Buckets outlive sessions: who opens streams anew has not got a new budget. */
  const buckets = new Map<string, { readonly messages: TokenBucket; readonly bytes: TokenBucket }>()
  const floodedAt = new Map<PeerAddress, number>()
  const asking = new Map<string, number>()
  /** Streams of questions, ours and others', that are to end at a time. */
  const exchanges = new Map<Stream, number>()
  let handlers: TransportHandlers | undefined

  const nameOf = (name: Channel | Question): string => protocolOf(genesisHash, name)

  // Sessions

  function open(peer: PeerAddress): Session | undefined {
    const connection = host.connectionOf(peer)
    if (handlers === undefined || connection === undefined || !host.isAllowed(peer))
      return undefined
    const existing = sessions.get(peer)
    if (existing !== undefined) return existing
    reopenings.get(peer)?.cancel?.()
    const session: Session = {
      peer,
      connection,
      outbound: new Map(),
      inbound: new Map(),
      isUp: false,
      isEnded: false,
      held: new Set(),
    }
    sessions.set(peer, session)
    for (const channel of CHANNELS) void openOutbound(session, channel)
    return session
  }

  async function openOutbound(session: Session, channel: Channel): Promise<void> {
    const { connection } = session
    try {
      const signal = AbortSignal.timeout(limits.dialMsMax)
      const stream = await connection.newStream(nameOf(channel), { signal })
      if (session.isEnded) {
        stream.abort(new Error('the session ended'))
        return
      }
      const { queueMessagesMax, queueBytesMax } = limits.channels[channel]
      const writer = writeFrames(stream, { queueMessagesMax, queueBytesMax, clock })
      session.outbound.set(channel, { stream, writer })
      stream.addEventListener('close', () => end(session, `${channel} was closed`))
      // Nothing is said on the way back; a peer that closes its side leaves.
      stream.addEventListener('remoteCloseWrite', () => end(session, `${channel} was closed`))
      stream.addEventListener('message', () => {
        host.penalise(session.peer, `spoke on our stream of ${channel}`, 'severe')
        end(session, `it spoke on our stream of ${channel}`)
      })
      rise(session)
    } catch (error) {
      end(session, `${channel} was not opened: ${error instanceof Error ? error.message : error}`)
    }
  }

  function onChannelStream(channel: Channel, stream: Stream, connection: Connection): void {
    const peer = host.peerOf(connection)
    if (handlers === undefined || peer === undefined || !host.isAllowed(peer)) {
      stream.abort(new Error('not on this chain'))
      return
    }
    const before = sessions.get(peer)
    // The peer began anew before we noticed.
    if (before?.inbound.has(channel)) end(before, `${channel} was opened again`)
    const session = open(peer)
    if (session === undefined) {
      stream.abort(new Error('not on this chain'))
      return
    }
    const { messageBytesMax } = limits.channels[channel]
    const reader = readFrames(stream, {
      messageBytesMax,
      clock,
      onMessage: (message) => onMessage(session, channel, message),
      onFault: (length) => {
        host.penalise(peer, `a message of ${length} bytes on ${channel}`, 'severe')
        end(session, `a message of ${length} bytes on ${channel}`)
      },
    })
    // Nothing is read before the peer is up.
    reader.pause()
    session.inbound.set(channel, { stream, reader })
    stream.addEventListener('close', () => end(session, `${channel} was closed by it`))
    stream.addEventListener('remoteCloseWrite', () => end(session, `${channel} was closed by it`))
    rise(session)
  }

  /** The peer is up when all streams stand. */
  function rise(session: Session): void {
    const { peer, outbound, inbound } = session
    if (session.isUp || session.isEnded || handlers === undefined) return
    if (outbound.size < CHANNELS.length || inbound.size < CHANNELS.length) return
    session.isUp = true
    reopenings.delete(peer)
    log.info('a peer is up', { peer })
    handlers.onPeerUp(peer)
    for (const { reader } of inbound.values()) {
      if (!session.isEnded) reader.resume()
    }
  }

  function end(session: Session, reason: string): void {
    if (session.isEnded) return
    const { peer, isUp } = session
    session.isEnded = true
    session.isUp = false
    sessions.delete(peer)
    for (const cancel of session.held) cancel()
    for (const { stream } of [...session.outbound.values(), ...session.inbound.values()]) {
      stream.abort(new Error(reason))
    }
    log.debug('a session ended', { peer, reason })
    if (isUp) {
      log.info('a peer is down', { peer })
      handlers?.onPeerDown(peer)
    }
    reopenLater(peer)
  }

  function reopenLater(peer: PeerAddress): void {
    if (handlers === undefined || host.connectionOf(peer) === undefined) return
    const reopening = reopenings.get(peer) ?? { count: 0, cancel: undefined }
    reopenings.set(peer, reopening)
    const [chance = 0] = random.bytes(1)
    const delay = Math.min(limits.reopenMsMax, REOPEN_MS_MIN * 2 ** Math.min(reopening.count++, 30))
    reopening.cancel?.()
    reopening.cancel = timers.after(Math.ceil(delay * (0.5 + chance / 512)), () => {
      reopening.cancel = undefined
      open(peer)
    })
  }

  function forget(peer: PeerAddress): void {
    reopenings.get(peer)?.cancel?.()
    reopenings.delete(peer)
  }

  // Messages

  function onMessage(session: Session, channel: Channel, message: Uint8Array): void {
    const { peer } = session
    if (!session.isUp || host.isBanned(peer)) return
    const waitMs = charge(peer, channel, message.length)
    if (waitMs > 0) hold(session, channel, Math.max(waitMs, PAUSE_MS_MIN))
    handlers?.onMessage(peer, channel, message)
  }

  function charge(peer: PeerAddress, channel: Channel, size: number): number {
    const key = `${peer} ${channel}`
    let bucket = buckets.get(key)
    if (bucket === undefined) {
      const { messages, bytes } = limits.channels[channel]
      bucket = {
        messages: createTokenBucket(messages, clock),
        bytes: createTokenBucket(bytes, clock),
      }
      buckets.set(key, bucket)
    }
    return Math.max(bucket.messages.take(1), bucket.bytes.take(size))
  }

  /** Stops reading for a while: the peer's messages wait on its side. */
  function hold(session: Session, channel: Channel, ms: number): void {
    const { peer } = session
    const reader = session.inbound.get(channel)?.reader
    if (reader === undefined) return
    reader.pause()
    const cancel = timers.after(ms, () => {
      session.held.delete(cancel)
      if (!session.isEnded) reader.resume()
    })
    session.held.add(cancel)
    const now = clock.elapsed()
    if (now - (floodedAt.get(peer) ?? Number.NEGATIVE_INFINITY) < FLOOD_FAULT_MS) return
    floodedAt.set(peer, now)
    host.penalise(peer, `too much on ${channel}`, 'slight', limits.floodFaults)
  }

  // Questions of others

  function onQuestionStream(question: Question, stream: Stream, connection: Connection): void {
    const peer = host.peerOf(connection)
    if (handlers === undefined || peer === undefined || !host.isAllowed(peer)) {
      stream.abort(new Error('not on this chain'))
      return
    }
    track(stream)
    let isAsked = false
    readFrames(stream, {
      messageBytesMax: limits.questions[question].requestBytesMax,
      clock,
      onFault: (length) => {
        host.penalise(peer, `a question of ${length} bytes for ${question}`, 'severe')
        stream.abort(new Error('the question has a wrong length'))
      },
      onMessage: (body) => {
        if (isAsked) {
          host.penalise(peer, `two questions for ${question} on one stream`, 'severe')
          stream.abort(new Error('one question for each stream'))
          return
        }
        isAsked = true
        const asker = askerOf(peer, question)
        if (asker.bucket.take(1) > 0) {
          host.penalise(peer, `too many questions for ${question}`, 'slight')
          stream.abort(new Error('too many questions'))
          return
        }
        asker.last = asker.last.then(() => answer(peer, question, body, stream))
      },
    })
  }

  function askerOf(peer: PeerAddress, question: Question): Asker {
    const key = `${peer} ${question}`
    let asker = askers.get(key)
    if (asker === undefined) {
      const { asked } = limits.questions[question]
      asker = { bucket: createTokenBucket(asked, clock), last: Promise.resolve() }
      askers.set(key, asker)
    }
    return asker
  }

  /** Resolves when the peer has the answer, or the stream ended. Never rejects. */
  async function answer(
    peer: PeerAddress,
    question: Question,
    body: Uint8Array,
    stream: Stream,
  ): Promise<void> {
    if (handlers === undefined || stream.status !== 'open') return
    try {
      const message = await handlers.onQuestion(peer, question, body)
      const { answerBytesMax } = limits.questions[question]
      if (message.length > answerBytesMax) {
        throw new Error(`an answer of ${message.length} bytes to ${question}`)
      }
      if (stream.status !== 'open') return
      sendOne(stream, message, answerBytesMax)
      await finished(stream)
    } catch (error) {
      log.debug('a question was not answered', {
        peer,
        question,
        reason: error instanceof Error ? error.message : String(error),
      })
      stream.abort(new Error('no answer'))
    }
  }

  /** One message, whole, and the end of our side. */
  function sendOne(stream: Stream, message: Uint8Array, queueBytesMax: number): void {
    writeFrames(stream, { queueMessagesMax: 1, queueBytesMax, clock }).send(message)
    // After the turn in which it was handed over; what the stream holds then is sent before the end.
    queueMicrotask(() => {
      stream.close().catch((error: unknown) => {
        stream.abort(error instanceof Error ? error : new Error(String(error)))
      })
    })
  }

  function finished(stream: Stream): Promise<void> {
    if (stream.status !== 'open') return Promise.resolve()
    return new Promise((resolve) => stream.addEventListener('close', () => resolve()))
  }

  /** Ends the stream at its time. */
  function track(stream: Stream): void {
    exchanges.set(stream, clock.elapsed() + limits.answerMsMax)
    stream.addEventListener('close', () => exchanges.delete(stream))
  }

  // Our questions

  async function ask(peer: PeerAddress, question: Question, body: Uint8Array): Promise<Uint8Array> {
    const session = sessions.get(peer)
    if (!session?.isUp) throw away(peer)
    const { requestBytesMax, openMax } = limits.questions[question]
    if (body.length > requestBytesMax) {
      throw new NodeError(
        'NODE_PEER_REFUSED',
        `a question for ${question} has at most ${requestBytesMax} bytes, this one ${body.length}`,
        { peer, question },
      )
    }
    const key = `${peer} ${question}`
    const open = asking.get(key) ?? 0
    if (open >= openMax) {
      throw new NodeError('NODE_PEER_REFUSED', `${open} questions for ${question} are open`, {
        peer,
        question,
      })
    }
    asking.set(key, open + 1)
    try {
      return await exchange(session, question, body)
    } finally {
      const left = (asking.get(key) ?? 1) - 1
      if (left === 0) asking.delete(key)
      else asking.set(key, left)
    }
  }

  function exchange(session: Session, question: Question, body: Uint8Array): Promise<Uint8Array> {
    const { peer, connection } = session
    const { requestBytesMax, answerBytesMax } = limits.questions[question]
    return new Promise<Uint8Array>((resolve, reject) => {
      const negotiation = new AbortController()
      let stream: Stream | undefined
      const fail = (error: NodeError): void => {
        cancel()
        reject(error)
        negotiation.abort()
        stream?.abort(error)
      }
      const cancel = timers.after(limits.answerMsMax, () => {
        fail(
          new NodeError(
            'NODE_PEER_TIMEOUT',
            `no answer to ${question} in ${limits.answerMsMax} ms`,
            { peer, question },
          ),
        )
      })
      // Who leaves ends the channels first.
      const onEnded = (): void => fail(session.isEnded ? away(peer) : refused(peer, question))
      connection.newStream(nameOf(question), { signal: negotiation.signal }).then((opened) => {
        if (negotiation.signal.aborted) {
          opened.abort(new Error('nobody waits for it'))
          return
        }
        stream = opened
        readFrames(opened, {
          messageBytesMax: answerBytesMax,
          clock,
          onMessage: (message) => {
            cancel()
            resolve(message)
          },
          onFault: (length) => {
            host.penalise(peer, `an answer of ${length} bytes to ${question}`, 'severe')
            fail(refused(peer, question))
          },
        })
        opened.addEventListener('close', onEnded)
        opened.addEventListener('remoteCloseWrite', () => queueMicrotask(onEnded))
        sendOne(opened, body, requestBytesMax)
      }, onEnded)
    })
  }

  return {
    start: async (given) => {
      if (handlers !== undefined) throw new Error('the network of this chain is started already')
      handlers = given
      await Promise.all([
        ...CHANNELS.map((channel) =>
          host.handle(nameOf(channel), 2, (stream, connection) =>
            onChannelStream(channel, stream, connection),
          ),
        ),
        ...QUESTIONS.map((question) =>
          // One more than may be open: the last one may not have ended on our side yet.
          host.handle(nameOf(question), limits.questions[question].openMax + 1, (stream, from) =>
            onQuestionStream(question, stream, from),
          ),
        ),
      ])
      await host.start()
      for (const peer of host.linked()) open(peer)
    },
    stop: async () => {
      if (handlers === undefined) return
      // From here on nothing is told: whoever stops knows.
      handlers = undefined
      await host.unhandle([...CHANNELS, ...QUESTIONS].map(nameOf))
      for (const session of [...sessions.values()]) end(session, 'this chain stops')
      for (const stream of [...exchanges.keys()]) stream.abort(new Error('this chain stops'))
      for (const peer of [...reopenings.keys()]) forget(peer)
    },
    peers: () => [...sessions.values()].filter(({ isUp }) => isUp).map(({ peer }) => peer),
    send: (to, channel, message) => {
      const { messageBytesMax } = limits.channels[channel]
      if (message.length > messageBytesMax) return false
      const session = sessions.get(to)
      if (!session?.isUp) return false
      return session.outbound.get(channel)?.writer.send(message) ?? false
    },
    ask,
    penalise: (peer, reason, weight) => host.penalise(peer, reason, weight),
    admit: host.admit,
    onLinkUp: open,
    onLinkDown: (peer) => {
      const session = sessions.get(peer)
      if (session !== undefined) end(session, 'disconnected')
      forget(peer)
    },
    onAllowedChanged: () => {
      for (const session of [...sessions.values()]) {
        if (!host.isAllowed(session.peer)) end(session, 'it is no longer admitted')
      }
      // What is remembered is of peers that may come: their number is limited.
      for (const memory of [buckets, askers, floodedAt]) {
        for (const key of memory.keys()) {
          if (!host.isAllowed(key.slice(0, ADDRESS_CHARS) as PeerAddress))
            memory.delete(key as never)
        }
      }
      for (const peer of host.linked()) open(peer)
    },
    onSweep: () => {
      const now = clock.elapsed()
      for (const session of [...sessions.values()]) sweep(session, now)
      for (const [stream, deadline] of [...exchanges]) {
        if (now >= deadline) stream.abort(new Error('the exchange took too long'))
      }
    },
  }

  function sweep(session: Session, now: number): void {
    for (const [channel, { reader }] of session.inbound) {
      if (now - (reader.unfinishedSince() ?? now) < limits.frameMsMax) continue
      host.penalise(session.peer, `a message on ${channel} took too long`, 'slight')
      end(session, `a message on ${channel} took too long`)
      return
    }
    for (const [channel, { writer }] of session.outbound) {
      if (now - (writer.stalledSince() ?? now) < limits.frameMsMax) continue
      end(session, `it takes nothing on ${channel}`)
      return
    }
  }
}

function away(peer: PeerAddress): NodeError {
  return new NodeError('NODE_PEER_AWAY', `the peer ${peer} is away`, { peer })
}

function refused(peer: PeerAddress, question: Question): NodeError {
  return new NodeError('NODE_PEER_REFUSED', `the peer gave no answer to ${question}`, {
    peer,
    question,
  })
}
