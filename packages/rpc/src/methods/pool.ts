/** The transactions that wait, by sender and nonce, as go-ethereum's txpool namespace shows them. */

import type { Address } from '@vellum/evm'
import type { SignedTransaction } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { checksummed, formatTransaction, quantity } from '../format.ts'
import { type JsonText, jsonString } from '../json.ts'
import { type Method, method } from '../method.ts'
import { parseAddress, required } from '../parse.ts'

type BySender = ReadonlyMap<Address, readonly SignedTransaction[]>

export function poolMethods({ pool }: Backend): Method[] {
  return [
    method('txpool_status', [], () => {
      const { pending, queued } = pool.size()
      return `{"pending":${quantity(pending)},"queued":${quantity(queued)}}`
    }),
    method('txpool_content', [], () => {
      const { pending, queued } = pool.content()
      return `{"pending":${bySender(pending, whole)},"queued":${bySender(queued, whole)}}`
    }),
    method('txpool_contentFrom', [required(parseAddress)], (sender) => {
      const { pending, queued } = pool.content()
      const of = (waiting: BySender): JsonText => byNonce(waiting.get(sender) ?? [], whole)
      return `{"pending":${of(pending)},"queued":${of(queued)}}`
    }),
    method('txpool_inspect', [], () => {
      const { pending, queued } = pool.content()
      return `{"pending":${bySender(pending, summary)},"queued":${bySender(queued, summary)}}`
    }),
  ]
}

function bySender(waiting: BySender, show: (tx: SignedTransaction) => JsonText): JsonText {
  const members = [...waiting].map(
    ([sender, transactions]) => `"${checksummed(sender)}":${byNonce(transactions, show)}`,
  )
  return `{${members.join(',')}}`
}

function byNonce(
  transactions: readonly SignedTransaction[],
  show: (tx: SignedTransaction) => JsonText,
): JsonText {
  return `{${transactions.map((tx) => `"${tx.nonce}":${show(tx)}`).join(',')}}`
}

function whole(tx: SignedTransaction): JsonText {
  return formatTransaction(tx, undefined, undefined)
}

function summary(tx: SignedTransaction): JsonText {
  const to = tx.to === undefined ? 'contract creation' : checksummed(tx.to)
  return jsonString(`${to}: ${tx.value} wei + ${tx.gasLimit} gas × ${tx.maxFeePerGas} wei`)
}
