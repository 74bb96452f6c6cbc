import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFrameReader, type FrameReader } from '../src/host/framed-stream.ts'
import { createFrameWatch } from '../src/host/muxer-guard.ts'
import { createTokenBucket } from '../src/host/token-bucket.ts'
import { framed } from './raw-peer.ts'

function reader(messageBytesMax = 1_000): {
  reader: FrameReader
  messages: Uint8Array[]
  faults: number[]
  time: { elapsed: number }
} {
  const messages: Uint8Array[] = []
  const faults: number[] = []
  const time = { elapsed: 5 }
  return {
    messages,
    faults,
    time,
    reader: createFrameReader({
      messageBytesMax,
      clock: { now: () => 0, elapsed: () => time.elapsed },
      onMessage: (message) => void messages.push(message),
      onFault: (length) => void faults.push(length),
    }),
  }
}

describe('reading frames', () => {
  test('messages come out whole, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
        fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 20 }),
        (sent, cuts) => {
          const { reader: frames, messages } = reader()
          const bytes = Buffer.concat(sent.map((message) => framed(message)))
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = Math.max(1, cuts[i % cuts.length]!)
            frames.push(bytes.subarray(at, at + size))
            at += size
          }
          expect(messages.map((each) => [...each])).toEqual(sent.map((each) => [...each]))
          expect(frames.unfinishedSince()).toBeUndefined()
        },
      ),
    )
  })

  test('a message is a copy of its own', () => {
    const { reader: frames, messages } = reader()
    const bytes = framed(Uint8Array.of(1, 2, 3))
    frames.push(bytes)
    bytes.fill(0)
    expect(messages).toEqual([Uint8Array.of(1, 2, 3)])
  })

  test('a length above the limit is a fault, before its message comes, and the last thing', () => {
    const { reader: frames, messages, faults } = reader(1_000)
    frames.push(framed(new Uint8Array(1_000)))
    frames.push(framed(new Uint8Array(0), 1_001))
    frames.push(framed(Uint8Array.of(1)))
    expect(messages).toHaveLength(1)
    expect(faults).toEqual([1_001])
  })

  test('what is kept grows with what has come, not with what was announced', () => {
    const { reader: frames } = reader(2 ** 30)
    const before = process.memoryUsage().arrayBuffers
    frames.push(framed(new Uint8Array(10), 2 ** 30))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })

  test('while paused nothing comes out; then all, in order', () => {
    const { reader: frames, messages } = reader()
    frames.push(framed(Uint8Array.of(1)).subarray(0, 3))
    frames.pause()
    frames.push(framed(Uint8Array.of(1)).subarray(3))
    frames.push(framed(Uint8Array.of(2)))
    expect(messages).toEqual([])
    frames.resume()
    expect(messages).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
  })

  test('who pauses at a message gets the next one later, from the same bytes', () => {
    const messages: number[] = []
    const frames: FrameReader = createFrameReader({
      messageBytesMax: 10,
      clock: { now: () => 0, elapsed: () => 0 },
      onMessage: ([first]) => {
        messages.push(first!)
        frames.pause()
      },
      onFault: () => {},
    })
    frames.push(Buffer.concat([1, 2, 3].map((value) => framed(Uint8Array.of(value)))))
    expect(messages).toEqual([1])
    frames.resume()
    expect(messages).toEqual([1, 2])
    frames.push(framed(Uint8Array.of(4)))
    frames.resume()
    frames.resume()
    expect(messages).toEqual([1, 2, 3, 4])
  })

  test('an unfinished message is as old as its first byte; a pause is not counted', () => {
    const { reader: frames, time } = reader()
    expect(frames.unfinishedSince()).toBeUndefined()
    frames.push(Uint8Array.of(0))
    time.elapsed = 50
    frames.push(Uint8Array.of(0, 0))
    expect(frames.unfinishedSince()).toBe(5)
    frames.pause()
    expect(frames.unfinishedSince()).toBeUndefined()
    time.elapsed = 90
    frames.resume()
    expect(frames.unfinishedSince()).toBe(90)
    frames.push(Uint8Array.of(1, 7))
    expect(frames.unfinishedSince()).toBeUndefined()
  })
})

describe('frames of the multiplexer', () => {
  /** Spec: yamux, 12 bytes: version, type, flags, stream, length. */
  function frame(type: number, flags: number, stream: number, length: number): Uint8Array {
    const head = new Uint8Array(12)
    const view = new DataView(head.buffer)
    head[1] = type
    view.setUint16(2, flags)
    view.setUint32(4, stream)
    view.setUint32(8, length)
    return head
  }

  test('frames and opened streams are counted, however the bytes are cut', () => {
    const bytes = Buffer.concat([
      frame(1, 1, 3, 0),
      frame(0, 0, 3, 5),
      new Uint8Array(5),
      // A ping carries the flag, too, and opens nothing.
      frame(2, 1, 0, 77),
      frame(0, 1, 5, 0),
    ])
    for (const size of [1, 2, 7, 12, 13, bytes.length]) {
      const watch = createFrameWatch(100)
      let frames = 0
      let opened = 0
      for (let at = 0; at < bytes.length; at += size) {
        const found = watch(bytes.subarray(at, at + size))
        if (found === 'too long') throw new Error('none is too long')
        frames += found.frames
        opened += found.opened
      }
      expect({ frames, opened }).toEqual({ frames: 4, opened: 2 })
    }
  })

  test('a frame longer than the window is found by its head', () => {
    expect(createFrameWatch(100)(frame(0, 0, 3, 100))).toEqual({ frames: 1, opened: 0 })
    expect(createFrameWatch(100)(frame(0, 0, 3, 101))).toBe('too long')
    // Of other frames it is no length.
    expect(createFrameWatch(100)(frame(1, 0, 3, 1_000_000))).toEqual({ frames: 1, opened: 0 })
  })
})

test('a budget can be saved up to its burst, and a debt takes its time', () => {
  const time = { elapsed: 0 }
  const bucket = createTokenBucket(
    { perSecond: 100, burst: 50 },
    { now: () => 0, elapsed: () => time.elapsed },
  )
  expect(bucket.take(50)).toBe(0)
  expect(bucket.take(1)).toBe(10)
  expect(bucket.take(10)).toBe(110)
  time.elapsed = 110
  expect(bucket.take(0)).toBe(0)
  expect(bucket.take(1)).toBe(10)
  time.elapsed = 100_000
  expect(bucket.take(50)).toBe(0)
  expect(bucket.take(1)).toBe(10)
})
