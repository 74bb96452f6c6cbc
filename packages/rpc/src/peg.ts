/** What the facade asks of the node about messages between chains. Chain ids are those of EIP-155. */

import type { Address, Hash } from '@vellum/evm'
import type { Later } from './backend.ts'

export interface PegPort {
  /** Every chain that this one is known to have a channel or client for. */
  channels(): Later<readonly PegChannel[]>
  /** The life of a message, from all chains that the process serves; undefined: none of them knows it. */
  message(id: Hash): Later<PegLife | undefined>
  /** undefined: the slot is empty, and there is nothing to prove. @throws LedgerError as `stateAt` */
  proof(query: PegProofQuery): Later<PegProofAnswer | undefined>
  /** Of main with each side chain that the process serves; empty where it serves no pair. */
  audit(): Later<readonly PegAuditAnswer[]>
}

export interface PegChannel {
  readonly chainId: bigint
  /** As the process serves it; undefined: it does not. */
  readonly name: string | undefined
  readonly channel: 'none' | 'open' | 'paused' | 'closed'
  /** This chain's light client of the other. */
  readonly client: {
    readonly status: 'none' | 'active' | 'frozen' | 'closed'
    readonly latestHeight: number
    /** Seconds since 1970. */
    readonly latestTimestamp: number
    readonly trustingPeriodSeconds: number
    /** Blocks of the other chain that the client has not seen; undefined: this process does not know. */
    readonly lag: number | undefined
  }
  /** Sequence of the last message that was sent, and up to which each one is through. */
  readonly sentCount: number
  readonly acknowledgedThrough: number
  /** From here to there; undefined: this process does not relay them. */
  readonly outgoing: PegRelayFacts | undefined
  /** From there to here. */
  readonly incoming: PegRelayFacts | undefined
}

export interface PegRelayFacts {
  readonly undelivered: number
  readonly unacknowledged: number
  /** Milliseconds since the oldest of both was sent. */
  readonly oldestMs: number
  readonly transactions: number
  readonly failedCalls: number
  readonly mootCalls: number
  readonly lastFailure: { readonly atMs: number; readonly reason: string } | undefined
}

export interface PegMessageFacts {
  readonly version: number
  readonly sourceChainId: bigint
  readonly sourceGateway: Address
  readonly destinationChainId: bigint
  readonly destinationGateway: Address
  readonly sequence: number
  readonly sender: Address
  readonly recipient: Address
  readonly deadline: bigint
  readonly gasLimit: bigint
  readonly payload: Uint8Array
}

export interface PegPlace {
  readonly chainId: bigint
  readonly height: number
  readonly transactionHash: Hash
  /** Seconds since 1970. */
  readonly timestamp: number
}

export interface PegLife {
  readonly id: Hash
  readonly state: 'sent' | 'delivered' | 'failed' | 'expired'
  /** undefined where the process does not serve the source. */
  readonly message: PegMessageFacts | undefined
  readonly sent: PegPlace | undefined
  readonly received: (PegPlace & { readonly returnHash: Hash }) | undefined
  readonly acknowledged: PegPlace | undefined
}

export interface PegProofQuery {
  readonly kind: 'outbox' | 'inbox'
  /** The other chain. */
  readonly chainId: bigint
  readonly sequence: number
  readonly height: number
}

export interface PegProofAnswer {
  readonly account: Address
  readonly slot: Hash
  readonly value: Hash
  readonly accountProof: readonly Uint8Array[]
  readonly storageProof: readonly Uint8Array[]
}

export interface PegAuditAnswer {
  readonly chainId: bigint
  readonly name: string
  readonly mainHeight: number
  readonly sideHeight: number
  /** undefined: the two blocks cannot be compared just now; `faults` says why. */
  readonly ok: boolean | undefined
  readonly faults: readonly string[]
  readonly locked: bigint
  readonly outstanding: bigint
  readonly toSide: bigint
  readonly toMain: bigint
}
