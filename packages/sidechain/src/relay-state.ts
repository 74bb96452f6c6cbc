/**
 * What a relayer knows of two chains and of its own transactions, what it is told, and what it asks for: the
 * types of `relayer.ts`, and where it begins.
 */

import type { Hash } from '@vellum/evm'
import type { ChannelStatus, ClientFacts } from './calls.ts'
import type { Outcome, PegMessage } from './message.ts'

export type Side = 0 | 1

export interface RelaySettings {
  /** Messages and receipts in one transaction at most. */
  readonly batchMax: number
  /** Transactions into one chain at the same time. */
  readonly flightsMax: number
  /** Messages of a lane that are looked at: the oldest ones that are not through. */
  readonly windowMax: number
  /** Blocks of the other chain after which the light client is told of its head, if nothing else tells it. */
  readonly anchorBlocks: number
  /** Milliseconds after which it is told. */
  readonly anchorMs: number
  /** Milliseconds before the first retry; twice as long before each further one. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** Milliseconds that a relayer waits at most for others that are usually faster. */
  readonly patienceMaxMs: number
  /** Milliseconds after which a transaction that nobody heard of is forgotten. */
  readonly flightMs: number
  /** Milliseconds after which the gateways' counts are read again, in case that a block was not seen. */
  readonly recountMs: number
  /** A root older than this many blocks is not used: nodes drop the state that proofs come from. */
  readonly staleBlocks: number
}

export const RELAY_SETTINGS: RelaySettings = {
  batchMax: 48,
  flightsMax: 4,
  windowMax: 2_048,
  anchorBlocks: 256,
  anchorMs: 60_000,
  retryMs: 500,
  retryMaxMs: 60_000,
  patienceMaxMs: 1_500,
  flightMs: 120_000,
  recountMs: 30_000,
  staleBlocks: 32,
}

/** Something that a chain says about messages of this link. */
export type Fact =
  | {
      readonly type: 'committed'
      /** The side that sent it. */
      readonly side: Side
      readonly message: PegMessage
      readonly height: number
      /** Of the block, in milliseconds since 1970. */
      readonly sentMs: number
    }
  | {
      readonly type: 'received'
      /** The side that received it. */
      readonly side: Side
      readonly sequence: number
      readonly outcome: Outcome
      readonly returnHash: Hash
      readonly height: number
    }
  /** The side that sent it knows the outcome: nothing is left to be done. */
  | { readonly type: 'acknowledged'; readonly side: Side; readonly sequence: number }

/** A call inside a flight that was undone. */
export interface CallFailure {
  readonly call: 'deliver' | 'acknowledge'
  readonly sequence: number
  readonly reason: string
}

/** `at` is in milliseconds since 1970 everywhere. */
export type RelayEvent =
  /** What a side's gateway counts: messages sent, and those through without a gap. */
  | {
      readonly type: 'opened'
      readonly at: number
      readonly side: Side
      readonly doneThrough: number
      readonly sentThrough: number
    }
  /** A block of a side, and everything in it that concerns the link. Blocks may be left out. */
  | {
      readonly type: 'head'
      readonly at: number
      readonly side: Side
      readonly height: number
      /** Seconds since 1970. */
      readonly timestamp: number
      readonly facts: readonly Fact[]
      /** As it is at this block; undefined: as before. */
      readonly client: ClientFacts | undefined
      readonly channel: ChannelStatus | undefined
    }
  /** The answer to `reread`. */
  | { readonly type: 'facts'; readonly at: number; readonly facts: readonly Fact[] }
  /** The flight is in a block. */
  | {
      readonly type: 'landed'
      readonly at: number
      readonly flight: number
      readonly height: number
      readonly failures: readonly CallFailure[]
      /** Why the light client refused the header; undefined: it did not. */
      readonly updateFailure: string | undefined
      /** What it carried of what was asked; the rest had no room. */
      readonly carried: Cargo
      /** Calls that somebody else had made before. */
      readonly moot: number
    }
  /** The flight will not be in a block. `moot`: somebody else has done all of it. */
  | {
      readonly type: 'lost'
      readonly at: number
      readonly flight: number
      readonly reason: string
      readonly isMoot: boolean
    }
  | { readonly type: 'tick'; readonly at: number }

