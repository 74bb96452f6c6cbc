/**
 * Memory of presentations that were shown: none is good twice. It forgets what has expired, and
 * refuses rather than forgets what has not.
 */

import { LICENCE_LIMITS } from './config.ts'

export interface ReplayMemory {
  /**
   * Notes a presentation.
   * @param expiresAt last second, with skew, at which it could be accepted
   */
  note(seen: {
    readonly id: string
    readonly expiresAt: number
    readonly now: number
  }): ReplayAnswer
}

export type ReplayAnswer = 'new' | 'seen' | 'full'

export function createReplayMemory(
  entriesMax: number = LICENCE_LIMITS.replayEntriesMax,
): ReplayMemory {
  const expiries = new Map<string, number>()

  function forget(now: number): void {
    for (const [id, expiresAt] of expiries) if (expiresAt < now) expiries.delete(id)
  }

  return {
    note: ({ id, expiresAt, now }) => {
      const known = expiries.get(id)
      if (known !== undefined && known >= now) return 'seen'
      if (expiries.size >= entriesMax) forget(now)
      if (expiries.size >= entriesMax) return 'full'
      expiries.set(id, expiresAt)
      return 'new'
    },
  }
}
