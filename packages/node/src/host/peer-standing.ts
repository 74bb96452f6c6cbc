/**
 * What peers have done wrong, and who is refused for it. In memory: a restart forgives.
 *
 * Severe faults are counted; slight ones add up and fade, so that rare accidents never matter and a
 * stream of them does.
 */

import type { Clock, PeerAddress } from '../ports.ts'
import type { NetworkLimits } from './network-limits.ts'

export interface PeerStanding {
  /** @param count faults at once @returns true if the peer is to be cut off now */
  penalise(peer: PeerAddress, weight: 'slight' | 'severe', count?: number): boolean
  isBanned(peer: PeerAddress): boolean
}

interface Record {
  severe: number
  slight: number
  /** Clock of the last fault. */
  at: number
  bannedUntil: number
}

type Limits = Pick<
  NetworkLimits,
  | 'slightFaultsMax'
  | 'slightHalfLifeMs'
  | 'severeFaultsMax'
  | 'banMs'
  | 'severeMemoryMs'
  | 'standingsMax'
>

export function createPeerStanding(limits: Limits, clock: Clock): PeerStanding {
  /** In the order of their last faults. */
  const records = new Map<PeerAddress, Record>()

  function recordOf(peer: PeerAddress, now: number): Record {
    const old = records.get(peer)
    records.delete(peer)
    const record = old ?? { severe: 0, slight: 0, at: now, bannedUntil: Number.NEGATIVE_INFINITY }
    records.set(peer, record)
    if (records.size > limits.standingsMax) {
      for (const first of records.keys()) {
        records.delete(first)
        break
      }
    }
    return record
  }

  return {
    penalise: (peer, weight, count = 1) => {
      const now = clock.elapsed()
      const record = recordOf(peer, now)
      if (record.bannedUntil > now) return false
      const passed = now - record.at
      record.slight *= 0.5 ** (passed / limits.slightHalfLifeMs)
      if (passed > limits.severeMemoryMs) record.severe = 0
      record.at = now
      if (weight === 'severe') record.severe += count
      else record.slight += count
      if (record.severe < limits.severeFaultsMax && record.slight < limits.slightFaultsMax) {
        return false
      }
      record.severe = 0
      record.slight = 0
      record.bannedUntil = now + limits.banMs
      return true
    },
    isBanned: (peer) => (records.get(peer)?.bannedUntil ?? 0) > clock.elapsed(),
  }
}
