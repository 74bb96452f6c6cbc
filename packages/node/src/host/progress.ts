/** Lines on standard error about work that takes longer than two seconds. */

export interface Progress {
  /** A reporter of bytes done out of all. */
  bytes(what: string): (done: number, total: number) => void
  /** A reporter of things done; the total is often not known. */
  count(what: string): (done: number, total?: number) => void
}

const QUIET_MS = 2_000

export function createProgress(write: (line: string) => void): Progress {
  const every = (): (() => boolean) => {
    let shownAt = performance.now()
    return () => {
      const now = performance.now()
      if (now - shownAt < QUIET_MS) return false
      shownAt = now
      return true
    }
  }
  return {
    bytes: (what) => {
      const isDue = every()
      return (done, total) => {
        if (isDue()) write(`${what}: ${mebibytes(done)} of ${mebibytes(total)}\n`)
      }
    },
    count: (what) => {
      const isDue = every()
      return (done, total) => {
        if (isDue()) write(`${what}: ${done}${total === undefined ? '' : ` of ${total}`}\n`)
      }
    },
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
