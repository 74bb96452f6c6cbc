/**
 * Main chain, side chains and relayers: the scenarios that come with the simulator, and a spread-out
 * sample of what `pnpm simulate peg` runs by hundreds (reliability.md P1, P2, P5 to P8).
 */

import {
  drawPegScenario,
  loadPegScenario,
  type PegOutcome,
  RELAY_STEPS,
  runPeg,
  shippedPegScenarios,
} from '@vellum/simulator'
import { describe, expect, test } from 'vitest'

/** Beside what every scenario states itself. */
const MORE: Readonly<Record<string, (outcome: PegOutcome) => void>> = {
  // The goal of issue and guide is two seconds; a block comes each second.
  'peg/calm': ({ latencies }) =>
    expect(latencies[Math.floor(latencies.length / 2)]).toBeLessThan(2_000),
  'peg/mortal-relayers': ({ relayerDeaths }) => expect(relayerDeaths).toBeGreaterThan(20),
  'peg/rotation': ({ validators }) =>
    expect(validators).toEqual([
      [4, 5, 6, 7],
      [4, 5, 6, 7],
    ]),
  'peg/contradicting-side-chain': ({ frozen, forged }) => {
    expect(frozen).toEqual(['business'])
    expect(forged).toBe(0)
  },
  // It took all that was locked for it, once, and nothing more.
  'peg/lying-side-chain': ({ forged, alarms }) => {
    expect(forged).toBe(1)
    expect(alarms).toEqual(['business'])
  },
  // Its honest nodes stop it, and it alone, as soon as they see the second block.
  'peg/forked-side-chain': ({ heights: [, business, health], frozen }) => {
    expect(frozen).toEqual(['business'])
    expect(business).toBeLessThan(25)
    expect(health).toBeGreaterThan(35)
  },
  'peg/equivocation': ({ frozen }) => expect(frozen).toEqual(['business']),
  'peg/impostor': ({ forged }) => expect(forged).toBe(0),
  'peg/relayers-away': ({ expired, virtualSeconds }) => {
    expect(expired).toBeGreaterThan(10)
    expect(virtualSeconds).toBeGreaterThan(4 * 3_600)
  },
}

describe('scenarios', () => {
  const names = shippedPegScenarios().filter((name) => !name.includes('control-'))

  test.for(names)('%s', async (name) => {
    const { expect: expected, ...scenario } = loadPegScenario(name)
    const outcome = await runPeg({ ...scenario, expect: expected }, '1')
    expect(outcome.violations).toEqual([])
    expect(outcome.delivered).toBeGreaterThanOrEqual(expected.deliveredMin)
    expect(outcome.failed + outcome.expired).toBeGreaterThanOrEqual(expected.refundedMin)
    expect(outcome.settledMs).toBeDefined()
    MORE[name]?.(outcome)
  })

  test('what is expected of scenarios is expected of some that are there', () => {
    expect(Object.keys(MORE).filter((name) => !names.includes(name))).toEqual([])
  })
})

describe('the only relayer dies again and again at one of its steps', () => {
  test.for(RELAY_STEPS)('%s', async (diesAt) => {
    const scenario = loadPegScenario('peg/calm')
    const relayers = [
      { node: 0, behaviour: 'honest' as const, crashPart: 0.6, diesAt, accuses: false },
    ]
    const outcome = await runPeg({ ...scenario, relayers, operationsPerSecond: 2 }, diesAt)
    expect(outcome.violations).toEqual([])
    expect(outcome.settledMs).toBeDefined()
    expect(outcome.delivered).toBeGreaterThan(20)
    expect(outcome.relayerDeaths).toBeGreaterThanOrEqual(15)
  })
})

/** Far apart, so that the sample and a sweep from 0 on have little in common; no absences of hours. */
const SEEDS = Array.from({ length: 24 }, (_, i) => `${6_151 * (i + 1)}`)
  .filter((seed) => drawPegScenario(seed).healAfterSeconds < 600)
  .slice(0, 6)

describe('worlds with all faults mixed', () => {
  const outcomes: PegOutcome[] = []

  test.for(SEEDS)('seed %s: nothing is lost, doubled or invented', async (seed) => {
    const outcome = await runPeg(drawPegScenario(seed), seed)
    expect(outcome.violations).toEqual([])
    outcomes.push(outcome)
  })

  test('faults were there to be survived', () => {
    const sum = (of: (outcome: PegOutcome) => number): number =>
      outcomes.reduce((total, outcome) => total + of(outcome), 0)
    expect(sum(({ delivered }) => delivered)).toBeGreaterThan(250)
    expect(sum(({ failed, expired }) => failed + expired)).toBeGreaterThan(5)
    expect(sum(({ relayerDeaths }) => relayerDeaths)).toBeGreaterThan(20)
    expect(sum(({ kills, powerCuts }) => kills + powerCuts)).toBeGreaterThan(10)
    expect(sum(({ arrivals }) => arrivals)).toBeGreaterThan(0)
  })
})

test('one seed gives one world, to the bit; another seed another', async () => {
  const scenario = { ...loadPegScenario('peg/mortal-relayers'), healAfterSeconds: 30 }
  const run = async (seed: string): Promise<string> => (await runPeg(scenario, seed)).digest
  expect(await run('a')).toBe(await run('a'))
  expect(await run('a')).not.toBe(await run('b'))
})
