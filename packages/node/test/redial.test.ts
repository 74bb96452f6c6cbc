import { expect, test } from 'vitest'
import { NETWORK_LIMITS } from '../src/host/network-limits.ts'
import { createRedial, type Redial } from '../src/host/redial.ts'
import type { PeerAddress } from '../src/ports.ts'
import { createTestRandom } from './network-world.ts'

const PEER: PeerAddress = `0x${'07'.repeat(20)}`
const { redialMsMin, redialMsMax } = NETWORK_LIMITS

interface World {
  readonly redial: Redial
  /** How long each call was waited for, in milliseconds. */
  readonly waits: number[]
  /** Runs the timer that waits, if any, and what follows. */
  next(): Promise<boolean>
  isDue: boolean
  isSecond: boolean
}

function world(): World {
  let timer: { run: () => void } | undefined
  const made: World = {
    waits: [],
    isDue: true,
    isSecond: false,
    next: async () => {
      const due = timer
      timer = undefined
      due?.run()
      for (let i = 0; i < 10; i++) await Promise.resolve()
      return due !== undefined
    },
    redial: createRedial({
      limits: NETWORK_LIMITS,
      timers: {
        after: (ms, run) => {
          expect(timer).toBeUndefined()
          const own = { run }
          timer = own
          made.waits.push(ms)
          return () => {
            if (timer === own) timer = undefined
          }
        },
      },
      random: createTestRandom('redial'),
      isDue: () => made.isDue,
      isSecond: () => made.isSecond,
      dial: () => Promise.resolve(),
    }),
  }
  return made
}

test('calls come ever more seldom, within half to all of a delay that doubles to its limit, for ever', async () => {
  const { redial, waits, next } = world()
  redial.consider(PEER)
  for (let i = 0; i < 200; i++) expect(await next()).toBe(true)
  expect(waits[0]).toBeLessThan(redialMsMin)
  for (const [i, wait] of waits.slice(1).entries()) {
    const delay = Math.min(redialMsMax, redialMsMin * 2 ** i)
    expect(wait).toBeGreaterThanOrEqual(delay / 2)
    expect(wait).toBeLessThanOrEqual(delay)
  }
  // Not all nodes at once.
  expect(new Set(waits.slice(-100)).size).toBeGreaterThan(20)
})

test('the higher address leaves the first call to the lower', () => {
  const made = world()
  made.isSecond = true
  made.redial.consider(PEER)
  expect(made.waits[0]).toBeGreaterThanOrEqual(redialMsMin)
  expect(made.waits[0]).toBeLessThanOrEqual(2 * redialMsMin)
})

test('who was there and well is called soon after a loss', async () => {
  const made = world()
  made.redial.consider(PEER)
  for (let i = 0; i < 20; i++) await made.next()
  made.isDue = false
  await made.next()
  made.redial.forgive(PEER)
  made.isDue = true
  made.redial.consider(PEER)
  expect(made.waits.at(-1)).toBeLessThan(redialMsMin)
})

test('however often a peer is considered, it is called once at a time', async () => {
  const made = world()
  for (let i = 0; i < 10; i++) made.redial.consider(PEER)
  expect(made.waits).toHaveLength(1)
})

test('who is forgotten, and everybody after a stop, is not called', async () => {
  const made = world()
  made.redial.consider(PEER)
  made.redial.retain(() => false)
  expect(await made.next()).toBe(false)
  made.redial.consider(PEER)
  made.redial.stop()
  expect(await made.next()).toBe(false)
  made.redial.consider(PEER)
  expect(await made.next()).toBe(false)
})
