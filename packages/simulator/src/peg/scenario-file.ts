/** Reads scenarios of several chains from JSON, as `../scenario-file.ts` those of one. */

import { BEHAVIOUR_NAMES } from '../byzantine/catalogue.ts'
import type { Action } from '../scenario.ts'
import { ACTIONS, DISK, NETWORK, nodeIndex, nodes, stepOf } from '../scenario-file.ts'
import {
  type Fields,
  flag,
  list,
  number,
  object,
  oneOf,
  parseWhole,
  partly,
  type Read,
  text,
  whole,
  withDefault,
} from '../scenario-reader.ts'
import { GOOD_DISK } from '../virtual-disk.ts'
import { CALM } from '../virtual-network.ts'
import { PEG_RULES } from './checks.ts'
import {
  type ChainPlan,
  MAIN,
  PEG_LIMITS,
  type PegAction,
  type PegScenario,
  RELAY_STEPS,
  type RelayerPlan,
  type SidePlan,
} from './scenario.ts'
import { RELAYER_BEHAVIOURS } from './tampered-relay.ts'

/** @throws ScenarioError naming each wrong field, what it must be, and what it is */
export function parsePegScenario(json: unknown): PegScenario {
  return parseWhole(json, SCENARIO, checkPlaces)
}

const { machinesMax, sidesMax, relayersMax, stepsMax, secondsMax } = PEG_LIMITS
const seconds = number(0, secondsMax)

const PLAN: Fields<ChainPlan> = {
  validators: list(nodeIndex, 1, machinesMax),
  observers: withDefault([], nodes),
}

type AnyAction = Action | PegAction

const PEG_ACTION_READERS: { readonly [Name in PegAction['do']]: Read<PegAction> } = {
  'stop chain': object<PegAction & { do: 'stop chain' }>({
    do: oneOf(['stop chain']),
    chain: text(),
    nodes,
  }),
  'start chain': object<PegAction & { do: 'start chain' }>({
    do: oneOf(['start chain']),
    chain: text(),
    nodes,
  }),
  'stop relayers': object<PegAction & { do: 'stop relayers' }>({
    do: oneOf(['stop relayers']),
    relayers: nodes,
  }),
  'start relayers': object<PegAction & { do: 'start relayers' }>({
    do: oneOf(['start relayers']),
    relayers: nodes,
  }),
  rest: object<PegAction & { do: 'rest' }>({ do: oneOf(['rest']) }),
  work: object<PegAction & { do: 'work' }>({ do: oneOf(['work']) }),
  lie: object<PegAction & { do: 'lie' }>({
    do: oneOf(['lie']),
    chain: text(),
    keys: withDefault(machinesMax, whole(1, machinesMax)),
    contradicts: withDefault(false, flag),
  }),
}

const SCENARIO: Read<PegScenario> = object<PegScenario>({
  name: text(),
  about: text(''),
  machines: whole(1, machinesMax),
  main: object<ChainPlan>(PLAN),
  sides: list(
    object<SidePlan>({
      ...PLAN,
      name: text(),
      faith: withDefault('honest', oneOf(['honest', 'lying'])),
    }),
    1,
    sidesMax,
  ),
  relayers: list(
    object<RelayerPlan>({
      node: nodeIndex,
      behaviour: withDefault('honest', oneOf(RELAYER_BEHAVIOURS)),
      crashPart: withDefault(0, number(0, 1)),
      diesAt: withDefault('any', oneOf(['any', ...RELAY_STEPS])),
      accuses: withDefault(false, flag),
    }),
    0,
    relayersMax,
  ),
  blockPeriodSeconds: withDefault(1, whole(1, 3_600)),
  requestTimeoutSeconds: withDefault(2, whole(1, 3_600)),
  heartbeatMs: withDefault(5_000, whole(0, 86_400_000)),
  timeToLiveSeconds: withDefault(300, whole(1, secondsMax)),
  trustingPeriodSeconds: withDefault(14 * 24 * 3_600, whole(3_600, 365 * 24 * 3_600)),
  operationsPerSecond: withDefault(0.5, number(0, 100)),
  network: partly(CALM, NETWORK),
  disk: partly(GOOD_DISK, DISK),
  byzantine: withDefault(
    [],
    list(
      object<PegScenario['byzantine'][number]>({
        node: nodeIndex,
        chain: text(),
        behaviours: list(
          oneOf([...BEHAVIOUR_NAMES, 'forker', 'carrier']),
          1,
          BEHAVIOUR_NAMES.length,
        ),
      }),
      0,
      machinesMax,
    ),
  ),
  steps: withDefault(
    [],
    list(
      stepOf<AnyAction>(() => ({ ...ACTIONS, ...PEG_ACTION_READERS })),
      0,
      stepsMax,
    ),
  ),
  healAfterSeconds: seconds,
  settleSeconds: withDefault(600, seconds),
  expect: partly<PegScenario['expect']>(
    { violations: [], deliveredMin: 0, refundedMin: 0, frozen: [] },
    {
      violations: list(oneOf(PEG_RULES), 0, PEG_RULES.length),
      deliveredMin: whole(0, 1_000_000),
      refundedMin: whole(0, 1_000_000),
      frozen: list(text(), 0, sidesMax),
    },
  ),
})

/** Every machine, chain and relayer that is named is there, and main is the name of one chain only. */
function checkPlaces(scenario: PegScenario, complaints: string[]): void {
  const { machines, main, sides, relayers, byzantine, steps, expect } = scenario
  const names = [MAIN, ...sides.map(({ name }) => name)]
  if (new Set(names).size < names.length) complaints.push('two chains have the same name')
  const machine = (path: string, index: number): void => {
    if (index < machines) return
    complaints.push(`${path} names machine ${index}, but the last one is ${machines - 1}`)
  }
  const chain = (path: string, name: string | undefined): void => {
    if (name !== undefined && names.includes(name)) return
    complaints.push(`${path} must be one of ${names.join(', ')}, not ${name}`)
  }
  for (const [i, plan] of [main, ...sides].entries()) {
    const path = i === 0 ? 'main' : `sides[${i - 1}]`
    for (const index of [...plan.validators, ...plan.observers]) machine(path, index)
  }
  for (const [i, { node }] of relayers.entries()) machine(`relayers[${i}].node`, node)
  for (const [i, liar] of byzantine.entries()) {
    machine(`byzantine[${i}].node`, liar.node)
    chain(`byzantine[${i}].chain`, liar.chain)
  }
  for (const [i, step] of steps.entries()) {
    const path = `steps[${i}]`
    for (const [key, value] of Object.entries(step)) {
      if (!['nodes', 'from', 'to', 'groups', 'subject'].includes(key)) continue
      for (const index of [value].flat(2)) machine(`${path}.${key}`, index as number)
    }
    if ('chain' in step || step.do === 'vote') chain(`${path}.chain`, step.chain)
    if (!('relayers' in step)) continue
    for (const index of step.relayers) {
      if (index >= relayers.length) complaints.push(`${path} names relayer ${index}`)
    }
  }
  for (const name of expect.frozen) chain('expect.frozen', name)
}
