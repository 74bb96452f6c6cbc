/**
 * The network between the nodes of a world: every pair has a connection, made as soon as both ends
 * are there, broken by crashes, cuts and bans, and made again after a while, as the real host does.
 *
 * What the `Transport` port promises is kept, and no more: on one channel from one peer, messages
 * arrive in order and unaltered, or not at all. A message that is duplicated is said twice, as by
 * a peer that says it again. Between channels and peers anything may overtake anything.
 */

import type { Address } from '@vellum/evm'
import {
  type Channel,
  NodeError,
  type Question,
  type Transport,
  type TransportHandlers,
} from '@vellum/node'
import type { Prng } from './prng.ts'
import type { VirtualProcess } from './process-gate.ts'
import type { VirtualTime } from './virtual-time.ts'

/** How long messages take and how many are lost. The same for all links. */
export interface NetworkConditions {
  /** Mean of the way of a message, ms: half of it is fixed, the rest exponential. */
  readonly delayMs: number
  /** Part of the messages that take up to `tailMs` in place of that. */
  readonly tailPart: number
  readonly tailMs: number
  /** Parts of the messages, 0 to 1. */
  readonly loss: number
  readonly duplication: number
}

export const CALM: NetworkConditions = {
  delayMs: 5,
  tailPart: 0,
  tailMs: 0,
  loss: 0,
  duplication: 0,
}

/** A message as it leaves, for those who watch the wire. */
export interface WireMessage {
  readonly from: Address
  readonly to: Address
  readonly channel: Channel
  readonly bytes: Uint8Array
}

export interface Penalty {
  readonly by: Address
  readonly peer: Address
  readonly reason: string
  readonly weight: 'slight' | 'severe'
}

export interface VirtualNetwork {
  /** The network as one process of a node sees it. A node's next process replaces the one before. */
  join(address: Address, program: VirtualProcess): Transport
  /** The node's process is gone: its connections break. */
  leave(address: Address): void
  setConditions(conditions: NetworkConditions): void
  /** Nothing goes from one to the other any more; the other way is not touched. */
  cut(from: Address, to: Address): void
  mend(from: Address, to: Address): void
  /** Mends everything. */
  mendAll(): void
  isCut(from: Address, to: Address): boolean
  /** Forgets bans. */
  forgive(): void
  /** Called for each message as it leaves, whether it arrives or not. */
  onWire(listener: (message: WireMessage) => void): void
  onPenalty(listener: (penalty: Penalty) => void): void
  readonly counts: { readonly sent: number; readonly delivered: number; readonly lost: number }
}

export const NETWORK_LIMITS = {
  /** Messages on their way on one channel of one link; more are refused, as by a full queue. */
  queuedMax: 2_000,
  /** A question without an answer, ms. */
  answerMs: 10_000,
  /** Severe faults that close a connection, and for how long a peer is refused then, ms. */
  severeFaultsMax: 3,
  banMs: 600_000,
  /** Slight faults that count as a severe one. */
  slightPerSevere: 100,
  /** A connection that nothing passes is noticed within, ms. */
  silenceMs: 15_000,
  /** Connecting again takes, ms. */
  redialMs: [50, 1_500],
} as const

interface Member {
  readonly address: Address
  program: VirtualProcess
  handlers: TransportHandlers | undefined
  /** By peer. */
  readonly faults: Map<Address, number>
  readonly bannedUntil: Map<Address, number>
}

/** One direction of a pair. */
interface Link {
  readonly from: Address
  readonly to: Address
  isCut: boolean
  /** By channel: when the last message on its way arrives, and how many are on their way. */
  readonly lanes: Map<Channel, { lastArrival: number; queued: number }>
}

/** A pair's connection. */
interface Connection {
  readonly ends: readonly [Address, Address]
  isUp: boolean
  /** Counts connections of this pair: what is on its way on an older one is lost. */
  epoch: number
  isDialling: boolean
}

/** What a message goes over. */
interface Route {
  readonly pair: Connection
  readonly way: Link
}

