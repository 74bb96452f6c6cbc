/**
 * The scenarios that come with the simulator: incidents of other chains (qbft.md §20), clocks, disks,
 * membership. Each must end without a violation; what else must come of it stands here.
 */

import { loadScenario, type Outcome, runWorld, shippedScenarios } from '@vellum/simulator'
import { describe, expect, test } from 'vitest'

/** Beside violations, blocks and recovery, which every scenario states itself. */
const MORE: Readonly<Record<string, (outcome: Outcome) => void>> = {
  // No round fails that the timer has begun too early, or a clock that is a little wrong.
  calm: ({ roundsLost }) => expect(roundsLost).toBe(0),
  'long-period': ({ roundsLost }) => expect(roundsLost).toBe(0),
  'clock-jitter': ({ roundsLost, height }) => expect(roundsLost / height).toBeLessThan(0.1),
  'clock-one-second': ({ roundsLost, height }) => expect(roundsLost / height).toBeLessThan(0.1),
  // One validator of four is as good as away: (n - f - 1) / n of the blocks must come all the same.
  'clock-ten-seconds': ({ heightAtHealing }) => expect(heightAtHealing).toBeGreaterThan(120 / 2),
  'clock-frozen': ({ heightAtHealing }) => expect(heightAtHealing).toBeGreaterThan(120 / 2),
  'clock-jumping': ({ heightAtHealing }) => expect(heightAtHealing).toBeGreaterThan(120 / 2),
  'lost-commits': ({ carriedOver }) => expect(carriedOver).toBeGreaterThan(0),
  'slow-commit': ({ carriedOver }) => expect(carriedOver).toBeGreaterThan(0),
  'restart-of-all': ({ kills, powerCuts }) => expect([kills, powerCuts]).toEqual([40, 40]),
  'empty-restarts': ({ heights }) => expect(Math.min(...heights)).toBeGreaterThan(60),
  // 50 changes, one every five blocks: nobody waits three periods.
  membership: ({ intervals }) => expect(p99(intervals)).toBeLessThanOrEqual(3_000),
  // It stops each time, and is started again.
  'full-disk': ({ failures }) => expect(failures).toBeGreaterThan(0),
  // A period and a round: the others do not wait for the disk itself.
  'slow-disk': ({ intervals }) => expect(p99(intervals)).toBeLessThanOrEqual(2 * 2_000 + 100),
  'scattered-rounds': ({ roundsLost }) => expect(roundsLost).toBeGreaterThan(0),
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(0.99 * sorted.length)]!
}

describe('scenarios', () => {
  const names = shippedScenarios().filter(
    (name) => name !== 'outage' && !name.startsWith('control-'),
  )

  test.for(names)('%s', async (name) => {
    const outcome = await runWorld(loadScenario(name), '1')
    expect(outcome.violations).toEqual([])
    MORE[name]?.(outcome)
  })

  test('what is expected of scenarios is expected of some that are there', () => {
    expect(Object.keys(MORE).filter((name) => !names.includes(name))).toEqual([])
  })
})

test('outage: after a day without a quorum, at different rounds, the next block comes in 10 s', async () => {
  const outcome = await runWorld(loadScenario('outage'), '9')
  expect(outcome.violations).toEqual([])
  expect(outcome.virtualSeconds).toBeGreaterThan(86_400)
  expect(new Set(outcome.roundsAtHealing).size).toBeGreaterThan(1)
  expect(outcome.recoveryMs).toBeLessThanOrEqual(10_000)
  expect([outcome.kills, outcome.powerCuts, outcome.failures]).toEqual([0, 0, 0])
})
