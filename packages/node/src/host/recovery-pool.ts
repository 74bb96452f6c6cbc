/**
 * Recovery of many signers at once, on threads beside the one that executes blocks.
 *
 * Tasks lie in shared memory (recovery-board.ts), where the threads take one after another. This thread takes
 * one in each turn in which it has nothing else to do: it would only wait, as its clients do.
 */

import { Worker } from 'node:worker_threads'
import type { Address } from '@vellum/evm'
import type { Secp256k1 } from '@vellum/ledger'
import { NodeError } from '../error.ts'
import {
  createRecoveryBoard,
  openRecoveryDesk,
  type RecoveryBoard,
  type RecoveryDesk,
  type RecoveryTask,
} from './recovery-board.ts'

export interface RecoveryPool {
  /**
   * Signer of each signature in order; undefined where none recovers.
   * @throws RangeError if a hash or signature has another size
   * @throws NodeError NODE_RECOVERY_BUSY if too many wait (try again later),
   *   NODE_RECOVERY_FAILED if a thread died or the pool is stopped
   */
  recover(batch: readonly RecoveryTask[]): Promise<(Address | undefined)[]>
  /** Ends the threads. What was not answered yet is refused. */
  stop(): Promise<void>
}

export interface RecoveryPoolOptions {
  /** Threads, at least 1. They start with the first piece of work. */
  readonly workers: number
  /** With which this thread helps; undefined: it does not. */
  readonly helper?: Secp256k1
  /** Signatures that may wait or be at work, over all batches. */
  readonly pendingMax?: number
}

/** Some 3 s of work for two threads: beyond it a caller had better slow down. */
export const RECOVERY_PENDING_MAX = 65_536

/** A batch under way. Answers come in the order of all tasks. */
interface Job {
  readonly batch: readonly RecoveryTask[]
  readonly signers: (Address | undefined)[]
  /** Tasks on the board, or answered. */
  published: number
  readonly resolve: (signers: (Address | undefined)[]) => void
  readonly reject: (error: NodeError) => void
}

/** The threads, and what they and this one work on. A new one is made after a failure. */
interface Shop {
  readonly board: RecoveryBoard
  readonly desk: RecoveryDesk | undefined
  readonly workers: readonly Worker[]
}

export function createRecoveryPool(options: RecoveryPoolOptions): RecoveryPool {
  const { workers: count, helper, pendingMax = RECOVERY_PENDING_MAX } = options
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError('a recovery pool has at least one worker')
  }
  let shop: Shop | undefined
  /** In the order of their answers; those at the end may not be on the board yet. */
  let jobs: Job[] = []
  let unpublished: Job[] = []
  let pending = 0
  let isTurnPlanned = false
  let stopped = false

  async function recover(batch: readonly RecoveryTask[]): Promise<(Address | undefined)[]> {
    if (stopped) throw failed('the recovery pool is stopped')
    if (pending + batch.length > pendingMax) {
      throw new NodeError('NODE_RECOVERY_BUSY', 'too many signatures wait for recovery', {
        pending,
        pendingMax,
      })
    }
    for (const { hash, rs } of batch) {
      if (hash.length !== 32 || rs.length !== 64) {
        throw new RangeError('a hash has 32 bytes and a signature 64')
      }
    }
    if (batch.length === 0) return []
    return new Promise((resolve, reject) => {
      pending += batch.length
      const job: Job = { batch, signers: [], published: 0, resolve, reject }
      jobs.push(job)
      unpublished.push(job)
      shop ??= openShop()
      publish(shop)
      goOn(shop)
    })
  }

  /** Puts on the board what finds a place there. */
  function publish({ board }: Shop): void {
    for (let job = unpublished[0]; job !== undefined; job = unpublished[0]) {
      while (job.published < job.batch.length && board.publish(job.batch[job.published]!)) {
        job.published += 1
      }
      if (job.published < job.batch.length) break
      unpublished.shift()
    }
    board.wake()
  }

  /** Takes up what has been answered, and makes room for more. */
  function collect(open: Shop): void {
    const before = pending
    for (let found = open.board.collect(); found !== undefined; found = open.board.collect()) {
      const job = jobs[0]!
      job.signers.push(found.signer)
      pending -= 1
      if (job.signers.length < job.batch.length) continue
      jobs.shift()
      job.resolve(job.signers)
    }
    if (pending < before && unpublished.length > 0) publish(open)
  }

  /** Comes back in a turn of its own where there is something to help with, or when it is called. */
  function goOn(open: Shop): void {
    if (isTurnPlanned) return
    if (open.desk === undefined && open.board.awaitCall()) return
    isTurnPlanned = true
    setImmediate(() => {
      isTurnPlanned = false
      if (shop !== open) return
      const hasHelped = open.desk?.work() === true
      collect(open)
      if (pending > 0 && (hasHelped || !open.board.awaitCall())) goOn(open)
    })
  }

  function openShop(): Shop {
    const board = createRecoveryBoard()
    const execArgv = isSource() ? ['--conditions=source'] : []
    const workers = Array.from(
      { length: count },
      () => new Worker(workerUrl(), { execArgv, workerData: board.memory }),
    )
    const desk = helper && openRecoveryDesk(board.memory, helper)
    const opened: Shop = { board, desk, workers }
    for (const worker of workers) {
      worker.on('message', () => {
        if (shop !== opened) return
        collect(opened)
        if (pending > 0) goOn(opened)
      })
      worker.on(
        'error',
        (error) => void closeShop(opened, failed('a recovery thread ended', error)),
      )
      worker.on('exit', () => void closeShop(opened, failed('a recovery thread ended')))
    }
    return opened
  }

  /** A thread that died may have taken a task with it, so all are refused; the next batch gets new threads. */
  async function closeShop(closed: Shop, reason: NodeError): Promise<void> {
    if (shop !== closed) return
    shop = undefined
    const refused = jobs
    jobs = []
    unpublished = []
    pending = 0
    for (const { reject } of refused) reject(reason)
    await Promise.all(closed.workers.map((worker) => worker.terminate()))
  }

  return {
    recover,
    stop: async () => {
      stopped = true
      if (shop !== undefined) await closeShop(shop, failed('the recovery pool is stopped'))
    },
  }
}

function failed(message: string, cause?: unknown): NodeError {
  return new NodeError('NODE_RECOVERY_FAILED', message, {}, { cause })
}

/** The thread's file lies beside this one, and ends the same: `.ts` from sources, `.js` built. */
function workerUrl(): URL {
  return new URL(`./recovery-worker${isSource() ? '.ts' : '.js'}`, import.meta.url)
}

/** From sources, the packages beside this one are found as sources too. */
function isSource(): boolean {
  return import.meta.url.endsWith('.ts')
}
