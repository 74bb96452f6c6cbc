/** A node over this machine's real disk, clock and network, without its RPC server. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { crc32 } from 'node:zlib'
import type { Address } from '@vellum/evm'
import { createStore, type Genesis, type Secp256k1 } from '@vellum/ledger'
import type { NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { type GenesisFile, parseGenesisFile } from '../genesis-file.ts'
import { createNode, type VellumNode } from '../node.ts'
import type { Clock, HeadWitness, Logger } from '../ports.ts'
import { signerOf } from '../sealing.ts'
import { type DataDirectory, genesisPath, openDataDirectory } from './data-directory.ts'
import type { HeadFile } from './head-file.ts'
import { collecting } from './heap.ts'
import { createLateTransport } from './late-transport.ts'
import { createLibp2pHost, type Libp2pHost, type Libp2pHostOptions } from './libp2p-host.ts'
import { shiftedClock, systemTimers } from './machine.ts'
import { loadNodeKey } from './node-key.ts'
import { createObservation, type Observation } from './observation.ts'
import type { Progress } from './progress.ts'
import { createRecoveryPool } from './recovery-pool.ts'
import { loadSystemCrypto } from './system.ts'
import { openVotes, type ValidatorVotes } from './validator-votes.ts'
import { CLIENT_VERSION } from './version.ts'

export interface LocalNode {
  readonly node: VellumNode
  readonly genesis: Genesis
  readonly directory: DataDirectory
  readonly crypto: Secp256k1
  /** Of the key that seals blocks; undefined: this node has none. */
  readonly address: Address | undefined
  /** undefined: a node without peers. */
  readonly network: Libp2pHost | undefined
  /** undefined: no validator's key, or no peers. */
  readonly votes: ValidatorVotes | undefined
  /** Blocks behind the head whose state is kept; undefined: all. */
  readonly retainedBlocks: number | undefined
  readonly observation: Observation
  /** Stops making blocks, finishes what is being written, frees the directory. */
  close(): Promise<void>
}

export interface LocalNodeOptions {
  readonly config: NodeConfig
  /** The directory's, if it was read already: a large one takes a second. */
  readonly genesisFile?: GenesisFile
  readonly log: Logger
  readonly progress: Progress
  /** Private key that seals blocks, 32 bytes; undefined: the node makes none. */
  readonly validatorKey?: Uint8Array
  /** See `DataDirectoryOptions`. */
  readonly acceptHead?: boolean
  /** Also open the network and the validator's votes; undefined: a node by itself. */
  readonly peers?: {
    /** Begin with no votes where they are lost, instead of abstaining. */
    readonly acceptVoteLoss: boolean
  }
}

/** How long the note of the head may lag behind on the disk itself; see `head-file.ts`. */
const HEAD_SYNC_MS = 2_000
/** Accounts of a genesis file written between two collections of garbage. */
const COLLECTED_ACCOUNTS = 25_000
/** One thread recovers 12,000 signatures a second, more than this one can execute. */
const RECOVERY_THREADS_MAX = 2

/**
 * The genesis of a data directory.
 * @throws NodeError NODE_STORE_MISSING or NODE_FILE_INVALID
 */
