/**
 * Proofs of what a gateway has stored: its account under a state root, a slot under its storage root.
 * `verifyGatewayProof` judges as the gateway of the other chain does: inclusion only, one encoding of a
 * value, not a node too many. Spec: docs/protocol/peg.md; EIP-1186.
 */

import { type Address, bigIntToBytes, bytesToHex, type Hash, ZERO_HASH } from '@vellum/evm'
import { type StateProof, verifyAccountProof, verifyStorageProof } from '@vellum/ledger'

/** A slot of an account, proven under the state root of a block. */
export interface GatewayProof {
  readonly slot: Hash
  /** The 32-byte word. */
  readonly value: Hash
  /** Trie nodes from the state root down to the account. */
  readonly accountProof: readonly Uint8Array[]
  /** Trie nodes from the account's storage root down to the slot. */
  readonly storageProof: readonly Uint8Array[]
}

/** Proofs of slots as `eth_getProof` and `StateView.prove` give them. */
export function gatewayProofs({ accountProof, storage }: StateProof): GatewayProof[] {
  return storage.map(({ slot, value, proof }) => ({
    slot,
    value: bytesToHex(bigIntToBytes(value, 32)),
    accountProof,
    storageProof: proof,
  }))
}

export type ProofRefusalAt = {
  readonly ok: false
  readonly part: 'account' | 'storage'
  readonly reason: string
}

/** What is asked: that a slot of an account has a value that is not zero. */
export interface ProofQuestion {
  readonly stateRoot: Hash
  readonly account: Address
  readonly slot: Hash
  readonly value: Hash
  readonly accountProof: readonly Uint8Array[]
  readonly storageProof: readonly Uint8Array[]
}

/** Whether the slot holds the value under that state root. */
export function verifyGatewayProof(
  question: ProofQuestion,
): { readonly ok: true } | ProofRefusalAt {
  const { stateRoot, account, slot, value } = question
  if (stateRoot === ZERO_HASH) return refused('account', 'state root is zero')
  if (value === ZERO_HASH) return refused('storage', 'nothing is proven by a zero')
  const found = verifyAccountProof(stateRoot, account, question.accountProof)
  if (!found.ok) return refused('account', found.reason)
  if (found.value === undefined) return refused('account', 'there is no such account')
  const stored = verifyStorageProof(found.value.storageRoot, slot, question.storageProof)
  if (!stored.ok) return refused('storage', stored.reason)
  if (stored.value !== BigInt(value)) return refused('storage', 'the slot holds something else')
  return { ok: true }
}

function refused(part: 'account' | 'storage', reason: string): ProofRefusalAt {
  return { ok: false, part, reason }
}
