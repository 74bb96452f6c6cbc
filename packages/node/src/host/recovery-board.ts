/**
 * Signatures that wait for their signers, in memory that threads share.
 *
 * A ring of places. One thread, the owner, publishes tasks and collects answers, both in order; whoever has time
 * claims the next task, by one atomic step. So nobody is handed work while somebody else is idle, and
 * handing it over costs no message: a thread that finds nothing sleeps until something is published.
 */

import { type Address, bytesToHex, hexToBytes } from '@vellum/evm'
import type { Secp256k1 } from '@vellum/ledger'

/** One signature, as `Secp256k1.recoverBytes` takes it. */
export interface RecoveryTask {
  /** 32 bytes. */
  readonly hash: Uint8Array
  /** 64 bytes. */
  readonly rs: Uint8Array
  readonly yParity: 0 | 1
}

/** The owner's side. */
export interface RecoveryBoard {
  /** To be given to other threads, for `openRecoveryDesk`. */
  readonly memory: SharedArrayBuffer
  /** False if all places are taken. @param task with sizes that were checked */
  publish(task: RecoveryTask): boolean
  /** Wakes those who sleep, after something was published. */
  wake(): void
  /** The answer to the oldest task that was not collected; undefined: there is none yet. */
  collect(): { readonly signer: Address | undefined } | undefined
  /**
   * The owner will not look again by itself: the desk that answers next is to call it.
   * @returns false if there is an answer by now, or nothing is at work: then nobody calls
   */
  awaitCall(): boolean
}

/** The side of whoever works. */
export interface RecoveryDesk {
  /** Answers the next task; false if there was none. */
  work(): boolean
  /** True once after `awaitCall`, for who has just answered: the owner is to be called. */
  isOwnerWaiting(): boolean
  /** Sleeps until there is something to do. Not on the owner's thread. */
  sleep(): void
}

/** Tasks that lie in shared memory at once: 80 ms of work, and 128 KiB. */
const PLACES = 1_024
const TASK_BYTES = 32 + 64 + 1
const ANSWER_BYTES = 20
/** Where the counters stand. Counters run on through 2^32: only their differences count. */
const [PUBLISHED, CLAIMED, WAITING, FIRST_PLACE] = [0, 1, 2, 3] as const
/** States of a place. */
const [OPEN, FOUND, NOBODY] = [0, 1, 2] as const

interface Layout {
  /** Counters, then the state of each place. */
  readonly words: Int32Array<SharedArrayBuffer>
  readonly tasks: Uint8Array
  readonly answers: Uint8Array
}

function layoutOf(memory: SharedArrayBuffer): Layout {
  const words = new Int32Array(memory, 0, FIRST_PLACE + PLACES)
  const tasks = new Uint8Array(memory, words.byteLength, PLACES * TASK_BYTES)
  const answers = new Uint8Array(memory, words.byteLength + tasks.length, PLACES * ANSWER_BYTES)
  return { words, tasks, answers }
}

export function createRecoveryBoard(): RecoveryBoard {
  const wordBytes = 4 * (FIRST_PLACE + PLACES)
  const memory = new SharedArrayBuffer(wordBytes + PLACES * (TASK_BYTES + ANSWER_BYTES))
  const { words, tasks, answers } = layoutOf(memory)
  let published = 0
  let collected = 0

  const stateOfNext = (): number => Atomics.load(words, FIRST_PLACE + (collected % PLACES))

  return {
    memory,
    publish: ({ hash, rs, yParity }) => {
      if (published - collected === PLACES) return false
      const place = published % PLACES
      tasks.set(hash, place * TASK_BYTES)
      tasks.set(rs, place * TASK_BYTES + 32)
      tasks[place * TASK_BYTES + 96] = yParity
      published += 1
      // After the bytes: whoever sees the counter sees them.
      Atomics.store(words, PUBLISHED, published | 0)
      return true
    },
    wake: () => {
      Atomics.notify(words, PUBLISHED)
    },
    collect: () => {
      const state = stateOfNext()
      if (state === OPEN) return undefined
      const place = collected % PLACES
      const at = place * ANSWER_BYTES
      Atomics.store(words, FIRST_PLACE + place, OPEN)
      collected += 1
      // Text is made of a copy: not every decoder takes shared memory.
      return {
        signer: state === FOUND ? bytesToHex(answers.slice(at, at + ANSWER_BYTES)) : undefined,
      }
    },
    awaitCall: () => {
      if (collected === published) return false
      Atomics.store(words, WAITING, 1)
      return stateOfNext() === OPEN || Atomics.exchange(words, WAITING, 0) === 0
    },
  }
}

/** A place to work at, for the owner's thread or another. */
export function openRecoveryDesk(memory: SharedArrayBuffer, crypto: Secp256k1): RecoveryDesk {
  const { words, tasks, answers } = layoutOf(memory)
  // A copy of its own: the library takes no shared memory.
  const task = new Uint8Array(TASK_BYTES)
  const [hash, rs] = [task.subarray(0, 32), task.subarray(32, 96)]

  function claim(): number | undefined {
    for (;;) {
      const next = Atomics.load(words, CLAIMED)
      if (next === Atomics.load(words, PUBLISHED)) return undefined
      if (Atomics.compareExchange(words, CLAIMED, next, (next + 1) | 0) === next) {
        return (next >>> 0) % PLACES
      }
    }
  }

  return {
    work: () => {
      const place = claim()
      if (place === undefined) return false
      task.set(tasks.subarray(place * TASK_BYTES, (place + 1) * TASK_BYTES))
      const signer = crypto.recoverBytes(hash, rs, task[96]!)
      if (signer !== undefined) answers.set(hexToBytes(signer), place * ANSWER_BYTES)
      Atomics.store(words, FIRST_PLACE + place, signer === undefined ? NOBODY : FOUND)
      return true
    },
    isOwnerWaiting: () => Atomics.exchange(words, WAITING, 0) === 1,
    sleep: () => {
      const seen = Atomics.load(words, PUBLISHED)
      if (Atomics.load(words, CLAIMED) === seen) Atomics.wait(words, PUBLISHED, seen)
    },
  }
}
