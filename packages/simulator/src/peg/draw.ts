/**
 * Networks of several chains drawn from a seed, with faults of every kind mixed: machines, wires and
 * clocks as in worlds of one chain, and beside them relayers that die and lie, side chains that halt for
 * long, fork, or lie, and validators that come and go while messages are on their way.
 */

import { faultsTolerated, quorum } from '@vellum/consensus'
import { BEHAVIOUR_NAMES, type BehaviourName } from '../byzantine/catalogue.ts'
import { createPrng, type Prng } from '../prng.ts'
import type { NodeIndex } from '../scenario.ts'
import { GOOD_DISK } from '../virtual-disk.ts'
import {
  MAIN,
  type PegScenario,
  type PegStep,
  type RelayerPlan,
  type SidePlan,
} from './scenario.ts'
import { RELAYER_BEHAVIOURS } from './tampered-relay.ts'

const VALIDATORS = 4
/** Virtual seconds in which governance begins before anything befalls the world. */
const CALM_SECONDS = 15
const FAULT_SECONDS = [60, 120] as const
/** Seconds of one fault, on average. */
const FAULT_MEAN_SECONDS = 8
/** Part of the worlds in which relayers or a side chain are away for hours. */
const LONG_PART = 0.1
const LONG_SECONDS = [3_600, 4 * 3_600] as const
const FORK_PART = 0.12
const LIE_PART = 0.12
/** Part of the worlds in which somebody lies with too few keys. */
const IMPOSTOR_PART = 0.2
/** Part of the liars that carry messages from chain to chain. */
const CARRIER_PART = 0.2
const CRASH_PART_MAX = 0.05
/** Vanity means something on a side chain: these behaviours rest on its meaning nothing. */
const UNFIT: readonly BehaviourName[] = ['two-faced']
/** They make blocks as large as they like, which takes the world's time and shows nothing of the peg. */
const DEAR: readonly BehaviourName[] = ['flooder']

export function drawPegScenario(seed: string): PegScenario {
  const prng = createPrng(`${seed}/peg scenario`)
  const isShared = prng.split('layout').chance(0.6)
  const sideCount = isShared ? prng.split('sides').whole(1, 2) : 1
  const names = ['business', 'health', 'trade'].slice(0, sideCount)
  const range = (from: number, count: number): NodeIndex[] =>
    Array.from({ length: count }, (_, i) => from + i)
  const isRotating = prng.split('rotation').chance(0.3)
  const spares = isRotating ? 1 : 0
  // All chains on the same machines, with the same keys; or each on its own, and relayers between.
  const machines = isShared ? VALIDATORS + spares : VALIDATORS * (1 + sideCount) + 1
  const meeting = isShared ? [] : [machines - 1]
  const validatorsOf = (chain: number): NodeIndex[] =>
    range(isShared ? 0 : VALIDATORS * chain, VALIDATORS)
  const observers = isShared ? range(VALIDATORS, spares) : meeting
  const fate = prng.split('fate').fraction()
  const isForked = fate < FORK_PART
  const isLying = !isForked && fate < FORK_PART + LIE_PART
  const sides: SidePlan[] = names.map((name, i) => ({
    name,
    validators: validatorsOf(i + 1),
    observers,
    faith: isLying && i === 0 ? 'lying' : 'honest',
  }))
  const isLong = prng.split('long').chance(LONG_PART)
  const seconds = isLong
    ? prng.split('seconds').whole(...LONG_SECONDS)
    : CALM_SECONDS + prng.split('seconds').whole(...FAULT_SECONDS)
  const fates: Fates = {
    prng: prng.split('steps'),
    seconds,
    machines: range(0, machines),
    sides,
    spare: isRotating && isShared ? VALIDATORS : undefined,
    relayers: 0,
  }
  const byzantine = drawLiars(prng.split('byzantine'), sides, isForked, isShared)
  const meetings = isShared ? range(0, machines) : meeting
  // What a node that lies hands on, nobody need get: somebody must have honest ones.
  const sound = meetings.filter((index) => !byzantine.some(({ node }) => node === index))
  const drawn = drawRelayers(prng.split('relayers'), meetings, sound)
  // Those who read different branches of a fork show main both.
  const relayers = isForked
    ? [...drawn, ...meetings.map((node): RelayerPlan => ({ ...STEADY, node }))]
    : drawn
  fates.relayers = relayers.length
  const steps = isLong ? longAbsence(fates) : drawSteps(fates)
  // With fewer keys than make a quorum nobody need believe it.
  const keys = isLying ? VALIDATORS : quorum(VALIDATORS) - 1
  if (isLying || prng.split('impostor').chance(IMPOSTOR_PART)) {
    steps.push({
      atSeconds: seconds * 0.7,
      do: 'lie',
      chain: sides[0]!.name,
      keys,
      contradicts: false,
    })
  }
  return {
    name: `peg seed ${seed}`,
    about: 'Drawn from a seed.',
    machines,
    main: { validators: validatorsOf(0), observers },
    sides,
    relayers,
    blockPeriodSeconds: 1,
    requestTimeoutSeconds: 2,
    heartbeatMs: isLong ? 60_000 : prng.split('heartbeat').pick([2_000, 5_000, 20_000]),
    timeToLiveSeconds: isLong ? 900 : prng.split('life').pick([20, 60, 300]),
    trustingPeriodSeconds: 14 * 24 * 3_600,
    operationsPerSecond: prng.split('load').between(0.5, isLong ? 1 : 3),
    network: drawNetwork(prng.split('network')),
    disk: GOOD_DISK,
    byzantine,
    steps,
    healAfterSeconds: seconds,
    settleSeconds: 900,
    expect: {
      violations: [],
      deliveredMin: 0,
      refundedMin: 0,
      frozen: [],
    },
  }
}

