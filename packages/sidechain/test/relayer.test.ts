import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  initialRelayState,
  RELAY_SETTINGS,
  type RelayEffect,
  type RelayEvent,
  type RelaySettings,
  type RelayState,
} from '../src/relay-state.ts'
import { directionStatus } from '../src/relay-status.ts'
import { stepRelay } from '../src/relayer.ts'
import { createWorld, type Faults, type World } from './two-chains.ts'

const SETTINGS: RelaySettings = { ...RELAY_SETTINGS, batchMax: 8, windowMax: 32, flightMs: 30_000 }
const CALM: Faults = { lossRate: 0, silenceRate: 0, blindRate: 0, delayMaxMs: 80, deathRate: 0 }
const STORM: Faults = {
  lossRate: 0.15,
  silenceRate: 0.1,
  blindRate: 0.15,
  delayMaxMs: 3_000,
  deathRate: 0.03,
}

/** Spec: mulberry32. */
function randomOf(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Each message exactly once at its recipient, or given back; each sender told once. */
function expectAllThrough({ chains }: World): void {
  for (const side of [0, 1] as const) {
    const sender = chains[side]
    const receiver = chains[side === 0 ? 1 : 0]
    for (const { sequence } of sender.sent) {
      const received = receiver.received.get(sequence)
      const told = sender.told.get(sequence)
      expect(told, `side ${side}, message ${sequence}`).toEqual({
        times: 1,
        outcome: received?.outcome,
      })
      expect(received?.runs).toBe(received?.outcome === 'delivered' ? 1 : 0)
    }
  }
}

describe('one relayer, nothing in its way', () => {
  test('a message is delivered and acknowledged in three blocks', () => {
    const world = createWorld(randomOf(1), CALM)
    const relayer = world.addRelayer(SETTINGS, 1)
    world.send(0)
    world.run(600)
    expectAllThrough(world)
    const { counts } = relayer.state.sides[1]
    expect(counts).toMatchObject({ launched: 1, landed: 1, failed: 0, moot: 0 })
  })

  test('messages that wait go together, a batch at a time', () => {
    const world = createWorld(randomOf(2), CALM)
    for (let i = 0; i < 40; i++) world.send(0)
    const relayer = world.addRelayer(SETTINGS, 1)
    world.run(5_000)
    expectAllThrough(world)
    expect(relayer.state.sides[1].counts.launched).toBe(5)
    expect(relayer.state.sides[1].lane?.messages.size).toBe(0)
  })

  test('more messages than its window are gone through in order of age', () => {
    const world = createWorld(randomOf(3), CALM)
    for (let i = 0; i < 200; i++) world.send(0)
    const relayer = world.addRelayer(SETTINGS, 1)
    expect(relayer.state.sides[0].lane?.knownThrough).toBe(32)
    world.run(30_000)
    expectAllThrough(world)
    expect(relayer.state.sides[0].lane).toMatchObject({ doneThrough: 200, sentThrough: 200 })
  })

  test('both clients learn of heads from time to time without any message', () => {
    const world = createWorld(randomOf(4), CALM)
    world.addRelayer({ ...SETTINGS, anchorMs: 10_000 }, 1)
    world.run(120_000)
    for (const { client, height } of world.chains) {
      expect(client.latestHeight).toBeGreaterThan(1)
      // An anchor makes a block of its own: it must not call for the next one at once.
      expect(height).toBeLessThan(20)
    }
  })

  test('many blocks call for an anchor before its time', () => {
    const world = createWorld(randomOf(5), CALM)
    world.addRelayer({ ...SETTINGS, anchorBlocks: 16, anchorMs: 3_600_000 }, 1)
    world.chains[1].isPaused = true
    world.chains[0].isPaused = true
    for (let i = 0; i < 16; i++) world.send(0)
    world.run(1_000)
    expect(world.chains[1].client.latestHeight).toBeGreaterThan(15)
    expect(world.chains[1].received.size).toBe(0)
  })

  test('a paused channel carries nothing until it is open again', () => {
    const world = createWorld(randomOf(6), CALM)
    world.chains[1].isPaused = true
    world.addRelayer({ ...SETTINGS, anchorMs: 2_000 }, 1)
    world.send(0)
    world.run(10_000)
    expect(world.chains[1].received.size).toBe(0)
    world.chains[1].isPaused = false
    world.send(1)
    world.run(5_000)
    expectAllThrough(world)
  })

  test('a frozen client is left alone, and used again when it is revived', () => {
    const world = createWorld(randomOf(7), CALM)
    const relayer = world.addRelayer(SETTINGS, 1)
    world.chains[1].client.isFrozen = true
    world.send(1)
    world.run(1_000)
    world.send(0)
    world.run(60_000)
    expect(relayer.state.sides[1].counts.launched).toBe(0)
    expect(directionStatus(relayer.state, 0, world.now)).toMatchObject({
      undelivered: 1,
      oldestMs: 60_000,
      client: { status: 'frozen' },
    })
    world.chains[1].client.isFrozen = false
    world.send(1)
    world.run(5_000)
    expectAllThrough(world)
  })

  test('a chain that halts holds up nothing but itself, and is caught up with', () => {
    const world = createWorld(randomOf(8), CALM)
    world.addRelayer(SETTINGS, 1)
    world.chains[1].isHalted = true
    for (let i = 0; i < 5; i++) world.send(0)
    world.run(300_000)
    expect(world.chains[1].received.size).toBe(0)
    world.chains[1].isHalted = false
    world.run(120_000)
    expectAllThrough(world)
  })

  test('a message past its deadline is given back', () => {
    const world = createWorld(randomOf(9), CALM)
    world.send(0, world.now + 1_000)
    world.run(2_000)
    world.addRelayer(SETTINGS, 1)
    world.run(2_000)
    expectAllThrough(world)
    expect(world.chains[0].told.get(1)?.outcome).toBe('expired')
  })
})

describe('every message exactly once, or given back exactly once', () => {
  const runs = Number(process.env.VELLUM_RELAY_RUNS ?? 200)

  test('with one to five relayers that die, miss blocks, lose and delay transactions', () => {
    let moot = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.constantFrom(0 as const, 1 as const), fc.boolean(), fc.nat(3_000)), {
          minLength: 1,
          maxLength: 30,
        }),
        (seed, relayers, sends) => {
          const world = createWorld(randomOf(seed), STORM)
          for (let i = 0; i < relayers; i++) world.addRelayer(SETTINGS, seed + 7 * i)
          for (const [side, isUrgent, pauseMs] of sends) {
            world.send(side, isUrgent ? world.now + 4_000 : undefined)
            world.run(pauseMs)
          }
          // Whatever happened: with time, everything is through.
          world.run(900_000)
          expectAllThrough(world)
          moot += world.moot
        },
      ),
      { numRuns: runs },
    )
    // They do get in each other's way.
    expect(moot).toBeGreaterThan(runs)
  })

  test('with a relayer that is killed at each single event of its life', () => {
    // The run without a death says how many there are.
    const script = (deathAt: number): number => {
      let left = deathAt
      const world = createWorld(randomOf(11), CALM)
      const relayer = world.addRelayer(SETTINGS, 1)
      let steps = 0
      const pass = (ms: number): void => {
        for (let i = 0; i < ms; i += 10) {
          world.run(10)
          steps += 1
          if (left-- === 0) relayer.restart()
        }
      }
      world.send(0)
      pass(50)
      world.send(1)
      world.send(0, world.now + 100)
      pass(1_000)
      // Later than a flight is waited for whose answer died with the relayer.
      world.run(60_000)
      expectAllThrough(world)
      return steps
    }
    const steps = script(-1)
    for (let deathAt = 0; deathAt < steps; deathAt++) script(deathAt)
    expect(steps).toBeGreaterThan(50)
  })
})

