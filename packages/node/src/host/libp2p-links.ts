/**
 * The links of a host: one connection to each peer that it should be connected to.
 *
 * Two peers may call each other at the same moment. Then the call of the lower address stays; else
 * the newest stays, since who calls has no connection that works. On every link a stream each way
 * (`/vellum/peers/1`) carries addresses of peers and signs of life.
 */

import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { CancelTimer, Clock, Logger, PeerAddress, Random, Timers } from '../ports.ts'
import {
  type AddressBook,
  createAddressBook,
  decodeLocations,
  encodeLocations,
} from './address-book.ts'
import { type FrameWriter, readFrames, writeFrames } from './framed-stream.ts'
import type { NetworkLimits } from './network-limits.ts'
import { addressOfPeerId, type PeerLocation } from './peer-identity.ts'
import type { PeerStanding } from './peer-standing.ts'
import { createRedial } from './redial.ts'
import { createTokenBucket } from './token-bucket.ts'

export const PEERS_PROTOCOL = '/vellum/peers/1'

/** First byte of a message on the stream of addresses. */
const KIND = { alive: 0, own: 1, known: 2 } as const
/** Largest message of that stream: some 200 addresses. */
const PEERS_MESSAGE_BYTES_MAX = 32_768
/** Addresses of one message that are looked at. */
const PEERS_MESSAGE_LOCATIONS_MAX = 512
const PEERS_MESSAGES = { perSecond: 5, burst: 50 }
/** How often deadlines are looked at, in milliseconds. */
export const SWEEP_MS = 1_000
/** Connections that begin within so many milliseconds of each other count as simultaneous. */
const SIMULTANEOUS_MS = 2_000

export interface LinksPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly log: Logger
}

export interface LinksOptions {
  readonly self: PeerAddress
  readonly libp2p: () => Libp2p
  readonly limits: NetworkLimits
  readonly standing: PeerStanding
  readonly configured: readonly PeerLocation[]
  /** Who may be connected, banned or not. */
  readonly isAllowed: (peer: PeerAddress) => boolean
  readonly allowed: () => Iterable<PeerAddress>
  /** Where this host can be found, once it listens. */
  readonly ownLocations: () => readonly PeerLocation[]
  readonly onUp: (peer: PeerAddress, connection: Connection) => void
  readonly onDown: (peer: PeerAddress) => void
  /** Called every `SWEEP_MS`. */
  readonly onSweep: () => void
}

export interface Links {
  start(): Promise<void>
  /** Ends every link. Nothing is called afterwards. */
  stop(): void
  connectionOf(peer: PeerAddress): Connection | undefined
  /** Who is at the other end, if this connection is the link to it. */
  peerOf(connection: Connection): PeerAddress | undefined
  linked(): readonly PeerAddress[]
  /** Where a peer can be found, as an operator wrote it: kept for ever. */
  learn(location: PeerLocation): void
  /** Whoever is no longer allowed is cut off; who is new is called. */
  onAllowedChanged(): void
  /** Counts faults, and cuts the peer off in a turn of its own if it was one too many. */
  penalise(peer: PeerAddress, reason: string, weight: 'slight' | 'severe', count?: number): void
}

interface Link {
  readonly peer: PeerAddress
  readonly connection: Connection
  readonly openedAt: number
  heardAt: number
  writer: FrameWriter | undefined
  inbound: Stream | undefined
}

