/** Reads scenarios from JSON: checked whole, defaults filled in, every complaint with its place. */

import { BEHAVIOUR_NAMES } from './byzantine/catalogue.ts'
import { type Action, SCENARIO_LIMITS, type Scenario } from './scenario.ts'
import {
  type Fields,
  flag,
  isObject,
  list,
  number,
  object,
  oneOf,
  optional,
  optionalAll,
  parseWhole,
  partly,
  type Read,
  text,
  whole,
  withDefault,
} from './scenario-reader.ts'
import { type DiskConditions, GOOD_DISK } from './virtual-disk.ts'
import { CALM, type NetworkConditions } from './virtual-network.ts'

/** @throws ScenarioError naming each wrong field, what it must be, and what it is */
export function parseScenario(json: unknown): Scenario {
  return parseWhole(json, SCENARIO, checkNodes)
}

const { nodesMax, stepsMax, secondsMax } = SCENARIO_LIMITS
const part = number(0, 1)
/** Up to a week. */
const ms = number(0, 1_000 * secondsMax)
export const nodeIndex: Read<number> = whole(0, nodesMax - 1)
export const nodes: Read<readonly number[]> = list(nodeIndex, 0, nodesMax)

export const NETWORK: Fields<NetworkConditions> = {
  delayMs: ms,
  tailPart: part,
  tailMs: ms,
  loss: part,
  duplication: part,
}
export const DISK: Fields<DiskConditions> = {
  syncMs: ms,
  slowPart: part,
  slowMs: ms,
  writeErrors: part,
  readDamage: part,
}

const SCENARIO: Read<Scenario> = object<Scenario>({
  name: text(),
  about: text(''),
  validators: whole(1, nodesMax),
  spares: withDefault(0, whole(0, nodesMax)),
  blockPeriodSeconds: withDefault(1, whole(1, 3_600)),
  requestTimeoutSeconds: withDefault(2, whole(1, 3_600)),
  heartbeatMs: withDefault(1_000, whole(0, 86_400_000)),
  epochLength: withDefault(30_000, whole(1, 1_000_000)),
  evictEquivocators: withDefault(false, flag),
  crypto: withDefault('cheap', oneOf(['cheap', 'real'])),
  voteLogs: withDefault('on', oneOf(['on', 'off'])),
  transactionsPerSecond: withDefault(1, number(0, 1_000)),
  network: partly(CALM, NETWORK),
  disk: partly(GOOD_DISK, DISK),
  byzantine: withDefault(
    [],
    list(
      object<Scenario['byzantine'][number]>({
        node: nodeIndex,
        behaviours: list(oneOf(BEHAVIOUR_NAMES), 1, BEHAVIOUR_NAMES.length),
      }),
      0,
      nodesMax,
    ),
  ),
  steps: withDefault(
    [],
    list(
      stepOf<Action>(() => ACTIONS),
      0,
      stepsMax,
    ),
  ),
  healAfterSeconds: number(0, secondsMax),
  blocksAfterHealing: withDefault(5, whole(0, 1_000)),
  expect: partly<Scenario['expect']>(
    { violations: 'none', blocksBeforeHealing: 0, recoveryPeriodsMax: 65 },
    {
      violations: oneOf(['none', 'some']),
      blocksBeforeHealing: whole(0, 1_000_000),
      recoveryPeriodsMax: number(0, 1_000_000),
    },
  ),
})

export const ACTIONS: { readonly [Name in Action['do']]: Read<Action> } = {
  kill: onNodes('kill'),
  'cut power': onNodes('cut power'),
  start: onNodes('start'),
  wipe: object<Action & { do: 'wipe' }>({
    do: oneOf(['wipe']),
    nodes,
    votes: withDefault('kept', oneOf(['kept', 'lost'])),
  }),
  'lose votes': onNodes('lose votes'),
  pause: onNodes('pause'),
  resume: onNodes('resume'),
  cut: object<Action & { do: 'cut' }>({ do: oneOf(['cut']), from: nodes, to: nodes }),
  mend: object<Action & { do: 'mend' }>({ do: oneOf(['mend']), from: nodes, to: nodes }),
  partition: object<Action & { do: 'partition' }>({
    do: oneOf(['partition']),
    groups: list(nodes, 1, nodesMax),
  }),
  ring: object<Action & { do: 'ring' }>({ do: oneOf(['ring']) }),
  'mend all': object<Action & { do: 'mend all' }>({ do: oneOf(['mend all']) }),
  network: object<Action & { do: 'network' }>({ do: oneOf(['network']), ...optionalAll(NETWORK) }),
  disk: object<Action & { do: 'disk' }>({ do: oneOf(['disk']), nodes, ...optionalAll(DISK) }),
  clock: object<Action & { do: 'clock' }>({
    do: oneOf(['clock']),
    nodes,
    jumpMs: optional(number(-1e10, 1e10)),
    driftPart: optional(number(-0.5, 0.5)),
    isFrozen: optional(flag),
  }),
  vote: object<Action & { do: 'vote' }>({
    do: oneOf(['vote']),
    nodes,
    subject: nodeIndex,
    kind: oneOf(['add', 'drop', 'none']),
    chain: optional(text()),
  }),
}

function onNodes(name: Action['do']): Read<Action> {
  const read = object<{ do: string; nodes: readonly number[] }>({ do: oneOf([name]), nodes })
  return read as Read<Action>
}

/** A step: one of the actions, and its time. @param actionsOf asked when a step is read */
export function stepOf<A extends { readonly do: string }>(
  actionsOf: () => { readonly [Name in A['do']]: Read<A> },
): Read<{ readonly atSeconds: number } & A> {
  return (place) => {
    const actions = actionsOf()
    const raw = (isObject(place.value) ? place.value : {}) as Record<string, unknown>
    const name = oneOf(Object.keys(actions) as A['do'][])({
      ...place,
      path: `${place.path}.do`,
      value: raw.do,
    })
    const { atSeconds, ...rest } = raw
    const atPlace = { ...place, path: `${place.path}.atSeconds`, value: atSeconds }
    return {
      atSeconds: number(0, secondsMax)(atPlace),
      // Its fields are looked at where its name is one.
      ...(raw.do === name ? actions[name]({ ...place, value: rest }) : ({ do: name } as A)),
    }
  }
}

/** Every node that is named is there. */
function checkNodes(scenario: Scenario, complaints: string[]): void {
  const count = scenario.validators + scenario.spares
  const check = (path: string, index: number): void => {
    if (index < count) return
    complaints.push(`${path} names node ${index}, but the last one is ${count - 1}`)
  }
  scenario.byzantine.forEach(({ node }, i) => {
    check(`byzantine[${i}].node`, node)
  })
  scenario.steps.forEach((step, i) => {
    for (const [key, value] of Object.entries(step)) {
      if (!['nodes', 'from', 'to', 'groups', 'subject'].includes(key)) continue
      for (const index of [value].flat(2)) check(`steps[${i}].${key}`, index as number)
    }
  })
}
