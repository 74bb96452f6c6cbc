/**
 * The composition root: chain, pool, consensus, network and backend, put together over ports. Knows no file,
 * socket or clock; `host/` has the real ones.
 */

import { type ConsensusSettings, encodeEvidence, recoveryIn, type State } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import {
  type Chain,
  createPool,
  createStore,
  FOREIGN,
  type Genesis,
  type GenesisAccount,
  openChain,
  type Pool,
} from '@vellum/ledger'
import type { Backend, ConsensusPort } from '@vellum/rpc'
import { createBackend } from './backend.ts'
import { type NodeConfig, SNAPSHOT_DISTANCE } from './config.ts'
import { createConsensusPort } from './consensus-port.ts'
import { createConsensusWatch } from './consensus-watch.ts'
import { NodeError } from './error.ts'
import { createEviction, type Eviction } from './eviction.ts'
import { type EvidenceBook, openEvidenceBook } from './evidence-book.ts'
import { type ForkBook, openForkBook } from './fork-book.ts'
import { createForkInquiry } from './fork-inquiry.ts'
import { createIntake } from './intake.ts'
import { createLogIndexing } from './log-indexing.ts'
import { createMembership } from './membership.ts'
import { createNetwork, type Network } from './network.ts'
import { createOperatorVotes, type OperatorVotes } from './operator-votes.ts'
import type { NodePorts, Signer } from './ports.ts'
import { createRunner, type Runner } from './runner.ts'
import { messageDomainOf, qbftSchemeOf, recoverSeal } from './sealing.ts'
import { createSenderSource } from './senders.ts'
import { createSnapshotServer } from './snapshot-server.ts'
import { createSnapshotSync } from './snapshot-sync.ts'
import { createSpread } from './spread.ts'
import { createSync, type Sync } from './sync.ts'
import { VALIDATORS_MIN } from './vote-guard.ts'

export interface NodeOptions {
  readonly blocks: NodeConfig['blocks']
  readonly consensus: NodeConfig['consensus']
  /** Keep the state of this many blocks behind the head; undefined keeps all (archive). */
  readonly retainedBlocks: number | undefined
  readonly genesis: Genesis
  /** The genesis accounts, where they are not in `genesis.alloc`; read only for a new chain. */
  readonly allocation?: Iterable<GenesisAccount> | undefined
  /** The validator's key; undefined: this node follows and serves only. */
  readonly signer: Signer | undefined
  /** How a node that begins catches up; undefined: by a snapshot if it is pruned. */
  readonly sync?: NodeConfig['sync'] | undefined
  /** As web3_clientVersion answers it. */
  readonly clientVersion: string
  /** Vote against validators that are proven to lie. Default false. */
  readonly evictEquivocators?: boolean
  /** Below this many validators no vote of ours makes the set smaller. Default: `VALIDATORS_MIN`. */
  readonly validatorsMin?: number
}

export interface VellumNode {
  readonly chain: Chain
  readonly pool: Pool
  readonly backend: Backend
  /** undefined on a chain that is not sealed by QBFT. */
  readonly consensus: NodeConsensus | undefined
  /** Resolves if the node cannot go on: a block could not be made or written. Never rejects. */
  readonly failed: Promise<unknown>
  /** Begins to listen, to connect and to make blocks. @throws NodeError if it cannot listen */
  start(): Promise<void>
  /** Resolves when nothing is being written any more. */
  stop(): Promise<void>
}

/** How the chain is being agreed on, for status, metrics and operators. */
export interface NodeConsensus {
  readonly runner: Runner
  readonly sync: Sync | undefined
  readonly network: Network | undefined
  readonly votes: OperatorVotes
  /** With which validators have contradicted themselves. */
  readonly evidence: EvidenceBook
  /** Whether the chain is forked, and therefore stopped. */
  readonly forks: ForkBook
  /** undefined where this node does not vote by itself. */
  readonly eviction: Eviction | undefined
}

/**
 * Opens the chain (beginning it with its genesis block on an empty disk), compares its head with the
 * one that was noted outside the database, and puts the rest around it. `start` begins making blocks.
 * @throws LedgerError as `openChain`; NodeError NODE_STORE_SHORTENED or NODE_STORE_DAMAGED
 */
