/**
 * Makes what the index of logs lacks while the node runs: the blocks of the open section after a
 * restart, all of them for a store that was written without an index, a section that was damaged. In
 * small steps, and it rests as long as it worked, so that blocks and clients come first.
 */

import type { Chain } from '@vellum/ledger'
import type { CancelTimer, Clock, Logger, Timers } from './ports.ts'

export interface LogIndexing {
  start(): void
  /** Resolves when no step is under way any more. */
  stop(): Promise<void>
}

export interface LogIndexingPorts {
  readonly chain: Pick<Chain, 'head' | 'logIndex'>
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  /** Hears why the node cannot go on: the disk failed, or receipts are damaged. */
  readonly onFailure: (error: unknown) => void
}

/** Between two lines of the log about progress. */
const REPORT_MS = 10_000
/** Work in one go, in milliseconds: shorter rests than these the timers do not know. */
const WORK_MS = 5

export function createLogIndexing(ports: LogIndexingPorts): LogIndexing {
  const { chain, clock, timers, log, onFailure } = ports
  const { logIndex } = chain
  let isRunning = false
  let cancel: CancelTimer | undefined
  let working: Promise<void> | undefined
  let forget: (() => void) | undefined
  let reportedAt = 0

  function next(afterMs: number): void {
    cancel = timers.after(afterMs, () => {
      cancel = undefined
      working = work().finally(() => {
        working = undefined
      })
    })
  }

  async function work(): Promise<void> {
    const begunAt = clock.elapsed()
    try {
      do await logIndex.step()
      while (logIndex.hasWork() && isRunning && clock.elapsed() - begunAt < WORK_MS)
    } catch (error) {
      onFailure(error)
      return
    }
    if (!isRunning) return
    const now = clock.elapsed()
    if (!logIndex.hasWork()) {
      log.info('logs indexed', { height: chain.head().header.number })
      return
    }
    if (now - reportedAt >= REPORT_MS) report('indexing logs')
    next(now - begunAt)
  }

  function report(message: string): void {
    reportedAt = clock.elapsed()
    const { missing } = logIndex.state()
    log.info(message, { blocks: missing, height: chain.head().header.number })
  }

  function begin(message: string): void {
    if (!isRunning || cancel !== undefined || working !== undefined || !logIndex.hasWork()) return
    report(message)
    next(0)
  }

  return {
    start() {
      isRunning = true
      forget = logIndex.onWork(() => begin('a part of the index of logs is damaged'))
      begin('indexing logs')
    },
    async stop() {
      isRunning = false
      forget?.()
      cancel?.()
      cancel = undefined
      await working
    },
  }
}
