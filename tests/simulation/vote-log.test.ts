/**
 * A validator loses its power at any moment of the first blocks: whatever part of its vote log and
 * database had reached the disk, it never contradicts itself (reliability R4, R6).
 */

import { loadScenario, runWorld } from '@vellum/simulator'
import { describe, expect, test } from 'vitest'

const FROM_SECONDS = 1.2
const STEP_SECONDS = 0.04
const POINTS = 50
/** Writes take long, so that the power goes while some are under way. */
const DISK = { syncMs: 40, slowPart: 0, slowMs: 0, writeErrors: 0, readDamage: 0 }

describe('power cuts at fifty moments of three blocks', () => {
  test.for([
    ['one validator', [1]],
    ['all validators', [0, 1, 2, 3]],
  ] as const)('%s', async ([, nodes]) => {
    let cuts = 0
    for (let point = 0; point < POINTS; point++) {
      const atSeconds = FROM_SECONDS + point * STEP_SECONDS
      const outcome = await runWorld(
        {
          ...loadScenario('calm'),
          network: { delayMs: 60, tailPart: 0, tailMs: 0, loss: 0, duplication: 0 },
          disk: DISK,
          transactionsPerSecond: 3,
          steps: [
            { atSeconds, do: 'cut power', nodes },
            { atSeconds: atSeconds + 0.3, do: 'start', nodes },
          ],
          healAfterSeconds: 6,
          blocksAfterHealing: 2,
          expect: { violations: 'none', blocksBeforeHealing: 0, recoveryPeriodsMax: 20 },
        },
        `cut ${point}`,
      )
      expect(outcome.violations).toEqual([])
      cuts += outcome.powerCuts
    }
    expect(cuts).toBe(POINTS * nodes.length)
  })
})
