/**
 * A model of two chains with gateways and light clients, as small as their rules allow: what the relayer's
 * planning is tried against. Time is virtual; transactions are lost, delayed and reordered as chance has it.
 */

import type { ClientFacts } from '../src/calls.ts'
import type { PegMessage } from '../src/message.ts'
import {
  type CallFailure,
  type Fact,
  initialRelayState,
  type RelayEffect,
  type RelayEvent,
  type RelaySettings,
  type RelayState,
  type Side,
} from '../src/relay-state.ts'
import { stepRelay } from '../src/relayer.ts'

export interface World {
  readonly now: number
  readonly chains: readonly [ModelChain, ModelChain]
  /** Calls that somebody else had made before. */
  readonly moot: number
  /** One message from a side; half of them have a deadline soon. */
  send(side: Side, deadlineMs?: number): void
  addRelayer(settings: RelaySettings, seed: number): ModelRelayer
  /** Lets so much time pass, with all that is due. */
  run(ms: number): void
}

export interface ModelChain {
  height: number
  isHalted: boolean
  readonly sent: PegMessage[]
  /** By sequence of the other's messages: how often the recipient ran, and what the receipt says. */
  readonly received: Map<number, { runs: number; outcome: 'delivered' | 'expired'; height: number }>
  /** By sequence of own messages: how often the sender was told, and of what. */
  readonly told: Map<number, { times: number; outcome: 'delivered' | 'expired' }>
  client: { latestHeight: number; isFrozen: boolean; seen: Set<number> }
  isPaused: boolean
}

export interface ModelRelayer {
  readonly state: RelayState
  isAlive: boolean
  /** Everything that it knew is gone. */
  restart(): void
}

export interface Faults {
  /** Of 1: that a transaction never gets into a block; that an answer is not heard; that a block is not seen. */
  readonly lossRate: number
  readonly silenceRate: number
  readonly blindRate: number
  /** Milliseconds between a transaction and its block, at most. */
  readonly delayMaxMs: number
  /** Of 1: that a relayer dies at an effect. It comes back after a while. */
  readonly deathRate: number
}

interface Entry {
  readonly atMs: number
  readonly order: number
  run(): void
}

const ID_SIDE = [1n, 2n] as const
const GATEWAY = '0x000000000000000000000000000000000000560b'
const APP = '0x000000000000000000000000000000000000560c'