test('relayers that race waste little: those in vain step back', () => {
  const world = createWorld(randomOf(12), CALM)
  const all = [1, 2, 3].map((seed) => world.addRelayer(SETTINGS, seed))
  for (let i = 0; i < 400; i++) {
    world.send((i % 2) as 0 | 1)
    world.run(250)
  }
  world.run(30_000)
  expectAllThrough(world)
  const moot = all.reduce((sum, { state: { sides } }) => {
    return sum + sides[0].counts.moot + sides[1].counts.moot
  }, 0)
  // Without patience each of 800 calls would be made three times: 1,600 in vain.
  expect(moot).toBeLessThan(500)
})

describe('stepRelay', () => {
  const ready: readonly RelayEvent[] = [
    { type: 'opened', at: 0, side: 0, doneThrough: 0, sentThrough: 0 },
    { type: 'opened', at: 0, side: 1, doneThrough: 0, sentThrough: 0 },
  ]

  function after(events: readonly RelayEvent[]): {
    state: RelayState
    effects: readonly RelayEffect[]
  } {
    let state = initialRelayState(1)
    let effects: readonly RelayEffect[] = []
    for (const event of events) ({ state, effects } = stepRelay(state, event, SETTINGS))
    return { state, effects }
  }

  test('asks for what was sent before it began', () => {
    const { effects } = after([{ type: 'opened', at: 0, side: 0, doneThrough: 3, sentThrough: 9 }])
    expect(effects).toContainEqual({ type: 'reread', side: 0, from: 4, to: 9 })
  })

  test('counts again at once when a fact comes before it has counted', () => {
    const received = {
      type: 'received',
      side: 1,
      sequence: 1,
      outcome: 'delivered',
      returnHash: `0x${'00'.repeat(32)}`,
      height: 5,
    } as const
    let { state } = after([])
    state = stepRelay(state, { type: 'tick', at: 1 }, SETTINGS).state
    const quiet = stepRelay(state, { type: 'facts', at: 2, facts: [] }, SETTINGS)
    expect(quiet.effects).not.toContainEqual({ type: 'recount' })
    const { effects } = stepRelay(state, { type: 'facts', at: 2, facts: [received] }, SETTINGS)
    expect(effects).toContainEqual({ type: 'recount' })
  })

  test('facts come in any order: a receipt before its message, both twice, and the end first', () => {
    const returnHash = `0x${'00'.repeat(32)}` as const
    const received = {
      type: 'received',
      side: 1,
      sequence: 1,
      outcome: 'delivered',
      returnHash,
      height: 5,
    } as const
    const { state } = after([...ready, { type: 'facts', at: 1, facts: [received, received] }])
    expect(state.sides[0].lane?.messages.get(1)).toMatchObject({ committed: undefined })
    const done = stepRelay(
      state,
      { type: 'facts', at: 2, facts: [{ type: 'acknowledged', side: 0, sequence: 1 }, received] },
      SETTINGS,
    )
    expect(done.state.sides[0].lane).toMatchObject({ doneThrough: 1 })
    expect(done.state.sides[0].lane?.messages.size).toBe(0)
  })

  test('an answer to a flight that nobody knows changes nothing', () => {
    const { state } = after(ready)
    const next = stepRelay(
      state,
      { type: 'lost', at: 5, flight: 99, reason: 'x', isMoot: true },
      SETTINGS,
    )
    expect(next.state).toEqual({ ...state, seed: next.state.seed })
  })
})
