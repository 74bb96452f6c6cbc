/** Where scenarios come from: a file, or one of those that come with the package, by its name. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PegScenario } from '../peg/scenario.ts'
import { parsePegScenario } from '../peg/scenario-file.ts'
import type { Scenario } from '../scenario.ts'
import { parseScenario } from '../scenario-file.ts'
import { ScenarioError } from '../scenario-reader.ts'

const SHIPPED = fileURLToPath(new URL('../../scenarios/', import.meta.url))

/** Names of the scenarios of one chain that come with the package, ascending. */
export function shippedScenarios(): readonly string[] {
  return namesIn(SHIPPED)
}

/** Names of those of several chains: `peg/…`. */
export function shippedPegScenarios(): readonly string[] {
  return namesIn(join(SHIPPED, 'peg')).map((name) => `peg/${name}`)
}

function namesIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort()
}

/**
 * @param source path of a file, or a shipped scenario's name
 * @throws ScenarioError if there is none, it is not JSON, or not a scenario of one chain
 */
export function loadScenario(source: string): Scenario {
  return load(source, parseScenario)
}

/** As `loadScenario`, for a network of several chains. */
export function loadPegScenario(source: string): PegScenario {
  return load(source, parsePegScenario)
}

/** Of either kind: one of several chains names its `sides`. */
export function loadAnyScenario(source: string): Scenario | PegScenario {
  return load<Scenario | PegScenario>(source, (json) =>
    typeof json === 'object' && json !== null && 'sides' in json
      ? parsePegScenario(json)
      : parseScenario(json),
  )
}

export function isPegScenario(scenario: Scenario | PegScenario): scenario is PegScenario {
  return 'sides' in scenario
}

function load<T>(source: string, parse: (json: unknown) => T): T {
  const shipped = join(SHIPPED, `${source}.json`)
  const path = existsSync(source) ? source : shipped
  if (!existsSync(path)) {
    const names = [...shippedScenarios(), ...shippedPegScenarios()].join(', ')
    throw new ScenarioError(
      `there is no file ${source}, nor a scenario of that name; those that come along: ${names}`,
    )
  }
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ScenarioError(`${path} is not JSON: ${(error as Error).message}`)
  }
  try {
    return parse(json)
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    throw new ScenarioError(`${path}: ${error.message}`)
  }
}
