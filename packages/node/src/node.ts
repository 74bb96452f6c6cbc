/**
 * The composition root: chain, pool, producer and backend, put together over ports. Knows no file,
 * socket or clock; `host/` has the real ones.
 */

import {
  type Chain,
  createPool,
  type Genesis,
  type GenesisAccount,
  openChain,
  type Pool,
  type Sealer,
  type SealScheme,
} from '@vellum/ledger'
import type { Backend } from '@vellum/rpc'
import { createBackend } from './backend.ts'
import type { NodeConfig } from './config.ts'
import { NodeError } from './error.ts'
import { createIntake } from './intake.ts'
import type { NodePorts } from './ports.ts'
import { createProducer, type Producer } from './producer.ts'

export interface NodeOptions {
  readonly blocks: NodeConfig['blocks']
  /** Keep the state of this many blocks behind the head; undefined keeps all (archive). */
  readonly retainedBlocks: number | undefined
  readonly genesis: Genesis
  /** The genesis accounts, where they are not in `genesis.alloc`; read only for a new chain. */
  readonly allocation?: Iterable<GenesisAccount> | undefined
  /** How the chain's blocks are named and checked. */
  readonly scheme: SealScheme
  /** Makes blocks; undefined: this node only serves and imports. */
  readonly sealer: Sealer | undefined
  /** As web3_clientVersion answers it. */
  readonly clientVersion: string
}

export interface VellumNode {
  readonly chain: Chain
  readonly pool: Pool
  readonly backend: Backend
  /** Resolves if the node cannot go on: a block could not be made or written. Never rejects. */
  readonly failed: Promise<unknown>
  start(): void
  /** Resolves when nothing is being written any more. */
  stop(): Promise<void>
}

/**
 * Opens the chain (beginning it with its genesis block on an empty disk), compares its head with the
 * one that was noted outside the database, and puts the rest around it. `start` begins making blocks.
 * @throws LedgerError as `openChain`; NodeError NODE_STORE_SHORTENED or NODE_STORE_DAMAGED
 */
export async function createNode(options: NodeOptions, ports: NodePorts): Promise<VellumNode> {
  const { blocks, retainedBlocks, genesis, allocation, scheme, sealer, clientVersion } = options
  const { clock, timers, log, disk, heads, crypto, crc32, recovery } = ports
  const chain = await openChain({
    genesis,
    allocation,
    disk,
    crc32,
    scheme,
    crypto,
    retainedBlocks,
  })
  assertHeadWitnessed(chain, heads.found)
  heads.write(witnessOf(chain))

  const pool = createPool({
    state: () => chain.state(),
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

  const intake = createIntake({ pool, crypto, clock, timers, recovery })
  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>()
  const producer: Producer | undefined =
    sealer &&
    createProducer(blocks, {
      chain,
      pool,
      sealer,
      clock,
      timers,
      log: log.child('producer'),
      onFailure: fail,
    })
  return {
    chain,
    pool,
    backend: createBackend({ chain, pool, crypto, clock, intake, clientVersion }),
    failed,
    start: () => producer?.start(),
    stop: async () => {
      await producer?.stop()
      await chain.flush()
    },
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
