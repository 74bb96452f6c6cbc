/**
 * `vellum start`: the development chains, and what lies in the data directory already. Four validators in
 * processes of their own, or one in this process; main and its side chains in each.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { addressOfPublicKey } from '@vellum/ledger'
import { DEFAULT_GAS_LIMIT } from '../config.ts'
import {
  DEV_ACCOUNTS,
  DEV_CHAIN_ID,
  DEV_SIDE_CHAIN_ID,
  DEV_SIDE_CHAINS,
  devBalances,
  devValidatorKey,
} from '../dev-chain.ts'
import { devContracts, devGenesis, devMainContracts, devSideContracts } from '../dev-genesis.ts'
import { NodeError } from '../error.ts'
import { writeGenesisFile } from './chain-commands.ts'
import { listChainFolders, makeChainFolder } from './chain-folders.ts'
import { genesisPath } from './data-directory.ts'
import { networkFolders, runLocalNetwork } from './local-network.ts'
import { systemClock } from './machine.ts'
import { createNetworkFiles, mainChainOf, type SidePlan } from './network-files.ts'
import { type NodePorts, runNode, stopSignal } from './node-command.ts'
import { createRpcClient } from './rpc-client.ts'
import { type ShownCommand, showCommand } from './shown-command.ts'
import { loadSystemCrypto } from './system.ts'
import { showTour } from './tour-command.ts'

export interface StartPorts extends Omit<NodePorts, 'isNetworked'> {
  /** Validators of a new development chain; undefined: four. */
  readonly validators: number | undefined
  /** Side chains of a new development network; undefined: those of `DEV_SIDE_CHAINS`. */
  readonly sideChains: readonly string[] | undefined
  /** The program and arguments that run `vellum`. */
  readonly program: readonly string[]
  /** Flags that the nodes of a network are given. */
  readonly nodeFlags: readonly string[]
  /** RPC port of the first node, if it was given. */
  readonly port: number | undefined
  /** Whether a new development chain is shown with the life of a licence. */
  readonly withTour: boolean
  readonly warn: (line: string) => void
}

const DEV_VALIDATORS = 4
const DEV_PEER_PORT = 30_303
const DEV_RPC_PORT = 8_545
/** Seconds of a round: nodes of one machine answer at once, or not at all. */
const DEV_REQUEST_TIMEOUT = 2

/**
 * Runs until a signal or a failure.
 * @returns the process's exit code
 */
export async function runStart(ports: StartPorts): Promise<number> {
  const { config, validators } = ports
  const { dataDir } = config
  const existing = networkFolders(dataDir).length
  if (existing > 0) {
    assertAsMany(dataDir, existing, validators)
    return runNetwork(ports, { isNew: false })
  }
  const hasChain = existsSync(genesisPath(dataDir))
  if (hasChain) assertAsMany(dataDir, 1, validators)
  const isOwn = config.validator.keystore !== undefined || config.genesisFile !== undefined
  if (!hasChain && !isOwn) {
    const count = validators ?? DEV_VALIDATORS
    const sides = ports.sideChains ?? DEV_SIDE_CHAINS
    if (count > 1) {
      await beginDevNetwork(ports, count, sides)
      return runNetwork(ports, { isNew: true })
    }
    await beginDevChains(dataDir, sides)
    return runOne(ports, { isNew: true })
  }
  return runOne(ports, { isNew: false })
}

function runOne(ports: StartPorts, { isNew }: { readonly isNew: boolean }): Promise<number> {
  const { config, program, print } = ports
  const sides = listChainFolders(config.dataDir)
  // Nobody else would carry the messages of a development network of one process.
  const isDev = config.validator.keystore === undefined
  const relay = { ...config.relay, enabled: config.relay.enabled ?? (isDev && sides.length > 0) }
  return runNode({
    ...ports,
    config: { ...config, relay },
    isNetworked: false,
    whenReady: (ready) =>
      showDevelopment({ ...ready, program, print }, isDev ? sides : [], isNew && ports.withTour),
  })
}

/** What a development network is shown with: its side chains attached, then the tour. Never fails. */
async function showDevelopment(
  shown: ShownCommand,
  sides: readonly string[],
  withTour: boolean,
): Promise<void> {
  const names = await servedOf(shown.url, sides)
  if (names.length > 0) {
    const failure = await showCommand(shown, ['sidechain', 'attach', ...names, '--dev'])
    if (failure !== undefined) {
      shown.print(`the side chains could not be attached: ${failure}. To try again:`)
      shown.print(`  vellum sidechain attach ${names.join(' ')} --dev --rpc ${shown.url}`)
      return
    }
  }
  if (withTour) await showTour(shown)
}

