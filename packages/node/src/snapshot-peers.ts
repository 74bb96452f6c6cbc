/** Asks peers for parts of a snapshot until one gives a right answer: who lies or stalls is left. */

import {
  choosePeer,
  EMPTY_PLAN,
  type SnapshotEvent,
  type SnapshotPlan,
  stepPlan,
} from '@vellum/consensus'
import { isRefusal } from '@vellum/ledger'
import type { Logger, PeerAddress, Timers, Transport } from './ports.ts'
import {
  decodeSnapshotAnswer,
  encodeSnapshotQuestion,
  type SnapshotQuestion,
} from './snapshot-wire.ts'

export interface SnapshotPeers {
  tell(event: SnapshotEvent): void
  plan(): SnapshotPlan
  /** Questions that were not answered, or wrongly. */
  failures(): number
  /**
   * Asks one peer after another.
   * @throws SnapshotUnserved when peers are there and none has the state any more; SnapshotStopped
   */
  ask<Result>(need: PeerNeed<Result>): Promise<Result>
  /** Waits for news of the peers, or so many milliseconds. */
  news(ms: number): Promise<void>
  /** Waits so many milliseconds; 0: others have a turn. @throws SnapshotStopped once stopped */
  rest(ms: number): Promise<void>
  /** @throws SnapshotStopped once stopped */
  assertRunning(): void
  stop(): void
}

export interface PeerNeed<Result> {
  /** A question of the snapshot, or the body of one for blocks. */
  readonly question: SnapshotQuestion | Uint8Array
  /** Peers whose head is lower are not asked. */
  readonly height: number
  /** True for what a peer may have no longer: the state of the pivot. */
  readonly isState: boolean
  /**
   * Makes something of an answer: the content of one of the snapshot, or the whole of one for blocks.
   * @throws AnswerRefused, or LedgerError for bytes that cannot be decoded
   */
  readonly accept: (content: Uint8Array, peer: PeerAddress) => Result | Promise<Result>
}

/** The pivot's state is nowhere to be had. */
export class SnapshotUnserved extends Error {}

/** The node stops. */
export class SnapshotStopped extends Error {}

/** An answer of which nothing can be made. `lied`: it is wrong; `failed`: it says too little. */
export class AnswerRefused extends Error {
  readonly outcome: 'failed' | 'unable' | 'lied'

  constructor(outcome: 'failed' | 'unable' | 'lied', reason: string) {
    super(reason)
    this.outcome = outcome
  }
}

/** Milliseconds before peers are looked at again when none can be asked, and after failures. */
const RETRY_MS = 500

export function createSnapshotPeers(ports: {
  readonly transport: Pick<Transport, 'ask' | 'penalise'>
  readonly timers: Timers
  readonly log: Logger
}): SnapshotPeers {
  const { transport, timers, log } = ports
  let plan = EMPTY_PLAN
  let failures = 0
  let isStopped = false
  const awaitingNews = new Set<() => void>()
  const resting = new Set<() => void>()

  function tell(event: SnapshotEvent): void {
    plan = stepPlan(plan, event)
    for (const wake of [...awaitingNews]) wake()
  }

  function wait(ms: number, among: Set<() => void>): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        among.delete(wake)
        resolve()
      }
      const cancel = timers.after(ms, wake)
      among.add(wake)
    })
  }

  async function rest(ms: number): Promise<void> {
    await wait(ms, resting)
    assertRunning()
  }

  function assertRunning(): void {
    if (isStopped) throw new SnapshotStopped('the snapshot sync was stopped')
  }

  async function ask<Result>(need: PeerNeed<Result>): Promise<Result> {
    for (let failed = 0; ; ) {
      assertRunning()
      const peer = choosePeer(plan, need.height, need.isState)
      if (peer === 'busy' || peer === 'none') {
        if (peer === 'none' && need.isState) assertServed()
        await wait(RETRY_MS, awaitingNews)
        continue
      }
      tell({ type: 'asked', peer })
      const outcome = await askOne(peer, need)
      tell({ type: 'answered', peer, outcome: outcome.kind })
      if (outcome.kind === 'good') return outcome.result
      failures += 1
      failed += 1
      // Another peer at once; one that was asked already after a while.
      if (failed > 1) await rest(RETRY_MS)
    }
  }

  function assertServed(): void {
    const isThere = [...plan.peers.values()].some(({ isBad, isUnable }) => isUnable && !isBad)
    if (isThere) throw new SnapshotUnserved('no peer has the state of the pivot any more')
  }

  type Outcome<Result> =
    | { readonly kind: 'good'; readonly result: Result }
    | { readonly kind: 'failed' | 'unable' | 'lied' }

  async function askOne<Result>(
    peer: PeerAddress,
    need: PeerNeed<Result>,
  ): Promise<Outcome<Result>> {
    let answer: Uint8Array
    try {
      answer = await (need.question instanceof Uint8Array
        ? transport.ask(peer, 'blocks', need.question)
        : transport.ask(peer, 'snapshot', encodeSnapshotQuestion(need.question)))
    } catch (error) {
      log.debug('a peer did not answer', { peer, reason: (error as Error).message })
      return { kind: 'failed' }
    }
    assertRunning()
    try {
      const content = need.question instanceof Uint8Array ? answer : contentOf(answer)
      return { kind: 'good', result: await need.accept(content, peer) }
    } catch (error) {
      if (error instanceof AnswerRefused && error.outcome !== 'lied') {
        log.debug('a peer has not what was asked', { peer, reason: error.message })
        return { kind: error.outcome }
      }
      if (!(error instanceof AnswerRefused || isRefusal(error))) throw error
      log.warn('a peer gave a wrong part of a snapshot', { peer, reason: error.message })
      transport.penalise(peer, error.message, 'severe')
      return { kind: 'lied' }
    }
  }

  return {
    tell,
    plan: () => plan,
    failures: () => failures,
    ask,
    news: (ms) => wait(ms, awaitingNews),
    rest,
    assertRunning,
    stop: () => {
      isStopped = true
      for (const wake of [...awaitingNews, ...resting]) wake()
    },
  }
}

function contentOf(answer: Uint8Array): Uint8Array {
  const { status, content } = decodeSnapshotAnswer(answer)
  if (status === 'busy') throw new AnswerRefused('failed', 'it is busy')
  if (status === 'unheld') throw new AnswerRefused('unable', 'it does not have it')
  return content
}
