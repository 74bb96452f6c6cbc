/** A budget that refills at a steady pace: how much of a thing a peer may use. */

import type { Clock } from '../ports.ts'
import type { Budget } from './network-limits.ts'

export interface TokenBucket {
  /**
   * Takes, even what is not there: what has arrived is here already.
   * @returns milliseconds until the debt is paid; 0 while within the budget
   */
  take(count: number): number
}

export function createTokenBucket(budget: Budget, clock: Clock): TokenBucket {
  let left = budget.burst
  let at = clock.elapsed()
  return {
    take: (count) => {
      const now = clock.elapsed()
      left = Math.min(budget.burst, left + ((now - at) * budget.perSecond) / 1_000) - count
      at = now
      return left >= 0 ? 0 : Math.ceil((-left * 1_000) / budget.perSecond)
    },
  }
}