export function createLinks(options: LinksOptions, ports: LinksPorts): Links {
  const { self, limits, standing, isAllowed, allowed } = options
  const { clock, timers, log } = ports
  const links = new Map<PeerAddress, Link>()
  const book: AddressBook = createAddressBook(limits)
  for (const location of options.configured) book.addConfigured(location)
  /** Calls under way. */
  const calls = new Map<PeerAddress, AbortController>()
  let cancelSweep: CancelTimer | undefined
  let isRunning = false
  let aliveToldAt = 0
  let addressesToldAt = 0

  const redial = createRedial({
    limits,
    timers,
    random: ports.random,
    isDue: (peer) => isRunning && isWanted(peer) && book.locations(peer).length > 0,
    isSecond: (peer) => self > peer,
    dial,
  })

  function isWanted(peer: PeerAddress): boolean {
    return peer !== self && !links.has(peer) && isAllowed(peer) && !standing.isBanned(peer)
  }

  async function dial(peer: PeerAddress): Promise<void> {
    const addresses = book.locations(peer).map(({ multiaddr }) => multiaddr)
    const call = new AbortController()
    calls.set(peer, call)
    try {
      const signal = AbortSignal.any([call.signal, AbortSignal.timeout(limits.dialMsMax)])
      await options.libp2p().dial(addresses, { signal })
    } catch (error) {
      // The world's way: peers are away, and are called again.
      log.debug('a peer did not answer', { peer, reason: messageOf(error) })
    } finally {
      calls.delete(peer)
    }
  }

  function onOpen(connection: Connection): void {
    const peer = addressOfPeerId(connection.remotePeer)
    if (!isRunning || peer === undefined || !isAllowed(peer) || standing.isBanned(peer)) {
      connection.abort(new Error('this peer is not wanted'))
      return
    }
    const now = clock.elapsed()
    const old = links.get(peer)
    if (old !== undefined) {
      if (old.connection.status === 'open' && isPreferred(old, connection, now)) {
        connection.abort(new Error('there is a connection already'))
        return
      }
      drop(old, 'another connection takes its place')
    }
    const link: Link = {
      peer,
      connection,
      openedAt: now,
      heardAt: now,
      writer: undefined,
      inbound: undefined,
    }
    links.set(peer, link)
    // It was faster.
    if (connection.direction === 'inbound') calls.get(peer)?.abort()
    log.debug('connected', { peer, direction: connection.direction })
    void greet(link)
    options.onUp(peer, connection)
  }

  /** Whether the old connection stays. Both ends come to the same answer. */
  function isPreferred(old: Link, connection: Connection, now: number): boolean {
    if (old.connection.direction === connection.direction) return false
    if (now - old.openedAt > SIMULTANEOUS_MS) return false
    const isOurs = old.connection.direction === 'outbound'
    return isOurs === self < old.peer
  }

  function onClose(connection: Connection): void {
    for (const link of links.values()) {
      if (link.connection !== connection) continue
      drop(link, 'the connection closed')
      break
    }
    const peer = addressOfPeerId(connection.remotePeer)
    if (peer !== undefined) redial.consider(peer)
  }

  function drop(link: Link, reason: string): void {
    if (links.get(link.peer) !== link) return
    links.delete(link.peer)
    log.debug('disconnected', { peer: link.peer, reason })
    link.connection.abort(new Error(reason))
    options.onDown(link.peer)
  }

  /** Tells a new peer where we are and whom we know. */
  async function greet(link: Link): Promise<void> {
    try {
      const signal = AbortSignal.timeout(limits.dialMsMax)
      const stream = await link.connection.newStream(PEERS_PROTOCOL, { signal })
      stream.addEventListener('close', () => drop(link, 'the stream of addresses closed'))
      link.writer = writeFrames(stream, {
        queueMessagesMax: 16,
        queueBytesMax: 4 * PEERS_MESSAGE_BYTES_MAX,
        clock,
      })
      tell(link, KIND.own, options.ownLocations())
      tell(link, KIND.known, knownTo(link))
    } catch (error) {
      drop(link, `it takes no addresses: ${messageOf(error)}`)
    }
  }

  function knownTo(link: Link): readonly PeerLocation[] {
    return book
      .told()
      .filter(({ peer }) => peer !== link.peer && isAllowed(peer))
      .slice(0, PEERS_MESSAGE_LOCATIONS_MAX)
  }

  function tell(link: Link, kind: number, locations: readonly PeerLocation[]): void {
    if (locations.length === 0) return
    const list = encodeLocations(locations)
    if (list.length >= PEERS_MESSAGE_BYTES_MAX) {
      const half = Math.ceil(locations.length / 2)
      tell(link, kind, locations.slice(0, half))
      tell(link, kind, locations.slice(half))
      return
    }
    const message = new Uint8Array(1 + list.length)
    message[0] = kind
    message.set(list, 1)
    link.writer?.send(message)
  }

  function onPeersStream(stream: Stream, connection: Connection): void {
    const link = linkOf(connection)
    if (link === undefined) {
      stream.abort(new Error('no link'))
      return
    }
    const before = link.inbound
    link.inbound = stream
    before?.abort(new Error('another stream takes its place'))
    const bucket = createTokenBucket(PEERS_MESSAGES, clock)
    const reader = readFrames(stream, {
      messageBytesMax: PEERS_MESSAGE_BYTES_MAX,
      clock,
      onFault: () => {
        penalise(link.peer, 'a wrong length on the stream of addresses', 'severe')
        drop(link, 'a wrong length on the stream of addresses')
      },
      onMessage: (message) => {
        const waitMs = bucket.take(1)
        if (waitMs > 0) {
          reader.pause()
          timers.after(waitMs, reader.resume)
          penalise(link.peer, 'too many addresses', 'slight')
        }
        onPeersMessage(link, message)
      },
    })
    stream.addEventListener('close', () => {
      if (link.inbound === stream) drop(link, 'its stream of addresses closed')
    })
  }

  function onPeersMessage(link: Link, message: Uint8Array): void {
    if (links.get(link.peer) !== link) return
    link.heardAt = clock.elapsed()
    redial.forgive(link.peer)
    const [kind] = message
    if (kind === KIND.alive && message.length === 1) return
    const locations =
      kind === KIND.own || kind === KIND.known
        ? decodeLocations(message.subarray(1), PEERS_MESSAGE_LOCATIONS_MAX)
        : undefined
    if (locations === undefined) {
      penalise(link.peer, 'unreadable addresses', 'severe')
      return
    }
    if (kind === KIND.own) {
      const own = locations.filter(({ peer }) => peer === link.peer)
      if (!book.setOwn(link.peer, own)) return
      for (const other of links.values()) {
        if (other !== link) tell(other, KIND.known, own)
      }
      return
    }
    for (const location of locations) {
      if (location.peer === self || !isAllowed(location.peer)) continue
      book.addHeard(link.peer, location)
      redial.consider(location.peer)
    }
  }

  function sweep(): void {
    const now = clock.elapsed()
    for (const link of [...links.values()]) {
      if (now - link.heardAt > limits.silenceMsMax) drop(link, 'nothing was heard of it')
    }
    if (now - aliveToldAt >= limits.heartbeatMs) {
      aliveToldAt = now
      const alive = Uint8Array.of(KIND.alive)
      for (const link of links.values()) link.writer?.send(alive)
    }
    if (now - addressesToldAt >= limits.addressesMs) {
      addressesToldAt = now
      for (const link of links.values()) {
        tell(link, KIND.own, options.ownLocations())
        tell(link, KIND.known, knownTo(link))
      }
    }
    // Bans end, and addresses become known, without a sign.
    for (const peer of allowed()) redial.consider(peer)
    options.onSweep()
    cancelSweep = timers.after(SWEEP_MS, sweep)
  }

  function penalise(
    peer: PeerAddress,
    reason: string,
    weight: 'slight' | 'severe',
    count = 1,
  ): void {
    const isTooMuch = standing.penalise(peer, weight, count)
    log.debug('a fault of a peer', { peer, reason, weight })
    if (!isTooMuch) return
    log.warn('a peer is refused for a while', { peer, reason, ms: limits.banMs })
    const link = links.get(peer)
    // Whoever penalises is in the middle of something: what follows from it comes afterwards.
    if (link !== undefined) queueMicrotask(() => drop(link, reason))
  }

  function linkOf(connection: Connection): Link | undefined {
    for (const link of links.values()) if (link.connection === connection) return link
    return undefined
  }

  return {
    start: async () => {
      const libp2p = options.libp2p()
      libp2p.addEventListener('connection:open', ({ detail }) => onOpen(detail))
      libp2p.addEventListener('connection:close', ({ detail }) => onClose(detail))
      await libp2p.handle(PEERS_PROTOCOL, onPeersStream, {
        maxInboundStreams: 2,
        maxOutboundStreams: 2,
      })
      isRunning = true
      await libp2p.start()
      aliveToldAt = clock.elapsed()
      addressesToldAt = aliveToldAt
      for (const peer of allowed()) redial.consider(peer)
      cancelSweep = timers.after(SWEEP_MS, sweep)
    },
    stop: () => {
      isRunning = false
      cancelSweep?.()
      redial.stop()
      for (const call of calls.values()) call.abort()
      for (const link of [...links.values()]) drop(link, 'this node stops')
    },
    connectionOf: (peer) => links.get(peer)?.connection,
    peerOf: (connection) => linkOf(connection)?.peer,
    linked: () => [...links.keys()],
    learn: book.addConfigured,
    onAllowedChanged: () => {
      for (const link of [...links.values()]) {
        if (!isAllowed(link.peer)) drop(link, 'it is no longer admitted')
      }
      book.retain(isAllowed)
      redial.retain(isAllowed)
      if (!isRunning) return
      for (const peer of allowed()) redial.consider(peer)
    },
    penalise,
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
