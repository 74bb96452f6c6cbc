/** Who proposes. Spec: qbft.md §7, Besu `BftProposerSelector` with a change at each block. */

import type { Address } from '@vellum/evm'

export interface ProposerQuestion {
  /** Set for the height, ascending, not empty. */
  readonly validators: readonly Address[]
  /** Coinbase of the block before: in the set, or voted out of it, or nobody (genesis). */
  readonly previous: Address
  readonly round: number
}

/** Round robin from the previous proposer, or from the next higher address if it has left the set. */
export function proposerOf({ validators, previous, round }: ProposerQuestion): Address {
  const index = validators.indexOf(previous)
  const start = index >= 0 ? index + 1 : firstAbove(validators, previous)
  return validators[(start + round) % validators.length]!
}

function firstAbove(validators: readonly Address[], previous: Address): number {
  const index = validators.findIndex((each) => each > previous)
  return index === -1 ? 0 : index
}