/** Sequences of messages and receipts. */
export interface Cargo {
  readonly deliveries: readonly number[]
  readonly acknowledgements: readonly number[]
}

export interface Receipt {
  readonly outcome: Outcome
  readonly returnHash: Hash
  readonly height: number
}

export type RelayEffect =
  /** Make, sign and send a transaction into a side; answer with `landed` or `lost`. */
  | {
      readonly type: 'launch'
      readonly flight: number
      readonly side: Side
      /** Height of the other side under which everything is proven. */
      readonly proveAt: number
      /** Height from which the light client is to be led there; undefined: it knows that header. */
      readonly trustedHeight: number | undefined
      readonly deliveries: readonly PegMessage[]
      readonly acknowledgements: readonly {
        readonly message: PegMessage
        readonly receipt: Receipt
      }[]
    }
  /** Read how messages of the side's lane stand on both chains; answer with `facts`. */
  | { readonly type: 'reread'; readonly side: Side; readonly from: number; readonly to: number }
  /** Read what both gateways count; answer with `opened` for each. */
  | { readonly type: 'recount' }
  /** Send `tick` then, and at no other time asked for before. */
  | { readonly type: 'wake'; readonly atMs: number }

export interface RelayState {
  readonly sides: readonly [RelaySide, RelaySide]
  readonly nextFlight: number
  /** When the gateways' counts are to be read. */
  readonly recountMs: number
  /** Of the pseudo-random sequence: 1 to 2^32 - 1. */
  readonly seed: number
}

/** What is known of a side's chain. */
export interface RelaySide {
  readonly head: { readonly height: number; readonly timestamp: number } | undefined
  /** Of the other chain, in this one. */
  readonly client: ClientFacts | undefined
  readonly channel: ChannelStatus | undefined
  /** Messages that this side has sent. */
  readonly lane: Lane | undefined
  /** Transactions into this side. */
  readonly flights: ReadonlyMap<number, Flight>
  /** When the light client has to be told of the other's head, if it has moved. */
  readonly anchorMs: number
  /** Nothing is launched before: the last header was refused. */
  readonly notBeforeMs: number
  /** Headers refused in a row. */
  readonly refusals: number
  /** How long it waits for others, at most: grows while others are first. */
  readonly patienceMs: number
  readonly lastFailure: { readonly atMs: number; readonly reason: string } | undefined
  readonly counts: RelayCounts
}

/** Since the start. */
export interface RelayCounts {
  /** Transactions sent. */
  readonly launched: number
  readonly landed: number
  readonly lost: number
  /** Calls that failed. */
  readonly failed: number
  /** Calls that others had made before. */
  readonly moot: number
}

export interface Lane {
  /** Every message up to this one is through. */
  readonly doneThrough: number
  /** Those through behind it. */
  readonly done: ReadonlySet<number>
  /** Every message up to this one is known or was asked for. */
  readonly knownThrough: number
  readonly sentThrough: number
  /** Not through, in no order. */
  readonly messages: ReadonlyMap<number, LaneMessage>
}

export interface LaneMessage {
  readonly sequence: number
  /** undefined: its receipt was heard of first. */
  readonly committed: { readonly message: PegMessage; readonly height: number } | undefined
  readonly receipt: Receipt | undefined
  /** When it was sent, or first heard of. */
  readonly sinceMs: number
  /** The flight that it is in. */
  readonly flight: number | undefined
  /** The block of its last flight: until that was seen, nothing is known. */
  readonly landedAt: number | undefined
  readonly notBeforeMs: number
  /** Flights without success. */
  readonly attempts: number
  readonly lastFailure: string | undefined
}

export interface Flight {
  readonly launchedMs: number
  readonly proveAt: number
  readonly isUpdate: boolean
  readonly cargo: Cargo
}

/** @param seed any number; two relayers had better have different ones */
export function initialRelayState(seed: number): RelayState {
  const side: RelaySide = {
    head: undefined,
    client: undefined,
    channel: undefined,
    lane: undefined,
    flights: new Map(),
    anchorMs: 0,
    notBeforeMs: 0,
    refusals: 0,
    patienceMs: 0,
    lastFailure: undefined,
    counts: { launched: 0, landed: 0, lost: 0, failed: 0, moot: 0 },
  }
  return { sides: [side, side], nextFlight: 1, recountMs: 0, seed: seed >>> 0 || 1 }
}
