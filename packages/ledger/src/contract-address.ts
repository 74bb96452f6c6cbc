/** Where a creation puts its contract (yellow paper 7, equation 82). */

import { type Address, bytesToHex, hexToBytes, keccak256 } from '@vellum/evm'
import { encodeRlp, rlpScalar } from './rlp.ts'

/** @param nonce of the sender before the creation */
export function contractAddress(sender: Address, nonce: bigint): Address {
  const hash = keccak256(encodeRlp([hexToBytes(sender), rlpScalar(nonce)]))
  return bytesToHex(hash.subarray(12))
}
