/**
 * A chain's life among its peers: sorts what comes in, tells heads, keeps an eye on how peers are.
 * Knows no socket: `Transport` has them.
 */

import { quorum } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { type Chain, isRefusal } from '@vellum/ledger'
import type { Intake } from './intake.ts'
import type {
  CancelTimer,
  Channel,
  Clock,
  Logger,
  PeerAddress,
  Question,
  Timers,
  Transport,
} from './ports.ts'
import type { Runner } from './runner.ts'
import type { SnapshotServer } from './snapshot-server.ts'
import type { Spread } from './spread.ts'
import { answerBlocks, type Sync } from './sync.ts'
import {
  decodeBlocksQuestion,
  decodeHeadNews,
  decodeStatus,
  decodeTransactions,
  encodeHeadNews,
  encodeStatus,
  type HeadNews,
  type PeerStatus,
} from './wire.ts'

/** What is known of a peer. */
export interface PeerView {
  readonly height: number
  readonly clientVersion: string
  /** Its clock minus ours, milliseconds, give or take half the round trip. */
  readonly clockOffsetMs: number
  readonly roundTripMs: number
  readonly abstains: boolean
  /** Elapsed time, ms, at which it told its head last. */
  readonly heardAt: number
}

export interface Network {
  start(): Promise<void>
  stop(): Promise<void>
  /** Our head has moved. */
  advanced(height: number): void
  /** A peer has shown that it is behind: it hears of our head. */
  remind(peer: PeerAddress): void
  peers(): ReadonlyMap<PeerAddress, PeerView>
}

export interface NetworkPorts {
  readonly chain: Chain
  readonly runner: Runner
  readonly sync: Sync
  readonly snapshots: SnapshotServer
  readonly spread: Spread
  readonly intake: Intake
  readonly transport: Transport
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly clientVersion: string
  /** A peer has another block than we at this height. */
  readonly suspect: (peer: PeerAddress, height: number) => void
  readonly onFailure: (error: unknown) => void
}

/** Milliseconds from one look at a peer to the next. */
const STATUS_MS = 5_000
/** Validators make blocks together: they hear of a head only when no other followed so soon. */
const ANNOUNCE_MS = 250
/** A peer is reminded of our head so often at most. */
const REMIND_MS = 100

