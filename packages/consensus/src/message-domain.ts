/**
 * The domain of a chain's messages: with it, what a validator says on one chain is nobody's word on
 * another.
 *
 * Besu's messages name a height and a round, but no chain. A key that validates two chains signs at
 * the same height and round of both; its words of one chain could be carried to the other, and would
 * there undo a lock, or pass for a contradiction. So a genesis may ask (`config.vellum.chainDomain`)
 * that the hash of the genesis block is signed together with each payload. Seals of blocks stay as they
 * are: the header that they sign names its parent.
 */

import { concatBytes, keccak256 } from '@vellum/evm'
import type { RecoverAuthor, SignHash } from './codec.ts'

/** Hash of the genesis block, 32 bytes; undefined: Besu's messages, of no chain in particular. */
export type MessageDomain = Uint8Array | undefined

/** @returns what signs a message's hash in the domain */
export function signerIn(domain: MessageDomain, sign: SignHash): SignHash {
  return domain === undefined ? sign : (hash) => sign(domainHash(domain, hash))
}

/** @returns who signed a message's hash in the domain */
export function recoveryIn(domain: MessageDomain, recover: RecoverAuthor): RecoverAuthor {
  return domain === undefined
    ? recover
    : (hash, signature) => recover(domainHash(domain, hash), signature)
}

/** @param hash `messageHash`, 32 bytes */
function domainHash(domain: Uint8Array, hash: Uint8Array): Uint8Array {
  return keccak256(concatBytes(domain, hash))
}
