/** The real clock and timers. */

import type { Clock, Timers } from '../ports.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
}

/** The system's clock, ahead by so many milliseconds: for drills. */
export function shiftedClock(offsetMs: number): Clock {
  return { now: () => Date.now() + offsetMs, elapsed: systemClock.elapsed }
}

export const systemTimers: Timers = {
  after: (afterMs, run) => {
    // A turn of the event loop, in which sockets are read, instead of a timer's millisecond.
    if (afterMs <= 0) {
      const immediate = setImmediate(run)
      return () => clearImmediate(immediate)
    }
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
}
