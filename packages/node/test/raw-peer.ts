/** A libp2p node that says what a test tells it to, byte by byte: for peers that break the rules. */

import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { Connection, MessageStream, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import type { Hash } from '@vellum/evm'
import { createLibp2p, type Libp2p } from 'libp2p'
import { PEERS_PROTOCOL } from '../src/host/libp2p-links.ts'
import { CHANNELS, protocolOf, QUESTIONS } from '../src/host/libp2p-transport.ts'
import { guardedYamux } from '../src/host/muxer-guard.ts'
import { NETWORK_LIMITS } from '../src/host/network-limits.ts'
import type { Channel, Question } from '../src/ports.ts'
import { createLeapingTime } from './network-world.ts'

export interface RawPeer {
  readonly libp2p: Libp2p
  /** Calls a host; rejects if it does not let us in. */
  dial(address: string): Promise<Connection>
  /** Opens what makes us a peer of the chain: three channels and the stream of addresses. */
  join(connection: Connection): Promise<Record<Channel | 'peers', Stream>>
  open(connection: Connection, name: Channel | Question): Promise<Stream>
  /** Under the multiplexer of the latest connection: what is sent here is encrypted and that is all. */
  wire(): MessageStream | undefined
  stop(): Promise<void>
}

/** @param onStream what comes in on a protocol of the chain; nothing is said by itself */
export async function startRawPeer(
  key: Uint8Array,
  genesis: Hash,
  options: {
    readonly listen?: readonly string[]
    readonly onStream?: (name: string, stream: Stream) => void
  } = {},
): Promise<RawPeer> {
  let wire: MessageStream | undefined
  const time = createLeapingTime()
  const plenty = { perSecond: 1e9, burst: 1e9 }
  const makeYamux = guardedYamux(
    { ...NETWORK_LIMITS, muxerFrames: plenty, muxerBytes: plenty, muxerStreams: plenty },
    { clock: time, timers: time },
  )
  const libp2p = await createLibp2p({
    privateKey: privateKeyFromRaw(key),
    addresses: { listen: [...(options.listen ?? [])] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      () => {
        const factory = makeYamux()
        return {
          protocol: factory.protocol,
          createStreamMuxer: (connection) => {
            wire = connection
            return factory.createStreamMuxer(connection)
          },
        }
      },
    ],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
  })
  for (const name of [...CHANNELS, ...QUESTIONS]) {
    await libp2p.handle(protocolOf(genesis, name), (stream) => {
      stream.addEventListener('message', () => {})
      options.onStream?.(name, stream)
    })
  }
  await libp2p.handle(PEERS_PROTOCOL, (stream) => {
    stream.addEventListener('message', () => {})
  })
  const open = (connection: Connection, name: Channel | Question): Promise<Stream> =>
    connection.newStream(protocolOf(genesis, name))
  return {
    libp2p,
    dial: (address) => libp2p.dial(multiaddr(address)),
    open,
    wire: () => wire,
    join: async (connection) => ({
      consensus: await open(connection, 'consensus'),
      transactions: await open(connection, 'transactions'),
      head: await open(connection, 'head'),
      peers: await connection.newStream(PEERS_PROTOCOL),
    }),
    stop: async () => void (await libp2p.stop()),
  }
}

/** A message with the length before it. */
export function framed(message: Uint8Array, length: number = message.length): Uint8Array {
  const frame = new Uint8Array(4 + message.length)
  new DataView(frame.buffer).setUint32(0, length)
  frame.set(message, 4)
  return frame
}
