/**
 * Senders of transactions that came in a block. Those in the pool are known already; the rest are
 * recovered, by threads if they are many and there are threads.
 */

import {
  isRefusal,
  type Pool,
  recoverSender,
  type Secp256k1,
  type SignedTransaction,
  signatureBytes,
  signingHash,
  type UnrecoveredTransaction,
  withSender,
} from '@vellum/ledger'
import type { SignerRecovery } from './ports.ts'

export interface SenderSource {
  /** The transactions with their senders, in order; undefined if nobody signed one of them. */
  recover(
    transactions: readonly UnrecoveredTransaction[],
  ): readonly SignedTransaction[] | undefined | Promise<readonly SignedTransaction[] | undefined>
}

/** So many are recovered on this thread: sending them away would take as long. */
const FEW = 4

export function createSenderSource(ports: {
  readonly pool: Pool
  readonly crypto: Secp256k1
  readonly recovery: SignerRecovery | undefined
}): SenderSource {
  const { pool, crypto, recovery } = ports

  function recoverHere(
    transactions: readonly (UnrecoveredTransaction | SignedTransaction)[],
  ): readonly SignedTransaction[] | undefined {
    try {
      return transactions.map((tx) => (isSigned(tx) ? tx : recoverSender(tx, crypto)))
    } catch (error) {
      if (!isRefusal(error)) throw error
      return undefined
    }
  }

  return {
    recover: (transactions) => {
      const known = transactions.map((tx) => pool.get(tx.hash) ?? tx)
      const unknown = known.filter((tx) => !isSigned(tx))
      if (recovery === undefined || unknown.length <= FEW) return recoverHere(known)
      const batch = unknown.map((tx) => ({
        hash: signingHash(tx),
        rs: signatureBytes(tx.signature),
        yParity: tx.signature.yParity,
      }))
      return recovery.recover(batch).then(
        (signers) => {
          let at = 0
          const signed: SignedTransaction[] = []
          for (const tx of known) {
            if (isSigned(tx)) {
              signed.push(tx)
              continue
            }
            const sender = signers[at++]
            if (sender === undefined) return undefined
            signed.push(withSender(tx, sender))
          }
          return signed
        },
        // The threads are busy or gone: slower, not wrong.
        () => recoverHere(known),
      )
    },
  }
}

function isSigned(tx: UnrecoveredTransaction | SignedTransaction): tx is SignedTransaction {
  return 'sender' in tx
}
