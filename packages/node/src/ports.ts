/**
 * The outside world, on one page: all that a node asks of clock, disk, threads and console. The
 * shell (`host/`) has the real ones, tests and the simulator bring their own.
 */

import type { Effect, Event, Message, State, VoteRecord } from '@vellum/consensus'
import type { Address, Hash } from '@vellum/evm'
import type { Crc32, KeyValue, Measure, Secp256k1 } from '@vellum/ledger'

export interface Clock {
  /** Milliseconds since 1970, as the machine believes. May jump. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  elapsed(): number
}

/** What a timer was; stops it. */
export type CancelTimer = () => void

export interface Timers {
  /** Calls once, not before `afterMs` have passed, never in the same turn. 0: at the next turn. */
  after(afterMs: number, run: () => void): CancelTimer
}

export interface Random {
  /** Unpredictable bytes. */
  bytes(size: number): Uint8Array
}

export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>

/** `error`: someone must act; `warn`: may lead there; `info`: the node's life; `debug`: the rest. */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** A logger whose lines name the module. */
  child(module: string): Logger
}

/** Where the chain's last durable head is noted, outside the database. */
export interface HeadWitness {
  /** What was noted last, before this run; undefined: nothing yet; `unknown`: lost, and accepted. */
  readonly found: { readonly height: number; readonly hash: Hash } | 'unknown' | undefined
  /** Notes a head. Cheap; survives the process at once, the machine a little later. */
  write(mark: { readonly height: number; readonly hash: Hash }): void
}

/** Signers of many signatures at once, beside the thread that executes. */
export interface SignerRecovery {
  /**
   * Signer of each signature in order; undefined where none recovers. Rejects if it cannot work now.
   * @param batch hashes of 32 bytes, r and s of 64
   */
  recover(
    batch: readonly {
      readonly hash: Uint8Array
      readonly rs: Uint8Array
      readonly yParity: 0 | 1
    }[],
  ): Promise<readonly (Address | undefined)[]>
}

/** Peers are known by the address of their key: the identity of libp2p is the same secp256k1 key. */
export type PeerAddress = Address

/** One-way messages. Each has its own stream to each peer, with its own size limit and budget. */
export type Channel =
  /** QBFT messages: the code byte, then RLP. Between validators. */
  | 'consensus'
  /** Transactions that the sender has just taken into its pool. */
  | 'transactions'
  /** The sender's new head. */
  | 'head'

/** Questions with one answer. */
export type Question =
  /** Head, clock, version: asked on connecting and now and then. */
  | 'status'
  /** Blocks after a height, with their seals. */
  | 'blocks'
  /** A range of the state under a root, with proofs. */
  | 'snapshot'

/** What a chain's node tells the network to do with what comes in. Set once, before `start`. */
export interface TransportHandlers {
  /** A message of a peer, whole and within its limit. Throws nothing: a bad one is `penalise`d. */
  onMessage(from: PeerAddress, channel: Channel, message: Uint8Array): void
  /** The answer to a peer's question. Rejects or throws: the peer sees its stream reset. */
  onQuestion(from: PeerAddress, question: Question, body: Uint8Array): Promise<Uint8Array>
  /** The peer can be reached from now on, and speaks this chain. */
  onPeerUp(peer: PeerAddress): void
  onPeerDown(peer: PeerAddress): void
}

/**
 * One chain's view of the network. Nothing is promised to arrive: a connection may break at any
 * moment. What arrives on one channel from one peer is in order, unaltered, and from that peer.
 */
export interface Transport {
  /** Begins to listen and to connect; resolves when listening. */
  start(handlers: TransportHandlers): Promise<void>
  /** Closes every connection of this chain. */
  stop(): Promise<void>
  /** Peers that can be reached now. */
  peers(): readonly PeerAddress[]
  /**
   * Queues a message, and drops it if the peer is away or its queue is full (the oldest of what waits
   * is kept: order is never broken, and the sender says important things again).
   * @returns false if it was dropped
   */
  send(to: PeerAddress, channel: Channel, message: Uint8Array): boolean
  /** @throws NodeError NODE_PEER_AWAY, NODE_PEER_TIMEOUT or NODE_PEER_REFUSED */
  ask(peer: PeerAddress, question: Question, body: Uint8Array): Promise<Uint8Array>
  /**
   * Counts a fault: after a few severe ones, or many slight ones in a short time, the peer is cut off
   * for a while. Nothing happens before the caller's turn is over.
   */
  penalise(peer: PeerAddress, reason: string, weight: 'slight' | 'severe'): void
  /** Whom to let in and to keep connected to, beside the fixed list; replaces what was said before. */
  admit(peers: readonly PeerAddress[]): void
}

/** What a validator has said and must not contradict (qbft.md §17). Beside its key, not its chain. */
export interface VoteLog {
  /**
   * What was found when it was opened, in order; `lost`: missing or damaged, so that it is not known
   * what was said: the validator abstains.
   */
  readonly found: readonly VoteRecord[] | 'lost'
  /** On disk when it resolves. Calls do not overlap. */
  append(records: readonly VoteRecord[]): Promise<void>
  /** Records at and below this height may be forgotten. Cheap; takes effect with a later append. */
  release(height: number): void
}

/** A validator's key: this process's, or another's. */
export interface Signer {
  readonly address: Address
  /** Deterministic signature of 32 bytes: 65 bytes, r, s, y parity. */
  sign(hash: Uint8Array): Uint8Array
}

/** Everything `createNode` is given. */
export interface NodePorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  /** The chain's own database: see `KeyValue` for what may be relied on. */
  readonly disk: KeyValue
  readonly heads: HeadWitness
  readonly crc32: Crc32
  readonly crypto: Secp256k1
  /** undefined: signers are recovered one by one, by `crypto`. */
  readonly recovery?: SignerRecovery | undefined
  /** undefined: a node by itself, that hears of nobody. */
  readonly transport?: Transport | undefined
  /** undefined where nothing is said to anyone: a chain of one validator, or a node that follows. */
  readonly votes?: VoteLog | undefined
  /** Sees each step of the consensus engine: metrics, traces, the simulator's checks. */
  readonly observer?: ConsensusObserver | undefined
  /**
   * Reads a frame of consensus as `decodeMessage` does, in the chain's domain; undefined: by this node
   * alone. For a process of many nodes, which are all given the same bytes.
   */
  readonly readMessage?: ((frame: Uint8Array) => Message) | undefined
  /** Learns what blocks cost; runs the work as it is. */
  readonly measure?: Measure | undefined
}

/** Must return at once and change nothing. */
export interface ConsensusObserver {
  stepped(event: Event, effects: readonly Effect[], state: State): void
}
