import type { Address } from '@vellum/evm'
import type { Transport } from '@vellum/node'
import { describe, expect, test } from 'vitest'
import { createPrng } from '../src/prng.ts'
import { createVirtualProcess, type VirtualProcess } from '../src/process-gate.ts'
import {
  CALM,
  createVirtualNetwork,
  NETWORK_LIMITS,
  type VirtualNetwork,
} from '../src/virtual-network.ts'
import { createVirtualTime, type VirtualTime } from '../src/virtual-time.ts'

const addressOf = (i: number): Address => `0x${String(i).padStart(40, '0')}`

interface Peer {
  readonly address: Address
  readonly process: VirtualProcess
  readonly transport: Transport
  /** `peer: text`, `+peer`, `-peer`. */
  readonly seen: string[]
}

interface Stage {
  readonly time: VirtualTime
  readonly network: VirtualNetwork
  join(i: number): Promise<Peer>
  pass(ms: number): Promise<void>
}

function createStage(seed = 'network'): Stage {
  const time = createVirtualTime()
  const network = createVirtualNetwork(time, createPrng(seed))
  async function pass(ms: number): Promise<void> {
    const until = time.now() + ms
    do await new Promise(setImmediate)
    while (time.stepUntil(until))
  }
  return {
    time,
    network,
    pass,
    join: async (i) => {
      const address = addressOf(i)
      const process = createVirtualProcess((later) => void time.after(0, later))
      const transport = network.join(address, process)
      const seen: string[] = []
      const name = (peer: Address): string => String(Number(peer.slice(2)))
      await transport.start({
        onMessage: (from, channel, bytes) =>
          void seen.push(`${name(from)}: ${channel} ${bytes.join()}`),
        onQuestion: (_from, question, body) =>
          question === 'status'
            ? Promise.resolve(Uint8Array.of(...body, 9))
            : Promise.reject(new Error('no')),
        onPeerUp: (peer) => void seen.push(`+${name(peer)}`),
        onPeerDown: (peer) => void seen.push(`-${name(peer)}`),
      })
      return { address, process, transport, seen }
    },
  }
}

async function createPair(seed?: string): Promise<Stage & { a: Peer; b: Peer }> {
  const stage = createStage(seed)
  const [a, b] = [await stage.join(1), await stage.join(2)]
  await stage.pass(2_000)
  expect([a.seen, b.seen]).toEqual([['+2'], ['+1']])
  a.seen.length = 0
  b.seen.length = 0
  return { ...stage, a, b }
}

describe('the virtual network', () => {
  test('keeps the order of each channel, whatever the delays', async () => {
    const { network, a, b, pass } = await createPair()
    network.setConditions({ ...CALM, delayMs: 200, tailPart: 0.3, tailMs: 5_000 })
    for (let i = 0; i < 50; i++) a.transport.send(b.address, 'consensus', Uint8Array.of(i))
    await pass(60_000)
    expect(b.seen).toEqual(Array.from({ length: 50 }, (_, i) => `1: consensus ${i}`))
  })

  test('loses and repeats as it is told', async () => {
    const { network, a, b, pass } = await createPair()
    network.setConditions({ ...CALM, loss: 0.5, duplication: 0.5 })
    for (let i = 0; i < 100; i++) a.transport.send(b.address, 'head', Uint8Array.of(i))
    await pass(10_000)
    const distinct = new Set(b.seen).size
    expect(distinct).toBeGreaterThan(20)
    expect(distinct).toBeLessThan(80)
    expect(b.seen.length).toBeGreaterThan(distinct)
  })

  test('cuts one way only, and tells both ends when nothing has passed for long', async () => {
    const { network, a, b, pass } = await createPair()
    network.cut(a.address, b.address)
    a.transport.send(b.address, 'head', Uint8Array.of(1))
    b.transport.send(a.address, 'head', Uint8Array.of(2))
    await pass(100)
    expect([a.seen, b.seen]).toEqual([['2: head 2'], []])
    await pass(NETWORK_LIMITS.silenceMs)
    expect([a.seen.at(-1), b.seen.at(-1)]).toEqual(['-2', '-1'])
    expect(a.transport.peers()).toEqual([])
    expect(a.transport.send(b.address, 'head', Uint8Array.of(3))).toBe(false)
    network.mend(a.address, b.address)
    await pass(2_000)
    expect([a.seen.at(-1), b.seen.at(-1)]).toEqual(['+2', '+1'])
  })

  test('asks and answers; a refusal, silence and absence have their codes', async () => {
    const { network, a, b, pass } = await createPair()
    const code = (asked: Promise<unknown>): Promise<unknown> =>
      asked.catch((error: { code: string }) => error.code)
    const answer = a.transport.ask(b.address, 'status', Uint8Array.of(1))
    const refused = code(a.transport.ask(b.address, 'blocks', Uint8Array.of(1)))
    await pass(1_000)
    expect(await answer).toEqual(Uint8Array.of(1, 9))
    expect(await refused).toBe('NODE_PEER_REFUSED')
    b.process.pause()
    const timedOut = code(a.transport.ask(b.address, 'status', Uint8Array.of(1)))
    await pass(NETWORK_LIMITS.answerMs + 1)
    expect(await timedOut).toBe('NODE_PEER_TIMEOUT')
    b.process.kill()
    network.leave(b.address)
    expect(await code(a.transport.ask(b.address, 'status', Uint8Array.of(1)))).toBe(
      'NODE_PEER_AWAY',
    )
  })

  test('breaks the connections of a process that dies, and makes them again for the next', async () => {
    const { network, join, a, b, pass } = await createPair()
    a.transport.send(b.address, 'head', Uint8Array.of(1))
    b.process.kill()
    network.leave(b.address)
    await pass(1_000)
    expect(a.seen).toEqual(['-2'])
    expect(b.seen).toEqual([])
    const again = await join(2)
    await pass(2_000)
    expect(again.seen).toEqual(['+1'])
    expect(a.seen).toEqual(['-2', '+2'])
  })

  test('bans a peer after severe faults, and takes it back later', async () => {
    const { a, b, pass } = await createPair()
    for (let i = 0; i < 3; i++) a.transport.penalise(b.address, 'a lie', 'severe')
    await pass(1_000)
    expect(a.seen).toEqual(['-2'])
    await pass(NETWORK_LIMITS.banMs - 5_000)
    expect(a.seen).toEqual(['-2'])
    await pass(10_000)
    expect(a.seen).toEqual(['-2', '+2'])
  })

  test('shows the wire each message once, lost or not', async () => {
    const { network, a, b } = await createPair()
    const wire: string[] = []
    network.onWire(({ from, to, bytes }) => wire.push(`${from} ${to} ${bytes.join()}`))
    network.setConditions({ ...CALM, loss: 1 })
    a.transport.send(b.address, 'consensus', Uint8Array.of(7))
    expect(wire).toEqual([`${a.address} ${b.address} 7`])
  })
})
