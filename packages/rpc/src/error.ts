/**
 * Errors as JSON-RPC knows them, and the one place where other errors become such.
 *
 * Codes: JSON-RPC 2.0 section 5.1, EIP-1474, and for refused transactions the words of
 * go-ethereum, which ethers, viem and Foundry recognise by pattern.
 */

import { LedgerError, type LedgerErrorCode } from '@vellum/ledger'

export const PARSE_ERROR = -32700
export const INVALID_REQUEST = -32600
export const METHOD_NOT_FOUND = -32601
export const INVALID_PARAMS = -32602
export const INTERNAL_ERROR = -32603
/** Whatever the node refuses for a reason of the chain's. */
export const SERVER_ERROR = -32000
export const RESPONSE_TOO_LARGE = -32003
export const LIMIT_EXCEEDED = -32005
/** As Besu: the method is known, and not served here. */
export const METHOD_NOT_ENABLED = -32604
/** As Besu: the caller's token does not grant the method. */
export const UNAUTHORISED = -40100
/** Of a call inside a simulation: the machine stopped it. */
export const VM_ERROR = -32015
/** Of a simulation: more blocks than it may have. */
export const TOO_MANY_BLOCKS = -38026
/** EIP-7966: the transaction is in the pool, but the time to wait for its receipt is over. */
export const RECEIPT_TIMEOUT = 4
/** As go-ethereum: the call ran and reverted; `data` is what it reverted with. */
export const EXECUTION_REVERTED = 3
/** As go-ethereum (EIP-4444): the block is older than what this node holds. */
export const PRUNED_HISTORY = 4444

/** What a client is told. `data` is JSON text. */
export class RpcError extends Error {
  readonly code: number
  readonly data: string | undefined

  constructor(code: number, message: string, data?: string) {
    super(message)
    this.name = 'RpcError'
    this.code = code
    this.data = data
  }
}

/** @param message what is wrong with the parameters, in words for the caller */
export function invalidParams(message: string): RpcError {
  return new RpcError(INVALID_PARAMS, message)
}

/** @param message which limit and how large it is */
export function limitExceeded(message: string): RpcError {
  return new RpcError(LIMIT_EXCEEDED, message)
}

/**
 * Words for the client by ledger code. A code that is not here tells of trouble inside the node, and
 * messages written for our logs never leave it.
 */
const REFUSALS: Readonly<Partial<Record<LedgerErrorCode, string>>> = {
  LEDGER_RLP_INVALID: 'rlp: the transaction is not canonically encoded',
  LEDGER_TRANSACTION_INVALID: 'invalid transaction',
  LEDGER_TRANSACTION_TYPE_UNKNOWN: 'transaction type not supported',
  LEDGER_TRANSACTION_TYPE_UNSUPPORTED: 'transaction type not supported',
  LEDGER_SIGNATURE_INVALID: 'invalid sender: invalid transaction v, r, s values',
  LEDGER_CHAIN_ID: 'invalid sender: invalid chain id for signer',
  LEDGER_ALREADY_KNOWN: 'already known',
  LEDGER_NONCE_TOO_LOW: 'nonce too low',
  LEDGER_NONCE_TOO_HIGH: 'nonce too high',
  LEDGER_REPLACEMENT_UNDERPRICED: 'replacement transaction underpriced',
  LEDGER_POOL_FULL: 'txpool is full',
  LEDGER_TRANSACTION_TOO_SLOW: 'transaction takes too long',
  LEDGER_INSUFFICIENT_FUNDS: 'insufficient funds for gas * price + value',
  LEDGER_INTRINSIC_GAS: 'intrinsic gas too low',
  LEDGER_INITCODE_SIZE: 'max initcode size exceeded',
  LEDGER_GAS_LIMIT: 'exceeds block gas limit',
  LEDGER_BLOB_LIMIT: 'too many blobs in transaction',
  LEDGER_FEE_TOO_LOW: 'transaction underpriced: max fee per gas less than block base fee',
  LEDGER_BLOB_TRANSACTION_REFUSED: 'transaction type not supported: blob transactions are refused',
  LEDGER_TRANSACTION_TOO_LARGE: 'oversized data',
  LEDGER_SENDER_HAS_CODE: 'sender not an eoa',
  LEDGER_NOT_PERMITTED: 'sender not permitted',
  LEDGER_OVERRIDE_INVALID: 'invalid override',
  LEDGER_PAYLOAD_INVALID: 'invalid payload attributes',
  LEDGER_SENDER_NONCE: 'nonce has max value',
  LEDGER_MEMORY_LIMIT: 'execution aborted (memory limit)',
  LEDGER_SIMULATION_TIME: 'execution timeout',
  LEDGER_SIMULATION_BLOCKS: 'too many blocks',
  LEDGER_SIMULATION_NUMBER: 'block numbers must be in order',
  LEDGER_SIMULATION_TIMESTAMP: 'block timestamps must be in order',
  LEDGER_BLOCK_UNKNOWN: 'header not found',
  LEDGER_BLOCK_PRUNED: 'pruned history unavailable',
  LEDGER_STATE_PRUNED: 'historical state is not available: it was pruned',
}

