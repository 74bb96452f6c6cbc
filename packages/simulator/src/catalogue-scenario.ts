/** One behaviour at a time, by exactly as many adversaries as the protocol tolerates. */

import { faultsTolerated } from '@vellum/consensus'
import type { BehaviourName } from './byzantine/catalogue.ts'
import { recoveryPeriodsMax } from './draw-scenario.ts'
import { createPrng } from './prng.ts'
import type { Scenario } from './scenario.ts'
import { GOOD_DISK } from './virtual-disk.ts'

/** Virtual seconds with the adversaries before everything else is put right. */
const SECONDS = 30
const ROUND_SECONDS = 2

export function catalogueScenario(
  behaviour: BehaviourName,
  validators: number,
  seed: string,
): Scenario {
  const prng = createPrng(`${seed}/${behaviour}/${validators}`)
  const everybody = Array.from({ length: validators }, (_, i) => i)
  const liars = prng.shuffled(everybody).slice(0, faultsTolerated(validators))
  // Somebody honest is away for a while, and has to ask for what it missed.
  const absent = prng.pick(everybody.filter((each) => !liars.includes(each)))
  return {
    name: `${behaviour}, ${liars.length} of ${validators}`,
    about: 'As many adversaries as the protocol tolerates, all of one kind.',
    validators,
    spares: 0,
    blockPeriodSeconds: 1,
    requestTimeoutSeconds: ROUND_SECONDS,
    heartbeatMs: 1_000,
    epochLength: 30_000,
    evictEquivocators: false,
    crypto: 'cheap',
    voteLogs: 'on',
    transactionsPerSecond: 2,
    network: {
      delayMs: prng.between(5, 100),
      tailPart: 0.01,
      tailMs: 1_000,
      loss: prng.pick([0, 0, 0.05]),
      duplication: 0,
    },
    disk: GOOD_DISK,
    byzantine: liars.map((node) => ({ node, behaviours: [behaviour] })),
    steps: [
      { atSeconds: prng.between(5, 10), do: 'kill', nodes: [absent] },
      { atSeconds: prng.between(12, 25), do: 'start', nodes: [absent] },
    ],
    healAfterSeconds: SECONDS,
    blocksAfterHealing: 10,
    expect: {
      violations: 'none',
      blocksBeforeHealing: 0,
      recoveryPeriodsMax: recoveryPeriodsMax(1, liars.length),
    },
  }
}
