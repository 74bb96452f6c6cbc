/**
 * One transaction: is it valid here, and what does it do.
 *
 * Spec: yellow paper section 6, EIP-1559, 2930, 3529, 3607, 3651, 3860, 4844, 7623, 7702, 7825; in
 * the order of `process_transaction` of the execution specifications. Invalid transactions throw
 * and change nothing; valid ones always end with a receipt.
 */

import {
  type Address,
  concatBytes,
  type Evm,
  EvmError,
  type Fork,
  hexToBytes,
  isAtLeast,
  type Log,
  NO_BYTES,
  type Status,
  type World,
  ZERO_ADDRESS,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import { type BlobSchedule, GAS_PER_BLOB } from './fees.ts'
import { recoverAuthority, type SenderRecovery, type SignedTransaction } from './transaction.ts'
import { assertTransactionRules, type IntrinsicGas, intrinsicGas } from './transaction-rules.ts'

/** What a block lends to its transactions. One for all of them. */
export interface ExecutionContext {
  readonly fork: Fork
  readonly chainId: bigint
  readonly world: World
  /** Made for the same fork, block and world. */
  readonly evm: Evm
  readonly crypto: SenderRecovery
  readonly coinbase: Address
  /** Wei a gas that is burned. */
  readonly baseFee: bigint
  /** Wei a blob gas. */
  readonly blobBaseFee: bigint
  readonly blobSchedule: BlobSchedule
}

export interface TransactionResult {
  /** 1 if the outermost call succeeded. */
  readonly status: 0 | 1
  /** How the outermost call ended. */
  readonly halt: Status
  /** After refunds: what the sender pays for. */
  readonly gasUsed: bigint
  /** Before refunds: the least gas limit with which it could have run so. */
  readonly gasSpent: bigint
  /** Wei a gas that the sender paid. */
  readonly effectiveGasPrice: bigint
  /** Returned or reverted bytes. */
  readonly output: Uint8Array
  readonly logs: readonly Log[]
  readonly created: Address | undefined
}

/** Blocks offer this much to transactions: what is left of both kinds of gas. */
export interface GasLeft {
  readonly gas: bigint
  readonly blobGas: bigint
}

/** EIP-3529; a half before London. */
const REFUND_QUOTIENT = 5n
const REFUND_QUOTIENT_BEFORE = 2n
const NEW_ACCOUNT_REFUND = 12_500n
const NONCE_LIMIT = 2n ** 64n - 1n
const DELEGATION_PREFIX = hexToBytes('0xef0100')
const DELEGATION_SIZE = 23

/** Code that stands for "run the code of that address" (EIP-7702). */
export function isDelegation(code: Uint8Array): boolean {
  return code.length === DELEGATION_SIZE && DELEGATION_PREFIX.every((byte, i) => code[i] === byte)
}

/** Wei a gas that the transaction pays. It must offer at least the base fee. */
export function effectiveGasPrice(tx: SignedTransaction, baseFee: bigint): bigint {
  const offered = baseFee + tx.maxPriorityFeePerGas
  return offered < tx.maxFeePerGas ? offered : tx.maxFeePerGas
}

/**
 * Runs one transaction of a block on the context's world.
 * @throws LedgerError with the code of the rule that the transaction breaks at this place
 */
export function executeTransaction(
  tx: SignedTransaction,
  context: ExecutionContext,
  left: GasLeft,
): TransactionResult {
  const { world, baseFee } = context
  const charge = assertExecutable(tx, context, left)
  const price = effectiveGasPrice(tx, baseFee)

  world.beginTransaction()
  const before = world.checkpoint()
  const blobGas = BigInt(tx.blobVersionedHashes.length) * GAS_PER_BLOB
  world.subtractBalance(tx.sender, tx.gasLimit * price + blobGas * context.blobBaseFee)
  world.setNonce(tx.sender, tx.nonce + 1n)

  let result: ReturnType<typeof runMessage>
  try {
    result = runMessage(tx, context, price, charge)
  } catch (error) {
    world.revertTo(before)
    world.endTransaction(context.fork)
    if (!(error instanceof EvmError)) throw error
    throw new LedgerError('LEDGER_MEMORY_LIMIT', error.message, {}, { cause: error })
  }

  world.addBalance(tx.sender, (tx.gasLimit - result.gasUsed) * price)
  world.addBalance(context.coinbase, result.gasUsed * (price - baseFee))
  world.endTransaction(context.fork)
  return { ...result, effectiveGasPrice: price, logs: world.logs() }
}

/** What a transaction asks of the machine, once it was found valid and paid for. */
export type Payable = Pick<
  SignedTransaction,
  | 'sender'
  | 'to'
  | 'value'
  | 'data'
  | 'gasLimit'
  | 'accessList'
  | 'authorizationList'
  | 'blobVersionedHashes'
>

/**
 * The part of a transaction between taking the fee and giving back what is left: authorisations,
 * warm accounts, the call itself, refunds. Within a transaction of the world.
 */
export function runMessage(
  tx: Payable,
  context: ExecutionContext,
  gasPrice: bigint,
  { intrinsic, floor }: IntrinsicGas = intrinsicGas(tx, context.fork),
): Omit<TransactionResult, 'effectiveGasPrice' | 'logs'> {
  const { world, fork } = context
  if (tx.authorizationList.length > 0) applyAuthorizations(tx, context)
  warm(tx, context)
  const outcome = context.evm.call(
    { caller: tx.sender, to: tx.to, value: tx.value, data: tx.data, gas: tx.gasLimit - intrinsic },
    { origin: tx.sender, gasPrice, blobVersionedHashes: tx.blobVersionedHashes },
  )
  const spent = tx.gasLimit - outcome.gasLeft
  const cap = spent / (isAtLeast(fork, 'london') ? REFUND_QUOTIENT : REFUND_QUOTIENT_BEFORE)
  const refund = world.refund()
  let gasUsed = spent - (refund < cap ? refund : cap)
  // EIP-7623: calldata has a price that execution cannot make cheaper.
  if (gasUsed < floor) gasUsed = floor
  return {
    status: outcome.status === 'success' ? 1 : 0,
    halt: outcome.status,
    gasUsed,
    gasSpent: spent > floor ? spent : floor,
    output: outcome.output,
    created: outcome.created,
  }
}

/**
 * The rules that need the state and what the block has left; those that do not are `transaction-rules.ts`.
 * Returns what these find out.
 */
function assertExecutable(
  tx: SignedTransaction,
  context: ExecutionContext,
  left: GasLeft,
): IntrinsicGas {
  const { world, fork } = context
  if (tx.chainId !== undefined && tx.chainId !== context.chainId) {
    throw new LedgerError('LEDGER_CHAIN_ID', `the transaction is for chain ${tx.chainId}`, {
      found: tx.chainId,
      expected: context.chainId,
    })
  }
  const charge = assertTransactionRules(tx, fork)
  if (tx.gasLimit > left.gas) {
    throw new LedgerError('LEDGER_GAS_LIMIT', 'the gas limit is above what the block has left', {
      gasLimit: tx.gasLimit,
      left: left.gas,
    })
  }
  if (tx.maxFeePerGas < context.baseFee) {
    throw new LedgerError('LEDGER_FEE_TOO_LOW', 'the fee offered is below the base fee', {
      maxFeePerGas: tx.maxFeePerGas,
      baseFee: context.baseFee,
    })
  }
  const blobGas = BigInt(tx.blobVersionedHashes.length) * GAS_PER_BLOB
  if (blobGas > left.blobGas) {
    throw new LedgerError('LEDGER_BLOB_LIMIT', 'the block has no room for the blobs', {
      blobGas,
      left: left.blobGas,
    })
  }
  if (tx.type === 3 && tx.maxFeePerBlobGas < context.blobBaseFee) {
    throw new LedgerError('LEDGER_FEE_TOO_LOW', 'the blob fee offered is below the blob base fee', {
      maxFeePerBlobGas: tx.maxFeePerBlobGas,
      blobBaseFee: context.blobBaseFee,
    })
  }
  const nonce = world.nonce(tx.sender)
  if (tx.nonce !== nonce) {
    throw new LedgerError(
      tx.nonce < nonce ? 'LEDGER_NONCE_TOO_LOW' : 'LEDGER_NONCE_TOO_HIGH',
      `the sender’s next nonce is ${nonce}`,
      { found: tx.nonce, expected: nonce },
    )
  }
  // EIP-3607: what has code cannot have a key, unless the code is a delegation by that key.
  const code = world.code(tx.sender)
  if (code.length > 0 && !(isAtLeast(fork, 'prague') && isDelegation(code))) {
    throw new LedgerError('LEDGER_SENDER_HAS_CODE', 'the sender is a contract', {
      sender: tx.sender,
    })
  }
  const cost = tx.gasLimit * tx.maxFeePerGas + blobGas * tx.maxFeePerBlobGas + tx.value
  const balance = world.balance(tx.sender)
  if (balance < cost) {
    throw new LedgerError('LEDGER_INSUFFICIENT_FUNDS', 'the sender cannot pay for gas and value', {
      balance,
      cost,
    })
  }
  return charge
}

/** EIP-7702, "Behavior": each authorisation counts for itself, and what is wrong is passed over. */
function applyAuthorizations(tx: Payable, context: ExecutionContext): void {
  const { world } = context
  for (const authorization of tx.authorizationList) {
    const { chainId, nonce, address } = authorization
    if (chainId !== 0n && chainId !== context.chainId) continue
    if (nonce >= NONCE_LIMIT) continue
    const authority = recoverAuthority(authorization, context.crypto)
    if (authority === undefined) continue
    world.warmAddress(authority)
    const code = world.code(authority)
    if (code.length > 0 && !isDelegation(code)) continue
    if (world.nonce(authority) !== nonce) continue
    if (world.exists(authority)) world.addRefund(NEW_ACCOUNT_REFUND)
    const delegation =
      address === ZERO_ADDRESS ? NO_BYTES : concatBytes(DELEGATION_PREFIX, hexToBytes(address))
    world.setCode(authority, delegation)
    world.setNonce(authority, nonce + 1n)
  }
}

function warm(tx: Payable, { world, fork, coinbase }: ExecutionContext): void {
  world.warmAddress(tx.sender)
  if (tx.to !== undefined) world.warmAddress(tx.to)
  if (isAtLeast(fork, 'shanghai')) world.warmAddress(coinbase)
  for (const { address, storageKeys } of tx.accessList) {
    world.warmAddress(address)
    for (const slot of storageKeys) world.warmSlot(address, slot)
  }
}
