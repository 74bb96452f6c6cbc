/** Transactions, signed in the world's own scheme, handed to nodes as clients would. */

import { NO_BYTES } from '@vellum/evm'
import { LedgerError, type Secp256k1, signTransaction } from '@vellum/ledger'
import type { VellumNode } from '@vellum/node'
import type { Prng } from './prng.ts'
import type { Account } from './world-genesis.ts'

const GAS_LIMIT = 21_000n
/** Clients do not hand in more while this many wait: a chain that stands still gets no pile. */
const WAITING_MAX = 16

/**
 * Hands the node one transfer between two of the accounts, with the nonce that it knows of.
 * @returns false if it was held back, or the node refused it
 */
export function submitTransfer(
  node: VellumNode,
  accounts: readonly Account[],
  prng: Prng,
  crypto: Secp256k1,
): boolean {
  if (node.pool.size >= WAITING_MAX) return false
  const from = prng.pick(accounts)
  const to = prng.pick(accounts)
  const { encoded } = signTransaction(
    {
      type: 2,
      chainId: node.chain.genesis.chainId,
      nonce: node.backend.pool.nonce(from.address),
      gasLimit: GAS_LIMIT,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: to.address,
      value: BigInt(prng.whole(1, 1_000_000)),
      data: NO_BYTES,
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    from.key,
    crypto,
  )
  try {
    // Without threads for recovery, the answer is there at once.
    void node.backend.pool.submit(encoded)
    return true
  } catch (error) {
    if (error instanceof LedgerError) return false
    throw error
  }
}
