/**
 * What the operator wants changed in the validator set: one vote goes into each block of ours, in
 * turns, as long as it would still have an effect. Spec: qbft.md §6.1; Besu `VoteProposer`.
 */

import { isEpochBlock, type ValidatorState, type Vote } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { NodeError } from './error.ts'

export interface OperatorVotes {
  /** Replaces what was wanted for the subject. @throws NodeError NODE_VOTE_REFUSED if too many wait */
  propose(subject: Address, kind: Vote['kind']): void
  /** False if nothing was wanted for it. */
  discard(subject: Address): boolean
  pending(): ReadonlyMap<Address, Vote['kind']>
  /** The vote for a block of ours; undefined where none would have an effect. */
  voteFor(block: {
    readonly height: number
    readonly proposer: Address
    readonly state: ValidatorState
  }): Vote | undefined
}

/** Subjects that wait for votes. */
const PENDING_MAX = 128

/** @param epochLength votes in the last block of an epoch are ignored, so none is wasted there */
export function createOperatorVotes(epochLength: number): OperatorVotes {
  const wanted = new Map<Address, Vote['kind']>()
  let turn = 0
  return {
    propose: (subject, kind) => {
      if (!wanted.has(subject) && wanted.size >= PENDING_MAX) {
        throw new NodeError(
          'NODE_VOTE_REFUSED',
          `${PENDING_MAX} votes are waiting; discard one first`,
        )
      }
      wanted.set(subject, kind)
    },
    discard: (subject) => wanted.delete(subject),
    pending: () => wanted,
    voteFor: ({ height, proposer, state }) => {
      if (isEpochBlock(height, epochLength)) return undefined
      const useful = [...wanted].filter(([subject, kind]) => {
        const isMember = state.validators.includes(subject)
        const [same, opposite] =
          kind === 'add' ? [state.adds, state.drops] : [state.drops, state.adds]
        // It would change nothing, but for taking back what we have voted before.
        if (isMember === (kind === 'add')) return opposite.get(subject)?.has(proposer) ?? false
        return !same.get(subject)?.has(proposer)
      })
      if (useful.length === 0) return undefined
      const [recipient, kind] = useful[turn++ % useful.length]!
      return { recipient, kind }
    },
  }
}