/** Those of the development network that are served: not what was retired since, and no trials. */
async function servedOf(url: string, sides: readonly string[]): Promise<readonly string[]> {
  if (sides.length === 0) return []
  try {
    const chains = await createRpcClient(url, undefined).call<
      readonly { readonly name: string; readonly state: string; readonly chainId: string }[]
    >('admin_chains')
    return chains
      .filter(({ name, state, chainId }) => {
        const place = Number(chainId) - DEV_SIDE_CHAIN_ID
        return state === 'serving' && sides.includes(name) && place >= 0 && place < sides.length
      })
      .map(({ name }) => name)
  } catch {
    // A node that wants tokens, or that has just been stopped: whoever attaches will hear of it.
    return sides
  }
}

function assertAsMany(dataDir: string, existing: number, wanted: number | undefined): void {
  if (wanted === undefined || wanted === existing) return
  throw new NodeError(
    'NODE_CONFIG_INVALID',
    `${dataDir} holds ${existing === 1 ? 'a chain of one node' : `a network of ${existing} nodes`}, not of ${wanted}; leave --validators out, or choose another --data-dir`,
    { existing, wanted },
  )
}

function runNetwork(ports: StartPorts, { isNew }: { readonly isNew: boolean }): Promise<number> {
  const { config, program, nodeFlags, port, print, warn, withTour } = ports
  const directory = config.dataDir
  const isDev = isDevNetwork(directory)
  const stopping = stopSignal()
  // At every start: the first one may have been cut short.
  const sides = isDev ? sideNamesOf(directory) : []
  return runLocalNetwork({
    directory,
    program,
    flags: nodeFlags,
    port,
    isDev,
    print,
    warn,
    stopping,
    whenReady: (ready) => showDevelopment({ ...ready, program, print }, sides, isNew && withTour),
  })
}

/** Side chains that the network of a folder began with. */
function sideNamesOf(directory: string): readonly string[] {
  const folder = join(directory, 'chains')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort()
}

async function beginDevNetwork(
  { config, program, port, print, progress }: StartPorts,
  validators: number,
  sides: readonly string[],
): Promise<void> {
  const chains = sides.length === 0 ? 'chain' : `chain and ${sides.length} side chains`
  print(`beginning the development ${chains} of ${validators} validators in ${config.dataDir}`)
  await createNetworkFiles(
    {
      directory: config.dataDir,
      validators,
      followers: 0,
      chainId: DEV_CHAIN_ID,
      blockPeriodMs: config.blocks.periodMs,
      requestTimeoutSeconds: DEV_REQUEST_TIMEOUT,
      gasLimit: DEFAULT_GAS_LIMIT,
      balances: devBalances(),
      ...(sides.length === 0
        ? { contracts: devContracts() }
        : { contracts: devMainContracts(), timestamp: nowSeconds(), sides: devSides(sides) }),
      hosts: ['127.0.0.1'],
      peerPort: DEV_PEER_PORT,
      rpcPort: port || DEV_RPC_PORT,
      passwordFile: undefined,
      lightKeys: true,
      program,
    },
    progress,
  )
}

function devSides(names: readonly string[]): readonly SidePlan[] {
  return names.map((name, i) => ({
    name,
    chainId: DEV_SIDE_CHAIN_ID + i,
    contracts: devSideContracts,
  }))
}

function nowSeconds(): number {
  return Math.floor(systemClock.now() / 1_000)
}

/** Where the accounts with public keys are funded. */
function isDevNetwork(directory: string): boolean {
  try {
    const { config, alloc } = JSON.parse(readFileSync(join(directory, 'genesis.json'), 'utf8'))
    return config.chainId === DEV_CHAIN_ID && DEV_ACCOUNTS[0]!.address in alloc
  } catch {
    // It is only for people: the nodes have genesis files of their own.
    return false
  }
}

/** A new directory without a chain gets the development chains. */
async function beginDevChains(dataDir: string, sides: readonly string[]): Promise<void> {
  const { crypto } = loadSystemCrypto()
  const validators = [addressOfPublicKey(crypto.publicKey(devValidatorKey()))]
  if (sides.length === 0) {
    await writeGenesisFile(dataDir, textOf(devGenesis(validators, devContracts())))
    return
  }
  const timestamp = nowSeconds()
  const main = textOf(devGenesis(validators, devMainContracts(), { timestamp }))
  const known = await mainChainOf(main)
  for (const { name, chainId, contracts } of devSides(sides)) {
    const genesis = textOf(devGenesis(validators, contracts(known), { chainId, timestamp }))
    makeChainFolder(dataDir, { name, genesis, config: {} })
  }
  // What makes the directory one with a chain comes last.
  await writeGenesisFile(dataDir, main)
}

function textOf(json: object): string {
  return `${JSON.stringify(json, undefined, 2)}\n`
}