interface Fates {
  readonly prng: Prng
  readonly seconds: number
  readonly machines: readonly NodeIndex[]
  readonly sides: readonly SidePlan[]
  /** A machine that is no validator in the beginning. */
  readonly spare: NodeIndex | undefined
  relayers: number
}

/** It never dies by itself. */
const STEADY = { behaviour: 'honest', crashPart: 0, diesAt: 'any', accuses: false } as const

/** One honest relayer at least, among honest nodes; of the others some lie. */
function drawRelayers(
  prng: Prng,
  machines: readonly NodeIndex[],
  sound: readonly NodeIndex[],
): RelayerPlan[] {
  const dishonest = RELAYER_BEHAVIOURS.filter((each) => each !== 'honest')
  const accuses = prng.chance(0.4)
  return Array.from({ length: prng.whole(1, 3) }, (_, i) => ({
    node: prng.pick(i === 0 ? sound : machines),
    behaviour: i === 0 || prng.chance(0.4) ? 'honest' : prng.pick(dishonest),
    crashPart: prng.chance(0.7) ? prng.between(0, CRASH_PART_MAX) : 0,
    diesAt: 'any',
    accuses,
  }))
}

/** As many as are tolerated; where a side chain is to fork, one more, who collude. */
function drawLiars(
  prng: Prng,
  sides: readonly SidePlan[],
  isForked: boolean,
  isShared: boolean,
): PegScenario['byzantine'] {
  const fit = BEHAVIOUR_NAMES.filter((each) => !UNFIT.includes(each) && !DEAR.includes(each))
  const [first] = sides
  const side = first!
  const tolerated = faultsTolerated(VALIDATORS)
  if (isForked) {
    return prng
      .shuffled(side.validators)
      .slice(0, tolerated + 1)
      .map((node) => ({ node, chain: side.name, behaviours: ['forker'] as const }))
  }
  const chains = [
    { name: MAIN, validators: Array.from({ length: VALIDATORS }, (_, i) => i) },
    ...sides,
  ]
  // Where machines are shared, one of them lies on every chain where it does.
  const liar = prng.whole(0, VALIDATORS - 1)
  return chains.flatMap(({ name, validators }) =>
    prng.chance(0.3)
      ? [
          {
            node: isShared ? liar : prng.pick(validators),
            chain: name,
            behaviours: prng.chance(CARRIER_PART)
              ? ['carrier' as const]
              : prng.shuffled(fit).slice(0, prng.whole(1, 2)),
          },
        ]
      : [],
  )
}

function drawNetwork(prng: Prng): PegScenario['network'] {
  return {
    delayMs: 5 * 40 ** prng.fraction(),
    tailPart: prng.chance(0.3) ? prng.between(0, 0.03) : 0,
    tailMs: prng.between(300, 2_000),
    loss: prng.chance(0.4) ? prng.between(0, 0.1) : 0,
    duplication: prng.chance(0.4) ? prng.between(0, 0.3) : 0,
  }
}

type Fault = (fates: Fates, at: number) => PegStep[]

const FAULTS: readonly (readonly [weight: number, fault: Fault])[] = [
  [4, crash],
  [2, powerCut],
  [2, hang],
  [3, partition],
  [2, halt],
  [4, absence],
  [1, wrongClock],
  [3, rotation],
]

