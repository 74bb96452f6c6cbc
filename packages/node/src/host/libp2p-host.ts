/**
 * The network of a process: one libp2p host, shared by its chains.
 *
 * TCP with TCP_NODELAY, Noise, Yamux. The identity is a secp256k1 key, for a validator its own. The
 * network is private: only peers of the allow-list are connected, in either direction. What other
 * modules decide is put together here: gate, links (libp2p-links.ts), chains (libp2p-transport.ts).
 */

import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { ComponentLogger, Logger as Libp2pLogger, PeerId } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import type { Hash } from '@vellum/evm'
import { createLibp2p, type Libp2p } from 'libp2p'
import { NodeError } from '../error.ts'
import type { Clock, Logger, PeerAddress, Random, Timers, Transport } from '../ports.ts'
import { createLinks, type Links, messageOf } from './libp2p-links.ts'
import { type ChainHost, type ChainNetwork, createChainNetwork } from './libp2p-transport.ts'
import { guardedYamux } from './muxer-guard.ts'
import { NETWORK_LIMITS, type NetworkLimits } from './network-limits.ts'
import { createPeerGate } from './peer-gate.ts'
import {
  addressOfPeerId,
  type PeerLocation,
  parsePeerLocation,
  peerIdOfKey,
} from './peer-identity.ts'
import { createPeerStanding } from './peer-standing.ts'

export interface Libp2pHostOptions {
  /** 32 bytes, a private key of secp256k1: the identity; for a validator its validator key. */
  readonly key: Uint8Array
  /** Where to listen, such as `/ip4/0.0.0.0/tcp/30303`; port 0 takes a free one. None: dials only. */
  readonly listen: readonly string[]
  /** What others are told instead of the addresses of this machine, in the form of `listen`. */
  readonly announce?: readonly string[]
  /** Locations with `/p2p/<id>`: let in, and called for ever. */
  readonly bootnodes: readonly string[]
  /** Let in on every chain. */
  readonly members: readonly PeerAddress[]
  readonly limits?: Partial<NetworkLimits>
  readonly ports: {
    readonly clock: Clock
    readonly timers: Timers
    readonly random: Random
    readonly log: Logger
  }
}

export interface Libp2pHost {
  /** Who this node is to its peers. */
  readonly address: PeerAddress
  /** "16Uiu2…" */
  readonly peerId: string
  /**
   * Listens and connects; the first chain's `start` does it, too.
   * @throws NodeError NODE_PORT_TAKEN, NODE_NETWORK_FAILED
   */
  start(): Promise<void>
  /** Ends all connections, for all chains, for ever. */
  stop(): Promise<void>
  /** Where this node is reached, with `/p2p/<id>`; none before it listens. */
  listenAddresses(): string[]
  /** Connections to peers of any chain. */
  connections(): readonly PeerConnection[]
  /**
   * A chain's view of this host; once for each chain until it is closed.
   * @param bootnodes locations with `/p2p/<id>`, beside those of the host: let in on this chain
   * @throws NodeError NODE_CONFIG_INVALID for locations that are none
   */
  open(genesisHash: Hash, bootnodes?: readonly string[]): Transport
  /** Ends the chain's sessions, and connections that only it wanted. Does nothing if it is not open. */
  close(genesisHash: Hash): Promise<void>
}

interface HostedChain {
  readonly network: ChainNetwork
  readonly bootnodes: ReadonlySet<PeerAddress>
  admitted: Set<PeerAddress>
}

export interface PeerConnection {
  readonly peer: PeerAddress
  readonly peerId: string
  /** The other end, as a multiaddr. */
  readonly remote: string
  readonly direction: 'inbound' | 'outbound'
}

