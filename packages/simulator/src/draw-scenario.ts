/**
 * Scenarios drawn from a seed: every kind of fault, mixed, each within the ranges of
 * reliability.md §4. Faults never give more than f nodes the power to lie: adversaries, and nodes
 * that have lost the memory of their votes. Crashes, cuts and clocks may befall anybody at any time.
 */

import { faultsTolerated } from '@vellum/consensus'
import { BEHAVIOUR_NAMES } from './byzantine/catalogue.ts'
import { createPrng, type Prng } from './prng.ts'
import type { Action, NodeIndex, Scenario, Step } from './scenario.ts'
import type { DiskConditions } from './virtual-disk.ts'
import type { NetworkConditions } from './virtual-network.ts'

const SIZES = [4, 5, 6, 7, 10, 13]
/** Faults last for so many block periods. */
const FAULT_PERIODS = [15, 40] as const
/** Part of the worlds that use real signatures: forty times the cost. */
const REAL_CRYPTO_PART = 0.02
/** Part of the worlds with one long partition, virtual seconds. */
const LONG_PARTITION_PART = 0.015
const LONG_PARTITION_SECONDS = [600, 3_600] as const
const PAUSE_SECONDS_MAX = 120
const CLOCK_OFFSET_MS = 30_000
const CLOCK_DRIFT_PART = 0.05

export function drawScenario(seed: string): Scenario {
  const prng = createPrng(`${seed}/scenario`)
  const crypto = prng.split('crypto').chance(REAL_CRYPTO_PART) ? 'real' : 'cheap'
  const validators = crypto === 'real' ? 4 : prng.split('size').pick(SIZES)
  const blockPeriodSeconds = prng.split('period').whole(1, 5)
  const spares = prng.split('spares').chance(0.3) ? 1 : 0
  const adversaries = drawAdversaries(prng.split('byzantine'), validators)
  const isLong = crypto === 'cheap' && prng.split('long').chance(LONG_PARTITION_PART)
  const faultSeconds = isLong
    ? prng.split('seconds').whole(...LONG_PARTITION_SECONDS)
    : blockPeriodSeconds * prng.split('seconds').whole(...FAULT_PERIODS)
  const fate: Fate = {
    prng: prng.split('steps'),
    seconds: faultSeconds,
    period: blockPeriodSeconds,
    nodes: Array.from({ length: validators + spares }, (_, i) => i),
    validators,
    honest: Array.from({ length: validators + spares }, (_, i) => i).filter(
      (i) => !adversaries.some(({ node }) => node === i),
    ),
    liarsLeft: faultsTolerated(validators) - adversaries.length,
  }
  const steps = isLong ? longPartition(fate) : drawSteps(fate)
  return {
    name: `seed ${seed}`,
    about: 'Drawn from a seed.',
    validators,
    spares,
    blockPeriodSeconds,
    requestTimeoutSeconds: 2 * blockPeriodSeconds,
    heartbeatMs: 1_000 * blockPeriodSeconds,
    epochLength: prng.split('epoch').pick([5, 10, 30_000]),
    // Of four nobody is voted out.
    evictEquivocators: validators > 4 && prng.split('eviction').pick([true, false]),
    crypto,
    voteLogs: 'on',
    transactionsPerSecond: prng.split('load').between(0, 3),
    network: drawNetwork(prng.split('network')),
    disk: drawDisk(prng.split('disk')),
    byzantine: adversaries,
    steps,
    healAfterSeconds: faultSeconds,
    blocksAfterHealing: 5,
    expect: {
      violations: 'none',
      blocksBeforeHealing: 0,
      recoveryPeriodsMax: recoveryPeriodsMax(blockPeriodSeconds, adversaries.length),
    },
  }
}

/** Highest timeout of a round, seconds. */
const TIMEOUT_MAX_SECONDS = 60

/**
 * Block periods within which the next block must come: the round under way may have to end, and
 * every adversary may be the proposer of one more, each as long as a round can be.
 */
export function recoveryPeriodsMax(blockPeriodSeconds: number, adversaries: number): number {
  return ((1 + adversaries) * TIMEOUT_MAX_SECONDS) / blockPeriodSeconds + 5
}

interface Fate {
  readonly prng: Prng
  readonly seconds: number
  readonly period: number
  readonly nodes: readonly NodeIndex[]
  readonly validators: number
  readonly honest: readonly NodeIndex[]
  /** Nodes that may still lose the memory of their votes. */
  liarsLeft: number
}