function drawSteps(fates: Fates): PegStep[] {
  const { prng, seconds } = fates
  const weights = FAULTS.reduce((sum, [weight]) => sum + weight, 0)
  return Array.from({ length: prng.whole(1, 8) }, () => {
    let ticket = prng.between(0, weights)
    const chosen = FAULTS.find(([weight]) => {
      ticket -= weight
      return ticket < 0
    })!
    return chosen[1](fates, prng.between(CALM_SECONDS, seconds))
  })
    .flat()
    .filter(({ atSeconds }) => atSeconds < seconds)
}

const some = ({ prng, machines }: Fates): NodeIndex[] =>
  prng.shuffled(machines).slice(0, prng.whole(1, Math.max(1, Math.ceil(machines.length / 3))))

const duration = ({ prng }: Fates): number => prng.exponential(FAULT_MEAN_SECONDS)

function crash(fates: Fates, at: number): PegStep[] {
  const nodes = some(fates)
  return [
    { atSeconds: at, do: 'kill', nodes },
    { atSeconds: at + duration(fates), do: 'start', nodes },
  ]
}

function powerCut(fates: Fates, at: number): PegStep[] {
  const nodes = fates.prng.chance(0.3) ? [...fates.machines] : some(fates)
  return [
    { atSeconds: at, do: 'cut power', nodes },
    { atSeconds: at + duration(fates), do: 'start', nodes },
  ]
}

function hang(fates: Fates, at: number): PegStep[] {
  const nodes = some(fates)
  return [
    { atSeconds: at, do: 'pause', nodes },
    { atSeconds: at + duration(fates), do: 'resume', nodes },
  ]
}

function partition(fates: Fates, at: number): PegStep[] {
  const { prng, machines } = fates
  const groups: NodeIndex[][] = [[], []]
  for (const node of prng.shuffled(machines)) prng.pick(groups).push(node)
  return [
    { atSeconds: at, do: 'partition', groups },
    { atSeconds: at + duration(fates), do: 'mend all' },
  ]
}

/** A side chain stands still, and messages to it come back late or expire. */
function halt(fates: Fates, at: number): PegStep[] {
  const { name, validators } = fates.prng.pick(fates.sides)
  const nodes = fates.prng.shuffled(validators).slice(0, 2)
  const until = at + 3 * duration(fates)
  return [
    { atSeconds: at, do: 'stop chain', chain: name, nodes },
    { atSeconds: until, do: 'start chain', chain: name, nodes },
  ]
}

function absence(fates: Fates, at: number): PegStep[] {
  const all = Array.from({ length: fates.relayers }, (_, i) => i)
  const relayers = fates.prng.shuffled(all).slice(0, fates.prng.whole(1, all.length))
  return [
    { atSeconds: at, do: 'stop relayers', relayers },
    { atSeconds: at + 2 * duration(fates), do: 'start relayers', relayers },
  ]
}

function wrongClock(fates: Fates, at: number): PegStep[] {
  const nodes = some(fates).slice(0, 1)
  const jumpMs = Math.round(fates.prng.between(-30_000, 30_000))
  return [{ atSeconds: at, do: 'clock', nodes, jumpMs }]
}

/** The spare machine comes in on every chain, and somebody else goes; then the other way round. */
function rotation(fates: Fates, at: number): PegStep[] {
  const { prng, machines, sides, spare } = fates
  if (spare === undefined) return []
  const out = prng.whole(0, VALIDATORS - 1)
  const steps: PegStep[] = []
  for (const chain of [MAIN, ...sides.map(({ name }) => name)]) {
    const vote = (atSeconds: number, subject: NodeIndex, kind: 'add' | 'drop'): void =>
      void steps.push({ atSeconds, do: 'vote', nodes: machines, subject, kind, chain })
    vote(at, spare, 'add')
    vote(at + 10, out, 'drop')
    vote(at + 30, out, 'add')
    vote(at + 40, spare, 'drop')
  }
  return steps
}

/** All relayers are away for hours, or a side chain is: what was sent meanwhile must have expired. */
function longAbsence(fates: Fates): PegStep[] {
  const { prng, seconds } = fates
  const at = CALM_SECONDS + prng.between(5, 60)
  const until = seconds - prng.between(60, 300)
  const { name, validators } = prng.pick(fates.sides)
  const relayers = Array.from({ length: fates.relayers }, (_, i) => i)
  const [begin, end]: PegStep[] = prng.chance(0.5)
    ? [
        { atSeconds: at, do: 'stop relayers', relayers },
        { atSeconds: until, do: 'start relayers', relayers },
      ]
    : [
        { atSeconds: at, do: 'stop chain', chain: name, nodes: validators },
        { atSeconds: until, do: 'start chain', chain: name, nodes: validators },
      ]
  return [begin!, { atSeconds: at + 60, do: 'rest' }, { atSeconds: until - 30, do: 'work' }, end!]
}