/** @throws NodeError NODE_CONFIG_INVALID for addresses that are none */
export async function createLibp2pHost(options: Libp2pHostOptions): Promise<Libp2pHost> {
  const { clock, timers } = options.ports
  const log = options.ports.log.child('network')
  const limits: NetworkLimits = { ...NETWORK_LIMITS, ...options.limits }
  const peerId = peerIdOfKey(options.key)
  const self = addressOfPeerId(peerId)!
  const bootnodes = options.bootnodes.map(parsePeerLocation)
  const fixed = new Set([...options.members, ...bootnodes.map(({ peer }) => peer)])
  fixed.delete(self)
  const chains = new Map<Hash, HostedChain>()
  const standing = createPeerStanding(limits, clock)
  let starting: Promise<void> | undefined
  let isStopped = false

  function* allowed(): Iterable<PeerAddress> {
    yield* fixed
    for (const { admitted, bootnodes } of chains.values()) {
      yield* bootnodes
      yield* admitted
    }
  }

  function isAllowed(peer: PeerAddress): boolean {
    if (fixed.has(peer)) return true
    for (const chain of chains.values()) if (isAllowedOn(chain, peer)) return true
    return false
  }

  function isAllowedOn(chain: HostedChain | undefined, peer: PeerAddress): boolean {
    return chain?.admitted.has(peer) === true || chain?.bootnodes.has(peer) === true
  }

  function allowedChanged(): void {
    links.onAllowedChanged()
    for (const { network } of chains.values()) network.onAllowedChanged()
  }

  const libp2p: Libp2p = await createLibp2p({
    start: false,
    privateKey: privateKeyFromRaw(options.key),
    addresses: {
      listen: options.listen.map((text) => checkedAddress(text, peerId)),
      announce: (options.announce ?? []).map((text) => checkedAddress(text, peerId)),
    },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionEncrypters: [noise()],
    streamMuxers: [guardedYamux(limits, { clock, timers })],
    connectionGater: createPeerGate({
      limits,
      isAllowed: (peer) => isAllowed(peer) && !standing.isBanned(peer),
      connections: () => libp2p.getConnections(),
      onRefused: (refused, reason) =>
        log.debug('a peer was refused', { peerId: refused.toString(), reason }),
    }),
    connectionManager: {
      maxConnections: limits.connectionsMax,
      maxIncomingPendingConnections: limits.connectionsPendingMax,
      inboundConnectionThreshold: limits.connectionsPerSecondMax,
      inboundUpgradeTimeout: limits.dialMsMax,
      inboundStreamProtocolNegotiationTimeout: limits.dialMsMax,
      outboundStreamProtocolNegotiationTimeout: limits.dialMsMax,
      dialTimeout: limits.dialMsMax,
      addressDialTimeout: Math.ceil(limits.dialMsMax / 2),
      // Who does not answer must not keep others waiting.
      maxParallelDials: limits.connectionsMax,
      reconnectRetries: 0,
    },
    // Signs of life are our own (libp2p-links.ts).
    connectionMonitor: { enabled: false },
    logger: SILENT,
  })

  const links: Links = createLinks(
    {
      self,
      libp2p: () => libp2p,
      limits,
      standing,
      configured: bootnodes.filter(({ peer }) => peer !== self),
      isAllowed,
      allowed,
      ownLocations,
      onUp: (peer) => {
        for (const { network } of chains.values()) network.onLinkUp(peer)
      },
      onDown: (peer) => {
        for (const { network } of chains.values()) network.onLinkDown(peer)
      },
      onSweep: () => {
        for (const { network } of chains.values()) network.onSweep()
      },
    },
    { clock, timers, random: options.ports.random, log },
  )

  function ownLocations(): readonly PeerLocation[] {
    const all = libp2p.getMultiaddrs().map((each) => each.toString())
    const elsewhere = all.filter((each) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(each))
    // Of use to others on other machines, unless this node listens to its own machine alone.
    return (elsewhere.length > 0 ? elsewhere : all).map(parsePeerLocation)
  }

  function start(): Promise<void> {
    if (isStopped) return Promise.reject(new Error('the network was stopped'))
    starting ??= links.start().then(
      () =>
        log.info('listening', {
          peerId: peerId.toString(),
          addresses: libp2p.getMultiaddrs().join(' '),
        }),
      async (error: unknown) => {
        await libp2p.stop()
        throw startFailure(error)
      },
    )
    return starting
  }

  function hostOf(genesisHash: Hash): ChainHost {
    return {
      start,
      handle: (protocol, openMax, handler) =>
        libp2p.handle(protocol, handler, { maxInboundStreams: openMax, maxOutboundStreams: 16 }),
      unhandle: (protocols) => libp2p.unhandle([...protocols]),
      connectionOf: links.connectionOf,
      peerOf: links.peerOf,
      linked: links.linked,
      isAllowed: (peer) => fixed.has(peer) || isAllowedOn(chains.get(genesisHash), peer),
      isBanned: standing.isBanned,
      penalise: links.penalise,
      admit: (peers) => {
        const chain = chains.get(genesisHash)
        if (chain === undefined) return
        chain.admitted = new Set(peers.slice(0, limits.admittedMax))
        chain.admitted.delete(self)
        queueMicrotask(allowedChanged)
      },
    }
  }

  return {
    address: self,
    peerId: peerId.toString(),
    start,
    stop: async () => {
      if (isStopped) return
      isStopped = true
      await starting?.catch(() => {})
      links.stop()
      for (const { network } of chains.values()) await network.stop()
      await libp2p.stop()
    },
    listenAddresses: () => libp2p.getMultiaddrs().map((each) => each.toString()),
    connections: () =>
      libp2p.getConnections().flatMap(({ remotePeer, remoteAddr, direction }) => {
        const peer = addressOfPeerId(remotePeer)
        if (peer === undefined) return []
        return [{ peer, peerId: remotePeer.toString(), remote: remoteAddr.toString(), direction }]
      }),
    open: (genesisHash, own = []) => {
      if (chains.has(genesisHash)) throw new Error(`the chain ${genesisHash} is open already`)
      const locations = own.map(parsePeerLocation).filter(({ peer }) => peer !== self)
      for (const location of locations) links.learn(location)
      const network = createChainNetwork(
        { genesisHash, limits },
        {
          host: hostOf(genesisHash),
          clock,
          timers,
          random: options.ports.random,
          log: log.child(`network ${genesisHash.slice(0, 10)}`),
        },
      )
      chains.set(genesisHash, {
        network,
        bootnodes: new Set(locations.map(({ peer }) => peer)),
        admitted: new Set(),
      })
      return network
    },
    close: async (genesisHash) => {
      const chain = chains.get(genesisHash)
      if (chain === undefined) return
      await chain.network.stop()
      chains.delete(genesisHash)
      allowedChanged()
    },
  }
}

/** An address in the form that peers can be told, with or without our id at its end. */
function checkedAddress(text: string, peerId: PeerId): string {
  const end = `/p2p/${peerId.toString()}`
  const place = text.endsWith(end) ? text.slice(0, -end.length) : text
  try {
    parsePeerLocation(place + end)
    return place
  } catch (cause) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `${JSON.stringify(text)} is no address to listen at: it must look like /ip4/0.0.0.0/tcp/30303`,
      { address: text },
      { cause },
    )
  }
}

function startFailure(cause: unknown): NodeError {
  const reason = messageOf(cause)
  if (/EADDRINUSE/.test(reason)) {
    return new NodeError(
      'NODE_PORT_TAKEN',
      'another program listens at an address of the network: stop it, or choose another port',
      { reason },
      { cause },
    )
  }
  return new NodeError(
    'NODE_NETWORK_FAILED',
    `the network did not start: ${reason}`,
    { reason },
    { cause },
  )
}

/** libp2p's own lines are for its makers; what matters to an operator is logged here. */
const silentLog: Libp2pLogger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: () => silentLog,
})
const SILENT: ComponentLogger = { forComponent: () => silentLog }
