/** A configuration file. Paths in it are taken from its own folder, so that a node's folder can move. */

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { NodeError } from '../error.ts'

/** Fields that hold paths, by section and section within it; the first stand outside of all. */
const PATHS: readonly (readonly [sections: readonly string[], fields: readonly string[]])[] = [
  [[], ['dataDir', 'genesisFile']],
  [['validator'], ['keystore', 'passwordFile', 'votesFile']],
  [['rpc'], ['jwtSecretFile']],
  [
    ['rpc', 'tls'],
    ['certificateFile', 'keyFile', 'clientAuthoritiesFile'],
  ],
]

/**
 * The raw settings, to be laid under flags and given to `parseConfig`.
 * @throws NodeError NODE_CONFIG_INVALID
 */
export function readConfigFile(path: string): Record<string, unknown> {
  const json = readJsonFile(path, 'the configuration file')
  if (!isObject(json)) {
    throw new NodeError('NODE_CONFIG_INVALID', `${path} must hold a JSON object`, { path })
  }
  const folder = dirname(resolve(path))
  for (const [sections, fields] of PATHS) {
    let object: unknown = json
    for (const name of sections) object = isObject(object) ? object[name] : undefined
    if (!isObject(object)) continue
    for (const field of fields) {
      const value = object[field]
      if (typeof value === 'string' && value !== '') object[field] = resolve(folder, value)
    }
  }
  const { sideChains } = json
  if (isObject(sideChains)) {
    for (const [name, value] of Object.entries(sideChains)) {
      if (typeof value === 'string' && value !== '') sideChains[name] = resolve(folder, value)
    }
  }
  return json
}

/** @param what it is, for the error @throws NodeError NODE_CONFIG_INVALID */
export function readJsonFile(path: string, what: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `${what} ${path} cannot be read: ${(cause as Error).message}`,
      { path },
      { cause },
    )
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