export function createNetwork(ports: NetworkPorts): Network {
  const { chain, runner, sync, spread, intake, transport, clock, timers, log } = ports
  const views = new Map<PeerAddress, PeerView>()
  const reminded = new Map<PeerAddress, number>()
  let asking: CancelTimer | undefined
  let announcing: CancelTimer | undefined
  let isStarted = false

  function onMessage(from: PeerAddress, channel: Channel, bytes: Uint8Array): void {
    if (!isStarted) return
    try {
      switch (channel) {
        case 'consensus':
          return runner.receive({ from, bytes })
        case 'transactions':
          for (const encoded of decodeTransactions(bytes)) takeTransaction(from, encoded)
          return
        case 'head':
          return heard(from, decodeHeadNews(bytes))
      }
    } catch (error) {
      if (!isRefusal(error)) throw error
      transport.penalise(from, error.message, 'severe')
    }
  }

  function takeTransaction(from: PeerAddress, encoded: Uint8Array): void {
    intake.takeFromPeer(encoded).then(
      (verdict) => {
        if (verdict === 'new') spread.push(encoded, from)
        if (verdict === 'forged') transport.penalise(from, 'a transaction is not valid', 'slight')
      },
      (error: unknown) => ports.onFailure(error),
    )
  }

  function heard(peer: PeerAddress, { height, hash }: HeadNews): void {
    const ours = height <= chain.head().header.number ? chain.hashAt(height) : undefined
    // Final blocks do not differ among honest nodes.
    if (ours !== undefined && ours !== hash) return ports.suspect(peer, height)
    const view = views.get(peer)
    if (view !== undefined) views.set(peer, { ...view, height, heardAt: clock.elapsed() })
    sync.tell({ type: 'peerHead', peer, height })
    endAbstention()
  }

  async function onQuestion(
    _from: PeerAddress,
    question: Question,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    switch (question) {
      case 'status':
        return encodeStatus(ourStatus())
      case 'blocks':
        return answerBlocks(chain, decodeBlocksQuestion(body))
      case 'snapshot':
        return ports.snapshots.answer(body)
    }
  }

  function ourStatus(): PeerStatus {
    const { header, hash } = chain.head()
    const { clientVersion } = ports
    const abstains = runner.state().abstainsThrough !== undefined
    return { height: header.number, hash, nowMs: clock.now(), clientVersion, abstains }
  }

  /** @param question our own status, encoded */
  async function look(peer: PeerAddress, question: Uint8Array): Promise<void> {
    const askedAt = clock.elapsed()
    const askedTime = clock.now()
    let bytes: Uint8Array
    try {
      bytes = await transport.ask(peer, 'status', question)
    } catch {
      // It has gone, or is too busy: its connection says which.
      return
    }
    try {
      const status = decodeStatus(bytes)
      if (!transport.peers().includes(peer)) return
      const roundTripMs = clock.elapsed() - askedAt
      views.set(peer, {
        height: status.height,
        clientVersion: status.clientVersion,
        clockOffsetMs: Math.round(status.nowMs - askedTime - roundTripMs / 2),
        roundTripMs: Math.round(roundTripMs),
        abstains: status.abstains,
        heardAt: clock.elapsed(),
      })
      heard(peer, status)
    } catch (error) {
      if (!isRefusal(error)) throw error
      transport.penalise(peer, error.message, 'severe')
    }
  }

  function lookAtAll(): void {
    asking = timers.after(STATUS_MS, lookAtAll)
    const question = encodeStatus(ourStatus())
    for (const peer of transport.peers()) void look(peer, question).catch(ports.onFailure)
  }

  /**
   * A validator that lost its votes may have voted for a block that its peers are deciding now, or
   * for the one after it. It votes again when both are final without it (qbft.md §17).
   */
  function endAbstention(): void {
    const { abstainsThrough, validators } = runner.state()
    if (abstainsThrough !== 'unknown') return
    const heights = validators.flatMap((each) => views.get(each)?.height ?? [])
    if (heights.length < Math.max(quorum(validators.length) - 1, 1)) return
    const highest = Math.max(...heights)
    if (chain.head().header.number >= highest) runner.caughtUp(highest + 1)
  }

  function announce(to: readonly PeerAddress[]): void {
    const { header, hash } = chain.head()
    const news = encodeHeadNews({ height: header.number, hash })
    for (const peer of to) transport.send(peer, 'head', news)
  }

  const isValidator = (peer: Address): boolean => runner.state().validators.includes(peer)

  return {
    start: async () => {
      isStarted = true
      await transport.start({
        onMessage,
        onQuestion,
        onPeerUp: (peer) => {
          log.info('peer connected', { peer })
          runner.peerUp(peer)
          spread.greet(peer)
          void look(peer, encodeStatus(ourStatus())).catch(ports.onFailure)
        },
        onPeerDown: (peer) => {
          log.info('peer disconnected', { peer })
          views.delete(peer)
          reminded.delete(peer)
          runner.peerDown(peer)
          sync.tell({ type: 'peerDown', peer })
        },
      })
      asking = timers.after(STATUS_MS, lookAtAll)
      spread.start()
    },
    stop: async () => {
      isStarted = false
      asking?.()
      announcing?.()
      spread.stop()
      ports.snapshots.stop()
      await transport.stop()
    },
    advanced: (height) => {
      sync.tell({ type: 'head', height })
      endAbstention()
      if (!isStarted) return
      announce(transport.peers().filter((peer) => !isValidator(peer)))
      announcing?.()
      announcing = timers.after(ANNOUNCE_MS, () => announce(transport.peers()))
    },
    remind: (peer) => {
      const now = clock.elapsed()
      if (now - (reminded.get(peer) ?? Number.NEGATIVE_INFINITY) < REMIND_MS) return
      reminded.set(peer, now)
      announce([peer])
    },
    peers: () => views,
  }
}