export async function createNode(options: NodeOptions, ports: NodePorts): Promise<VellumNode> {
  const { retainedBlocks, genesis, allocation, signer, clientVersion } = options
  const { clock, timers, log, disk, heads, crypto, crc32, recovery, transport } = ports
  const qbft = qbftSchemeOf(genesis, crypto)
  const chain = await openChain({
    genesis,
    allocation,
    disk,
    crc32,
    scheme: qbft ?? FOREIGN,
    crypto,
    retainedBlocks,
    ...(ports.measure && { measure: ports.measure }),
  })
  assertHeadWitnessed(chain, heads.found)
  heads.write(witnessOf(chain))

  const pool = createPool({
    state: () => chain.state(),
    kind: qbft === undefined ? 'foreign' : 'own',
    next: () => {
      const { number, timestamp, gasLimit } = chain.head().header
      return { rules: chain.rulesAt(number + 1, timestamp), gasLimit }
    },
  })
  // In this order: whoever hears of the new head later finds it noted and the pool settled.
  chain.onHead(({ block }) => {
    heads.write(witnessOf(chain))
    pool.settle(block.transactions)
  })

  const { promise: failed, resolve: onFailure } = Promise.withResolvers<unknown>()
  let state: () => State | undefined = () => undefined
  const isValidator = (peer: Address): boolean => state()?.validators.includes(peer) ?? false
  const spread = transport && createSpread({ pool, timers, transport, isValidator })
  const intake = createIntake({
    pool,
    crypto,
    clock,
    timers,
    recovery,
    ...(spread && { onSubmitted: (encoded) => spread.push(encoded) }),
  })
  const senders = createSenderSource({ pool, crypto, recovery })

  let consensus: NodeConsensus | undefined
  let consensusPort: ConsensusPort | undefined
  if (qbft !== undefined && genesis.qbft !== undefined) {
    const store = createStore(disk, crc32)
    const recoverSealer = recoverSeal(crypto)
    const recover = recoveryIn(messageDomainOf(chain), recoverSealer)
    const evidence = openEvidenceBook({ store, recover, log: log.child('evidence'), onFailure })
    const forks = openForkBook({
      chain,
      scheme: qbft,
      store,
      recover: recoverSealer,
      log: log.child('fork'),
    })
    const votes = createOperatorVotes(genesis.qbft.epochLength)
    let eviction: Eviction | undefined
    let sync: Sync | undefined
    let network: Network | undefined
    const watch = createConsensusWatch(clock)
    const membership = createMembership(chain, genesis.permissionContract)
    const settings = settingsOf(genesis.qbft, options)
    const runner = createRunner(
      { blocks: options.blocks, settings },
      {
        chain,
        scheme: qbft,
        pool,
        crypto,
        senders,
        clock,
        timers,
        log: log.child('consensus'),
        signer,
        transport,
        votes: ports.votes,
        operatorVotes: votes,
        forks,
        readMessage: ports.readMessage,
        onFailure,
        observer: {
          stepped: (event, effects, next) => {
            watch.stepped(event, next)
            ports.observer?.stepped(event, effects, next)
          },
          advanced: (height) => {
            transport?.admit(membership.members(runner.state().validators))
            eviction?.advanced()
            network?.advanced(height)
          },
          ahead: (peer, height) => sync?.tell({ type: 'peerHead', peer, height }),
          behind: (peer) => network?.remind(peer),
          evidence: (first, second) => void evidence.add(first, second),
          // It may be importing the very block that shows the fork.
          forked: () => void sync?.stop().catch(onFailure),
        },
      },
    )
    state = runner.state
    const takesPart = (): boolean => {
      const { validators, abstainsThrough } = runner.state()
      return (
        signer !== undefined && abstainsThrough === undefined && validators.includes(signer.address)
      )
    }
    if (transport !== undefined && spread !== undefined) {
      const { suspect } = createForkInquiry({
        ...{ chain, runner, forks, transport, onFailure },
        log: log.child('fork'),
      })
      sync = createSync({
        chain,
        runner,
        senders,
        transport,
        timers,
        log: log.child('sync'),
        takesPart,
        suspect,
        onFailure,
      })
      if (isSnapshotWanted(options) && chain.head().header.number === 0) {
        sync = createSnapshotSync(
          { distance: options.sync?.snapshotDistance ?? SNAPSHOT_DISTANCE },
          {
            chain,
            store,
            runner,
            sync,
            senders,
            transport,
            timers,
            log: log.child('snapshot'),
            onFailure,
          },
        )
      }
      network = createNetwork({
        chain,
        runner,
        sync,
        snapshots: createSnapshotServer({ chain, clock, timers }),
        spread,
        intake,
        transport,
        clock,
        timers,
        log: log.child('network'),
        clientVersion,
        suspect,
        onFailure,
      })
    }
    const core = { runner, sync, network, votes, evidence, forks }
    const port = createConsensusPort({
      consensus: core,
      scheme: qbft,
      chain,
      pool,
      clock,
      log: log.child('votes'),
      signer,
      transport,
      watch,
      settings,
      validatorsMin: options.validatorsMin ?? VALIDATORS_MIN,
    })
    if (options.evictEquivocators && signer !== undefined) {
      eviction = createEviction({
        validators: () => runner.state().validators,
        propose: port.propose,
        log: log.child('votes'),
      })
    }
    evidence.onAdded((added) => {
      const frame = encodeEvidence(added)
      for (const peer of (frame && transport?.peers()) ?? []) {
        transport!.send(peer, 'consensus', frame!)
      }
      eviction?.accuse(added.author, 'this chain')
    })
    consensus = { ...core, eviction }
    consensusPort = port
  }
  const logIndexing = createLogIndexing({
    chain,
    clock,
    timers,
    log: log.child('logs'),
    onFailure,
  })
  return {
    chain,
    pool,
    backend: createBackend({
      chain,
      pool,
      crypto,
      clock,
      intake,
      clientVersion,
      peerCount: () => transport?.peers().length ?? 0,
      syncing: () => consensus?.sync?.state(),
      consensus: consensusPort,
    }),
    consensus,
    failed,
    start: async () => {
      logIndexing.start()
      consensus?.runner.start()
      await consensus?.network?.start()
    },
    stop: async () => {
      await consensus?.network?.stop()
      await consensus?.sync?.stop()
      await consensus?.runner.stop()
      await consensus?.evidence.settled()
      await logIndexing.stop()
      await chain.flush()
    },
  }
}

