/**
 * Time that passes only when the world says so: events in the order of their time, and of their
 * making where the time is the same.
 */

import type { CancelTimer } from '@vellum/node'

/** Where every world begins, ms since 1970: in the year 2027, on a whole second. */
export const EPOCH_MS = 1_800_000_000_000

export interface VirtualTime {
  /** Milliseconds since 1970, as nobody in the world can know it. */
  now(): number
  /** Runs once at that time, or now if it has passed: as an event of its own in any case. */
  at(time: number, run: () => void): CancelTimer
  after(ms: number, run: () => void): CancelTimer
  /** Goes to the next event and runs it. @returns false if there is none */
  step(): boolean
  /** The same, but not beyond a time: to that one it goes if nothing is left to happen before it. */
  stepUntil(end: number): boolean
  /** Events that wait. */
  readonly size: number
}

interface Scheduled {
  readonly at: number
  readonly sequence: number
  /** undefined: cancelled. */
  run: (() => void) | undefined
}

/** Cancelled events are thrown out when there are this many, and more than of others. */
const CANCELLED_MAX = 1_024

export function createVirtualTime(): VirtualTime {
  let now = EPOCH_MS
  let sequence = 0
  let cancelled = 0
  /** A binary heap. */
  let heap: Scheduled[] = []

  function push(added: Scheduled): void {
    let at = heap.push(added) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(added, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = added
  }

  function pop(): Scheduled | undefined {
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }

  function dropCancelled(): void {
    const kept = heap.filter(({ run }) => run !== undefined)
    heap = []
    cancelled = 0
    for (const each of kept) push(each)
  }

  function schedule(time: number, run: () => void): CancelTimer {
    const scheduled: Scheduled = { at: Math.max(time, now), sequence, run }
    sequence += 1
    push(scheduled)
    return () => {
      if (scheduled.run === undefined) return
      scheduled.run = undefined
      cancelled += 1
      if (cancelled > CANCELLED_MAX && cancelled > heap.length / 2) dropCancelled()
    }
  }

  function next(): Scheduled | undefined {
    while (heap.length > 0 && heap[0]!.run === undefined) {
      pop()
      cancelled -= 1
    }
    return heap[0]
  }

  function step(): boolean {
    const scheduled = next()
    if (scheduled === undefined) return false
    pop()
    now = scheduled.at
    const run = scheduled.run!
    scheduled.run = undefined
    run()
    return true
  }

  return {
    now: () => now,
    at: schedule,
    after: (ms, run) => schedule(now + ms, run),
    step,
    stepUntil: (end) => {
      const first = next()
      if (first !== undefined && first.at <= end) return step()
      now = Math.max(now, end)
      return false
    },
    get size() {
      return heap.length - cancelled
    },
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}
