/** Errors of this package: bad input is thrown as a `LedgerError` with a code that never changes. */

export type LedgerErrorCode =
  /** Bytes that are not canonical RLP, or not of the expected shape. */
  | 'LEDGER_RLP_INVALID'
  /** A transaction whose fields break a rule that needs no state. */
  | 'LEDGER_TRANSACTION_INVALID'
  /** An EIP-2718 type byte that this node does not know. */
  | 'LEDGER_TRANSACTION_TYPE_UNKNOWN'
  /** A signature out of range, with a high s, or from which no key recovers. */
  | 'LEDGER_SIGNATURE_INVALID'
  /** Not 32 bytes, 0, or not below the order of secp256k1. */
  | 'LEDGER_PRIVATE_KEY_INVALID'
  /** EIP-712 data that does not fit its types; `details.path` names the place. */
  | 'LEDGER_TYPED_DATA_INVALID'
  /** A type of transaction that the fork does not have yet. */
  | 'LEDGER_TRANSACTION_TYPE_UNSUPPORTED'
  | 'LEDGER_CHAIN_ID'
  /** The gas limit is below what the transaction costs before it runs. */
  | 'LEDGER_INTRINSIC_GAS'
  | 'LEDGER_INITCODE_SIZE'
  /** The gas limit is above what the fork, or the rest of the block, allows. */
  | 'LEDGER_GAS_LIMIT'
  | 'LEDGER_BLOB_LIMIT'
  | 'LEDGER_FEE_TOO_LOW'
  | 'LEDGER_NONCE_TOO_LOW'
  | 'LEDGER_NONCE_TOO_HIGH'
  /** The sender's nonce has its highest value: it can send nothing more. */
  | 'LEDGER_SENDER_NONCE'
  | 'LEDGER_INSUFFICIENT_FUNDS'
  | 'LEDGER_SENDER_HAS_CODE'
  /** The chain's Permissions contract does not let the sender send, or deploy. */
  | 'LEDGER_NOT_PERMITTED'
  | 'LEDGER_RECEIPT_INVALID'
  | 'LEDGER_EXTRA_DATA_INVALID'
  /** A program pays for more memory than the machine can address; no block of Osaka can. */
  | 'LEDGER_MEMORY_LIMIT'
  /** The nodes that one block touches do not fit a gibibyte. */
  | 'LEDGER_TRIE_MEMORY'
  | 'LEDGER_HEADER_INVALID'
  | 'LEDGER_BLOCK_INVALID'
  /** A genesis file that cannot be used; `details.path` names the place. */
  | 'LEDGER_GENESIS_INVALID'
  /** A trie node that the store should have and has not: `details.path` and `details.hash`. */
  | 'LEDGER_TRIE_NODE_MISSING'
  /** A trie node whose bytes are not a canonical node. */
  | 'LEDGER_TRIE_NODE_INVALID'
  /** A record of the store that is missing, or whose checksum does not fit. */
  | 'LEDGER_STORE_DAMAGED'
  /** The store was written by a version with another layout. */
  | 'LEDGER_STORE_SCHEMA'
  /** The pool holds this very transaction. */
  | 'LEDGER_ALREADY_KNOWN'
  | 'LEDGER_BLOB_TRANSACTION_REFUSED'
  | 'LEDGER_TRANSACTION_TOO_LARGE'
  | 'LEDGER_REPLACEMENT_UNDERPRICED'
  | 'LEDGER_POOL_FULL'
  | 'LEDGER_TRANSACTION_TOO_SLOW'
  /** A simulated call asks for a state or block that cannot be. */
  | 'LEDGER_OVERRIDE_INVALID'
  /** A block that was asked for and that no rules allow. */
  | 'LEDGER_PAYLOAD_INVALID'
  /** A run that was to leave no trace, and took too long. */
  | 'LEDGER_SIMULATION_TIME'
  /** Simulated blocks that are too many, or whose numbers or times do not rise. */
  | 'LEDGER_SIMULATION_BLOCKS'
  | 'LEDGER_SIMULATION_NUMBER'
  | 'LEDGER_SIMULATION_TIMESTAMP'
  /** A query for logs that would look at more than it may; the message is for who asked. */
  | 'LEDGER_LOG_QUERY_LIMIT'
  /** No block at this height yet. */
  | 'LEDGER_BLOCK_UNKNOWN'
  /** A block below the snapshot that the store began with: its header is held, and nothing else. */
  | 'LEDGER_BLOCK_PRUNED'
  /** A state older than what a pruned node keeps. */
  | 'LEDGER_STATE_PRUNED'
  /** The store holds another chain. */
  | 'LEDGER_STORE_GENESIS'
  /** The store keeps another range of states than asked for. */
  | 'LEDGER_STORE_MODE'

/** Facts about an error, for logs and for callers that decide by them. */
export type LedgerErrorDetails = Readonly<
  Record<string, string | number | bigint | boolean | undefined>
>

export class LedgerError extends Error {
  readonly code: LedgerErrorCode
  readonly details: LedgerErrorDetails

  constructor(
    code: LedgerErrorCode,
    message: string,
    details: LedgerErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'LedgerError'
    this.code = code
    this.details = details
  }
}

const OURS: ReadonlySet<LedgerErrorCode> = new Set([
  'LEDGER_STORE_DAMAGED',
  'LEDGER_TRIE_NODE_MISSING',
  'LEDGER_TRIE_NODE_INVALID',
  'LEDGER_TRIE_MEMORY',
] as const)

/**
 * True for an error that says no to its input. False for all others, and for damage of our own disk
 * or want of memory, which is nobody's input: it must stop the node and not be taken for a refusal.
 */
export function isRefusal(error: unknown): error is LedgerError {
  return error instanceof LedgerError && !OURS.has(error.code)
}
