/**
 * A machine's own clock, which is not the world's: set wrong, running fast or slow, jumping,
 * standing still. Timers follow the quartz, as those of a real machine do, and not the time of day.
 */

import type { CancelTimer, Clock, Timers } from '@vellum/node'
import type { VirtualProcess } from './process-gate.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Outlives the machine's processes. */
export interface MachineClock extends Clock {
  /** Milliseconds by which its time of day is ahead of the world's. */
  offset(): number
  /** Sets the time of day forward or back. */
  jump(ms: number): void
  /** From now on it runs by this part faster (or slower, below 0), quartz and all. */
  setDrift(part: number): void
  /** The time of day stands still; timers do not. */
  freeze(): void
  /** Right again to the millisecond, at the right speed. */
  correct(): void
  /** Timers of one process on this machine. */
  timersOf(program: VirtualProcess): Timers
}

export function createMachineClock(time: VirtualTime, offsetMs = 0): MachineClock {
  let drift = 0
  /** World's time, quartz and time of day when the clock was last touched. */
  let touchedAt = time.now()
  let elapsedThen = 0
  let wallThen = time.now() + offsetMs
  let isFrozen = false

  const passed = (): number => (time.now() - touchedAt) * (1 + drift)
  const elapsed = (): number => elapsedThen + passed()
  const wall = (): number => (isFrozen ? wallThen : wallThen + passed())

  function touch(): void {
    const [nowElapsed, nowWall] = [elapsed(), wall()]
    touchedAt = time.now()
    elapsedThen = nowElapsed
    wallThen = nowWall
  }

  return {
    // As Date.now: whole milliseconds.
    now: () => Math.floor(wall()),
    elapsed,
    offset: () => wall() - time.now(),
    jump: (ms) => {
      touch()
      wallThen += ms
    },
    setDrift: (part) => {
      touch()
      drift = part
    },
    freeze: () => {
      touch()
      isFrozen = true
    },
    correct: () => {
      touch()
      drift = 0
      isFrozen = false
      wallThen = time.now()
    },
    timersOf: (program) => ({
      after: (afterMs, run): CancelTimer => {
        let isCancelled = false
        const cancel = time.after(Math.max(0, afterMs) / (1 + drift), () =>
          // Cancelled while it waited for a paused process to go on.
          program.enter(() => {
            if (!isCancelled) run()
          }),
        )
        return () => {
          isCancelled = true
          cancel()
        }
      },
    }),
  }
}
