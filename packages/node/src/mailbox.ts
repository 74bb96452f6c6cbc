/**
 * The one queue in front of a chain: events are handled one at a time, and none of ours is ever lost.
 *
 * Timers, new heads and results go first, and are few by construction. Peers' messages wait in a queue
 * for each peer, served in turns, so that a flood of one delays nobody else; what does not fit is
 * dropped (everything that matters is said again). Spec: qbft.md §14.
 */

import type { PeerAddress } from './ports.ts'

export const MAILBOX_LIMITS = {
  /** Messages of one peer that wait. */
  messagesMax: 1_024,
  /** Bytes of one peer's messages that wait; one message always fits. */
  bytesMax: 33_554_432,
} as const

export interface Letter {
  readonly from: PeerAddress
  readonly bytes: Uint8Array
}

export interface Mailbox<Own> {
  /** One of our own events. */
  put(event: Own): void
  /** @returns false if the peer's queue is full */
  putLetter(letter: Letter): boolean
  /** The next in order; undefined when nothing waits. */
  take(): { readonly own: Own } | { readonly letter: Letter } | undefined
  /** Forgets what a peer that is gone has said. */
  forget(peer: PeerAddress): void
  readonly size: number
}

interface Lane {
  letters: Letter[]
  /** Position of the first letter that is not taken yet. */
  at: number
  bytes: number
}

/** @param onFirst called when something waits after nothing did */
export function createMailbox<Own>(onFirst: () => void): Mailbox<Own> {
  let own: Own[] = []
  let ownAt = 0
  const lanes = new Map<PeerAddress, Lane>()
  /** Peers with letters, in the order of their turns. */
  let turns: PeerAddress[] = []
  let size = 0

  function added(): void {
    size += 1
    if (size === 1) onFirst()
  }

  function takeOwn(): Own {
    const event = own[ownAt]!
    ownAt += 1
    if (ownAt === own.length) {
      own = []
      ownAt = 0
    }
    return event
  }

  function takeLetter(): Letter {
    const peer = turns.shift()!
    const lane = lanes.get(peer)!
    const letter = lane.letters[lane.at]!
    lane.at += 1
    lane.bytes -= letter.bytes.length
    if (lane.at === lane.letters.length) lanes.delete(peer)
    else turns.push(peer)
    return letter
  }

  return {
    put: (event) => {
      own.push(event)
      added()
    },
    putLetter: (letter) => {
      const lane = lanes.get(letter.from)
      if (lane === undefined) {
        lanes.set(letter.from, { letters: [letter], at: 0, bytes: letter.bytes.length })
        turns.push(letter.from)
      } else {
        const waiting = lane.letters.length - lane.at
        if (
          waiting >= MAILBOX_LIMITS.messagesMax ||
          lane.bytes + letter.bytes.length > MAILBOX_LIMITS.bytesMax
        ) {
          return false
        }
        if (lane.at > MAILBOX_LIMITS.messagesMax) {
          lane.letters = lane.letters.slice(lane.at)
          lane.at = 0
        }
        lane.letters.push(letter)
        lane.bytes += letter.bytes.length
      }
      added()
      return true
    },
    take: () => {
      if (size === 0) return undefined
      size -= 1
      return ownAt < own.length ? { own: takeOwn() } : { letter: takeLetter() }
    },
    forget: (peer) => {
      const lane = lanes.get(peer)
      if (lane === undefined) return
      size -= lane.letters.length - lane.at
      lanes.delete(peer)
      turns = turns.filter((each) => each !== peer)
    },
    get size() {
      return size
    },
  }
}
