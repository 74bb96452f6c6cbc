/**
 * Merkle proofs of single entries, and of accounts and storage slots (EIP-1186).
 *
 * A proof is the list of nodes from the root towards a key, those embedded in their parents left
 * out. Verification is strict: every node must be used and canonical, so a proof that is altered
 * in any byte, shortened or extended is refused.
 */

import {
  type Address,
  bytesToBigInt,
  equalBytes,
  type Hash,
  hexToBytes,
  keccak256,
} from '@vellum/evm'
import { type Account, decodeAccount } from './account.ts'
import { LedgerError } from './error.ts'
import { decodeRlp } from './rlp.ts'
import { EMPTY_ROOT } from './trie.ts'
import { childAt, decodeNode, type LoadedNode, REF_BYTES } from './trie-node.ts'
import { nibblesOf } from './trie-path.ts'

export type ProofVerdict<Value> =
  /** undefined: proven to be absent. */
  { readonly ok: true; readonly value: Value | undefined } | ProofRefusal

export interface ProofRefusal {
  readonly ok: false
  readonly reason: ProofRefusalReason
}

export type ProofRefusalReason =
  /** The list ends before the way to the key does. */
  | 'node missing'
  /** A node is not the one that its parent, or the root, names. */
  | 'hash mismatch'
  /** Bytes that no trie would have written. */
  | 'node invalid'
  /** The way to the key ends before the list does. */
  | 'node unused'
  /** The proven bytes are not an account or storage value. */
  | 'value invalid'

/** Nodes from a 32-byte key's root to its end: 64 nibbles, one node each, and the leaf. */
const PROOF_NODES_MAX = 65

/**
 * Verifies what a trie with this root holds at a key.
 * @param key as the trie has it: for a secure trie, the keccak256 of the name
 * @param proof root first; no nodes (or the RLP of no bytes) for the empty trie
 */
export function verifyProof(
  root: Hash,
  key: Uint8Array,
  proof: readonly Uint8Array[],
): ProofVerdict<Uint8Array> {
  if (root === EMPTY_ROOT) {
    // Some clients prove the empty trie by its "node", others by none.
    const [only] = proof
    const isEmpty = only === undefined || (proof.length === 1 && equalBytes(only, EMPTY_NODE))
    return isEmpty ? { ok: true, value: undefined } : refused('node unused')
  }
  if (proof.length > Math.max(PROOF_NODES_MAX, 2 * key.length + 1)) return refused('node unused')
  const nibbles = nibblesOf(key)
  let expected = hexToBytes(root)
  let depth = 0
  for (let i = 0; i < proof.length; i++) {
    const encoded = proof[i]!
    if (!equalBytes(keccak256(encoded), expected)) return refused('hash mismatch')
    if (i > 0 && encoded.length < REF_BYTES) return refused('node invalid')
    let node: LoadedNode
    try {
      node = decodeNode(encoded, expected)
    } catch (error) {
      if (error instanceof LedgerError) return refused('node invalid')
      throw error
    }
    const step = descend(node, nibbles, depth)
    if (step.next === undefined) {
      return i === proof.length - 1 ? { ok: true, value: step.value } : refused('node unused')
    }
    expected = step.next
    depth = step.depth
  }
  return refused('node missing')
}

/**
 * Verifies an account against a state root.
 * @param proof `accountProof` of `eth_getProof`
 */
export function verifyAccountProof(
  stateRoot: Hash,
  address: Address,
  proof: readonly Uint8Array[],
): ProofVerdict<Account> {
  return decoded(verifyProof(stateRoot, keccak256(hexToBytes(address)), proof), decodeAccount)
}

/**
 * Verifies a storage slot against an account's storage root. A slot that is absent is zero.
 * @param slot raw 32-byte key
 * @param proof `storageProof[].proof` of `eth_getProof`
 */
export function verifyStorageProof(
  storageRoot: Hash,
  slot: Hash,
  proof: readonly Uint8Array[],
): { readonly ok: true; readonly value: bigint } | ProofRefusal {
  const verdict = decoded(
    verifyProof(storageRoot, keccak256(hexToBytes(slot)), proof),
    decodeStorageValue,
  )
  return verdict.ok ? { ok: true, value: verdict.value ?? 0n } : verdict
}

/** The 256-bit word of a storage trie's value. @throws LedgerError LEDGER_RLP_INVALID */
export function decodeStorageValue(bytes: Uint8Array): bigint {
  const word = decodeRlp(bytes)
  if (!(word instanceof Uint8Array) || word.length === 0 || word.length > 32 || word[0] === 0) {
    throw new LedgerError('LEDGER_RLP_INVALID', 'the bytes are not a storage value')
  }
  return bytesToBigInt(word)
}

const EMPTY_NODE = Uint8Array.of(0x80)

/** Where the way to a key leads from a node: to a hash, or to its end, found or not. */
type Step =
  | { readonly next: Uint8Array; readonly depth: number }
  | { readonly next: undefined; readonly value: Uint8Array | undefined }

const ABSENT: Step = { next: undefined, value: undefined }

function descend(start: LoadedNode, key: Uint8Array, from: number): Step {
  let node = start
  let depth = from
  for (;;) {
    if (node.kind === 'leaf') {
      const isHere = equalBytes(node.path, key.subarray(depth))
      return isHere ? { next: undefined, value: node.value } : ABSENT
    }
    if (node.kind === 'branch' && depth === key.length) {
      return { next: undefined, value: node.value }
    }
    if (node.kind === 'extension') {
      const end = depth + node.path.length
      if (!equalBytes(node.path, key.subarray(depth, end))) return ABSENT
      depth = end
    }
    const child = node.kind === 'branch' ? childAt(node, key[depth++]!) : node.child
    if (child === undefined) return ABSENT
    if (child.kind === 'stub') return { next: child.ref, depth }
    node = child
  }
}

function decoded<Value>(
  verdict: ProofVerdict<Uint8Array>,
  decode: (bytes: Uint8Array) => Value,
): ProofVerdict<Value> {
  if (!verdict.ok) return verdict
  if (verdict.value === undefined) return { ok: true, value: undefined }
  try {
    return { ok: true, value: decode(verdict.value) }
  } catch (error) {
    if (error instanceof LedgerError) return refused('value invalid')
    throw error
  }
}

function refused(reason: ProofRefusalReason): ProofRefusal {
  return { ok: false, reason }
}
