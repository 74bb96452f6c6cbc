/**
 * Who validates each block, counted by votes in the plainest way: all votes since the epoch are
 * replayed for every block. The slow, obvious version that nodes are compared with (qbft.md §6.1).
 */

import type { Address } from '@vellum/evm'
import { decodeExtraData, type Header } from '@vellum/ledger'

export interface VoteTally {
  /** Set in force for the block at this height; undefined if its parent was not seen. */
  validatorsFor(height: number): readonly Address[] | undefined
  /** Blocks in order of height; those seen before are passed over. */
  add(header: Header): void
}

export function createVoteTally(
  genesisValidators: readonly Address[],
  epochLength: number,
): VoteTally {
  /** By height of the block that they seal, from 1. */
  const sets: (readonly Address[])[] = [[], [...genesisValidators].sort()]
  let adds = new Map<Address, Set<Address>>()
  let drops = new Map<Address, Set<Address>>()

  function count(set: readonly Address[], voter: Address, header: Header): readonly Address[] {
    const { vote } = decodeExtraData(header.extraData)
    if (vote === undefined) return set
    const { recipient, kind } = vote
    const [mine, others] = kind === 'add' ? [adds, drops] : [drops, adds]
    others.get(recipient)?.delete(voter)
    const voters = mine.get(recipient) ?? new Set()
    mine.set(recipient, voters.add(voter))
    if (voters.size < Math.floor(set.length / 2) + 1) return set
    adds.delete(recipient)
    drops.delete(recipient)
    if (kind === 'add') return [...new Set([...set, recipient])].sort()
    for (const votes of [adds, drops]) for (const each of votes.values()) each.delete(recipient)
    return set.filter((each) => each !== recipient)
  }

  return {
    validatorsFor: (height) => sets[height],
    add: (header) => {
      const { number, coinbase } = header
      const set = sets[number]
      if (set === undefined || sets[number + 1] !== undefined) return
      if (number % epochLength === 0) {
        adds = new Map()
        drops = new Map()
        sets[number + 1] = set
      } else {
        sets[number + 1] = count(set, coinbase, header)
      }
    },
  }
}
