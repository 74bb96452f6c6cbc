/** What the RPC facade asks, answered out of chain, pool and simulator. */

import type { SyncState } from '@vellum/consensus'
import { type Address, isAtLeast } from '@vellum/evm'
import {
  blobBaseFee,
  buildPayload,
  type Chain,
  createSimulator,
  decodeTransaction,
  expectedBaseFee,
  GAS_PER_BLOB,
  type Header,
  nextExcessBlobGas,
  type Pool,
  type ReplayPorts,
  recoverSender,
  type Secp256k1,
  type SignedTransaction,
} from '@vellum/ledger'
import type {
  Backend,
  BlockFees,
  ConsensusPort,
  HeldData,
  PayloadPort,
  PoolContent,
  SyncProgress,
} from '@vellum/rpc'
import type { Intake } from './intake.ts'
import type { Clock } from './ports.ts'

export interface BackendOptions {
  readonly chain: Chain
  readonly pool: Pool
  readonly crypto: Secp256k1
  readonly clock: Clock
  readonly intake: Intake
  /** As web3_clientVersion answers it. */
  readonly clientVersion: string
  readonly peerCount: () => number
  /** How catching up stands; undefined without a network. */
  readonly syncing: () => SyncState | undefined
  /** undefined on a chain that is not sealed by QBFT. */
  readonly consensus: ConsensusPort | undefined
}

export function createBackend(options: BackendOptions): Backend {
  const { chain, pool, crypto, clock, intake, clientVersion } = options
  const execution: ReplayPorts = {
    header: chain.header,
    block: chain.block,
    stateAt: chain.stateAt,
    rulesAt: chain.rulesAt,
    crypto,
    precompiles: chain.precompiles,
    nowMs: () => clock.elapsed(),
  }
  return {
    node: {
      chainId: chain.genesis.chainId,
      clientVersion,
      peerCount: options.peerCount,
      syncing: () => progressOf(options.syncing()),
    },
    chain: {
      head: chain.head,
      header: chain.header,
      numberOf: chain.numberOf,
      block: chain.block,
      receipts: chain.receipts,
      searchLogs: chain.searchLogs,
      locate: chain.locate,
      stateAt: chain.stateAt,
      held: () => heldOf(chain),
      forkConfigs: chain.forkConfigs,
      fees: (header) => feesOf(chain, header),
      nextFees: (header) => feesAfter(chain, header),
      onHead: chain.onHead,
    },
    pool: {
      submit: intake.submit,
      get: pool.get,
      nonce: pool.nextNonce,
      content: () => contentOf(pool),
      size: () => ({ pending: pool.readyCount, queued: pool.size - pool.readyCount }),
      feePerGasMin: () => feesAfter(chain, chain.head().header).baseFeePerGas ?? 0n,
      onTransaction: pool.onAdd,
    },
    simulator: createSimulator(execution),
    payloads: isSealedElsewhere(chain) ? payloadPort(execution) : undefined,
    consensus: options.consensus,
    proveStatus:
      chain.genesis.statusTree === undefined ? undefined : (index) => chain.proveStatus(index)!,
  }
}

/** True for a chain of another origin: nobody takes part in it with this node. */
function isSealedElsewhere({ genesis }: Chain): boolean {
  return genesis.qbft === undefined
}

function payloadPort(ports: ReplayPorts): PayloadPort {
  return {
    decode: (encoded) => recoverSender(decodeTransaction(encoded), ports.crypto),
    build: (query) => buildPayload(query, ports),
  }
}

function heldOf(chain: Chain): HeldData {
  const { retainedBlocks } = chain
  const oldestBlock = chain.snapshotHeight()
  const oldest = chain.head().header.number - (retainedBlocks ?? Number.POSITIVE_INFINITY)
  return { oldestBlock, oldestState: Math.max(oldestBlock, oldest, 0), stateBlocks: retainedBlocks }
}

/** A gap of one block is the next one being agreed on: nobody calls that catching up. */
export function progressOf(sync: SyncState | undefined): SyncProgress | undefined {
  if (sync?.startedAt === undefined) return undefined
  const highestBlock = Math.max(...[...sync.peers.values()].map(({ height }) => height))
  if (highestBlock - sync.height < 2) return undefined
  return { startingBlock: sync.startedAt, currentBlock: sync.height, highestBlock }
}

function feesOf(
  chain: Chain,
  { number, timestamp, baseFeePerGas, excessBlobGas }: Header,
): BlockFees {
  const { blobSchedule } = chain.rulesAt(number, timestamp)
  return {
    baseFeePerGas,
    blobBaseFee: excessBlobGas === undefined ? undefined : blobBaseFee(excessBlobGas, blobSchedule),
    blobGasMax: BigInt(blobSchedule.max) * GAS_PER_BLOB,
  }
}

function feesAfter(chain: Chain, parent: Header): BlockFees {
  const rules = chain.rulesAt(parent.number + 1, parent.timestamp)
  const { blobSchedule, fork } = rules
  const baseFeePerGas = expectedBaseFee(parent, rules)
  const excess = nextExcessBlobGas(
    {
      excessBlobGas: parent.excessBlobGas ?? 0n,
      blobGasUsed: parent.blobGasUsed ?? 0n,
      baseFeePerGas: parent.baseFeePerGas ?? 0n,
    },
    fork,
    blobSchedule,
  )
  return {
    baseFeePerGas,
    blobBaseFee: isAtLeast(fork, 'cancun') ? blobBaseFee(excess, blobSchedule) : undefined,
    blobGasMax: BigInt(blobSchedule.max) * GAS_PER_BLOB,
  }
}

function contentOf(pool: Pool): PoolContent {
  const { ready, gapped } = pool.content()
  return { pending: bySender(ready), queued: bySender(gapped) }
}

function bySender(transactions: readonly SignedTransaction[]): Map<Address, SignedTransaction[]> {
  const senders = new Map<Address, SignedTransaction[]>()
  for (const tx of transactions) {
    const list = senders.get(tx.sender)
    if (list === undefined) senders.set(tx.sender, [tx])
    else list.push(tx)
  }
  return senders
}
