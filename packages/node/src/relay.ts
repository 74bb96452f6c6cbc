/**
 * A relayer between two chains: feeds `stepRelay` with what the chains say (relay-reading.ts), and has what it
 * decides flown (relay-flight.ts). One event at a time; reading, proving and sending go on beside it and come
 * back as events.
 */

import type { RecoverAuthor } from '@vellum/consensus'
import {
  type ClientFacts,
  type DirectionStatus,
  directionStatus,
  initialRelayState,
  RELAY_SETTINGS,
  type RelayEffect,
  type RelayEvent,
  type RelaySettings,
  type RelayState,
  type Side,
  stepRelay,
} from '@vellum/sidechain'
import type { CancelTimer, Clock, Logger, Timers } from './ports.ts'
import type { RelayChain, RelayHead, RelayLanding } from './relay-chain.ts'
import { createRelayFlights, type FlightStep, type Launch, type Loaded } from './relay-flight.ts'
import { createRelayReading, GATEWAY, UNCHANGED } from './relay-reading.ts'

export interface RelayLinkOptions {
  readonly chains: readonly [RelayChain, RelayChain]
  readonly settings?: Partial<RelaySettings>
  readonly seed: number
}

export interface RelayLinkPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  /** Who signed a seal. */
  readonly recover: RecoverAuthor
  /** Called at each step of a flight, before it; for drills that end the process there. */
  readonly onStep?: ((step: RelayStep) => void) | undefined
}

/** Steps of a transaction, in their order. */
export type RelayStep = 'observed' | 'launching' | FlightStep | 'submitting' | 'landed'

export interface RelayLink {
  readonly chains: readonly [RelayChain, RelayChain]
  start(): void
  /** Resolves when nothing is being done any more. */
  stop(): Promise<void>
  /** How messages from one side to the other stand. @param source 0 or 1 */
  status(source: Side): DirectionStatus
  state(): RelayState
}

/** Blocks whose logs are read at once. */
const LOG_BLOCKS_MAX = 2_048
/** Milliseconds after which a chain that did not answer is asked again. */
const ASK_AGAIN_MS = 1_000
/** Messages that are asked for at once, by the topics of one search. */
const REREAD_MAX = 256

