/**
 * All that the facade asks of the node, on one page.
 *
 * Reads are synchronous: the chain serves them from memory and `getSync`, so that a cheap method
 * costs no turn of the event loop. What may take long or wait for a worker (`submit`, `call`,
 * `estimateGas`, `createAccessList`) may answer at once or with a promise, whichever is cheaper.
 *
 * A node refuses with an error that has a stable `code` (`LedgerError`); `error.ts` maps codes to
 * JSON-RPC errors. Any other error is a mistake of ours: the client hears only `internal error`.
 */

import type { Address, Hash } from '@vellum/evm'
import type {
  AccessListOutcome,
  BlockLogs,
  BlockSimulation,
  BlocksQuery,
  CallOutcome,
  EstimateOutcome,
  ForkConfigs,
  Header,
  LogSearch,
  Payload,
  PayloadQuery,
  Receipt,
  Replay,
  SealedBlock,
  SealedHeader,
  SignedTransaction,
  SimulationQuery,
  StateView,
  StatusProof,
  TransactionLocation,
  TransactionWatch,
} from '@vellum/ledger'
import type { ConsensusStatus } from './consensus-status.ts'
import type { PegPort } from './peg.ts'

/** A value now, or a promise of it when there is work to wait for. */
export type Later<T> = T | Promise<T>

export interface Backend {
  readonly node: NodeFacts
  readonly chain: ChainReader
  readonly pool: PoolPort
  readonly simulator: Simulator
  /** undefined on a chain that is not sealed by QBFT. */
  readonly consensus?: ConsensusPort | undefined
  /** Proves a leaf of the status tree at the head; undefined on a chain without one. @param index 0 to 2^32 - 1 */
  readonly proveStatus?: ((index: number) => StatusProof) | undefined
  /** undefined: `admin_` methods do not exist. */
  readonly admin?: AdminPort | undefined
  /** What goes on between this chain and others; undefined on a chain without a gateway. */
  readonly peg?: PegPort | undefined
  /** Blocks for tests; undefined where blocks are sealed, so that nobody mistakes these for any. */
  readonly payloads?: PayloadPort | undefined
}

/** Blocks that are built to be looked at. */
export interface PayloadPort {
  /**
   * Decodes an EIP-2718 transaction and recovers its sender.
   * @throws LedgerError with what is wrong with it
   */
  decode(encoded: Uint8Array): SignedTransaction
  /** @throws LedgerError as `buildPayload` */
  build(query: PayloadQuery): Payload
}

/** How far back the node can answer. */
export interface HeldData {
  /** Oldest block, after the genesis block, of which there is more than a header. */
  readonly oldestBlock: number
  readonly oldestState: number
  /** Blocks behind the head whose state is kept; undefined: all. */
  readonly stateBlocks: number | undefined
}

/** What a node tells its operator. */
export interface AdminPort {
  node(): OwnFacts
  /** Those connected now. */
  peers(): readonly PeerFacts[]
  /** The chains of the process; undefined where it has one for ever. */
  readonly chains?: ChainsPort | undefined
}

/** The chains that a process serves: main, and side chains that come and go. */
export interface ChainsPort {
  all(): readonly ChainFacts[]
  /** Serves a new chain, or one that lies in the directory. What is there afterwards survives any crash. */
  add(chain: NewChain): Promise<Outcome<ChainFacts>>
  /** Ends a chain. @param discard its data go, too */
  remove(name: string, discard: boolean): Promise<Outcome<void>>
}

export interface NewChain {
  readonly name: string
  /** As a genesis file says it; undefined: the chain lies in the directory. */
  readonly genesis: object | undefined
  /** Where peers of this chain are, beside those of the node: multiaddrs with `/p2p/<id>`. */
  readonly bootnodes: readonly string[]
}

export interface ChainFacts {
  readonly name: string
  /** `failed`: it could not be opened, or could not go on; `stopped`: it was removed, and its data stay. */
  readonly state: 'serving' | 'failed' | 'stopped'
  /** Why it failed. */
  readonly reason: string | undefined
  readonly chainId: bigint | undefined
  readonly genesisHash: Hash | undefined
  readonly height: number | undefined
  /** Whether the node's key seals its blocks. */
  readonly isValidator: boolean
}

/** What came of a wish; the reason is in words for the operator. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string }

export interface OwnFacts {
  /** undefined: a node without peers. */
  readonly peerId: string | undefined
  readonly name: string
  /** Where peers reach this node, as multiaddrs. */
  readonly listen: readonly string[]
  /** Of the key that seals blocks; undefined: there is none. */
  readonly validator: Address | undefined
}

export interface PeerFacts {
  readonly peerId: string
  readonly address: Address
  /** The other end of the connection, as a multiaddr. */
  readonly remote: string
  readonly direction: 'inbound' | 'outbound'
  /** As it told last; undefined before it did. */
  readonly name?: string
  readonly height?: number
  /** Milliseconds since then. */
  readonly heardMs?: number
}

