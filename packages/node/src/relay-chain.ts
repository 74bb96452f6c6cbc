/**
 * A chain as a relayer sees it. Two implementations: over a node of this process (relay-chain-local.ts), and
 * over JSON-RPC (host/relay-chain-http.ts). Everything is as of blocks, which are final.
 */

import type { Address, Hash } from '@vellum/evm'
import type { EventLog, GatewayProof } from '@vellum/sidechain'

export interface RelayHead {
  readonly height: number
  /** Seconds since 1970. */
  readonly timestamp: number
}

export interface RelayLog extends EventLog {
  readonly height: number
}

export interface RelayCall {
  readonly to: Address
  readonly data: Uint8Array
}

export interface LogQuery {
  readonly from: number
  readonly to: number
  readonly addresses: readonly Address[]
  /** Position by position, any one of these; an empty list admits everything. */
  readonly topics: readonly (readonly Hash[])[]
}

/** What a transaction would do in the next block. */
export interface RelayTrial {
  readonly ok: boolean
  /** What it reverted with; empty if it did not. */
  readonly output: Uint8Array
  /** Before refunds. */
  readonly gasSpent: bigint
  readonly logs: readonly EventLog[]
}

/** What became of a transaction. */
export type RelayLanding =
  | {
      readonly status: 'included'
      readonly height: number
      readonly ok: boolean
      readonly logs: readonly EventLog[]
    }
  /** It is in no block, and will not be: it may be made again. */
  | { readonly status: 'dropped'; readonly reason: string }

/** Rejections are of the world: a node that is away. They are tried again. */
export interface RelayChain {
  readonly name: string
  readonly chainId: bigint
  head(): Promise<RelayHead>
  /** Calls the listener for new heads, of which some may be left out; returns the undo. */
  onHead(listener: (head: RelayHead) => void): () => void
  /** RLP of a stored header, with its seals. */
  header(height: number): Promise<Uint8Array>
  /** Answers of calls on the state after a block. A call that reverts answers with no bytes. */
  read(calls: readonly RelayCall[], height: number): Promise<readonly Uint8Array[]>
  /** In the order of the chain. */
  logs(query: LogQuery): Promise<readonly RelayLog[]>
  /** Proofs of slots of an account under a block's state root. */
  prove(account: Address, slots: readonly Hash[], height: number): Promise<readonly GatewayProof[]>
  /** Runs a transaction of this relayer on the state of the head; nothing stays. */
  attempt(call: RelayCall & { readonly gas: bigint }): Promise<RelayTrial>
  /** Signs and sends a transaction, and waits for its block. */
  submit(call: RelayCall & { readonly gas: bigint }): Promise<RelayLanding>
}