/** Codes of `eth_simulateV1` in execution-apis for what the others of its kind are -32000. */
const SIMULATION_CODES: Readonly<Partial<Record<LedgerErrorCode, number>>> = {
  LEDGER_NONCE_TOO_LOW: -38010,
  LEDGER_NONCE_TOO_HIGH: -38011,
  LEDGER_FEE_TOO_LOW: -38012,
  LEDGER_INTRINSIC_GAS: -38013,
  LEDGER_INSUFFICIENT_FUNDS: -38014,
  LEDGER_GAS_LIMIT: -38015,
  LEDGER_SIMULATION_NUMBER: -38020,
  LEDGER_SIMULATION_TIMESTAMP: -38021,
  LEDGER_INITCODE_SIZE: -38025,
  LEDGER_SIMULATION_BLOCKS: TOO_MANY_BLOCKS,
  LEDGER_TRANSACTION_INVALID: INVALID_PARAMS,
  LEDGER_SENDER_NONCE: INTERNAL_ERROR,
  LEDGER_SIMULATION_TIME: -32016,
}

/** The same as the client of a simulation hears it. Other errors stay as they are. */
export function ofSimulation(error: unknown): unknown {
  const known = toRpcError(error)
  if (known === undefined || !(error instanceof LedgerError)) return error
  const code = SIMULATION_CODES[error.code]
  return code === undefined ? known : new RpcError(code, known.message)
}

/** Facts of a refusal that a caller may see. */
const SHOWN_DETAILS = [
  'field',
  'address',
  'type',
  'found',
  'expected',
  'balance',
  'cost',
  'gasLimit',
  'intrinsic',
  'floor',
  'limit',
  'left',
  'oldest',
]

/**
 * What the client hears of an error thrown by a method.
 * @returns undefined for a mistake of ours, of which the client may hear nothing
 */
export function toRpcError(error: unknown): RpcError | undefined {
  if (error instanceof RpcError) return error
  if (!(error instanceof LedgerError)) return undefined
  // Written for who asked: it says what was too much.
  if (error.code === 'LEDGER_LOG_QUERY_LIMIT') return limitExceeded(error.message)
  const words = REFUSALS[error.code]
  if (words === undefined) return undefined
  const facts = SHOWN_DETAILS.filter((name) => error.details[name] !== undefined)
  const suffix = facts.map((name) => `${name} ${error.details[name]}`).join(', ')
  const code = error.code === 'LEDGER_BLOCK_PRUNED' ? PRUNED_HISTORY : SERVER_ERROR
  return new RpcError(code, suffix === '' ? words : `${words}: ${suffix}`)
}
