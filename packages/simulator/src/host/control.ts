/**
 * Worlds in which agreement must break: more liars than the protocol tolerates, or validators that
 * forget their votes. If the checks find nothing there, their silence elsewhere means nothing.
 */

import { runWorld } from './run-world.ts'
import { loadScenario } from './scenario-source.ts'

const CONTROLS = ['control-colluders', 'control-amnesia'] as const

/** @returns true if violations of agreement appeared in every control */
export async function control(
  { seeds, from }: { readonly seeds: number; readonly from: number },
  print: (line: string) => void,
): Promise<boolean> {
  let isAlwaysFound = true
  for (const name of CONTROLS) {
    const scenario = loadScenario(name)
    print(`${name}: ${scenario.about}`)
    const found = new Map<string, number>()
    let forks = 0
    for (let seed = from; seed < from + seeds; seed++) {
      const { violations } = await runWorld(scenario, `${seed}`)
      const rules = new Set(violations.map(({ rule }) => rule))
      for (const rule of rules) found.set(rule, (found.get(rule) ?? 0) + 1)
      if (rules.has('S1')) forks += 1
      if (forks === 1 && rules.has('S1')) {
        print(`  seed ${seed}: ${violations.find(({ rule }) => rule === 'S1')!.text}`)
      }
    }
    const counts = [...found].sort().map(([rule, count]) => `${rule} in ${count}`)
    print(`  ${seeds} schedules, violations: ${counts.join(', ') || 'none'}`)
    if (forks === 0) {
      print('  no two blocks at one height were found, although there must be some')
      isAlwaysFound = false
    }
  }
  return isAlwaysFound
}
