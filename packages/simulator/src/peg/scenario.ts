/**
 * A scenario of a network of several chains: a main chain, side chains, relayers between them, and what
 * befalls them. Written as JSON (`scenarios/peg/*.json`), or drawn from a seed (`draw.ts`).
 */

import type { RelayStep } from '@vellum/node'
import type { BehaviourName } from '../byzantine/catalogue.ts'
import type { Action, NodeIndex } from '../scenario.ts'
import type { DiskConditions } from '../virtual-disk.ts'
import type { NetworkConditions } from '../virtual-network.ts'
import type { PegRule } from './checks.ts'
import type { RelayerBehaviour } from './tampered-relay.ts'

/** `main`, or a side chain's name. */
export type ChainName = string

export const MAIN = 'main'

/** Beside those of one chain: who forks a chain on which vanity means something, and `carrier.ts`. */
export type PegBehaviourName = BehaviourName | 'forker' | 'carrier'

export interface ChainPlan {
  /** Machines, called by their place, ascending by address; each has one key for all its chains. */
  readonly validators: readonly NodeIndex[]
  /** Machines that follow the chain, and validate it if they are voted in. */
  readonly observers: readonly NodeIndex[]
}

export interface SidePlan extends ChainPlan {
  readonly name: ChainName
  /** `lying`: somebody has a quorum of its validators' keys, and seals what never was (step `lie`). */
  readonly faith: 'honest' | 'lying'
}

export interface RelayerPlan {
  /** The machine on which it runs: it reads the nodes there, and hands its transactions to them. */
  readonly node: NodeIndex
  readonly behaviour: RelayerBehaviour
  /** Part of its steps at which it dies, to begin anew with nothing. */
  readonly crashPart: number
  /** At which steps. */
  readonly diesAt: RelayStep | 'any'
  /** Whether it tells light clients of validators that have contradicted themselves. */
  readonly accuses: boolean
}

export interface PegScenario {
  readonly name: string
  /** One sentence for people. */
  readonly about: string
  readonly machines: number
  readonly main: ChainPlan
  readonly sides: readonly SidePlan[]
  readonly relayers: readonly RelayerPlan[]
  readonly blockPeriodSeconds: number
  readonly requestTimeoutSeconds: number
  /** Milliseconds without transactions after which an empty block is made; 0: never. */
  readonly heartbeatMs: number
  /** Seconds after which a message expires. */
  readonly timeToLiveSeconds: number
  /** Seconds for which a light client takes a header for a beginning. */
  readonly trustingPeriodSeconds: number
  /** Of people, a virtual second, on all chains together. */
  readonly operationsPerSecond: number
  readonly network: NetworkConditions
  readonly disk: DiskConditions
  readonly byzantine: readonly {
    readonly node: NodeIndex
    readonly chain: ChainName
    readonly behaviours: readonly PegBehaviourName[]
  }[]
  readonly steps: readonly PegStep[]
  /** Virtual seconds after which everything is put right, and people rest. */
  readonly healAfterSeconds: number
  /** Virtual seconds from then on after which every message must have had its outcome. */
  readonly settleSeconds: number
  readonly expect: {
    /** Rules that the checks must find broken; none: the world must be in order. */
    readonly violations: readonly PegRule[]
    /** Messages that must have been delivered and acknowledged at the end. */
    readonly deliveredMin: number
    /** Messages that must have come back, failed or expired. */
    readonly refundedMin: number
    /** Side chains of which main must have frozen its client. */
    readonly frozen: readonly ChainName[]
  }
}

export type PegStep = { readonly atSeconds: number } & (Action | PegAction)

export type PegAction =
  /** The machines' nodes of one chain alone. */
  | { readonly do: 'stop chain'; readonly chain: ChainName; readonly nodes: readonly NodeIndex[] }
  | { readonly do: 'start chain'; readonly chain: ChainName; readonly nodes: readonly NodeIndex[] }
  | { readonly do: 'stop relayers'; readonly relayers: readonly number[] }
  | { readonly do: 'start relayers'; readonly relayers: readonly number[] }
  /** People do nothing for a while, or go on. */
  | { readonly do: 'rest' }
  | { readonly do: 'work' }
  /**
   * Somebody with so many keys of a side chain's validators seals a state in which all credit of main is
   * theirs, and proves it to main: in the next block, or in the last one that main knows (`contradicts`).
   */
  | {
      readonly do: 'lie'
      readonly chain: ChainName
      readonly keys: number
      readonly contradicts: boolean
    }

export const PEG_ACTIONS: readonly PegAction['do'][] = [
  'stop chain',
  'start chain',
  'stop relayers',
  'start relayers',
  'rest',
  'work',
  'lie',
]

/** Bounds of what a world can hold. */
export const PEG_LIMITS = {
  machinesMax: 40,
  sidesMax: 5,
  relayersMax: 8,
  stepsMax: 10_000,
  /** Virtual seconds: a week. */
  secondsMax: 604_800,
} as const

/** Steps of a relayer's transaction, in their order. */
export const RELAY_STEPS: readonly RelayStep[] = [
  'observed',
  'launching',
  'headers planned',
  'proofs built',
  'tried',
  'submitting',
  'landed',
]
