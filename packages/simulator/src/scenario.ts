/**
 * A scenario: the nodes of a world, what befalls them and when, and what must come of it. Scenarios
 * are written as JSON (`scenarios/*.json`) or drawn from a seed (`draw-scenario.ts`).
 */

import type { BehaviourName } from './byzantine/catalogue.ts'
import type { DiskConditions } from './virtual-disk.ts'
import type { NetworkConditions } from './virtual-network.ts'

/** Nodes are called by their place: validators of the genesis first, ascending by address. */
export type NodeIndex = number

export interface Scenario {
  readonly name: string
  /** One sentence for people. */
  readonly about: string
  /** Validators of the genesis block. */
  readonly validators: number
  /** Nodes with a key that are no validators, unless voted in. */
  readonly spares: number
  readonly blockPeriodSeconds: number
  readonly requestTimeoutSeconds: number
  /** Milliseconds without transactions after which an empty block is made; 0: never. */
  readonly heartbeatMs: number
  /** Blocks after which votes are forgotten. */
  readonly epochLength: number
  /** Whether honest nodes vote against whoever is proven to lie. */
  readonly evictEquivocators: boolean
  readonly crypto: 'cheap' | 'real'
  /** `off`: votes are forgotten at every restart. For controls: such chains may fork. */
  readonly voteLogs: 'on' | 'off'
  /** Transactions a virtual second, to all nodes together. */
  readonly transactionsPerSecond: number
  readonly network: NetworkConditions
  readonly disk: DiskConditions
  readonly byzantine: readonly {
    readonly node: NodeIndex
    readonly behaviours: readonly BehaviourName[]
  }[]
  /** What befalls the world, by time. */
  readonly steps: readonly Step[]
  /** Virtual seconds after which everything is put right. */
  readonly healAfterSeconds: number
  /** Blocks after the healing that every honest node must reach. */
  readonly blocksAfterHealing: number
  /** What must come of it. `some`: the checks must find violations, or they are worth nothing. */
  readonly expect: {
    readonly violations: 'none' | 'some'
    /** Blocks that must be there when everything is put right. */
    readonly blocksBeforeHealing: number
    /** Block periods from the healing to the next block at most. */
    readonly recoveryPeriodsMax: number
  }
}

export type Step = { readonly atSeconds: number } & Action

export type Action =
  /** The process dies; the machine stays. */
  | { readonly do: 'kill'; readonly nodes: readonly NodeIndex[] }
  /** The machine goes dark: what was not synced may be gone. */
  | { readonly do: 'cut power'; readonly nodes: readonly NodeIndex[] }
  | { readonly do: 'start'; readonly nodes: readonly NodeIndex[] }
  /** Starts with an empty database; the vote log stays, or goes too. */
  | {
      readonly do: 'wipe'
      readonly nodes: readonly NodeIndex[]
      readonly votes: 'kept' | 'lost'
    }
  /** Starts without its vote log: it cannot know what it has said. */
  | { readonly do: 'lose votes'; readonly nodes: readonly NodeIndex[] }
  | { readonly do: 'pause'; readonly nodes: readonly NodeIndex[] }
  | { readonly do: 'resume'; readonly nodes: readonly NodeIndex[] }
  /** Nothing goes from the first to the second any more. */
  | {
      readonly do: 'cut'
      readonly from: readonly NodeIndex[]
      readonly to: readonly NodeIndex[]
    }
  | {
      readonly do: 'mend'
      readonly from: readonly NodeIndex[]
      readonly to: readonly NodeIndex[]
    }
  /** Groups that hear nothing of one another; who is named in none hears nobody. */
  | { readonly do: 'partition'; readonly groups: readonly (readonly NodeIndex[])[] }
  /** Everybody hears their two neighbours only. */
  | { readonly do: 'ring' }
  | { readonly do: 'mend all' }
  | ({ readonly do: 'network' } & Partial<NetworkConditions>)
  | ({ readonly do: 'disk'; readonly nodes: readonly NodeIndex[] } & Partial<DiskConditions>)
  | {
      readonly do: 'clock'
      readonly nodes: readonly NodeIndex[]
      /** Sets the time of day forward, or back. */
      readonly jumpMs?: number
      readonly driftPart?: number
      readonly isFrozen?: boolean
    }
  /** Validators vote for or against another node. `none`: no longer. */
  | {
      readonly do: 'vote'
      readonly nodes: readonly NodeIndex[]
      readonly subject: NodeIndex
      readonly kind: 'add' | 'drop' | 'none'
      /** Of a network of several chains: on which. */
      readonly chain?: string
    }

export type ActionName = Action['do']

/** Bounds of what a world can hold. */
export const SCENARIO_LIMITS = {
  nodesMax: 100,
  stepsMax: 10_000,
  /** Virtual seconds: a week. */
  secondsMax: 604_800,
} as const
