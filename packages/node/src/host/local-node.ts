/** One chain over this machine's real disk, clock and network, without the RPC server. */

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { crc32 } from 'node:zlib'
import type { Address, Hash } from '@vellum/evm'
import { createStore, type Genesis, type Secp256k1 } from '@vellum/ledger'
import type { NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { type GenesisFile, parseGenesisFile } from '../genesis-file.ts'
import { createNode, type VellumNode } from '../node.ts'
import type { HeadWitness, Logger } from '../ports.ts'
import { type DataDirectory, genesisPath, openDataDirectory } from './data-directory.ts'
import { genesisBlockOf } from './genesis-block.ts'
import type { HeadFile } from './head-file.ts'
import { collecting } from './heap.ts'
import { createLateTransport } from './late-transport.ts'
import type { Libp2pHost } from './libp2p-host.ts'
import { systemTimers } from './machine.ts'
import { type ChainObservation, MAIN_CHAIN, type Observation } from './observation.ts'
import type { Progress } from './progress.ts'
import { openSharedParts, type SharedParts } from './shared-parts.ts'
import { openVotes, sideVotesPath, type ValidatorVotes, votesPathOf } from './validator-votes.ts'
import { CLIENT_VERSION } from './version.ts'

/** A chain as this process has it. */
export interface LocalNode {
  /** `main`, or the name of a side chain. */
  readonly name: string
  readonly node: VellumNode
  readonly genesis: Genesis
  /** Of the genesis block. */
  readonly hash: Hash
  readonly config: NodeConfig
  readonly directory: DataDirectory
  readonly crypto: Secp256k1
  /** Of the key that seals blocks; undefined: this node has none. */
  readonly address: Address | undefined
  /** Of the process; undefined: a node without peers. */
  readonly network: Libp2pHost | undefined
  /** Peers that speak this chain. */
  readonly peers: () => readonly Address[]
  /** undefined: no validator's key, or no peers. */
  readonly votes: ValidatorVotes | undefined
  /** Blocks behind the head whose state is kept; undefined: all. */
  readonly retainedBlocks: number | undefined
  /** Of the process. */
  readonly observation: Observation
  readonly watch: ChainObservation
  /** Stops making blocks, finishes what is being written, frees the directory. */
  close(): Promise<void>
}

/** What is opened. */
export interface LocalChainOptions {
  readonly name: string
  /** The node's settings, with those of this chain laid over them. */
  readonly config: NodeConfig
  /** The directory's, if it was read already: a large one takes a second. */
  readonly genesisFile?: GenesisFile | undefined
  /** Peers of this chain beside those of the node. */
  readonly bootnodes?: readonly string[]
  readonly log: Logger
  readonly progress: Progress
  /** See `DataDirectoryOptions`. */
  readonly acceptHead?: boolean
  /** Of main's vote file, for a side chain; see `sideVotesPath`. */
  readonly mainVotes?: string | undefined
  /** Begin with no votes where they are lost, instead of abstaining. */
  readonly acceptVoteLoss?: boolean
}

export interface LocalNodeOptions extends Omit<LocalChainOptions, 'name'> {
  /** Private key that seals blocks, 32 bytes; undefined: the node makes none. */
  readonly validatorKey?: Uint8Array
}

/** How long the note of the head may lag behind on the disk itself; see `head-file.ts`. */
const HEAD_SYNC_MS = 2_000
/** Accounts of a genesis file written between two collections of garbage. */
const COLLECTED_ACCOUNTS = 25_000

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

/**
 * Opens the directory's chain by itself, without peers.
 * @throws NodeError or LedgerError saying what is wrong and what to do
 */
export async function openLocalNode(options: LocalNodeOptions): Promise<LocalNode> {
  const shared = await openSharedParts({ ...options, isNetworked: false })
  try {
    const local = await openLocalChain({ ...options, name: MAIN_CHAIN }, shared)
    return {
      ...local,
      close: async () => {
        await local.close()
        await shared.close()
      },
    }
  } catch (error) {
    await shared.close()
    throw error
  }
}

/** Opens the chain of a directory. @throws NodeError or LedgerError saying what is wrong and what to do */
export async function openLocalChain(
  options: LocalChainOptions,
  shared: SharedParts,
): Promise<LocalNode> {
  const { name, config, log, progress } = options
  const { crypto, clock, recovery, signer, network, observation } = shared
  const genesisFile = options.genesisFile ?? readGenesis(config.dataDir)
  const { genesis, allocation } = genesisFile
  const directory = await openDataDirectory(config.dataDir, {
    threads: Math.min(4, availableParallelism()),
    acceptHead: options.acceptHead ?? false,
    onProgress: progress.bytes(`verifying the database of ${name}`),
  })
  const { disk } = directory
  const heads = witnessOf(directory.heads, options.acceptHead ?? false)
  const watch = observation.watch(name)
  let votes: ValidatorVotes | undefined
  let openedHash: Hash | undefined
  const pathOfSide = async (main: string): Promise<string> => {
    const stored = createStore(disk, crc32).meta()?.genesisHash
    return sideVotesPath(main, stored ?? (await genesisBlockOf(genesisFile, crypto)).hash)
  }
  const closePorts = async (): Promise<void> => {
    if (openedHash !== undefined) await network?.close(openedHash)
    await votes?.close()
    await directory.close()
  }
  try {
    if (network !== undefined && signer !== undefined) {
      const main = votesPathOf(config, signer.address)
      votes = await openVotes({
        path: name === MAIN_CHAIN ? main : await pathOfSide(options.mainVotes ?? main),
        validator: signer.address,
        log,
        acceptVoteLoss: options.acceptVoteLoss ?? false,
      })
    }
    const late = network && createLateTransport()
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
        ...config.votes,
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
        ...watch.ports,
      },
    )
    const hash = node.chain.hashAt(node.chain.genesis.number)!
    if (network !== undefined) {
      late?.provide(network.open(hash, options.bootnodes))
      openedHash = hash
    }
    watch.attach({ node, signer, transport: late?.transport }, genesis.chainId)
    const syncing = setInterval(() => directory.heads.sync(), HEAD_SYNC_MS)
    syncing.unref()
    return {
      name,
      node,
      genesis,
      hash,
      config,
      directory,
      crypto,
      address: signer?.address,
      network,
      peers: () => late?.transport.peers() ?? [],
      votes,
      retainedBlocks,
      observation,
      watch,
      close: async () => {
        clearInterval(syncing)
        try {
          await node.stop()
        } finally {
          await closePorts()
        }
      },
    }
  } catch (error) {
    watch.end((error as Error).message)
    await closePorts()
    throw error
  }
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
