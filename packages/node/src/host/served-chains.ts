/**
 * The chains of a process: main, and the side chains in its data directory (chain-folders.ts). Side chains
 * come and go while everything runs; one that fails stops alone, and is told of.
 */

import type { Address, Hash } from '@vellum/evm'
import { decodeExtraData, type Genesis, LedgerError } from '@vellum/ledger'
import type { ChainFacts, ChainsPort, NewChain } from '@vellum/rpc'
import { type ChainConfig, configOfChain, type NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { parseGenesisFile } from '../genesis-file.ts'
import type { VellumNode } from '../node.ts'
import type { Logger } from '../ports.ts'
import { readWhole } from './chain-commands.ts'
import {
  assertChainName,
  chainFolder,
  discardChainFolder,
  listChainFolders,
  makeChainFolder,
  readChainConfig,
  sweepChainFolders,
  writeServed,
} from './chain-folders.ts'
import { genesisBlockOf } from './genesis-block.ts'
import { type LocalNode, openLocalChain, readGenesis } from './local-node.ts'
import { MAIN_CHAIN } from './observation.ts'
import { parsePeerLocation } from './peer-identity.ts'
import type { Progress } from './progress.ts'
import type { SharedParts } from './shared-parts.ts'
import { beginVotes, discardVotes, votesPathOf } from './validator-votes.ts'

/** A chain that is being served. */
export interface ServedChainHandle {
  readonly name: string
  readonly node: VellumNode
  readonly genesis: Genesis
  /** Of the genesis block. */
  readonly hash: Hash
  /** The node's settings, with those of the chain laid over them. */
  readonly relay: NodeConfig['relay']
}

export interface ServedChains extends ChainsPort {
  /** Those that are served now, main first. */
  chains(): readonly ServedChainHandle[]
  /** Calls the listener for each chain that comes later; returns the undo. */
  onAdded(listener: (chain: ServedChainHandle) => void): () => void
  /** Calls the listener before a chain is closed; returns the undo. */
  onRemoved(listener: (chain: ServedChainHandle) => void): () => void
  /** Opens and starts the side chains of the directory. What cannot be opened is told of. */
  openAll(): Promise<void>
  /** Closes the side chains. Main is its owner's to close. */
  close(): Promise<void>
}

export interface ServedChainsOptions {
  /** Open already. */
  readonly main: LocalNode
  readonly shared: SharedParts
  readonly config: NodeConfig
  readonly acceptVoteLoss: boolean
  readonly log: Logger
  readonly progress: Progress
  /** Where clients reach a chain. */
  readonly door: {
    open(chain: LocalNode): void
    close(name: string): void
  }
}

/**
 * Chains of a process. The streams of a chain, at most 18 from one peer, share a connection that has
 * room for 256 (network-limits.ts `muxerStreamsMax`).
 */
export const CHAINS_MAX = 14

/** A chain of the directory, served or not. */
interface Place {
  readonly state: ChainFacts['state']
  readonly local: LocalNode | undefined
  readonly reason: string | undefined
  readonly chainId: bigint | undefined
  readonly hash: Hash | undefined
}

export function createServedChains(options: ServedChainsOptions): ServedChains {
  const { main, shared, config, progress, door } = options
  const { dataDir } = config
  const { signer, network, crypto } = shared
  const log = options.log.child('chains')
  const mainVotes = signer && network && votesPathOf(config, signer.address)
  const places = new Map<string, Place>([[MAIN_CHAIN, placeOf(main)]])
  const added = new Set<(chain: ServedChainHandle) => void>()
  const removed = new Set<(chain: ServedChainHandle) => void>()
  /** What opens and closes chains, one after another. */
  let queue: Promise<unknown> = Promise.resolve()
  let isClosing = false

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work)
    queue = turn.catch(() => {})
    return turn
  }

  /** Opens, serves and starts the chain of a folder. @throws whatever was wrong; nothing is left open */
  async function open(name: string, own: ChainConfig): Promise<LocalNode> {
    const folder = chainFolder(dataDir, name)
    const local = await openLocalChain(
      {
        name,
        config: configOfChain(config, own, folder),
        bootnodes: own.network.bootnodes,
        log: options.log.child(name),
        progress,
        mainVotes,
        acceptVoteLoss: options.acceptVoteLoss,
      },
      shared,
    )
    try {
      assertFits(name, local.genesis, local.hash)
      door.open(local)
      try {
        await local.node.start()
      } catch (error) {
        door.close(name)
        throw error
      }
    } catch (error) {
      local.watch.end((error as Error).message)
      await local.close()
      throw error
    }
    places.set(name, placeOf(local))
    for (const listener of added) listener(handleOf(local))
    void local.node.failed.then((error) => inTurn(() => uponFailure(local, error as Error)))
    log.info('a chain is served', { name, chainId: local.genesis.chainId, hash: local.hash })
    return local
  }

  async function uponFailure(local: LocalNode, error: Error): Promise<void> {
    const { name } = local
    if (isClosing || places.get(name)?.local !== local) return
    log.error('a chain cannot go on and is not served any more; the others go on', {
      name,
      reason: error.message,
    })
    await close(local, error.message).catch((cause: Error) =>
      // After a failed disk closing fails as well; the first failure is the news.
      log.warn('a failed chain was not closed in order', { name, reason: cause.message }),
    )
    places.set(name, {
      ...placeOf(local),
      state: 'failed',
      local: undefined,
      reason: error.message,
    })
  }

  /** @param reason why it failed; undefined: it was meant to end */
  async function close(local: LocalNode, reason: string | undefined): Promise<void> {
    door.close(local.name)
    for (const listener of removed) listener(handleOf(local))
    local.watch.end(reason)
    await local.close()
  }

  /** Makes folders of the chains that the configuration has and the directory has not. */
  function beginConfigured(): void {
    const there = listChainFolders(dataDir)
    for (const [name, file] of config.sideChains) {
      if (!there.includes(name)) {
        makeChainFolder(dataDir, { name, genesis: readWhole(file), config: {} })
      }
    }
  }

  /** Opens a folder of which one cannot know whether it is whole. */
  async function openOrReport(name: string): Promise<void> {
    try {
      const own = readChainConfig(chainFolder(dataDir, name))
      if (own.served) {
        await open(name, own)
        return
      }
      places.set(name, unopened('stopped', undefined))
    } catch (error) {
      const reason = (error as Error).message
      log.error('a chain cannot be opened and is not served; the others go on', { name, reason })
      // It may have failed before anybody watched it.
      shared.observation.watch(name).end(reason)
      places.set(name, unopened('failed', reason))
    }
  }

  /** @throws NodeError NODE_CONFIG_INVALID if a process with these chains cannot have this one */
  function assertFits(name: string, genesis: Genesis, hash: Hash): void {
    const refuse = (reason: string): never => {
      throw new NodeError('NODE_CONFIG_INVALID', `chain ${name}: ${reason}`, { name })
    }
    if (genesis.qbft === undefined || decodeExtraData(genesis.extraData).validators.length === 0) {
      refuse('a side chain is sealed by QBFT: its genesis needs config.qbft and validators')
    }
    if (!genesis.chainDomain) {
      refuse(
        'its genesis must say config.vellum.chainDomain true: one key signs on several chains, and what it says on one must not count on another',
      )
    }
    for (const [other, place] of places) {
      if (other === name) continue
      if (place.chainId === genesis.chainId) {
        refuse(
          `chain id ${genesis.chainId} is that of ${other}: transactions would be valid on both`,
        )
      }
      if (place.hash === hash) refuse(`it is the chain that is served as ${other}`)
    }
  }

  async function addNow({ name, genesis, bootnodes }: NewChain): Promise<ChainFacts> {
    assertChainName(name)
    if (places.get(name)?.state === 'serving') throw refusal(`a chain ${name} is served already`)
    if (genesis === undefined) return reopen(name)
    if (places.has(name)) {
      throw refusal(
        `a chain ${name} lies in the directory: leave the genesis out to serve it again`,
      )
    }
    if (places.size >= CHAINS_MAX) throw refusal(`a node serves at most ${CHAINS_MAX} chains`)
    for (const each of bootnodes) parsePeerLocation(each)
    const text = `${JSON.stringify(genesis)}\n`
    const file = parseGenesisFile(new TextEncoder().encode(text), name)
    const { hash } = await genesisBlockOf(file, crypto)
    assertFits(name, file.genesis, hash)
    if (mainVotes !== undefined) beginVotes(mainVotes, signer!.address, hash)
    const own = { served: true, ...(bootnodes.length > 0 && { network: { bootnodes } }) }
    const folder = makeChainFolder(dataDir, { name, genesis: text, config: own })
    try {
      return factsOf(name, placeOf(await open(name, readChainConfig(folder))))
    } catch (error) {
      discardChainFolder(dataDir, name)
      throw error
    }
  }

  async function reopen(name: string): Promise<ChainFacts> {
    const folder = chainFolder(dataDir, name)
    if (!listChainFolders(dataDir).includes(name)) {
      throw refusal(`there is no chain ${name} here: give its genesis`)
    }
    const own = readChainConfig(folder)
    const local = await open(name, own)
    if (!own.served) writeServed(folder, true)
    return factsOf(name, placeOf(local))
  }

  async function removeNow(name: string, discard: boolean): Promise<void> {
    assertChainName(name)
    const place = places.get(name)
    if (place === undefined) throw refusal(`there is no chain ${name} here`)
    const folder = chainFolder(dataDir, name)
    const hash = place.hash ?? (discard ? await hashIn(folder) : undefined)
    if (place.local !== undefined) await close(place.local, undefined)
    if (discard) {
      discardChainFolder(dataDir, name)
      if (mainVotes !== undefined && hash !== undefined) discardVotes(mainVotes, hash)
      places.delete(name)
      // Or else the next start would begin it again.
      if (config.sideChains.has(name)) {
        makeChainFolder(dataDir, { name, genesis: undefined, config: { served: false } })
        places.set(name, unopened('stopped', undefined))
      }
    } else {
      writeServed(folder, false)
      places.set(name, { ...place, state: 'stopped', local: undefined, reason: undefined })
    }
    log.info(discard ? 'a chain was discarded' : 'a chain is not served any more', { name })
  }

  /** undefined where its genesis file cannot be used: then its votes stay. */
  async function hashIn(folder: string): Promise<Hash | undefined> {
    try {
      return (await genesisBlockOf(readGenesis(folder), crypto)).hash
    } catch {
      return undefined
    }
  }

  function factsOf(name: string, { state, local, reason, chainId, hash }: Place): ChainFacts {
    const validators = local?.node.consensus?.runner.state().validators ?? []
    return {
      name,
      state,
      reason,
      chainId,
      genesisHash: hash,
      height: local?.node.chain.head().header.number,
      isValidator: local?.address !== undefined && validators.includes(local.address as Address),
    }
  }

  return {
    chains: () =>
      [...places.values()].flatMap(({ local }) => (local === undefined ? [] : [handleOf(local)])),
    onAdded: (listener) => {
      added.add(listener)
      return () => added.delete(listener)
    },
    onRemoved: (listener) => {
      removed.add(listener)
      return () => removed.delete(listener)
    },
    openAll: () =>
      inTurn(async () => {
        sweepChainFolders(dataDir)
        beginConfigured()
        const names = listChainFolders(dataDir)
        for (const name of names.slice(0, CHAINS_MAX - 1)) await openOrReport(name)
        for (const name of names.slice(CHAINS_MAX - 1)) {
          const reason = `a node serves at most ${CHAINS_MAX} chains`
          log.error('a chain is not served', { name, reason })
          places.set(name, unopened('failed', reason))
        }
      }),
    all: () => [...places].map(([name, place]) => factsOf(name, place)),
    add: (chain) => inTurn(() => verdictOf(() => addNow(chain))),
    remove: (name, discard) => inTurn(() => verdictOf(() => removeNow(name, discard))),
    close: () => {
      isClosing = true
      return inTurn(async () => {
        for (const [name, { local }] of places) {
          if (local === undefined || name === MAIN_CHAIN) continue
          await close(local, undefined).catch((cause: Error) =>
            log.error('a chain was not closed in order', { name, reason: cause.message }),
          )
        }
      })
    },
  }
}

function placeOf(local: LocalNode): Place {
  const { genesis, hash } = local
  return { state: 'serving', local, reason: undefined, chainId: genesis.chainId, hash }
}

function unopened(state: 'stopped' | 'failed', reason: string | undefined): Place {
  return { state, local: undefined, reason, chainId: undefined, hash: undefined }
}

function handleOf({ name, node, genesis, hash, config }: LocalNode): ServedChainHandle {
  return { name, node, genesis, hash, relay: config.relay }
}

function refusal(reason: string): NodeError {
  return new NodeError('NODE_CONFIG_INVALID', reason)
}

/** What was foreseen is an answer for the operator; anything else is a mistake of ours. */
async function verdictOf<T>(
  work: () => Promise<T>,
): Promise<
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }
> {
  try {
    return { ok: true, value: await work() }
  } catch (error) {
    if (!(error instanceof NodeError || error instanceof LedgerError)) throw error
    return { ok: false, reason: error.message }
  }
}
