/** Watching one transaction: from before its fees are taken until they are settled. */

import type { Address, Fork, Precompile, Tracer, World } from '@vellum/evm'
import type { TransactionResult } from './execute.ts'
import { type Authorization, recoverAuthority, type SenderRecovery } from './transaction.ts'

/** The transaction and what it meets. */
export interface TransactionStart {
  /** As the transaction finds it. Reading it leaves no trace. */
  readonly world: World
  readonly fork: Fork
  readonly coinbase: Address
  readonly precompiles: ReadonlyMap<Address, Precompile>
  readonly sender: Address
  /** undefined creates a contract. */
  readonly to: Address | undefined
  readonly gasLimit: bigint
  /** Signers of its EIP-7702 authorisations; costs a curve operation each. */
  authorities(): Address[]
  /** Events of the block before it. */
  readonly logsBefore: number
}

export interface TransactionWatch {
  /** @returns the hooks that see it run. What they throw ends the run, and is thrown on. */
  start(transaction: TransactionStart): Tracer
  /** The world is now as the transaction left it. */
  end(result: WatchedResult): void
}

/** The accounts that signed, without the authorisations that nobody did. */
export function authoritiesOf(list: readonly Authorization[], crypto: SenderRecovery): Address[] {
  return list
    .map((authorization) => recoverAuthority(authorization, crypto))
    .filter((authority) => authority !== undefined)
}

export type WatchedResult = Pick<TransactionResult, 'halt' | 'gasUsed' | 'output'>
