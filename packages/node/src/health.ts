/** Whether a node lives, and whether it is of use: for those who restart it, and send it work. */

import { quorum } from '@vellum/consensus'
import type { Address } from '@vellum/evm'

export interface ReadinessFacts {
  readonly hasFailed: boolean
  /** Two blocks are sealed at one height: the chain is stopped here. */
  readonly isForked: boolean
  /** Blocks that the highest peer is ahead. */
  readonly behind: number
  /** Of the next block; empty on a chain that is not sealed by QBFT. */
  readonly validators: readonly Address[]
  readonly self: Address | undefined
  readonly isAbstaining: boolean
  readonly connected: readonly Address[]
  /** False: the node was told to be by itself. */
  readonly hasNetwork: boolean
}

export interface Readiness {
  readonly ready: boolean
  /** Why it is not ready, in words; empty if it is. */
  readonly reasons: readonly string[]
  /** The other chains of the process, by name: their trouble is not its own. */
  readonly chains?: Readonly<Record<string, Readiness>>
}

/** So many blocks behind, answers are still worth having. */
export const READY_BLOCKS_BEHIND_MAX = 8

export function readiness(facts: ReadinessFacts): Readiness {
  const { behind, validators, self, connected } = facts
  const reasons: string[] = []
  if (facts.hasFailed) reasons.push('the node has failed and stops')
  if (facts.isForked) reasons.push('the chain is forked, and stopped here (NODE_CHAIN_FORKED)')
  if (behind > READY_BLOCKS_BEHIND_MAX) {
    reasons.push(`${behind} blocks behind the peers, more than ${READY_BLOCKS_BEHIND_MAX}`)
  }
  const isValidator = self !== undefined && validators.includes(self)
  if (isValidator) {
    const needed = quorum(validators.length)
    const there = validators.filter((each) => each === self || connected.includes(each)).length
    if (there < needed) {
      reasons.push(
        `connected to ${there} of ${validators.length} validators, itself included; ${needed} are needed`,
      )
    }
    if (facts.isAbstaining) reasons.push('this validator abstains from voting')
  } else if (facts.hasNetwork && connected.length === 0) {
    reasons.push('no peer is connected')
  }
  return { ready: reasons.length === 0, reasons }
}
