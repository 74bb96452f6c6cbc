/**
 * The rhythm of a chain with one validator: when to make a block, and making it.
 *
 * A block is made as soon as a transaction waits, at least `periodMs` (and the chain's own period)
 * after the one before. A block has costs of its own (upper trie nodes, one synced write), so under
 * load transactions gather for up to `gatherMs`, the longer the more the last block took: somebody
 * who is alone waits for nobody. With nothing to do there is an empty block every `heartbeatMs`.
 * One block at a time: the next begins when the one before is durable.
 *
 * This is the seam for consensus: QBFT replaces this file's decision when to build and what seals,
 * and keeps `chain.build`, `chain.sealed` and `chain.append`.
 */

import type { Chain, Pool, Sealer } from '@vellum/ledger'
import type { NodeConfig } from './config.ts'
import type { CancelTimer, Clock, Logger, Timers } from './ports.ts'

export interface Producer {
  start(): void
  /** Resolves when the block under way, if any, is durable. No block is made afterwards. */
  stop(): Promise<void>
}

export interface ProducerPorts {
  readonly chain: Chain
  readonly pool: Pool
  readonly sealer: Sealer
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  /** Told once, when a block could not be made or written: the node must stop. */
  readonly onFailure: (error: unknown) => void
}

/** From this many transactions in a block on, the next one gathers for the whole of `gatherMs`. */
const BUSY_COUNT = 100
/** Timers of the runtime count 31 bits of milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1

export function createProducer(rhythm: NodeConfig['blocks'], ports: ProducerPorts): Producer {
  const { chain, pool, sealer, clock, timers, log } = ports
  let timer: { readonly isFor: 'block' | 'heartbeat'; readonly cancel: CancelTimer } | undefined
  let making: Promise<void> | undefined
  let isStopped = true
  let unsubscribe: (() => void) | undefined
  /** When the last block was begun; so that the first one after a pause comes at once. */
  let begunAt = Number.NEGATIVE_INFINITY
  let headAt = clock.elapsed()
  /** Transactions of the last block: how busy it is. */
  let lastCount = 0
  /** True after a block took nothing although transactions wait: none of them can run now. */
  let isStuck = false

  function schedule(): void {
    if (isStopped || making !== undefined) return
    timer?.cancel()
    timer = undefined
    const isFor = pool.readyCount > 0 && !isStuck ? 'block' : 'heartbeat'
    const at = isFor === 'block' ? dueAt() : heartbeatAt()
    if (at === undefined) return
    const afterMs = Math.min(Math.max(0, Math.ceil(at - clock.elapsed())), TIMER_MS_MAX)
    const cancel = timers.after(afterMs, () => {
      timer = undefined
      begin()
    })
    timer = { isFor, cancel }
  }

  /** In `clock.elapsed` time. */
  function dueAt(): number {
    const gatherMs = rhythm.gatherMs * Math.min(1, lastCount / BUSY_COUNT)
    return Math.max(begunAt + Math.max(rhythm.periodMs, gatherMs), legalAt())
  }

  function heartbeatAt(): number | undefined {
    if (rhythm.heartbeatMs === 0) return undefined
    return Math.max(headAt + rhythm.heartbeatMs, legalAt())
  }

  /** When the machine's clock reaches the first legal timestamp after the head. */
  function legalAt(): number {
    return clock.elapsed() + earliestTimestamp() * 1000 - clock.now()
  }

  /** Seconds. The parent's own time is legal on chains with periods under a second. */
  function earliestTimestamp(): number {
    const { number, timestamp } = chain.head().header
    const period = chain.rulesAt(number + 1, timestamp).blockPeriodSeconds
    // Without a period the clock need not have reached the parent's time: it may have been set back.
    return period === 0 ? 0 : timestamp + period
  }

  function begin(): void {
    const isHeartbeat = pool.readyCount === 0 || isStuck
    const now = clock.elapsed()
    const at = isHeartbeat ? heartbeatAt() : dueAt()
    // The machine's clock may have been set back while the timer ran.
    if (at === undefined || at > now + 1) {
      schedule()
      return
    }
    begunAt = now
    making = make(isHeartbeat)
      .catch((error: unknown) => {
        isStopped = true
        ports.onFailure(error)
      })
      .finally(() => {
        making = undefined
        schedule()
      })
  }

  async function make(isHeartbeat: boolean): Promise<void> {
    const parent = chain.head().header
    const period = chain.rulesAt(parent.number + 1, parent.timestamp).blockPeriodSeconds
    const timestamp = Math.max(parent.timestamp + period, Math.floor(clock.now() / 1000))
    const startedAt = clock.elapsed()
    const built = chain.build(pool, {
      timestamp,
      fields: sealer.fields(parent),
      gasLimitTarget: BigInt(rhythm.gasLimit ?? parent.gasLimit),
      isLate: () => clock.elapsed() - startedAt > rhythm.buildMs,
    })
    if (built.transactions.length === 0 && !isHeartbeat) {
      // What waits offers less than the base fee. A new transaction or the heartbeat tries again.
      isStuck = true
      return
    }
    const builtAt = clock.elapsed()
    await chain.append(chain.sealed(built, sealer.seal(built.header)))
    headAt = clock.elapsed()
    lastCount = built.transactions.length
    isStuck = false
    log.debug('block made', {
      height: parent.number + 1,
      transactions: built.transactions.length,
      gasUsed: built.header.gasUsed,
      buildMs: Math.round(builtAt - startedAt),
      writeMs: Math.round(headAt - builtAt),
    })
  }

  return {
    start: () => {
      isStopped = false
      unsubscribe = pool.onAdd(() => {
        isStuck = false
        // A block that is due already will take it: this runs once for each transaction.
        if (making === undefined && timer?.isFor !== 'block' && pool.readyCount > 0) schedule()
      })
      schedule()
    },
    stop: async () => {
      isStopped = true
      unsubscribe?.()
      timer?.cancel()
      timer = undefined
      await making
    },
  }
}