export function createVirtualNetwork(time: VirtualTime, prng: Prng): VirtualNetwork {
  const members = new Map<Address, Member>()
  const links = createPairs((from, to): Link => ({ from, to, isCut: false, lanes: new Map() }))
  const connections = createPairs(
    (a, b): Connection => ({ ends: [a, b], isUp: false, epoch: 0, isDialling: false }),
  )
  const wireListeners = new Set<(message: WireMessage) => void>()
  const penaltyListeners = new Set<(penalty: Penalty) => void>()
  const counts = { sent: 0, delivered: 0, lost: 0 }
  const ways = prng.split('ways')
  const dials = prng.split('dials')
  let conditions = CALM

  const link = links.of
  const connection = (a: Address, b: Address): Connection =>
    a < b ? connections.of(a, b) : connections.of(b, a)

  function isPresent(member: Member | undefined): member is Member {
    return member?.handlers !== undefined && member.program.isAlive
  }

  function isBanned(by: Member, peer: Address): boolean {
    return (by.bannedUntil.get(peer) ?? 0) > time.now()
  }

  function mayConnect({ ends: [a, b] }: Connection): boolean {
    const [first, second] = [members.get(a), members.get(b)]
    return (
      isPresent(first) &&
      isPresent(second) &&
      !link(a, b).isCut &&
      !link(b, a).isCut &&
      !isBanned(first, b) &&
      !isBanned(second, a)
    )
  }

  /** Dials until it is up; each attempt waits a little, so that it is never all at once. */
  function dial(pair: Connection): void {
    if (pair.isUp || pair.isDialling) return
    pair.isDialling = true
    const [least, most] = NETWORK_LIMITS.redialMs
    time.after(dials.between(least, most), () => {
      pair.isDialling = false
      // Whoever mends, returns or forgives dials again.
      if (pair.isUp || !mayConnect(pair)) return
      pair.isUp = true
      pair.epoch += 1
      tellEnds(pair, 'up')
    })
  }

  function breakUp(pair: Connection): void {
    if (!pair.isUp) return
    pair.isUp = false
    pair.epoch += 1
    const [a, b] = pair.ends
    for (const way of [link(a, b), link(b, a)]) way.lanes.clear()
    tellEnds(pair, 'down')
  }

  function tellEnds({ ends: [a, b], epoch }: Connection, what: 'up' | 'down'): void {
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const member = members.get(here)
      const handlers = member?.handlers
      if (handlers === undefined) continue
      member!.program.enter(() => {
        if (what === 'down') handlers.onPeerDown(there)
        // It may have broken again while the process was paused.
        else if (connection(a, b).epoch === epoch) handlers.onPeerUp(there)
      })
    }
  }

  function wayMs(): number {
    const { delayMs, tailPart, tailMs } = conditions
    if (tailPart > 0 && ways.chance(tailPart)) return ways.between(delayMs, tailMs)
    return delayMs / 2 + ways.exponential(delayMs / 2)
  }

  function deliver({ pair, way }: Route, message: WireMessage, program: VirtualProcess): boolean {
    const { from, to, channel, bytes } = message
    if (!pair.isUp || !program.isAlive) return false
    let lane = way.lanes.get(channel)
    if (lane === undefined) {
      lane = { lastArrival: 0, queued: 0 }
      way.lanes.set(channel, lane)
    }
    if (lane.queued >= NETWORK_LIMITS.queuedMax) return false
    counts.sent += 1
    for (const listener of wireListeners) listener(message)
    if (way.isCut || ways.chance(conditions.loss)) {
      counts.lost += 1
      return true
    }
    const times = conditions.duplication > 0 && ways.chance(conditions.duplication) ? 2 : 1
    for (let i = 0; i < times; i++) {
      const { epoch } = pair
      const path = lane
      path.queued += 1
      path.lastArrival = Math.max(path.lastArrival, time.now() + wayMs())
      time.at(path.lastArrival, () => {
        path.queued -= 1
        const receiver = members.get(to)
        const handlers = receiver?.handlers
        if (pair.epoch !== epoch || way.isCut || handlers === undefined) {
          counts.lost += 1
          return
        }
        counts.delivered += 1
        receiver!.program.enter(() => handlers.onMessage(from, channel, bytes))
      })
    }
    return true
  }

  function ask(
    from: Address,
    program: VirtualProcess,
    to: Address,
    question: Question,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    const pair = connection(from, to)
    const { epoch } = pair
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    if (!pair.isUp) {
      reject(new NodeError('NODE_PEER_AWAY', `${to} cannot be reached`, { peer: to }))
      return promise
    }
    const answer = (settle: () => void): void => program.enter(settle)
    const giveUp = time.after(NETWORK_LIMITS.answerMs, () =>
      answer(() => {
        const seconds = NETWORK_LIMITS.answerMs / 1000
        const message = `${to} has not answered for ${seconds} s`
        reject(new NodeError('NODE_PEER_TIMEOUT', message, { peer: to, question }))
      }),
    )
    /** One way over the link; what is lost shows as no answer at all. */
    const travel = (a: Address, b: Address, arrived: () => void): void => {
      if (link(a, b).isCut || ways.chance(conditions.loss)) {
        counts.lost += 1
        return
      }
      time.after(wayMs(), () => {
        if (pair.epoch === epoch && !link(a, b).isCut) arrived()
      })
    }
    travel(from, to, () => {
      const receiver = members.get(to)
      const handlers = receiver?.handlers
      if (handlers === undefined) return
      receiver!.program.enter(() => {
        const refuse = (): void =>
          travel(to, from, () => {
            giveUp()
            const error = new NodeError('NODE_PEER_REFUSED', `${to} refused to answer`, {
              peer: to,
              question,
            })
            answer(() => reject(error))
          })
        const reply = (bytes: Uint8Array): void =>
          travel(to, from, () => {
            giveUp()
            answer(() => resolve(bytes))
          })
        try {
          handlers.onQuestion(from, question, body).then(reply, refuse)
        } catch {
          refuse()
        }
      })
    })
    return promise
  }

  function penalise(member: Member, penalty: Penalty): void {
    for (const listener of penaltyListeners) listener(penalty)
    const { peer, weight } = penalty
    const added = weight === 'severe' ? 1 : 1 / NETWORK_LIMITS.slightPerSevere
    const faults = (member.faults.get(peer) ?? 0) + added
    member.faults.set(peer, faults)
    if (faults < NETWORK_LIMITS.severeFaultsMax) return
    member.faults.delete(peer)
    member.bannedUntil.set(peer, time.now() + NETWORK_LIMITS.banMs)
    const pair = connection(member.address, peer)
    // Never inside the caller's turn.
    time.after(0, () => breakUp(pair))
    time.after(NETWORK_LIMITS.banMs, () => dial(pair))
  }

  function leave(member: Member): void {
    member.handlers = undefined
    for (const other of members.keys()) {
      if (other !== member.address) breakUp(connection(member.address, other))
    }
  }

  function mend(from: Address, to: Address): void {
    const way = link(from, to)
    if (!way.isCut) return
    way.isCut = false
    if (link(to, from).isCut) return
    const pair = connection(from, to)
    // What was sent meanwhile is lost: such a connection is broken when it moves again.
    breakUp(pair)
    dial(pair)
  }

  return {
    join: (address, program) => {
      const before = members.get(address)
      if (before !== undefined) leave(before)
      const member: Member = {
        address,
        program,
        handlers: undefined,
        faults: before?.faults ?? new Map(),
        bannedUntil: new Map(),
      }
      members.set(address, member)
      const routes = new Map<Address, Route>()
      const routeTo = (to: Address): Route => {
        let route = routes.get(to)
        if (route === undefined) {
          route = { pair: connection(address, to), way: link(address, to) }
          routes.set(to, route)
        }
        return route
      }
      return {
        start: (handlers) => {
          member.handlers = handlers
          for (const other of members.keys()) {
            if (other !== address) dial(connection(address, other))
          }
          return Promise.resolve()
        },
        stop: () => {
          leave(member)
          return Promise.resolve()
        },
        peers: () =>
          [...members.keys()].filter(
            (other) => other !== address && connection(address, other).isUp,
          ),
        send: (to, channel, bytes) =>
          member.handlers !== undefined &&
          deliver(routeTo(to), { from: address, to, channel, bytes }, program),
        ask: (peer, question, body) => ask(address, program, peer, question, body),
        penalise: (peer, reason, weight) => penalise(member, { by: address, peer, reason, weight }),
        // Everybody in a world is a member.
        admit: () => {},
      }
    },
    leave: (address) => {
      const member = members.get(address)
      if (member !== undefined) leave(member)
    },
    setConditions: (next) => {
      conditions = next
    },
    cut: (from, to) => {
      const way = link(from, to)
      if (way.isCut) return
      way.isCut = true
      const pair = connection(from, to)
      const { epoch } = pair
      time.after(dials.between(0, NETWORK_LIMITS.silenceMs), () => {
        if (way.isCut && pair.epoch === epoch) breakUp(pair)
      })
    },
    mend,
    mendAll: () => {
      for (const { from, to } of links.all) mend(from, to)
    },
    isCut: (from, to) => link(from, to).isCut,
    forgive: () => {
      for (const member of members.values()) {
        member.faults.clear()
        member.bannedUntil.clear()
      }
      for (const pair of connections.all) dial(pair)
    },
    onWire: (listener) => void wireListeners.add(listener),
    onPenalty: (listener) => void penaltyListeners.add(listener),
    counts,
  }
}

/** What there is one of for each ordered pair of nodes, made when it is asked for. */
function createPairs<T>(make: (from: Address, to: Address) => T): {
  of(from: Address, to: Address): T
  /** In the order of their making. */
  readonly all: readonly T[]
} {
  const byEnds = new Map<Address, Map<Address, T>>()
  const all: T[] = []
  return {
    of: (from, to) => {
      let row = byEnds.get(from)
      if (row === undefined) {
        row = new Map()
        byEnds.set(from, row)
      }
      let found = row.get(to)
      if (found === undefined) {
        found = make(from, to)
        row.set(to, found)
        all.push(found)
      }
      return found
    },
    all,
  }
}
