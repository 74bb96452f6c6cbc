/** The transactions that wait, by sender and nonce, as go-ethereum's txpool namespace shows them. */

import type { Address } from '@vellum/evm'
import type { SignedTransaction } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { RESPONSE_TOO_LARGE, RpcError } from '../error.ts'
import { checksummed, formatTransaction, quantity } from '../format.ts'
import { type JsonText, jsonString } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import { parseAddress, required } from '../parse.ts'

type BySender = ReadonlyMap<Address, readonly SignedTransaction[]>

export function poolMethods({ pool }: Backend, limits: RpcLimits): Method[] {
  /** Both parts of the pool, as far as an answer may be long. */
  function content(show: (tx: SignedTransaction) => JsonText): JsonText {
    const { pending, queued } = pool.content()
    let room = limits.responseCharsMax
    const bounded = (tx: SignedTransaction): JsonText => {
      const text = show(tx)
      room -= text.length
      if (room < 0) throw new RpcError(RESPONSE_TOO_LARGE, 'response too large')
      return text
    }
    return `{"pending":${bySender(pending, bounded)},"queued":${bySender(queued, bounded)}}`
  }

  return [
    method('txpool_status', [], () => {
      const { pending, queued } = pool.size()
      return `{"pending":${quantity(pending)},"queued":${quantity(queued)}}`
    }),
    method('txpool_content', [], () => content(whole)),
    method('txpool_contentFrom', [required(parseAddress)], (sender) => {
      const { pending, queued } = pool.content()
      const of = (waiting: BySender): JsonText => byNonce(waiting.get(sender) ?? [], whole)
      return `{"pending":${of(pending)},"queued":${of(queued)}}`
    }),
    method('txpool_inspect', [], () => content(summary)),
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
