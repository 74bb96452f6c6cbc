/**
 * Recovery of many signers at once, on threads beside the one that executes blocks.
 *
 * A batch is cut into pieces that travel as one array of bytes each, so that no object is copied
 * between threads. A thread has one piece at a time: what waits, waits here, where it is counted.
 */

import { Worker } from 'node:worker_threads'
import { type Address, bytesToHex, hexToBytes } from '@vellum/evm'
import type { Secp256k1 } from '@vellum/ledger'
import { NodeError } from '../error.ts'

/** One signature, as `Secp256k1.recoverBytes` takes it. */
export interface RecoveryTask {
  /** 32 bytes. */
  readonly hash: Uint8Array
  /** 64 bytes. */
  readonly rs: Uint8Array
  readonly yParity: 0 | 1
}

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
  /** Threads, at least 1. They start with their first piece of work. */
  readonly workers: number
  /** Signatures that may wait or be at work, over all batches. */
  readonly pendingMax?: number
}

/** Some 3 s of work for two threads: beyond it a caller had better slow down. */
export const RECOVERY_PENDING_MAX = 65_536
/** Signatures in a piece: 6 ms of native work, against 0.1 ms to hand it over. */
const PIECE_SIZE = 64
const TASK_BYTES = 32 + 64 + 1
/** 1 and the address, or zeros for nobody. */
const ANSWER_BYTES = 1 + 20

interface Piece {
  readonly tasks: Uint8Array<ArrayBuffer>
  readonly resolve: (answers: Uint8Array) => void
  readonly reject: (error: NodeError) => void
}

interface Seat {
  worker: Worker | undefined
  piece: Piece | undefined
}

export function createRecoveryPool(options: RecoveryPoolOptions): RecoveryPool {
  const { workers, pendingMax = RECOVERY_PENDING_MAX } = options
  if (!Number.isSafeInteger(workers) || workers < 1) {
    throw new RangeError('a recovery pool has at least one worker')
  }
  const seats = Array.from(
    { length: workers },
    (): Seat => ({ worker: undefined, piece: undefined }),
  )
  const waiting: Piece[] = []
  let pending = 0
  let stopped = false

  async function recover(batch: readonly RecoveryTask[]): Promise<(Address | undefined)[]> {
    if (stopped) throw new NodeError('NODE_RECOVERY_FAILED', 'the recovery pool is stopped')
    if (pending + batch.length > pendingMax) {
      throw new NodeError('NODE_RECOVERY_BUSY', 'too many signatures wait for recovery', {
        pending,
        pendingMax,
      })
    }
    const answers = await Promise.all(packTasks(batch).map(enqueue))
    return answers.flatMap(unpackAnswers)
  }

  function enqueue(tasks: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const count = tasks.length / TASK_BYTES
    pending += count
    const answers = new Promise<Uint8Array>((resolve, reject) => {
      waiting.push({ tasks, resolve, reject })
      fillSeats()
    })
    return answers.finally(() => {
      pending -= count
    })
  }

  function fillSeats(): void {
    for (const seat of seats) {
      if (seat.piece !== undefined) continue
      const piece = waiting.shift()
      if (piece === undefined) return
      seat.piece = piece
      seat.worker ??= startWorker(seat)
      seat.worker.postMessage(piece.tasks, [piece.tasks.buffer])
    }
  }

  function startWorker(seat: Seat): Worker {
    const worker = new Worker(workerUrl(), { execArgv: workerArguments() })
    worker.on('message', (answers: Uint8Array) => {
      const piece = seat.piece
      seat.piece = undefined
      piece?.resolve(answers)
      fillSeats()
    })
    worker.on('error', (error) => leave(seat, worker, error))
    worker.on('exit', () => leave(seat, worker, undefined))
    return worker
  }

  /** A thread that died takes its piece with it; the next piece gets a new thread. */
  function leave(seat: Seat, worker: Worker, cause: unknown): void {
    if (seat.worker !== worker) return
    const piece = seat.piece
    seat.worker = undefined
    seat.piece = undefined
    piece?.reject(new NodeError('NODE_RECOVERY_FAILED', 'a recovery thread ended', {}, { cause }))
    if (!stopped) fillSeats()
  }

  async function stop(): Promise<void> {
    stopped = true
    for (const piece of waiting.splice(0)) {
      piece.reject(new NodeError('NODE_RECOVERY_FAILED', 'the recovery pool is stopped'))
    }
    await Promise.all(seats.map((seat) => seat.worker?.terminate()))
  }

  return { recover, stop }
}

/** What a thread does with a piece. */
export function recoverPiece(crypto: Secp256k1, tasks: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = tasks.length / TASK_BYTES
  const answers = new Uint8Array(count * ANSWER_BYTES)
  for (let i = 0; i < count; i++) {
    const task = tasks.subarray(i * TASK_BYTES, (i + 1) * TASK_BYTES)
    const signer = crypto.recoverBytes(task.subarray(0, 32), task.subarray(32, 96), task[96]!)
    if (signer === undefined) continue
    answers[i * ANSWER_BYTES] = 1
    answers.set(hexToBytes(signer), i * ANSWER_BYTES + 1)
  }
  return answers
}

function packTasks(batch: readonly RecoveryTask[]): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  for (let from = 0; from < batch.length; from += PIECE_SIZE) {
    const part = batch.slice(from, from + PIECE_SIZE)
    const piece = new Uint8Array(part.length * TASK_BYTES)
    part.forEach(({ hash, rs, yParity }, i) => {
      if (hash.length !== 32 || rs.length !== 64) {
        throw new RangeError('a hash has 32 bytes and a signature 64')
      }
      piece.set(hash, i * TASK_BYTES)
      piece.set(rs, i * TASK_BYTES + 32)
      piece[i * TASK_BYTES + 96] = yParity
    })
    pieces.push(piece)
  }
  return pieces
}

function unpackAnswers(answers: Uint8Array): (Address | undefined)[] {
  const signers: (Address | undefined)[] = []
  for (let at = 0; at < answers.length; at += ANSWER_BYTES) {
    const found = answers[at] === 1
    signers.push(found ? bytesToHex(answers.subarray(at + 1, at + ANSWER_BYTES)) : undefined)
  }
  return signers
}

/** The thread's file lies beside this one, and ends the same: `.ts` from sources, `.js` built. */
function workerUrl(): URL {
  return new URL(`./recovery-worker${isSource() ? '.ts' : '.js'}`, import.meta.url)
}

/** From sources, the packages beside this one are found as sources too. */
function workerArguments(): string[] {
  return isSource() ? ['--conditions=source'] : []
}

function isSource(): boolean {
  return import.meta.url.endsWith('.ts')
}