export function createWorld(random: () => number, faults: Faults): World {
  let now = 1_000_000
  let order = 0
  let mootCalls = 0
  const queue: Entry[] = []
  const listeners: ((side: Side, facts: readonly Fact[]) => void)[] = []
  const chainOf = (): ModelChain => ({
    height: 1,
    isHalted: false,
    sent: [],
    received: new Map(),
    told: new Map(),
    client: { latestHeight: 0, isFrozen: false, seen: new Set([0]) },
    isPaused: false,
  })
  const chains: [ModelChain, ModelChain] = [chainOf(), chainOf()]

  function after(ms: number, run: () => void): void {
    queue.push({ atMs: now + Math.round(Math.max(0, ms)), order: order++, run })
  }

  function addBlock(side: Side, facts: readonly Fact[]): void {
    for (const listener of [...listeners]) listener(side, facts)
  }

  /** State of a chain at a height, as far as proofs of the model need it. */
  const committedAt: [Map<number, number>, Map<number, number>] = [new Map(), new Map()]

  function send(side: Side, deadlineMs = 1e15): void {
    const chain = chains[side]
    if (chain.isHalted) return
    const sequence = chain.sent.length + 1
    const message: PegMessage = {
      version: 1,
      sourceChainId: ID_SIDE[side],
      sourceGateway: GATEWAY,
      destinationChainId: ID_SIDE[other(side)],
      destinationGateway: GATEWAY,
      sequence,
      sender: APP,
      recipient: APP,
      deadline: BigInt(Math.floor(deadlineMs)),
      gasLimit: 0n,
      payload: new Uint8Array(),
    }
    chain.sent.push(message)
    chain.height += 1
    committedAt[side].set(sequence, chain.height)
    addBlock(side, [{ type: 'committed', side, message, height: chain.height, sentMs: now }])
  }

  type Launch = RelayEffect & { type: 'launch' }

  /** The transaction in a block: each call for itself, as the gateway does. */
  function include(launch: Launch): {
    facts: Fact[]
    failures: CallFailure[]
    updateFailure: string | undefined
    moot: number
  } {
    const { side, proveAt } = launch
    const chain = chains[side]
    const peer = chains[other(side)]
    chain.height += 1
    const facts: Fact[] = []
    const failures: CallFailure[] = []
    let moot = 0
    let updateFailure: string | undefined
    if (launch.trustedHeight !== undefined) {
      if (chain.client.isFrozen) updateFailure = 'ClientNotActive'
      else if (proveAt > peer.height) throw new Error('a header that does not exist')
      else if (!chain.client.seen.has(launch.trustedHeight)) updateFailure = 'HeightUnknown'
      else {
        chain.client.seen.add(proveAt)
        chain.client.latestHeight = Math.max(chain.client.latestHeight, proveAt)
      }
    }
    const canProve = chain.client.seen.has(proveAt) && !chain.client.isFrozen && !chain.isPaused
    for (const { sequence, deadline } of launch.deliveries) {
      if (chain.received.has(sequence)) moot += 1
      else if (!canProve || committedAt[other(side)].get(sequence)! > proveAt) {
        failures.push({ call: 'deliver', sequence, reason: 'ProofInvalid' })
      } else {
        const outcome = BigInt(now) > deadline ? 'expired' : 'delivered'
        chain.received.set(sequence, {
          runs: outcome === 'delivered' ? 1 : 0,
          outcome,
          height: chain.height,
        })
        const returnHash = `0x${'00'.repeat(32)}` as const
        facts.push({ type: 'received', side, sequence, outcome, returnHash, height: chain.height })
      }
    }
    for (const { message, receipt } of launch.acknowledgements) {
      const { sequence } = message
      const found = peer.received.get(sequence)
      if (chain.told.has(sequence)) moot += 1
      else if (
        !canProve ||
        found === undefined ||
        found.height > proveAt ||
        found.outcome !== receipt.outcome
      ) {
        failures.push({ call: 'acknowledge', sequence, reason: 'ProofInvalid' })
      } else {
        chain.told.set(sequence, { times: 1, outcome: found.outcome })
        facts.push({ type: 'acknowledged', side, sequence })
      }
    }
    mootCalls += moot
    addBlock(side, facts)
    return { facts, failures, updateFailure, moot }
  }

  function clientOf(side: Side): ClientFacts {
    const { latestHeight, isFrozen } = chains[side].client
    return {
      status: isFrozen ? 'frozen' : 'active',
      fieldCount: 21,
      trustingPeriodSeconds: 100_000,
      maxClockDriftSeconds: 10,
      oldestHeight: 0,
      latestHeight,
      latestTimestamp: Math.floor(now / 1_000),
      trustedSince: Math.floor(now / 1_000),
      domain: `0x${'00'.repeat(32)}`,
    }
  }

  function addRelayer(settings: RelaySettings, seed: number): ModelRelayer {
    let life = 0
    let state = initialRelayState(seed)
    let wakes = 0
    let isAlive = true

    function feed(event: RelayEvent): void {
      if (!isAlive) return
      const transition = stepRelay(state, event, settings)
      state = transition.state
      const mine = life
      for (const effect of transition.effects) {
        if (random() < faults.deathRate) {
          die()
          return
        }
        perform(effect, mine)
      }
    }

    function die(): void {
      isAlive = false
      after(random() * 20_000, () => {
        isAlive = true
        restart()
      })
    }

    function later(ms: number, mine: number, event: () => RelayEvent): void {
      after(ms, () => {
        if (mine === life) feed(event())
      })
    }

    function perform(effect: RelayEffect, mine: number): void {
      switch (effect.type) {
        case 'wake': {
          const id = ++wakes
          after(effect.atMs - now, () => {
            if (mine === life && id === wakes) feed({ type: 'tick', at: now })
          })
          return
        }
        case 'reread':
          later(random() * 50, mine, () => ({ type: 'facts', at: now, facts: reread(effect) }))
          return
        case 'recount':
          after(random() * 50, () => {
            if (mine === life) recount()
          })
          return
        case 'launch':
          launch(effect, mine)
      }
    }

    function launch(effect: Launch, mine: number): void {
      const { flight } = effect
      if (random() < faults.lossRate || chains[effect.side].isHalted) {
        later(5_000, mine, () => ({
          type: 'lost',
          at: now,
          flight,
          reason: 'not included',
          isMoot: false,
        }))
        return
      }
      after(20 + random() * faults.delayMaxMs, () => {
        if (chains[effect.side].isHalted) return
        const { failures, updateFailure, moot } = include(effect)
        const { height } = chains[effect.side]
        if (random() < faults.silenceRate) return
        later(random() * 50, mine, () => ({
          type: 'landed',
          at: now,
          flight,
          height,
          failures,
          updateFailure,
          moot,
          carried: {
            deliveries: effect.deliveries.map(({ sequence }) => sequence),
            acknowledgements: effect.acknowledgements.map(({ message }) => message.sequence),
          },
        }))
      })
    }

    function reread({ side, from, to }: RelayEffect & { type: 'reread' }): Fact[] {
      const facts: Fact[] = []
      for (let sequence = from; sequence <= to; sequence++) {
        const message = chains[side].sent[sequence - 1]
        if (message === undefined) continue
        if (chains[side].told.has(sequence)) {
          facts.push({ type: 'acknowledged', side, sequence })
          continue
        }
        const height = committedAt[side].get(sequence)!
        facts.push({ type: 'committed', side, message, height, sentMs: now })
        const found = chains[other(side)].received.get(sequence)
        if (found === undefined) continue
        const { outcome, height: receivedAt } = found
        const returnHash = `0x${'00'.repeat(32)}` as const
        facts.push({
          type: 'received',
          side: other(side),
          sequence,
          outcome,
          returnHash,
          height: receivedAt,
        })
      }
      return facts
    }

    function restart(): void {
      life += 1
      state = initialRelayState(seed + life)
      recount()
      for (const side of [0, 1] as const) seeHead(side, [])
    }

    function recount(): void {
      for (const side of [0, 1] as const) {
        const { sent, told } = chains[side]
        let doneThrough = 0
        while (told.has(doneThrough + 1)) doneThrough += 1
        feed({ type: 'opened', at: now, side, doneThrough, sentThrough: sent.length })
      }
    }

    function seeHead(side: Side, facts: readonly Fact[]): void {
      const { height, isPaused } = chains[side]
      feed({
        type: 'head',
        at: now,
        side,
        height,
        timestamp: Math.floor(now / 1_000),
        facts,
        client: clientOf(side),
        channel: isPaused ? 'paused' : 'open',
      })
    }

    listeners.push((side, facts) => {
      const mine = life
      const isSeen = random() >= faults.blindRate
      after(random() * 100, () => {
        if (mine === life && isAlive) seeHead(side, isSeen ? facts : [])
      })
    })
    restart()
    return {
      get state() {
        return state
      },
      get isAlive() {
        return isAlive
      },
      set isAlive(value: boolean) {
        isAlive = value
        if (value) restart()
        else life += 1
      },
      restart,
    }
  }

  function run(ms: number): void {
    const until = now + ms
    for (;;) {
      let first = -1
      for (let i = 0; i < queue.length; i++) {
        const entry = queue[i]!
        const best = queue[first]
        const isBefore =
          best === undefined ||
          entry.atMs < best.atMs ||
          (entry.atMs === best.atMs && entry.order < best.order)
        if (entry.atMs <= until && isBefore) first = i
      }
      if (first < 0) break
      const [entry] = queue.splice(first, 1)
      now = Math.max(now, entry!.atMs)
      entry!.run()
    }
    now = until
  }

  return {
    get now() {
      return now
    },
    get moot() {
      return mootCalls
    },
    chains,
    send,
    addRelayer,
    run,
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0
}
