/**
 * Transactions of somebody with a key, handed to a node as a client would: with the nonce that the node
 * knows of. What is lost is lost; whoever wants something done looks at the chain and asks again.
 */

import { type Address, bytesToBigInt, type Hash } from '@vellum/evm'
import { LedgerError, type Secp256k1, signTransaction } from '@vellum/ledger'
import type { VellumNode } from '@vellum/node'
import type { Account } from '../world-genesis.ts'

export interface Call {
  readonly to: Address
  readonly data: Uint8Array
  /** Default 1,000,000. */
  readonly gasLimit?: bigint
}

const GAS_LIMIT = 1_000_000n

/** @returns the transaction's hash; undefined if the node refused it */
export function submitCall(
  node: VellumNode,
  from: Account,
  { to, data, gasLimit = GAS_LIMIT }: Call,
  crypto: Secp256k1,
): Hash | undefined {
  const { encoded, hash } = signTransaction(
    {
      type: 2,
      chainId: node.chain.genesis.chainId,
      nonce: node.backend.pool.nonce(from.address),
      gasLimit,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to,
      value: 0n,
      data,
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
    return hash
  } catch (error) {
    if (error instanceof LedgerError) return undefined
    throw error
  }
}

/**
 * What a call would answer on the state after a block; undefined if it would be refused.
 * @param number default: the head
 */
export function ask(
  node: VellumNode,
  to: Address,
  data: Uint8Array,
  number: number = node.chain.head().header.number,
): Uint8Array | undefined {
  const outcome = node.backend.simulator.call({
    request: { to, data },
    number,
    stateOverrides: undefined,
    blockOverrides: undefined,
  })
  if (outcome instanceof Promise) throw new Error('a call in a world has its answer at once')
  return outcome.status === 'success' ? outcome.output : undefined
}

/** The number that a contract answers; -1: it refuses. */
export function askNumber(
  node: VellumNode,
  to: Address,
  data: Uint8Array,
  number?: number,
): bigint {
  const output = ask(node, to, data, number)
  return output === undefined ? -1n : bytesToBigInt(output.subarray(0, 32))
}
