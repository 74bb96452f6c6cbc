/** What can go wrong around a node: configuration, files, disk, ports. */

/** Stable words; messages may change. */
export type NodeErrorCode =
  /** Two blocks are sealed at one height of this chain: see fork-book.ts. */
  | 'NODE_CHAIN_FORKED'
  | 'NODE_CONFIG_INVALID'
  | 'NODE_FILE_INVALID'
  | 'NODE_GENESIS_MISMATCH'
  | 'NODE_IMPORT_REFUSED'
  | 'NODE_KEYSTORE_INVALID'
  | 'NODE_KEYSTORE_PASSWORD'
  | 'NODE_KEYSTORE_WEAK'
  /** The network could not be started, for another reason than a taken port. */
  | 'NODE_NETWORK_FAILED'
  /** The peer is not connected, or was lost before it answered. */
  | 'NODE_PEER_AWAY'
  /** The peer ended the exchange without an answer, or we may not ask it more now. */
  | 'NODE_PEER_REFUSED'
  | 'NODE_PEER_TIMEOUT'
  | 'NODE_PORT_TAKEN'
  /** Another node, asked by a command, does not want to do it; the message has its words. */
  | 'NODE_RPC_REFUSED'
  /** Another node, asked by a command, does not answer. */
  | 'NODE_UNREACHABLE'
  /** More signatures wait than the recovery pool takes. */
  | 'NODE_RECOVERY_BUSY'
  /** A thread of the recovery pool failed, or the pool was stopped. */
  | 'NODE_RECOVERY_FAILED'
  /** A validator vote that may not be cast; the message says why. */
  | 'NODE_VOTE_REFUSED'
  | 'NODE_STORE_DAMAGED'
  | 'NODE_STORE_FAILED'
  | 'NODE_STORE_LOCKED'
  | 'NODE_STORE_MISSING'
  | 'NODE_STORE_SHORTENED'

/** Facts that belong to an error, for programs. */
export type NodeErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>

/** An error that says, in its message, what happened and what to do next. */
export class NodeError extends Error {
  override readonly name = 'NodeError'
  readonly code: NodeErrorCode
  readonly details: NodeErrorDetails

  constructor(
    code: NodeErrorCode,
    message: string,
    details: NodeErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.details = details
  }
}
