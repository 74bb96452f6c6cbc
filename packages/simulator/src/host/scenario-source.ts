/** Where scenarios come from: a file, or one of those that come with the package, by its name. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Scenario } from '../scenario.ts'
import { parseScenario, ScenarioError } from '../scenario-file.ts'

const SHIPPED = fileURLToPath(new URL('../../scenarios/', import.meta.url))

/** Names of the scenarios that come with the package, ascending. */
export function shippedScenarios(): readonly string[] {
  return readdirSync(SHIPPED)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort()
}

/**
 * @param source path of a file, or a shipped scenario's name
 * @throws ScenarioError if there is none, it is not JSON, or not a scenario
 */
export function loadScenario(source: string): Scenario {
  const shipped = join(SHIPPED, `${source}.json`)
  const path = existsSync(source) ? source : shipped
  if (!existsSync(path)) {
    throw new ScenarioError(
      `there is no file ${source}, nor a scenario of that name; those that come along: ${shippedScenarios().join(', ')}`,
    )
  }
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ScenarioError(`${path} is not JSON: ${(error as Error).message}`)
  }
  try {
    return parseScenario(json)
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    throw new ScenarioError(`${path}: ${error.message}`)
  }
}
