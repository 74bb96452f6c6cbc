/** A spread-out sample of what `pnpm simulate sweep` runs by thousands. */

import {
  BEHAVIOUR_NAMES,
  catalogueScenario,
  drawScenario,
  loadScenario,
  type Outcome,
  runMany,
  runWorld,
} from '@vellum/simulator'
import { describe, expect, test } from 'vitest'

/** Far apart, so that the sample and a sweep from 0 on have little in common; no long partitions. */
const SEEDS = Array.from({ length: 24 }, (_, i) => `${7_919 * (i + 1)}`)
  .filter((seed) => drawScenario(seed).healAfterSeconds < 600)
  .slice(0, 16)

describe('worlds with all faults mixed', () => {
  const outcomes: Outcome[] = []

  test.for(SEEDS)('seed %s: nothing is violated, and the chain goes on', async (seed) => {
    const outcome = await runWorld(drawScenario(seed), seed)
    expect(outcome.violations).toEqual([])
    outcomes.push(outcome)
  })

  // What sweeps have found: a quorum's clocks ahead; an accomplice whose block nobody can read.
  test.for(['923', '666'])('seed %s, which failed once', async (seed) => {
    const scenario = { ...drawScenario(seed), evictEquivocators: false }
    expect((await runWorld(scenario, seed)).violations).toEqual([])
  })

  test('faults were there to be survived', () => {
    const sum = (of: (outcome: Outcome) => number): number =>
      outcomes.reduce((total, outcome) => total + of(outcome), 0)
    expect(sum(({ roundsLost }) => roundsLost)).toBeGreaterThan(20)
    expect(sum(({ carriedOver }) => carriedOver)).toBeGreaterThan(0)
    expect(sum(({ kills }) => kills)).toBeGreaterThan(5)
    expect(sum(({ powerCuts }) => powerCuts)).toBeGreaterThan(5)
    expect(sum(({ evidence }) => evidence)).toBeGreaterThan(0)
  })
})

test('one seed gives one world, to the bit; another seed another', async () => {
  const run = async (seed: string, scenario: string): Promise<string> =>
    (await runWorld(drawScenario(scenario), seed)).digest
  expect(await run('a', '5')).toBe(await run('a', '5'))
  expect(await run('a', '5')).not.toBe(await run('b', '5'))
})

test('a world is the same in a thread that other worlds were run in before', async () => {
  const seeds = ['5', '11', '20449', '5']
  const tasks = seeds.map((seed, id) => ({ id, scenario: drawScenario(seed), seed }))
  const digests: (string | undefined)[] = []
  await runMany(tasks, 1, ({ id, outcome }) => {
    digests[id] = outcome?.digest
  })
  for (const [id, seed] of seeds.entries()) {
    expect(digests[id]).toBe((await runWorld(drawScenario(seed), seed)).digest)
  }
})

test('whoever reads the transcript does not change the world', async () => {
  const scenario = drawScenario('11')
  const lines: string[] = []
  const read = await runWorld(scenario, 'a', (line) => lines.push(line))
  const unread = await runWorld(scenario, 'a')
  expect(read.digest).toBe(unread.digest)
  expect(lines.length).toBeGreaterThan(100)
})

test('real signatures come to the same as cheap ones', async () => {
  const calm = loadScenario('calm')
  const outcome = await runWorld(
    {
      ...calm,
      crypto: 'real',
      healAfterSeconds: 10,
      expect: { ...calm.expect, blocksBeforeHealing: 8 },
    },
    'real',
  )
  expect(outcome.violations).toEqual([])
  expect(outcome.height).toBeGreaterThan(10)
})

describe('adversaries, as many as are tolerated', () => {
  test.for(BEHAVIOUR_NAMES)('%s: one of four', async (behaviour) => {
    const outcome = await runWorld(catalogueScenario(behaviour, 4, '1'), '1')
    expect(outcome.violations).toEqual([])
  })

  test('whoever votes twice is proven to have', async () => {
    const outcome = await runWorld(catalogueScenario('double voter', 4, '1'), '1')
    expect(outcome.evidence).toBeGreaterThan(0)
  })

  test('whoever votes twice is voted out where that is wanted, and enough are left', async () => {
    const scenario = { ...catalogueScenario('double voter', 5, '1'), evictEquivocators: true }
    const [liar] = scenario.byzantine
    const outcome = await runWorld(scenario, '1')
    expect(outcome.violations).toEqual([])
    expect(outcome.validators).toHaveLength(4)
    expect(outcome.validators).not.toContain(liar!.node)
  })

  test('three of ten, all of different kinds', async () => {
    const scenario = {
      ...catalogueScenario('double voter', 10, '3'),
      byzantine: [
        { node: 0, behaviours: ['equivocating proposer', 'wrong seal'] as const },
        { node: 4, behaviours: ['false claimer', 'replayer'] as const },
        { node: 9, behaviours: ['two-faced', 'bad server'] as const },
      ],
    }
    expect((await runWorld(scenario, '3')).violations).toEqual([])
  })
})
