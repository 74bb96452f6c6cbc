/**
 * Calls peers that should be connected and are not, for ever: at once at first, then ever more
 * seldom, at times that differ from node to node.
 */

import type { CancelTimer, PeerAddress, Random, Timers } from '../ports.ts'
import type { NetworkLimits } from './network-limits.ts'

export interface Redial {
  /** Looks at a peer again: it is lost, or wanted, or its address became known. */
  consider(peer: PeerAddress): void
  /** The peer was there and well: the next call after a loss comes soon. */
  forgive(peer: PeerAddress): void
  /** Forgets about peers that are not wanted. */
  retain(isKept: (peer: PeerAddress) => boolean): void
  stop(): void
}

export interface RedialOptions {
  readonly limits: Pick<NetworkLimits, 'redialMsMin' | 'redialMsMax'>
  readonly timers: Timers
  readonly random: Random
  /** Whether the peer should be called now: wanted, not connected, not banned, address known. */
  readonly isDue: (peer: PeerAddress) => boolean
  /** Whether the peer is likely to call us at the same time, and its call would stay. */
  readonly isSecond: (peer: PeerAddress) => boolean
  /** Never rejects. */
  readonly dial: (peer: PeerAddress) => Promise<void>
}

interface Attempt {
  /** Calls since the peer was there. */
  count: number
  isCalling: boolean
  cancel: CancelTimer | undefined
}

export function createRedial(options: RedialOptions): Redial {
  const { limits, timers, random, isDue, isSecond, dial } = options
  const attempts = new Map<PeerAddress, Attempt>()
  let isStopped = false

  function consider(peer: PeerAddress): void {
    if (isStopped || !isDue(peer)) return
    let attempt = attempts.get(peer)
    if (attempt === undefined) {
      attempt = { count: 0, isCalling: false, cancel: undefined }
      attempts.set(peer, attempt)
    }
    if (attempt.isCalling || attempt.cancel !== undefined) return
    attempt.cancel = timers.after(delayMs(peer, attempt.count), () => {
      attempt.cancel = undefined
      if (!isStopped && isDue(peer)) void call(peer, attempt)
    })
  }

  async function call(peer: PeerAddress, attempt: Attempt): Promise<void> {
    attempt.isCalling = true
    attempt.count++
    await dial(peer)
    attempt.isCalling = false
    // A peer that was forgotten meanwhile has no attempt any more.
    if (attempts.get(peer) === attempt) consider(peer)
  }

  /**
   * After so many calls: half to all of a delay that doubles up to its limit. The first is spread,
   * too: when two lose each other, or hear of each other, both would call at once.
   */
  function delayMs(peer: PeerAddress, count: number): number {
    const [a = 0, b = 0] = random.bytes(2)
    const share = (a * 256 + b) / 65_536
    if (count === 0) return Math.floor(limits.redialMsMin * (isSecond(peer) ? 1 + share : share))
    const delay = Math.min(limits.redialMsMax, limits.redialMsMin * 2 ** Math.min(count - 1, 30))
    return Math.ceil(delay * (0.5 + share / 2))
  }

  return {
    consider,
    forgive: (peer) => {
      const attempt = attempts.get(peer)
      if (attempt !== undefined) attempt.count = 0
    },
    retain: (isKept) => {
      for (const [peer, attempt] of attempts) {
        if (isKept(peer)) continue
        attempt.cancel?.()
        attempts.delete(peer)
      }
    },
    stop: () => {
      isStopped = true
      for (const { cancel } of attempts.values()) cancel?.()
      attempts.clear()
    },
  }
}
