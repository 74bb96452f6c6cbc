/** A transaction that calls a contract, signed by a key that only the signer holds: of relayers and the council. */

import type { Address } from '@vellum/evm'
import { bytesToBigInt } from '@vellum/evm'
import { encodeTransaction, signingHash, type Transaction } from '@vellum/ledger'
import type { Signer } from './ports.ts'

export interface SignedCall {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly to: Address
  readonly data: Uint8Array
  readonly gas: bigint
  /** Wei a gas; the tip is 0. */
  readonly maxFeePerGas: bigint
}

/** Its EIP-2718 bytes. */
export function signCall(call: SignedCall, signer: Signer): Uint8Array {
  const { chainId, nonce, to, data, gas, maxFeePerGas } = call
  const transaction: Transaction = {
    type: 2,
    chainId,
    nonce,
    gasLimit: gas,
    maxFeePerGas,
    maxPriorityFeePerGas: 0n,
    to,
    value: 0n,
    data,
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
  }
  const signature = signer.sign(signingHash(transaction))
  return encodeTransaction(transaction, {
    r: bytesToBigInt(signature.subarray(0, 32)),
    s: bytesToBigInt(signature.subarray(32, 64)),
    yParity: signature[64] === 0 ? 0 : 1,
  })
}
