/** Worlds in which agreement must break: the checks have to see it, or their silence means nothing. */

import { loadScenario, runWorld, type Violation } from '@vellum/simulator'
import { expect, test } from 'vitest'

const SEEDS = ['0', '1', '2']

async function violationsOf(name: string, change: object = {}): Promise<Violation[]> {
  const found: Violation[] = []
  for (const seed of SEEDS) {
    const outcome = await runWorld({ ...loadScenario(name), ...change }, seed)
    found.push(...outcome.violations)
  }
  return found
}

test('control: more liars than are tolerated fork the chain', async () => {
  const violations = await violationsOf('control-colluders')
  expect(violations.map(({ rule }) => rule)).toContain('S1')
})

test('control: one liar of four does not', async () => {
  const { byzantine } = loadScenario('control-colluders')
  const one = { byzantine: byzantine.slice(0, 1), expect: loadScenario('calm').expect }
  expect(
    await violationsOf('control-colluders', { ...one, healAfterSeconds: 20 }),
  ).not.toContainEqual(expect.objectContaining({ rule: 'S1' }))
})

test('control: validators that forget their votes at restarts fork the chain', async () => {
  const rules = (await violationsOf('control-amnesia')).map(({ rule }) => rule)
  expect(rules).toContain('S1')
  expect(rules).toContain('S2')
})

test('control: with their vote logs they do not', async () => {
  const { violations, ...expected } = loadScenario('control-amnesia').expect
  expect(violations).toBe('some')
  const change = { voteLogs: 'on', expect: { ...expected, violations: 'none' } }
  expect(await violationsOf('control-amnesia', change)).toEqual([])
})
