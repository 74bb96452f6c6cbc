/**
 * Messages on a stream of bytes: each is preceded by its length, 4 bytes big-endian, at most the limit.
 *
 * The length is checked before anything is kept. What is kept of an unfinished message grows with
 * what has arrived, never with what was announced.
 */

import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Clock } from '../ports.ts'

/** Size of the length before each message. */
const HEAD_BYTES = 4
/** What is set aside for a message that comes in pieces, at first. */
const BODY_BYTES_MIN = 65_536
/** Up to here messages of one turn are joined, so that they travel in one packet. */
const JOINED_BYTES_MAX = 65_536

export interface FrameReader {
  push(bytes: Uint8Array): void
  /** Messages no longer come out; bytes that arrive are kept until `resume`. */
  pause(): void
  resume(): void
  /** When the unfinished message began, in `clock.elapsed`; undefined: there is none. */
  unfinishedSince(): number | undefined
}

export interface FrameReaderOptions {
  readonly messageBytesMax: number
  readonly clock: Clock
  /** The message is the callee's own copy. */
  readonly onMessage: (message: Uint8Array) => void
  /** A length above the limit. Nothing comes out after it. */
  readonly onFault: (length: number) => void
}

export function createFrameReader(options: FrameReaderOptions): FrameReader {
  const { messageBytesMax, clock, onMessage, onFault } = options
  let headFilled = 0
  let length = 0
  let body = new Uint8Array(0)
  let filled = 0
  let since: number | undefined
  let isPaused = false
  let isFaulty = false
  /** Bytes that came while paused. */
  let waiting: Uint8Array[] = []

  function consume(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (isFaulty) return
      if (isPaused) {
        waiting.push(bytes.subarray(at))
        return
      }
      since ??= clock.elapsed()
      if (headFilled < HEAD_BYTES) {
        length = length * 256 + bytes[at++]!
        if (++headFilled < HEAD_BYTES) continue
        if (length > messageBytesMax) {
          isFaulty = true
          since = undefined
          onFault(length)
          return
        }
      }
      const size = Math.min(length - filled, bytes.length - at)
      if (body.length < filled + size) body = enlarged(body, filled, filled + size, length)
      body.set(bytes.subarray(at, at + size), filled)
      at += size
      filled += size
      if (filled < length) continue
      const message = body
      body = new Uint8Array(0)
      filled = 0
      headFilled = 0
      length = 0
      since = undefined
      onMessage(message)
    }
  }

  return {
    push: (bytes) => {
      if (isPaused) waiting.push(bytes)
      else consume(bytes)
    },
    pause: () => {
      isPaused = true
    },
    resume: () => {
      if (!isPaused) return
      isPaused = false
      // Time that was spent waiting for us is not the sender's.
      if (since !== undefined) since = clock.elapsed()
      const kept = waiting
      waiting = []
      for (const bytes of kept) {
        if (isPaused) waiting.push(bytes)
        else consume(bytes)
      }
    },
    unfinishedSince: () => (isPaused ? undefined : since),
  }
}

/** A buffer with room for `needed` bytes, exact in the end, at most twice of what has arrived before. */
function enlarged(
  body: Uint8Array<ArrayBuffer>,
  filled: number,
  needed: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const size = Math.min(length, Math.max(needed, body.length * 2, BODY_BYTES_MIN))
  const larger = new Uint8Array(size)
  larger.set(body.subarray(0, filled))
  return larger
}

/** Reads frames of a stream; pausing it holds the sender back. */
export function readFrames(stream: Stream, options: FrameReaderOptions): FrameReader {
  const reader = createFrameReader(options)
  stream.addEventListener('message', (event: StreamMessageEvent) => {
    const { data } = event
    if (data instanceof Uint8Array) reader.push(data)
    else for (const part of data) reader.push(part)
  })
  return {
    push: reader.push,
    pause: () => {
      reader.pause()
      if (stream.readStatus === 'readable') stream.pause()
    },
    resume: () => {
      reader.resume()
      if (stream.readStatus === 'paused') stream.resume()
    },
    unfinishedSince: reader.unfinishedSince,
  }
}

export interface FrameWriter {
  /** @returns false if there was no room: the message is dropped */
  send(message: Uint8Array): boolean
  /** Since when the peer has taken nothing of what waits, in `clock.elapsed`; undefined: nothing waits. */
  stalledSince(): number | undefined
}

export interface FrameWriterOptions {
  readonly queueMessagesMax: number
  readonly queueBytesMax: number
  readonly clock: Clock
}

/** Frames onto a stream: those of one turn leave together, and wait here while the peer is slow. */
export function writeFrames(stream: Stream, options: FrameWriterOptions): FrameWriter {
  const { queueMessagesMax, queueBytesMax, clock } = options
  let queue: Uint8Array[] = []
  let queuedBytes = 0
  let isFlushPlanned = false
  /** Bytes that the stream was given, and how many of them it had passed on when we looked last. */
  let given = 0
  let passed = 0
  let since: number | undefined

  function plan(): void {
    if (isFlushPlanned) return
    isFlushPlanned = true
    queueMicrotask(flush)
  }

  function flush(): void {
    isFlushPlanned = false
    while (queue.length > 0 && isWritable(stream)) {
      const batch = takeBatch()
      given += batch.length
      try {
        stream.send(batch)
      } catch {
        // It has reset itself, and says so by its own event.
        return
      }
    }
    watch()
  }

  function takeBatch(): Uint8Array {
    let count = 0
    let size = 0
    while (
      count < queue.length &&
      (count === 0 || size + HEAD_BYTES + queue[count]!.length <= JOINED_BYTES_MAX)
    ) {
      size += HEAD_BYTES + queue[count++]!.length
    }
    const batch = new Uint8Array(size)
    const view = new DataView(batch.buffer)
    let at = 0
    for (const message of queue.slice(0, count)) {
      view.setUint32(at, message.length)
      batch.set(message, at + HEAD_BYTES)
      at += HEAD_BYTES + message.length
      queuedBytes -= message.length
    }
    queue = count === queue.length ? [] : queue.slice(count)
    return batch
  }

  /** Notes since when nothing moves. */
  function watch(): void {
    const passedNow = given - stream.writeBufferLength
    if (queue.length === 0 && stream.writeBufferLength === 0) since = undefined
    else if (since === undefined || passedNow !== passed) since = clock.elapsed()
    passed = passedNow
  }

  stream.addEventListener('drain', plan)
  stream.addEventListener('idle', plan)
  return {
    send: (message) => {
      if (stream.writeStatus !== 'writable') return false
      const waiting = queuedBytes + stream.writeBufferLength
      if (queue.length >= queueMessagesMax || waiting + message.length > queueBytesMax) return false
      queue.push(message)
      queuedBytes += message.length
      plan()
      return true
    },
    stalledSince: () => {
      watch()
      return since
    },
  }
}

function isWritable(stream: Stream): boolean {
  return (
    stream.writeStatus === 'writable' &&
    !stream.writableNeedsDrain &&
    stream.writeBufferLength === 0
  )
}