/** @throws NodeError NODE_CONFIG_INVALID for an archive, which wants every state */
function isSnapshotWanted({ sync, retainedBlocks }: NodeOptions): boolean {
  const isPruned = retainedBlocks !== undefined
  if (sync?.mode === 'snapshot' && !isPruned) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      'sync.mode `snapshot` is for pruned nodes: an archive needs every block from the first one on',
    )
  }
  return isPruned && sync?.mode !== 'full'
}

/** The genesis says what all nodes must share, the configuration the rest. */
function settingsOf(
  qbft: NonNullable<Genesis['qbft']>,
  { blocks, consensus }: Pick<NodeOptions, 'blocks' | 'consensus'>,
): ConsensusSettings {
  return {
    requestTimeoutMs: qbft.requestTimeoutSeconds * 1_000,
    requestTimeoutMaxMs: Math.max(
      consensus.requestTimeoutMaxMs,
      qbft.requestTimeoutSeconds * 1_000,
    ),
    blockPeriodSeconds: qbft.blockPeriodMilliseconds > 0 ? 0 : qbft.blockPeriodSeconds,
    heartbeatMs: blocks.heartbeatMs,
    encoding: consensus.encoding,
  }
}

function witnessOf(chain: Chain): { height: number; hash: `0x${string}` } {
  const { header, hash } = chain.head()
  return { height: header.number, hash }
}

/** The database may be ahead of the note by a block (killed in between), never behind it. */
function assertHeadWitnessed(chain: Chain, found: NodePorts['heads']['found']): void {
  if (found === 'unknown') return
  const { number } = chain.head().header
  const whatToDo =
    'restore a backup of the data directory, or delete it and import or synchronise the chain again'
  if (found === undefined) {
    if (number === chain.genesis.number) return
    throw new NodeError(
      'NODE_STORE_DAMAGED',
      `the head file is empty although the chain has reached block ${number}; if the database is known to be whole, run \`vellum verify --accept-head\`, else ${whatToDo}`,
      { height: number },
    )
  }
  if (number < found.height) {
    throw new NodeError(
      'NODE_STORE_SHORTENED',
      `the database ends at block ${number}, but block ${found.height} had been written and acknowledged: its last changes are lost; ${whatToDo}`,
      { height: number, noted: found.height },
    )
  }
  if (chain.hashAt(found.height) !== found.hash) {
    throw new NodeError(
      'NODE_STORE_DAMAGED',
      `block ${found.height} of the database is not the one that was noted outside it; ${whatToDo}`,
      { noted: found.height },
    )
  }
}