/** How the chain is agreed on. */
export interface ConsensusPort {
  /** Milliseconds of round 0, from the genesis. */
  readonly requestTimeoutMs: number
  /** The validators of the block that follows this one, ascending. @param number up to the head's */
  validatorsAfter(number: number): readonly Address[]
  /**
   * Wants a validator added or removed from now on: one vote goes into each block of this node.
   * @returns why that may not be, in words for the operator
   */
  propose(
    vote: ValidatorVote,
  ): { readonly ok: true } | { readonly ok: false; readonly reason: string }
  /** False if nothing was wanted for it. */
  discard(subject: Address): boolean
  pending(): ReadonlyMap<Address, 'add' | 'drop'>
  status(): ConsensusStatus
}

export interface ValidatorVote {
  readonly subject: Address
  readonly kind: 'add' | 'drop'
  /** The operator has read why it is refused, and wants it all the same. */
  readonly isForced: boolean
}

/** What the node says about itself. */
export interface NodeFacts {
  readonly chainId: bigint
  /** `name/version/platform/runtime`, as web3_clientVersion answers it. */
  readonly clientVersion: string
  /** Connected peers. */
  peerCount(): number
  /** How far a node that is behind has come; undefined when it is not behind. */
  syncing(): SyncProgress | undefined
}

/** Heights of a node that is catching up. */
export interface SyncProgress {
  readonly startingBlock: number
  readonly currentBlock: number
  readonly highestBlock: number
}

/** The canonical chain. A height above the head, and a hash that is not on it, is `undefined`. */
export interface ChainReader {
  head(): SealedHeader
  header(number: number): SealedHeader | undefined
  numberOf(hash: Hash): number | undefined
  block(number: number): SealedBlock | undefined
  /** Receipts in the order of the block's transactions; undefined if the block has none stored. */
  receipts(number: number): readonly Receipt[] | undefined
  /**
   * Searches by an index, step by step; a step without result is a pause. undefined: there is no index.
   * @throws LedgerError LEDGER_LOG_QUERY_LIMIT, LEDGER_BLOCK_PRUNED
   */
  searchLogs?(search: LogSearch): Iterable<BlockLogs | undefined>
  /** Where an included transaction stands. */
  locate(transactionHash: Hash): TransactionLocation | undefined
  /**
   * State after the block.
   * @throws LedgerError LEDGER_STATE_PRUNED if the node no longer holds it
   */
  stateAt(number: number): StateView
  /** Prices inside the block with this header. */
  fees(header: Header): BlockFees
  held(): HeldData
  /** The rules at the head and those planned (EIP-7910). */
  forkConfigs(): ForkConfigs
  /** Prices of a block that would follow this header. */
  nextFees(header: Header): BlockFees
  /** Calls the listener after each block is durable and the head has moved; returns the undo. */
  onHead(listener: (head: SealedHeader) => void): () => void
}

/** Prices per gas in wei; undefined where the rules at that height know no such fee. */
export interface BlockFees {
  readonly baseFeePerGas: bigint | undefined
  readonly blobBaseFee: bigint | undefined
  /** Most blob gas that a block may use; 0n where there are no blobs. */
  readonly blobGasMax: bigint
}

/** The transactions that wait. */
export interface PoolPort {
  /**
   * Decodes an EIP-2718 transaction, recovers its sender and takes it into the pool.
   * @param encoded at most 128 KiB
   * @returns its hash
   * @throws LedgerError with the reason of the refusal; the same if the promise rejects
   */
  submit(encoded: Uint8Array): Later<Hash>
  get(hash: Hash): SignedTransaction | undefined
  /** Nonce of the sender's next transaction, after those that wait executable in the pool. */
  nonce(address: Address): bigint
  /** What waits, by sender and then by ascending nonce. */
  content(): PoolContent
  /** How many wait; cheaper than counting `content`. */
  size(): { readonly pending: number; readonly queued: number }
  /** Lowest fee per gas in wei that the pool takes: 0n on a chain without fees. */
  feePerGasMin(): bigint
  /** Calls the listener for each transaction taken in; returns the undo. */
  onTransaction(listener: (transaction: SignedTransaction) => void): () => void
}

/** Transactions by sender: `pending` are executable now, `queued` wait for a nonce before them. */
export interface PoolContent {
  readonly pending: ReadonlyMap<Address, readonly SignedTransaction[]>
  readonly queued: ReadonlyMap<Address, readonly SignedTransaction[]>
}

/** Execution that leaves no trace, on the state after a block. */
export interface Simulator {
  /** @throws LedgerError if the request cannot start, such as LEDGER_INSUFFICIENT_FUNDS */
  call(query: SimulationQuery): Later<CallOutcome>
  /** Least gas limit with which the request succeeds. */
  estimateGas(query: SimulationQuery): Later<EstimateOutcome>
  /** The EIP-2930 list of what the request touches. */
  createAccessList(query: SimulationQuery): Later<AccessListOutcome>
  /**
   * A call that is watched.
   * @throws LedgerError LEDGER_SIMULATION_TIME; what the watch throws
   */
  trace(query: SimulationQuery, watch: TransactionWatch): void
  /**
   * A block to be run once more, transaction by transaction.
   * @throws LedgerError LEDGER_BLOCK_UNKNOWN, LEDGER_BLOCK_PRUNED or LEDGER_STATE_PRUNED
   */
  openReplay(number: number): Replay
  /**
   * Blocks that never were, made one after another.
   * @throws LedgerError LEDGER_SIMULATION_BLOCKS, _NUMBER or _TIMESTAMP
   */
  simulateBlocks(query: BlocksQuery): BlockSimulation
}