/** @param options two chains whose gateways have, or will have, a channel to one another */
export function createRelayLink(options: RelayLinkOptions, ports: RelayLinkPorts): RelayLink {
  const { chains } = options
  const { clock, timers, log, recover, onStep } = ports
  const settings: RelaySettings = { ...RELAY_SETTINGS, ...options.settings }
  const reading = createRelayReading(chains, clock)
  const clientOf = (side: Side): ClientFacts => state.sides[side].client!
  const flights = createRelayFlights({ chains, clientOf, clock, recover, onStep })
  let state = initialRelayState(options.seed)
  let isRunning = false
  let cancelWake: CancelTimer | undefined
  const undo: (() => void)[] = []
  const working = new Set<Promise<void>>()
  /** Heights through which each side's blocks were read. */
  const readThrough: [number, number] = [-1, -1]
  const isReading: [boolean, boolean] = [false, false]
  const newest: [RelayHead | undefined, RelayHead | undefined] = [undefined, undefined]

  function feed(event: RelayEvent): void {
    if (!isRunning) return
    const transition = stepRelay(state, event, settings)
    state = transition.state
    for (const effect of transition.effects) perform(effect)
  }

  function perform(effect: RelayEffect): void {
    switch (effect.type) {
      case 'wake':
        cancelWake?.()
        cancelWake = timers.after(Math.max(0, effect.atMs - clock.now()), () =>
          feed({ type: 'tick', at: clock.now() }),
        )
        return
      case 'recount':
        work('count messages', recount)
        return
      case 'reread':
        persist('read messages again', () => reread(effect))
        return
      case 'launch':
        work('relay', () => fly(effect))
    }
  }

  /** For what the core asks once, and takes for known then: it is done as soon as the chain can be asked. */
  function persist(what: string, run: () => Promise<void>): void {
    work(what, () =>
      run().catch((error: Error) => {
        timers.after(ASK_AGAIN_MS, () => {
          if (isRunning) persist(what, run)
        })
        throw error
      }),
    )
  }

  /** Goes on beside the events. A chain that is away is not the end: the core asks again in time. */
  function work(what: string, run: () => Promise<void>): void {
    const done: Promise<void> = run()
      .catch((error: Error) => {
        if (isRunning) log.warn('a chain cannot be asked just now', { what, reason: error.message })
      })
      .finally(() => working.delete(done))
    working.add(done)
  }

  /** Reads the blocks of a side that it has not read; one reading of a side at a time. */
  function look(side: Side, head: RelayHead): void {
    const known = newest[side]
    if (known === undefined || head.height > known.height) newest[side] = head
    if (isReading[side] || !isRunning) return
    isReading[side] = true
    work('read blocks', async () => {
      try {
        while (isRunning && newest[side]!.height > readThrough[side]) await readBlocks(side)
      } catch (error) {
        timers.after(ASK_AGAIN_MS, () => look(side, newest[side]!))
        throw error
      } finally {
        isReading[side] = false
      }
    })
  }

  async function readBlocks(side: Side): Promise<void> {
    const head = newest[side]!
    const isFirst = readThrough[side] < 0
    // What is older than the beginning is counted and read again (`recount`, `reread`).
    const from = isFirst ? head.height : readThrough[side] + 1
    const to = Math.min(head.height, from + LOG_BLOCKS_MAX - 1)
    const { facts, hasNewContracts } = await reading.blocks(side, { from, to })
    const contracts =
      isFirst || hasNewContracts ? await reading.contracts(side, head.height) : UNCHANGED
    readThrough[side] = to
    if (facts.length > 0) onStep?.('observed')
    const { height, timestamp } = to === head.height ? head : { height: to, timestamp: 0 }
    feed({ type: 'head', at: clock.now(), side, height, timestamp, facts, ...contracts })
    // Blocks are read from this one on: what lies before it is counted from here.
    if (isFirst) persist('count messages', recount)
  }

  async function recount(): Promise<void> {
    for (const side of SIDES) {
      const counts = await reading.counts(side)
      if (counts !== undefined) feed({ type: 'opened', at: clock.now(), side, ...counts })
    }
  }

  async function reread({ side, from, to }: RelayEffect & { type: 'reread' }): Promise<void> {
    for (let first = from; first <= to && isRunning; first += REREAD_MAX) {
      const last = Math.min(to, first + REREAD_MAX - 1)
      const sequences = Array.from({ length: last - first + 1 }, (_, i) => first + i)
      feed({ type: 'facts', at: clock.now(), facts: await reading.messages(side, sequences) })
    }
  }

  async function fly(launch: Launch): Promise<void> {
    const { flight, side } = launch
    onStep?.('launching')
    try {
      const loaded = await flights.prepare(launch)
      if (!loaded.isLoaded) {
        lose(flight, loaded.reason, loaded.isMoot)
        return
      }
      onStep?.('submitting')
      const { data, gas } = loaded
      const landing = await chains[side].submit({ to: GATEWAY, data, gas })
      onStep?.('landed')
      if (landing.status === 'dropped') lose(flight, landing.reason, false)
      else land(launch, loaded, landing)
    } catch (error) {
      lose(flight, (error as Error).message, false)
      throw error
    }
  }

  function lose(flight: number, reason: string, isMoot: boolean): void {
    if (!isMoot) log.debug('a transaction was not sent', { reason })
    feed({ type: 'lost', at: clock.now(), flight, reason, isMoot })
  }

  function land(
    { flight, side }: Launch,
    loaded: Loaded,
    landing: RelayLanding & { status: 'included' },
  ): void {
    const { failed, ...outcome } = flights.outcomeOf(loaded, landing)
    for (const { call, reason } of failed) {
      const { kind, sequence = 0 } = call
      log.warn('a call of the relayer failed', { into: chains[side].name, kind, sequence, reason })
    }
    feed({ type: 'landed', at: clock.now(), flight, height: landing.height, ...outcome })
  }

  return {
    chains,
    start: () => {
      if (isRunning) return
      isRunning = true
      for (const side of SIDES) {
        undo.push(chains[side].onHead((head) => look(side, head)))
        work('read the head', async () => look(side, await chains[side].head()))
      }
    },
    stop: async () => {
      isRunning = false
      cancelWake?.()
      for (const each of undo.splice(0)) each()
      await Promise.all(working)
    },
    status: (source) => directionStatus(state, source, clock.now()),
    state: () => state,
  }
}

const SIDES: readonly Side[] = [0, 1]
