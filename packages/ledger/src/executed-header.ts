/** The header of a block that was executed: what execution found, beside what it began with. */

import { type Fork, type Hash, isAtLeast } from '@vellum/evm'
import {
  EMPTY_OMMERS_HASH,
  type Header,
  transactionsRoot,
  type Withdrawal,
  withdrawalsRoot,
} from './block.ts'
import type { BlockEnvironment, BlockOutcome } from './execute-block.ts'
import type { SignedTransaction } from './transaction.ts'
import { rootOfList } from './trie.ts'

export interface ExecutedParts {
  readonly fork: Fork
  readonly environment: BlockEnvironment
  readonly outcome: BlockOutcome
  readonly stateRoot: Hash
  readonly transactions: readonly SignedTransaction[]
  /** undefined before Shanghai. */
  readonly withdrawals: readonly Withdrawal[] | undefined
  readonly extraData: Uint8Array
  /** 8 bytes. */
  readonly nonce: Uint8Array
}

/** Of a block without ommers. */
export function executedHeader(parts: ExecutedParts): Header {
  const { fork, environment, outcome, withdrawals } = parts
  return {
    ...environment,
    ommersHash: EMPTY_OMMERS_HASH,
    stateRoot: parts.stateRoot,
    transactionsRoot: transactionsRoot(parts.transactions),
    receiptsRoot: rootOfList(outcome.encodedReceipts),
    logsBloom: outcome.logsBloom,
    gasUsed: outcome.gasUsed,
    extraData: parts.extraData,
    nonce: parts.nonce,
    withdrawalsRoot: withdrawals && withdrawalsRoot(withdrawals),
    blobGasUsed: isAtLeast(fork, 'cancun') ? outcome.blobGasUsed : undefined,
    requestsHash: outcome.requestsHash,
  }
}