function drawAdversaries(prng: Prng, validators: number): Scenario['byzantine'] {
  const count = prng.whole(0, faultsTolerated(validators))
  const everybody = Array.from({ length: validators }, (_, i) => i)
  return prng
    .shuffled(everybody)
    .slice(0, count)
    .map((node) => ({
      node,
      behaviours: prng.shuffled(BEHAVIOUR_NAMES).slice(0, prng.whole(1, 2)),
    }))
}

function drawNetwork(prng: Prng): NetworkConditions {
  return {
    delayMs: 5 * 100 ** prng.fraction(),
    tailPart: prng.chance(0.5) ? prng.between(0, 0.05) : 0,
    tailMs: prng.between(500, 5_000),
    loss: prng.chance(0.5) ? prng.between(0, 0.3) : 0,
    duplication: prng.chance(0.5) ? prng.between(0, 0.5) : 0,
  }
}

function drawDisk(prng: Prng): DiskConditions {
  return {
    syncMs: prng.between(0.5, 20),
    slowPart: prng.chance(0.3) ? prng.between(0, 0.2) : 0,
    slowMs: prng.between(20, 2_000),
    writeErrors: 0,
    readDamage: 0,
  }
}

type Fault = (fate: Fate, at: number) => Step[]

/** How often each kind of fault is drawn, relative to the others. */
const FAULTS: readonly (readonly [weight: number, fault: Fault])[] = [
  [5, crash],
  [3, powerCut],
  [2, crashOfAll],
  [3, hang],
  [4, partition],
  [3, oneWayCuts],
  [1, ring],
  [3, swizzle],
  [2, worseNetwork],
  [3, wrongClock],
  [1, lostVotes],
  [1, wipe],
  [1, failingDisk],
  [2, membership],
]

function drawSteps(fate: Fate): Step[] {
  const { prng, seconds } = fate
  const steps: Step[] = []
  const weights = FAULTS.reduce((sum, [weight]) => sum + weight, 0)
  const count = prng.whole(1, 12)
  for (let i = 0; i < count; i++) {
    let ticket = prng.between(0, weights)
    const chosen = FAULTS.find(([weight]) => {
      ticket -= weight
      return ticket < 0
    })!
    steps.push(...chosen[1](fate, prng.between(0, seconds)))
  }
  return steps.filter(({ atSeconds }) => atSeconds < seconds)
}

/** A quarter of the nodes, at least one, of those given. */
function some({ prng }: Fate, of: readonly NodeIndex[]): NodeIndex[] {
  return prng.shuffled(of).slice(0, prng.whole(1, Math.max(1, Math.ceil(of.length / 4))))
}

function step(atSeconds: number, action: Action): Step {
  return { atSeconds, ...action }
}

/** Block periods, skewed to the short side. */
function duration({ prng, period }: Fate): number {
  return period * prng.exponential(4)
}

function crash(fate: Fate, at: number): Step[] {
  const nodes = some(fate, fate.nodes)
  return [step(at, { do: 'kill', nodes }), step(at + duration(fate), { do: 'start', nodes })]
}

function powerCut(fate: Fate, at: number): Step[] {
  const nodes = some(fate, fate.nodes)
  return [step(at, { do: 'cut power', nodes }), step(at + duration(fate), { do: 'start', nodes })]
}

/** Everybody at once: what a failing data centre, or an operator, does. */
function crashOfAll(fate: Fate, at: number): Step[] {
  const { prng, nodes, period } = fate
  return [
    step(at, { do: prng.chance(0.5) ? 'kill' : 'cut power', nodes }),
    ...nodes.map((node) =>
      step(at + prng.between(0, 3 * period), { do: 'start' as const, nodes: [node] }),
    ),
  ]
}

function hang(fate: Fate, at: number): Step[] {
  const nodes = some(fate, fate.nodes)
  const seconds = Math.min(PAUSE_SECONDS_MAX, duration(fate))
  return [step(at, { do: 'pause', nodes }), step(at + seconds, { do: 'resume', nodes })]
}

function partition(fate: Fate, at: number): Step[] {
  const { prng, nodes } = fate
  const mixed = prng.shuffled(nodes)
  const cuts = prng.whole(1, 2)
  const groups: NodeIndex[][] = Array.from({ length: cuts + 1 }, () => [])
  for (const node of mixed) prng.pick(groups).push(node)
  return [step(at, { do: 'partition', groups }), step(at + duration(fate), { do: 'mend all' })]
}