export function readGenesis(dataDir: string): GenesisFile {
  const path = genesisPath(dataDir)
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string }
    if (code === 'ENOENT') {
      throw new NodeError(
        'NODE_STORE_MISSING',
        `${dataDir} holds no chain; begin one with \`vellum init --genesis FILE --data-dir ${dataDir}\``,
        { directory: dataDir },
      )
    }
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${path} cannot be read: ${message}`,
      { path },
      { cause },
    )
  }
  return parseGenesisFile(bytes, path)
}

/** Opens the directory's chain. @throws NodeError or LedgerError saying what is wrong and what to do */
export async function openLocalNode(options: LocalNodeOptions): Promise<LocalNode> {
  const { config, log, progress, validatorKey } = options
  const { genesis, allocation } = options.genesisFile ?? readGenesis(config.dataDir)
  const { crypto, fallbackReason } = loadSystemCrypto()
  if (fallbackReason !== undefined) {
    log.warn('signatures are computed in JavaScript, forty times slower', { fallbackReason })
  }
  const directory = await openDataDirectory(config.dataDir, {
    threads: Math.min(4, availableParallelism()),
    acceptHead: options.acceptHead ?? false,
    onProgress: progress.bytes('verifying the database'),
  })
  const { disk } = directory
  const heads = witnessOf(directory.heads, options.acceptHead ?? false)
  const workers =
    config.threads.recovery ?? Math.min(RECOVERY_THREADS_MAX, availableParallelism() - 1)
  const recovery = workers > 0 ? createRecoveryPool({ workers }) : undefined
  const clock = shiftedClock(config.test.clockOffsetMs)
  const observation = createObservation(clock)
  let votes: ValidatorVotes | undefined
  let network: Libp2pHost | undefined
  const closePorts = async (): Promise<void> => {
    await network?.stop()
    await recovery?.stop()
    await votes?.close()
    await directory.close()
  }
  try {
    const signer = validatorKey && signerOf(validatorKey, crypto)
    const late = options.peers && createLateTransport()
    if (options.peers !== undefined) {
      votes =
        signer && (await openVotes({ ...options.peers, config, validator: signer.address, log }))
      const key = validatorKey ?? loadNodeKey(config.dataDir, crypto)
      network = await createLibp2pHost({ ...config.network, key, ports: networkPorts(clock, log) })
    }
    const retainedBlocks = retainedBlocksOf(config, directory)
    const node = await createNode(
      {
        blocks: config.blocks,
        consensus: config.consensus,
        sync: config.sync,
        retainedBlocks,
        genesis,
        allocation: collecting(allocation, COLLECTED_ACCOUNTS),
        signer,
        clientVersion: CLIENT_VERSION,
        validatorsMin: config.votes.validatorsMin,
      },
      {
        clock,
        timers: systemTimers,
        log,
        disk,
        heads,
        crc32,
        crypto,
        recovery,
        transport: late?.transport,
        votes: votes?.log,
        ...observation.ports,
      },
    )
    observation.attach(
      { node, signer, transport: late?.transport },
      {
        version: CLIENT_VERSION,
        chainId: genesis.chainId,
        signatures: fallbackReason === undefined ? 'native' : 'JavaScript',
      },
    )
    if (network !== undefined) {
      late?.provide(network.open(node.chain.hashAt(node.chain.genesis.number)!))
    }
    const syncing = setInterval(() => directory.heads.sync(), HEAD_SYNC_MS)
    syncing.unref()
    return {
      node,
      genesis,
      directory,
      crypto,
      address: signer?.address,
      network,
      votes,
      retainedBlocks,
      observation,
      close: async () => {
        clearInterval(syncing)
        observation.stop()
        await node.stop()
        await closePorts()
      },
    }
  } catch (error) {
    await closePorts()
    throw error
  }
}

function networkPorts(clock: Clock, log: Logger): Libp2pHostOptions['ports'] {
  return { clock, timers: systemTimers, random: { bytes: (size) => randomBytes(size) }, log }
}

/** The head file, or, where nothing is in it and that is accepted, one that says so. */
function witnessOf(heads: HeadFile, acceptHead: boolean): HeadWitness {
  return acceptHead && heads.found === undefined ? { found: 'unknown', write: heads.write } : heads
}

/** What was asked for, or else what the directory was begun with. */
function retainedBlocksOf({ state }: NodeConfig, { disk }: DataDirectory): number | undefined {
  if (state.mode === 'archive') return undefined
  if (state.mode === 'pruned') return state.retainedBlocks
  return createStore(disk, crc32).meta()?.retainedBlocks
}
