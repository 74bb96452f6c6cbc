/**
 * What every `Transport` must do (packages/node/src/ports.ts), whether its world is real or virtual.
 *
 * A bench brings a few members of one network and lets its world go on: real ones wait for sockets,
 * virtual ones pass time.
 */

import { type Address, equalBytes } from '@vellum/evm'
import { type Channel, NodeError, type Question, type Transport } from '@vellum/node'
import { afterEach, describe, expect, test } from 'vitest'

export interface TransportBench {
  /** Members of one network, not started. */
  readonly members: readonly { readonly address: Address; readonly transport: Transport }[]
  /** Lets the world go on until the condition holds. */
  until(condition: () => boolean): Promise<void>
  /** Ends what the bench began. */
  close(): Promise<void>
}

const CHANNELS: readonly Channel[] = ['consensus', 'transactions', 'head']
/** Who is a member of no bench. */
const STRANGER: Address = `0x${'5e'.repeat(20)}`

/** @param createBench makes a bench of so many members */
export function testTransport(
  name: string,
  createBench: (count: number) => Promise<TransportBench>,
): void {
  describe(`transport: ${name}`, () => {
    let bench: TransportBench | undefined

    afterEach(async () => {
      await bench?.close()
      bench = undefined
    })

    /** Members that note what they are told, started unless asked otherwise. */
    async function listeners(count: number, started: number = count): Promise<Listener[]> {
      bench = await createBench(count)
      const all = bench.members.map(({ address, transport }) => createListener(address, transport))
      for (const each of all.slice(0, started)) await each.start()
      return all
    }

    const until = (condition: () => boolean): Promise<void> => bench!.until(condition)

    /** What became of a promise, when something has. */
    async function outcome(promise: Promise<Uint8Array>): Promise<Uint8Array | string> {
      let result: Uint8Array | string | undefined
      promise.then(
        (bytes) => {
          result = bytes
        },
        (error: unknown) => {
          result = error instanceof NodeError ? error.code : String(error)
        },
      )
      await until(() => result !== undefined)
      return result!
    }

    test('peers come up once on both sides', async () => {
      const all = await listeners(3)
      await until(() => all.every(({ transport }) => transport.peers().length === 2))
      for (const each of all) {
        const others = all.filter((other) => other !== each).map(({ address }) => address)
        expect([...each.transport.peers()].sort()).toEqual([...others].sort())
        // A real connection may break and come back: it is told each time, and once.
        for (const other of others) {
          const changes = each.log.filter((line) => line.endsWith(other))
          expect(changes.length % 2).toBe(1)
          expect(changes).toEqual(changes.map((_, i) => `${i % 2 === 0 ? 'up' : 'down'} ${other}`))
        }
      }
    })

    test('messages of a channel arrive whole, unaltered, in order, and from their sender', async () => {
      const [a, b, c] = (await listeners(3)) as [Listener, Listener, Listener]
      await until(() => [a, b, c].every(({ transport }) => transport.peers().length === 2))
      const sizes = [0, 1, 3, 200, 4_000, 64, 2, 3_999]
      for (let i = 0; i < 120; i++) {
        for (const channel of CHANNELS) {
          for (const from of [a, c]) {
            const body = pattern(sizes[i % sizes.length]!, from === a ? i : i + 7)
            let isSent = from.transport.send(b.address, channel, body)
            while (!isSent) {
              const before = b.messages.length
              await until(() => b.messages.length > before)
              isSent = from.transport.send(b.address, channel, body)
            }
          }
        }
        // So many wait without loss in any network that is calm.
        if (i % 20 === 19) await until(() => b.messages.length === (i + 1) * 6)
      }
      expect(b.messages).toHaveLength(720)
      for (const channel of CHANNELS) {
        for (const from of [a, c]) {
          const got = b.messages.filter(
            (each) => each.from === from.address && each.channel === channel,
          )
          expect(got.map(({ body }) => body)).toEqual(
            Array.from({ length: 120 }, (_, i) =>
              pattern(sizes[i % sizes.length]!, from === a ? i : i + 7),
            ),
          )
        }
      }
      expect(a.messages).toEqual([])
    })

    test('a large message arrives on the channels that take one', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      await until(() => a.transport.peers().length === 1 && b.transport.peers().length === 1)
      const large = pattern(1_000_000, 3)
      expect(a.transport.send(b.address, 'consensus', large)).toBe(true)
      expect(b.transport.send(a.address, 'transactions', large)).toBe(true)
      await until(() => a.messages.length === 1 && b.messages.length === 1)
      expect(b.messages[0]).toMatchObject({ from: a.address, channel: 'consensus' })
      expect(a.messages[0]).toMatchObject({ from: b.address, channel: 'transactions' })
      for (const { messages } of [a, b]) expect(equalBytes(messages[0]!.body, large)).toBe(true)
    })

    test('no message comes before its sender is up', async () => {
      const [a, b] = (await listeners(2, 0)) as [Listener, Listener]
      a.onUp = (peer) => void a.transport.send(peer, 'head', Uint8Array.of(1))
      b.onUp = (peer) => void b.transport.send(peer, 'head', Uint8Array.of(2))
      await a.start()
      await b.start()
      await until(() => a.messages.length === 1 && b.messages.length === 1)
      expect(a.log).toEqual([`up ${b.address}`, `head ${b.address}`])
      expect(b.log).toEqual([`up ${a.address}`, `head ${a.address}`])
    })

    test('a message to somebody who is away is dropped', async () => {
      const [a, b] = (await listeners(2, 1)) as [Listener, Listener]
      expect(a.transport.send(b.address, 'consensus', Uint8Array.of(1))).toBe(false)
      expect(a.transport.send(STRANGER, 'head', Uint8Array.of(1))).toBe(false)
    })

    test('questions are answered, each with its own answer', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      b.answer = (from, question, body) =>
        Promise.resolve(new TextEncoder().encode(`${from} ${question} ${body.join(',')}`))
      await until(() => a.transport.peers().length === 1)
      const questions: readonly Question[] = ['status', 'blocks', 'snapshot']
      const answers = questions.flatMap((question) =>
        [1, 2].map((value) => a.transport.ask(b.address, question, Uint8Array.of(value, 9))),
      )
      const got = await Promise.all(answers.map(outcome))
      expect(
        got.map((each) => (each instanceof Uint8Array ? new TextDecoder().decode(each) : each)),
      ).toEqual(
        questions.flatMap((question) =>
          [1, 2].map((value) => `${a.address} ${question} ${value},9`),
        ),
      )
    })

    test('a question and an answer may be empty', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      await until(() => a.transport.peers().length === 1)
      b.answer = (_from, _question, body) => Promise.resolve(body)
      expect(await outcome(a.transport.ask(b.address, 'status', new Uint8Array(0)))).toEqual(
        new Uint8Array(0),
      )
    })

    test('a large answer comes whole', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      await until(() => a.transport.peers().length === 1)
      const large = pattern(3_000_000, 5)
      b.answer = () => Promise.resolve(large)
      const got = await outcome(a.transport.ask(b.address, 'blocks', Uint8Array.of(1)))
      expect(got instanceof Uint8Array && equalBytes(got, large)).toBe(true)
    })

    test('a question that is not answered is refused: NODE_PEER_REFUSED', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      await until(() => a.transport.peers().length === 1)
      b.answer = () => Promise.reject(new Error('I will not say'))
      expect(await outcome(a.transport.ask(b.address, 'blocks', Uint8Array.of(1)))).toBe(
        'NODE_PEER_REFUSED',
      )
      // It is no reason to part.
      expect(a.transport.peers()).toEqual([b.address])
    })

    test('a question to somebody who is away fails at once: NODE_PEER_AWAY', async () => {
      const [a, b] = (await listeners(2, 1)) as [Listener, Listener]
      expect(await outcome(a.transport.ask(b.address, 'status', Uint8Array.of(1)))).toBe(
        'NODE_PEER_AWAY',
      )
    })

    test('a question that the other keeps for itself ends by its time: NODE_PEER_TIMEOUT', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      await until(() => a.transport.peers().length === 1)
      b.answer = () => new Promise(() => {})
      expect(await outcome(a.transport.ask(b.address, 'snapshot', Uint8Array.of(1)))).toBe(
        'NODE_PEER_TIMEOUT',
      )
    })

    test('who stops is down for the others, once, and hears nothing any more', async () => {
      const [a, b, c] = (await listeners(3)) as [Listener, Listener, Listener]
      await until(() => [a, b, c].every(({ transport }) => transport.peers().length === 2))
      const before = [a, c].map(({ log }) => log.length)
      await b.transport.stop()
      const heard = b.log.length
      await until(() => [a, c].every(({ transport }) => transport.peers().length === 1))
      expect([a, c].map(({ log }, i) => log.slice(before[i]))).toEqual([
        [`down ${b.address}`],
        [`down ${b.address}`],
      ])
      expect(a.transport.send(b.address, 'head', Uint8Array.of(1))).toBe(false)
      expect(a.transport.send(c.address, 'head', Uint8Array.of(1))).toBe(true)
      await until(() => c.messages.length === 1)
      expect(b.log).toHaveLength(heard)
      expect(b.transport.peers()).toEqual([])
    })

    test('who starts again is up again', async () => {
      const [a, b] = (await listeners(2)) as [Listener, Listener]
      await until(() => a.transport.peers().length === 1 && b.transport.peers().length === 1)
      await b.transport.stop()
      await until(() => a.transport.peers().length === 0)
      await b.start()
      await until(() => a.transport.peers().length === 1 && b.transport.peers().length === 1)
      expect(a.log).toEqual([`up ${b.address}`, `down ${b.address}`, `up ${b.address}`])
      expect(b.transport.send(a.address, 'head', Uint8Array.of(4))).toBe(true)
      await until(() => a.messages.length === 1)
    })

    test('three severe faults part two peers, after the turn, and no others', async () => {
      const [a, b, c] = (await listeners(3)) as [Listener, Listener, Listener]
      await until(() => [a, b, c].every(({ transport }) => transport.peers().length === 2))
      const before = a.log.length
      for (let i = 0; i < 3; i++) a.transport.penalise(b.address, 'a test', 'severe')
      // Whoever penalises is in the middle of something.
      expect(a.log).toHaveLength(before)
      await until(() => [a, b].every(({ transport }) => transport.peers().length === 1))
      expect(a.log.slice(before)).toEqual([`down ${b.address}`])
      expect(a.transport.peers()).toEqual([c.address])
      expect(b.transport.peers()).toEqual([c.address])
      expect(a.transport.send(b.address, 'consensus', Uint8Array.of(1))).toBe(false)
      expect([...c.transport.peers()].sort()).toEqual([a.address, b.address].sort())
    })
  })
}

interface Listener {
  readonly address: Address
  readonly transport: Transport
  readonly messages: readonly { from: Address; channel: Channel; body: Uint8Array }[]
  /** All that it was told, in order. */
  readonly log: readonly string[]
  start(): Promise<void>
  onUp: (peer: Address) => void
  answer: (from: Address, question: Question, body: Uint8Array) => Promise<Uint8Array>
}

function createListener(address: Address, transport: Transport): Listener {
  const messages: { from: Address; channel: Channel; body: Uint8Array }[] = []
  const log: string[] = []
  const listener: Listener = {
    address,
    transport,
    messages,
    log,
    start: () =>
      transport.start({
        onMessage: (from, channel, body) => {
          messages.push({ from, channel, body: Uint8Array.from(body) })
          log.push(`${channel} ${from}`)
        },
        onQuestion: (from, question, body) => listener.answer(from, question, body),
        onPeerUp: (peer) => {
          log.push(`up ${peer}`)
          listener.onUp(peer)
        },
        onPeerDown: (peer) => void log.push(`down ${peer}`),
      }),
    onUp: () => {},
    answer: () => Promise.reject(new Error('nobody asks')),
  }
  return listener
}

function pattern(size: number, start: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + start) & 0xff)
}