function oneWayCuts(fate: Fate, at: number): Step[] {
  const from = some(fate, fate.nodes)
  const to = some(fate, fate.nodes)
  return [step(at, { do: 'cut', from, to }), step(at + duration(fate), { do: 'mend', from, to })]
}

function ring(fate: Fate, at: number): Step[] {
  return [step(at, { do: 'ring' }), step(at + duration(fate), { do: 'mend all' })]
}

/** Nodes are cut off one by one, and come back in another order (FoundationDB's swizzle-clogging). */
function swizzle(fate: Fate, at: number): Step[] {
  const { prng, nodes, period } = fate
  const chosen = prng.shuffled(nodes).slice(0, prng.whole(1, nodes.length))
  const apart = prng.between(0.1, period)
  const cuts = chosen.flatMap((node, i) => [
    step(at + i * apart, { do: 'cut' as const, from: [node], to: nodes }),
    step(at + i * apart, { do: 'cut' as const, from: nodes, to: [node] }),
  ])
  const began = at + chosen.length * apart
  const mends = prng
    .shuffled(chosen)
    .flatMap((node, i) => [
      step(began + i * apart, { do: 'mend' as const, from: [node], to: nodes }),
      step(began + i * apart, { do: 'mend' as const, from: nodes, to: [node] }),
    ])
  return [...cuts, ...mends]
}

function worseNetwork({ prng }: Fate, at: number): Step[] {
  return [step(at, { do: 'network', ...drawNetwork(prng) })]
}

function wrongClock(fate: Fate, at: number): Step[] {
  const { prng } = fate
  const nodes = some(fate, fate.nodes)
  const jumpMs = Math.round(prng.between(-CLOCK_OFFSET_MS, CLOCK_OFFSET_MS))
  const driftPart = prng.between(-CLOCK_DRIFT_PART, CLOCK_DRIFT_PART)
  const changes: readonly Action[] = [
    { do: 'clock', nodes, jumpMs },
    { do: 'clock', nodes, jumpMs: Math.round(jumpMs / 100) },
    { do: 'clock', nodes, driftPart },
    { do: 'clock', nodes, isFrozen: true },
  ]
  return [step(at, prng.pick(changes))]
}

/** One honest validator loses the memory of its votes: it must know, and be silent. */
function lostVotes(fate: Fate, at: number): Step[] {
  if (fate.liarsLeft < 1) return []
  fate.liarsLeft -= 1
  return [step(at, { do: 'lose votes', nodes: [fate.prng.pick(fate.honest)] })]
}

/** An empty database, for resync; now and then the vote log is gone with it. */
function wipe(fate: Fate, at: number): Step[] {
  const nodes = [fate.prng.pick(fate.honest)]
  // A validator without the blocks that it voted on is silent too, so it counts as well.
  if (fate.liarsLeft < 1) return []
  fate.liarsLeft -= 1
  return [step(at, { do: 'wipe', nodes, votes: fate.prng.chance(0.5) ? 'kept' : 'lost' })]
}

/** Writes fail, or reads are damaged: the node must stop, and comes back with a good disk. */
function failingDisk(fate: Fate, at: number): Step[] {
  if (fate.liarsLeft < 1) return []
  fate.liarsLeft -= 1
  const { prng } = fate
  const nodes = [prng.pick(fate.honest)]
  const faults = prng.chance(0.5)
    ? { writeErrors: prng.between(0, 0.02) }
    : { readDamage: prng.between(0, 0.05) }
  return [
    step(at, { do: 'disk', nodes, ...faults }),
    step(at + duration(fate), { do: 'disk', nodes, writeErrors: 0, readDamage: 0 }),
  ]
}

/** The spare node is voted in, and out again. Everybody votes; what is left out, others carry. */
function membership(fate: Fate, at: number): Step[] {
  const { prng, nodes, validators, period } = fate
  if (nodes.length === validators) return []
  const subject = validators
  const until = at + period * prng.whole(3, 20)
  return [
    step(at, { do: 'vote', nodes, subject, kind: 'add' }),
    step(until, { do: 'vote', nodes, subject, kind: 'drop' }),
  ]
}

function longPartition(fate: Fate): Step[] {
  const [first] = partition(fate, 10)
  return [first!]
}
