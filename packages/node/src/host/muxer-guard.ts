/**
 * Yamux with limits on what a peer may make it do.
 *
 * The multiplexer of js-libp2p keeps the bytes of a frame until it is whole, whatever length its head
 * announces, and works through frames as fast as they come. Here heads are looked at before it sees
 * them: a frame longer than the window ends the connection, and a flood of frames, bytes or new
 * streams holds up reading from the socket, so that the peer waits and not we.
 *
 * It also throws where nobody catches, and would end the process: at a frame after the one that
 * closed the connection, and at writing to a connection that closes in the same turn.
 * Spec: hashicorp/yamux spec.md (12-byte heads).
 */

import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import type { CancelTimer, Clock, Timers } from '../ports.ts'
import type { NetworkLimits } from './network-limits.ts'
import { createTokenBucket } from './token-bucket.ts'

const HEAD_BYTES = 12
const TYPE_DATA = 0
const FLAG_SYN = 1
/** Reading stops for so many milliseconds at least: a pause costs something, too. */
const PAUSE_MS_MIN = 20

export interface FrameCount {
  readonly frames: number
  readonly opened: number
}

/** Follows the frames in a stream of bytes without keeping them. */
export function createFrameWatch(
  frameBytesMax: number,
): (bytes: Uint8Array) => FrameCount | 'too long' {
  const head = new Uint8Array(HEAD_BYTES)
  const view = new DataView(head.buffer)
  let filled = 0
  let bodyLeft = 0
  return (bytes) => {
    let frames = 0
    let opened = 0
    let at = 0
    while (at < bytes.length) {
      if (bodyLeft > 0) {
        const size = Math.min(bodyLeft, bytes.length - at)
        bodyLeft -= size
        at += size
        continue
      }
      head[filled++] = bytes[at++]!
      if (filled < HEAD_BYTES) continue
      filled = 0
      frames++
      if ((view.getUint16(2) & FLAG_SYN) !== 0 && view.getUint32(4) !== 0) opened++
      if (head[1] !== TYPE_DATA) continue
      bodyLeft = view.getUint32(8)
      if (bodyLeft > frameBytesMax) return 'too long'
    }
    return { frames, opened }
  }
}

type Limits = Pick<
  NetworkLimits,
  'muxerFrames' | 'muxerBytes' | 'muxerStreams' | 'muxerStreamsMax' | 'streamWindowBytesMax'
>

/** What libp2p is given as its multiplexer. */
export function guardedYamux(
  limits: Limits,
  ports: { readonly clock: Clock; readonly timers: Timers },
): () => StreamMuxerFactory {
  const make = yamux({
    maxInboundStreams: limits.muxerStreamsMax,
    maxOutboundStreams: limits.muxerStreamsMax,
    maxEarlyStreams: limits.muxerStreamsMax,
    // Ours is at libp2p-links.ts; this one only measures the round trip, for the window.
    keepAliveInterval: 30_000,
    streamOptions: {
      maxStreamWindowSize: limits.streamWindowBytesMax,
      maxReadBufferLength: 2 * limits.streamWindowBytesMax,
    },
  })
  return () => {
    const factory = make()
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        const muxer = factory.createStreamMuxer(connection)
        guard(muxer, connection, limits, ports)
        return muxer
      },
    }
  }
}

/** What the multiplexer calls for all that comes, and for all that goes. */
interface Multiplexer extends StreamMuxer {
  onData(bytes: Uint8Array | Iterable<Uint8Array>): void
  send(bytes: Uint8Array): boolean
}

function guard(
  muxer: Multiplexer,
  connection: MessageStream,
  limits: Limits,
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
): void {
  const watch = createFrameWatch(limits.streamWindowBytesMax)
  const frames = createTokenBucket(limits.muxerFrames, clock)
  const bytes = createTokenBucket(limits.muxerBytes, clock)
  const streams = createTokenBucket(limits.muxerStreams, clock)
  let cancelResume: CancelTimer | undefined
  const pass = muxer.onData.bind(muxer)
  const write = muxer.send.bind(muxer)

  muxer.onData = (data) => {
    if (connection.status !== 'open') return
    try {
      take(data)
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }

  // A connection that has closed tells so by its own event.
  muxer.send = (data) => {
    try {
      return write(data)
    } catch {
      return false
    }
  }

  function take(data: Uint8Array | Iterable<Uint8Array>): void {
    let size = 0
    let counted = 0
    let opened = 0
    for (const part of data instanceof Uint8Array ? [data] : data) {
      const found = watch(part)
      if (found === 'too long') throw new Error('a frame of the multiplexer exceeds the window')
      size += part.length
      counted += found.frames
      opened += found.opened
    }
    const waitMs = Math.max(frames.take(counted), bytes.take(size), streams.take(opened))
    if (waitMs > 0) hold(Math.max(waitMs, PAUSE_MS_MIN))
    pass(data)
  }

  function hold(ms: number): void {
    if (cancelResume !== undefined || readStatus(connection) !== 'readable') return
    connection.pause()
    cancelResume = timers.after(ms, () => {
      cancelResume = undefined
      if (readStatus(connection) === 'paused') connection.resume()
    })
  }

  connection.addEventListener('close', () => cancelResume?.())
}

/** Every stream of js-libp2p has it; the type of those under a multiplexer does not say so. */
function readStatus(connection: MessageStream): string {
  return (connection as MessageStream & { readonly readStatus: string }).readStatus
}
