/**
 * One run of a node's program: what reaches it from outside (timers, messages, the disk's answers)
 * enters here. A paused process gets it when it goes on, in the same order; a dead one never.
 */

export interface VirtualProcess {
  readonly isAlive: boolean
  readonly isPaused: boolean
  /** Runs now; when the process goes on; or never. */
  enter(run: () => void): void
  /** As a stopped process, or a machine that hangs. */
  pause(): void
  resume(): void
  /** For ever: a restart is another process. */
  kill(): void
}

/** What waits for a paused process at most; beyond it, the latest is lost. */
const WAITING_MAX = 100_000

/** @param later runs as an event of its own at this same time */
export function createVirtualProcess(later: (run: () => void) => void): VirtualProcess {
  let isAlive = true
  let isPaused = false
  let waiting: (() => void)[] = []

  function enter(run: () => void): void {
    if (!isAlive) return
    if (!isPaused) run()
    else if (waiting.length < WAITING_MAX) waiting.push(run)
  }

  return {
    get isAlive() {
      return isAlive
    },
    get isPaused() {
      return isPaused
    },
    enter,
    pause: () => {
      isPaused = true
    },
    resume: () => {
      if (!isPaused) return
      isPaused = false
      const due = waiting
      waiting = []
      for (const run of due) later(() => enter(run))
    },
    kill: () => {
      isAlive = false
      waiting = []
    },
  }
}
