/** Reads scenarios from JSON: checked whole, defaults filled in, every complaint with its place. */

import { BEHAVIOUR_NAMES } from './byzantine/catalogue.ts'
import { type Action, SCENARIO_LIMITS, type Scenario, type Step } from './scenario.ts'
import { type DiskConditions, GOOD_DISK } from './virtual-disk.ts'
import { CALM, type NetworkConditions } from './virtual-network.ts'

/** A scenario that cannot be run; the message names every wrong place. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'
  readonly code = 'SCENARIO_INVALID'
}

interface Place {
  readonly path: string
  readonly value: unknown
  readonly complaints: string[]
}

type Read<T> = (place: Place) => T

/** @throws ScenarioError naming each wrong field, what it must be, and what it is */
export function parseScenario(json: unknown): Scenario {
  const complaints: string[] = []
  const scenario = SCENARIO({ path: '', value: json, complaints })
  if (complaints.length === 0) checkNodes(scenario, complaints)
  if (complaints.length > 0) {
    throw new ScenarioError(
      `the scenario is not valid:\n${complaints.map((line) => `  ${line}`).join('\n')}`,
    )
  }
  return scenario
}

const { nodesMax, stepsMax, secondsMax } = SCENARIO_LIMITS
const part = number(0, 1)
const ms = number(0, 1_000 * secondsMax)
const nodeIndex = whole(0, nodesMax - 1)
const nodes = list(nodeIndex, 0, nodesMax)

const NETWORK: Fields<NetworkConditions> = {
  delayMs: ms,
  tailPart: part,
  tailMs: ms,
  loss: part,
  duplication: part,
}
const DISK: Fields<DiskConditions> = {
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
  steps: withDefault([], list(readStep, 0, stepsMax)),
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

const ACTIONS: { readonly [Name in Action['do']]: Read<Action> } = {
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

function readStep(place: Place): Step {
  const raw = (isObject(place.value) ? place.value : {}) as Record<string, unknown>
  const name = oneOf(Object.keys(ACTIONS) as Action['do'][])({
    ...place,
    path: `${place.path}.do`,
    value: raw.do,
  })
  const { atSeconds, ...rest } = raw
  const at = number(0, secondsMax)({ ...place, path: `${place.path}.atSeconds`, value: atSeconds })
  if (raw.do !== name) return { atSeconds: at, do: 'ring' }
  return { atSeconds: at, ...ACTIONS[name]({ ...place, value: rest }) }
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

// --- readers ---

type Fields<T> = { readonly [Key in keyof T]-?: Read<T[Key]> }

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function object<T>(fields: Fields<T>): Read<T> {
  return ({ path, value, complaints }) => {
    if (!isObject(value)) complaints.push(`${path || 'the file'} must be an object`)
    const given = (isObject(value) ? value : {}) as Record<string, unknown>
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`)
    for (const key of Object.keys(given)) {
      if (Object.hasOwn(fields, key)) continue
      complaints.push(`${at(key)} is not known; known here: ${Object.keys(fields).join(', ')}`)
    }
    const entries = Object.entries<Read<unknown>>(fields as Record<string, Read<unknown>>)
      .map(([key, read]) => [key, read({ path: at(key), value: given[key], complaints })] as const)
      .filter(([, each]) => each !== undefined)
    return Object.fromEntries(entries) as T
  }
}

/** An object of which anything may be left out. */
function partly<T extends object>(defaults: T, fields: Fields<T>): Read<T> {
  const entries = Object.entries<Read<unknown>>(fields as Record<string, Read<unknown>>)
  const filled = Object.fromEntries(
    entries.map(([key, read]) => [key, withDefault(defaults[key as keyof T], read as never)]),
  )
  const read = object<T>(filled as Fields<T>)
  return (place) => read({ ...place, value: place.value === undefined ? {} : place.value })
}

function optionalAll<T extends object>(fields: Fields<T>): Fields<T> {
  const entries = Object.entries<Read<unknown>>(fields as Record<string, Read<unknown>>)
  return Object.fromEntries(entries.map(([key, read]) => [key, optional(read)])) as Fields<T>
}

function withDefault<T>(value: T, read: Read<T>): Read<T> {
  return (place) => (place.value === undefined ? value : read(place))
}

/** Left out of the object where it is not given. */
function optional<T>(read: Read<T>): Read<T> {
  return (place) => (place.value === undefined ? (undefined as T) : read(place))
}

function list<T>(read: Read<T>, least: number, most: number): Read<readonly T[]> {
  return ({ path, value, complaints }) => {
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      complaints.push(`${path} must be a list of ${least} to ${most}, not ${shown(value)}`)
      return []
    }
    return value.map((each, i) => read({ path: `${path}[${i}]`, value: each, complaints }))
  }
}

function number(least: number, most: number): Read<number> {
  return ({ path, value, complaints }) => {
    if (typeof value === 'number' && value >= least && value <= most) return value
    complaints.push(`${path} must be a number from ${least} to ${most}, not ${shown(value)}`)
    return least
  }
}

function whole(least: number, most: number): Read<number> {
  return (place) => {
    const { path, value, complaints } = place
    if (Number.isSafeInteger(value)) return number(least, most)(place)
    complaints.push(`${path} must be a whole number from ${least} to ${most}, not ${shown(value)}`)
    return least
  }
}

function text(byDefault?: string): Read<string> {
  return ({ path, value, complaints }) => {
    if (value === undefined && byDefault !== undefined) return byDefault
    if (typeof value === 'string' && (value !== '' || byDefault === '')) return value
    complaints.push(`${path} must be text, not ${shown(value)}`)
    return ''
  }
}

function flag({ path, value, complaints }: Place): boolean {
  if (typeof value === 'boolean') return value
  complaints.push(`${path} must be true or false, not ${shown(value)}`)
  return false
}

function oneOf<T extends string>(words: readonly T[]): Read<T> {
  return ({ path, value, complaints }) => {
    const found = words.find((word) => word === value)
    if (found !== undefined) return found
    complaints.push(`${path} must be one of ${words.join(', ')}, not ${shown(value)}`)
    return words[0]!
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const json = JSON.stringify(value)
  return json.length > 60 ? `${json.slice(0, 60)}…` : json
}
