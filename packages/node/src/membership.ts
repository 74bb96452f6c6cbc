/** Who may connect because the chain says so: its validators, and the nodes that its Permissions contract lists. */

import type { Address, Hash } from '@vellum/evm'
import { type Chain, permittedNodes } from '@vellum/ledger'

export interface Membership {
  /** As of the head's state; `validators` first. */
  members(validators: readonly Address[]): readonly Address[]
}

/** @param contract undefined where the chain has none */
export function createMembership(
  chain: Pick<Chain, 'state'>,
  contract: Address | undefined,
): Membership {
  let root: Hash | undefined
  let nodes: readonly Address[] = []

  /** The list is read again when anything in the contract's storage has changed. */
  function listed(): readonly Address[] {
    if (contract === undefined) return nodes
    const state = chain.state()
    const now = state.account(contract)?.storageRoot
    if (now !== root) {
      root = now
      nodes = permittedNodes((slot) => state.storage(contract, slot))
    }
    return nodes
  }

  return {
    members: (validators) => [...new Set([...validators, ...listed()])],
  }
}
