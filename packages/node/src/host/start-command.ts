/**
 * `vellum start`: the development chain, and what lies in the data directory already. Four validators in
 * processes of their own, or one in this process.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { addressOfPublicKey } from '@vellum/ledger'
import { DEFAULT_GAS_LIMIT } from '../config.ts'
import { DEV_ACCOUNTS, DEV_CHAIN_ID, devBalances, devValidatorKey } from '../dev-chain.ts'
import { devContracts, devGenesis } from '../dev-genesis.ts'
import { NodeError } from '../error.ts'
import { writeGenesisFile } from './chain-commands.ts'
import { genesisPath } from './data-directory.ts'
import { networkFolders, runLocalNetwork } from './local-network.ts'
import { createNetworkFiles } from './network-files.ts'
import { type NodePorts, runNode, stopSignal } from './node-command.ts'
import { loadSystemCrypto } from './system.ts'
import { showTour } from './tour-command.ts'

export interface StartPorts extends Omit<NodePorts, 'isNetworked'> {
  /** Validators of a new development chain; undefined: four. */
  readonly validators: number | undefined
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
    return runNetwork(ports)
  }
  const hasChain = existsSync(genesisPath(dataDir))
  if (hasChain) assertAsMany(dataDir, 1, validators)
  const isOwn = config.validator.keystore !== undefined || config.genesisFile !== undefined
  if (!hasChain && !isOwn) {
    const count = validators ?? DEV_VALIDATORS
    if (count > 1) {
      await beginDevNetwork(ports, count)
      return runNetwork({ ...ports, whenReady: tourOf(ports) })
    }
    await beginDevChain(dataDir)
    return runNode({ ...ports, isNetworked: false, whenReady: tourOf(ports) })
  }
  return runNode({ ...ports, isNetworked: false })
}

function tourOf({ withTour, program, print }: StartPorts): NodePorts['whenReady'] {
  return withTour ? (ready) => showTour({ ...ready, program, print }) : undefined
}

function assertAsMany(dataDir: string, existing: number, wanted: number | undefined): void {
  if (wanted === undefined || wanted === existing) return
  throw new NodeError(
    'NODE_CONFIG_INVALID',
    `${dataDir} holds ${existing === 1 ? 'a chain of one node' : `a network of ${existing} nodes`}, not of ${wanted}; leave --validators out, or choose another --data-dir`,
    { existing, wanted },
  )
}

function runNetwork(ports: StartPorts): Promise<number> {
  const { config, program, nodeFlags, port, print, warn, whenReady } = ports
  const directory = config.dataDir
  const isDev = isDevNetwork(directory)
  const stopping = stopSignal()
  return runLocalNetwork({
    directory,
    program,
    flags: nodeFlags,
    port,
    isDev,
    print,
    warn,
    stopping,
    whenReady,
  })
}

async function beginDevNetwork(
  { config, program, port, print, progress }: StartPorts,
  validators: number,
): Promise<void> {
  print(`beginning the development chain of ${validators} validators in ${config.dataDir}`)
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
      contracts: devContracts(),
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

/** A new directory without a chain gets the development chain. */
async function beginDevChain(dataDir: string): Promise<void> {
  const { crypto } = loadSystemCrypto()
  const validator = addressOfPublicKey(crypto.publicKey(devValidatorKey()))
  const genesis = devGenesis([validator], devContracts())
  await writeGenesisFile(dataDir, `${JSON.stringify(genesis, undefined, 2)}\n`)
}
