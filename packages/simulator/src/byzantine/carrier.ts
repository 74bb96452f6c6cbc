/**
 * Validates several chains with one key, as its neighbours do, and carries what it hears on one chain to
 * the others: a prepare, a commit, a round change of the same height and round may pass for one of there.
 * Where messages have a domain (qbft.md "Chain domain"), nobody is heard in another's name.
 */

import type { Behaviour } from './interference.ts'

/** What is heard on chains of one machine: the latest of each. */
export type Board = Map<string, Uint8Array[]>

/** Messages kept of each chain, and carried for each of one's own. */
const KEPT_MAX = 64
const CARRIED_MAX = 2

/** @param chain on which this node is @param board shared with the machine's other nodes */
export function carrier(chain: string, board: Board): Behaviour {
  return ({ prng }) => {
    const keep = (bytes: Uint8Array): void => {
      const kept = board.get(chain) ?? []
      board.set(chain, kept)
      if (kept.length >= KEPT_MAX) kept.shift()
      kept.push(bytes)
    }
    return {
      heard: (_, bytes) => keep(bytes),
      consensus: ({ bytes }) => {
        keep(bytes)
        const foreign = [...board].flatMap(([name, kept]) => (name === chain ? [] : kept))
        return [bytes, ...prng.shuffled(foreign).slice(0, prng.whole(0, CARRIED_MAX))]
      },
    }
  }
}
