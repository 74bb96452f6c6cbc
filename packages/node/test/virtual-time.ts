/** Time that passes when a test says so. */

import type { Clock, Timers } from '../src/ports.ts'

export interface VirtualTime extends Clock, Timers {
  /** Runs every timer that is due up to so many milliseconds from now, and what follows from it. */
  advance(ms: number): Promise<void>
  /** The same in one leap: what is due in it runs at its end, so that a heartbeat fills no years with blocks. */
  leap(ms: number): Promise<void>
}

export function createVirtualTime(): VirtualTime {
  let now = 1_800_000_000_000
  const start = now
  let timers: { readonly at: number; readonly run: () => void }[] = []
  async function runUntil(until: number): Promise<void> {
    for (;;) {
      await settled()
      const next = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      timers = timers.filter((other) => other !== next)
      now = Math.max(now, next.at)
      next.run()
    }
    now = until
    await settled()
  }

  return {
    now: () => now,
    elapsed: () => now - start,
    after: (afterMs, run) => {
      const timer = { at: now + Math.max(0, afterMs), run }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    advance: (ms) => runUntil(now + ms),
    leap: (ms) => {
      now += ms
      return runUntil(now)
    },
  }
}

/** Lets promises that wait for nothing but each other come to their end. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve()
}
