/**
 * The folders of side chains in a node's data directory:
 *
 * ```
 * chains/NAME/genesis.json   what the chain started from
 *            /chain.json     what differs from the node's settings (config.ts `ChainConfig`)
 *            /lock, store, head   as in every data directory
 * ```
 *
 * A folder appears whole, by a rename, and disappears by one: what a crash leaves in between begins with
 * a dot, and is removed at the next start.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { CHAIN_NAME } from '@vellum/rpc'
import { type ChainConfig, parseChainConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { readJsonFile } from './config-file.ts'
import { genesisPath } from './data-directory.ts'
import { syncDirectory } from './head-file.ts'
import { MAIN_CHAIN } from './observation.ts'

const DRAFT = '.new-'
const DISCARDED = '.old-'

export function chainsDirectory(dataDir: string): string {
  return join(dataDir, 'chains')
}

/** @throws NodeError NODE_CONFIG_INVALID for a name that no side chain can have */
export function chainFolder(dataDir: string, name: string): string {
  assertChainName(name)
  return join(chainsDirectory(dataDir), name)
}

/** @throws NodeError NODE_CONFIG_INVALID */
export function assertChainName(name: string): void {
  if (CHAIN_NAME.test(name) && name !== MAIN_CHAIN) return
  throw new NodeError(
    'NODE_CONFIG_INVALID',
    `a side chain is called by 1 to 32 of a-z, 0-9 and -, and not \`main\`; ${JSON.stringify(name.slice(0, 64))} cannot be its name`,
    { name: name.slice(0, 64) },
  )
}

/** Names of the side chains in a data directory, in order; served or not. */
export function listChainFolders(dataDir: string): readonly string[] {
  return namesIn(chainsDirectory(dataDir)).filter(
    (name) => CHAIN_NAME.test(name) && name !== MAIN_CHAIN,
  )
}

/** A folder without `chain.json` says nothing of its own. @throws NodeError NODE_CONFIG_INVALID */
export function readChainConfig(folder: string): ChainConfig {
  return parseChainConfig(readRaw(folder))
}

/** Says whether the chain is served at the next start, and leaves what else is said there. */
export function writeServed(folder: string, served: boolean): void {
  const path = configPath(folder)
  const temporary = `${path}.tmp`
  writeFileSync(temporary, textOf({ ...readRaw(folder), served }), { mode: 0o600, flush: true })
  renameSync(temporary, path)
  syncDirectory(folder)
}

export interface NewChainFolder {
  readonly name: string
  /** Of the genesis file; undefined: the folder only says that the chain is not served. */
  readonly genesis: string | Uint8Array | undefined
  /** See `ChainConfig`. */
  readonly config: object
}

/**
 * Makes the folder of a chain: whole and durable, or not at all.
 * @returns its path
 * @throws NodeError NODE_CONFIG_INVALID if there is one of this name
 */
export function makeChainFolder(dataDir: string, chain: NewChainFolder): string {
  const folder = chainFolder(dataDir, chain.name)
  if (existsSync(folder)) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `${folder} is there already: choose another name, or serve what lies there`,
      { folder },
    )
  }
  const parent = chainsDirectory(dataDir)
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  syncDirectory(dataDir)
  const draft = mkdtempSync(join(parent, DRAFT))
  try {
    if (chain.genesis !== undefined) {
      writeFileSync(genesisPath(draft), chain.genesis, { mode: 0o600, flush: true })
    }
    writeFileSync(configPath(draft), textOf(chain.config), { mode: 0o600, flush: true })
    syncDirectory(draft)
    renameSync(draft, folder)
    syncDirectory(parent)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  }
  return folder
}

/** Removes a chain's data. Its process must not have them open. */
export function discardChainFolder(dataDir: string, name: string): void {
  const folder = chainFolder(dataDir, name)
  if (!existsSync(folder)) return
  const parent = chainsDirectory(dataDir)
  const grave = mkdtempSync(join(parent, DISCARDED))
  renameSync(folder, join(grave, name))
  syncDirectory(parent)
  rmSync(grave, { recursive: true, force: true })
  if (namesIn(parent).length === 0) rmSync(parent, { recursive: true, force: true })
}

/** Removes what a crash left half made or half removed. The directory must be locked. */
export function sweepChainFolders(dataDir: string): void {
  const parent = chainsDirectory(dataDir)
  for (const name of namesIn(parent)) {
    if (name.startsWith(DRAFT) || name.startsWith(DISCARDED)) {
      rmSync(join(parent, name), { recursive: true, force: true })
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
}

function readRaw(folder: string): object {
  const path = configPath(folder)
  return existsSync(path) ? (readJsonFile(path, 'the settings of the chain') as object) : {}
}

function configPath(folder: string): string {
  return join(folder, 'chain.json')
}

function textOf(json: object): string {
  return `${JSON.stringify(json, undefined, 2)}\n`
}
