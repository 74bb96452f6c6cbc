/** Transactions: sending one, finding one, and its receipt. */

import { bytesToHex, type Hash } from '@vellum/evm'
import type { Backend, Later } from '../backend.ts'
import { invalidParams, limitExceeded, RECEIPT_TIMEOUT, RpcError } from '../error.ts'
import { formatReceipt, formatTransaction, hex, placeIn } from '../format.ts'
import { type JsonText, NULL } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import { optional, parseBytes, parseHash, parseIndex, required } from '../parse.ts'

export interface TransactionPorts {
  /** Calls back once after the time has passed; returns what calls it off. */
  setTimer(timeMs: number, callback: () => void): () => void
}

export function transactionMethods(
  backend: Backend,
  limits: RpcLimits,
  ports: TransactionPorts,
): Method[] {
  const { chain, pool } = backend
  const hash = required(parseHash)
  const raw = required((value) => parseRaw(value, limits.transactionBytesMax))
  let waits = 0

  function receiptOf(transaction: Hash): JsonText {
    const location = chain.locate(transaction)
    if (location === undefined) return NULL
    const block = chain.block(location.number)
    const receipts = chain.receipts(location.number)
    if (block === undefined || receipts === undefined) return NULL
    return formatReceipt({ block, receipts, fees: chain.fees(block.header) }, location.index)
  }

  async function sendAndWait(encoded: Uint8Array, timeMs: number | undefined): Promise<JsonText> {
    if (timeMs === 0) throw invalidParams('the timeout must be more than 0')
    if (waits >= limits.receiptWaitsMax) throw limitExceeded('too many clients wait for receipts')
    waits++
    try {
      return await included(await pool.submit(encoded), timeMs ?? limits.receiptWaitMsMax)
    } finally {
      waits--
    }
  }

  /** The receipt as soon as a block has the transaction (EIP-7966). */
  function included(transaction: Hash, timeMs: number): Promise<JsonText> {
    return new Promise((resolve, reject) => {
      const cancel = ports.setTimer(Math.min(timeMs, limits.receiptWaitMsMax), () => {
        forget()
        const message = 'the transaction was added to the pool but was not processed in time'
        reject(new RpcError(RECEIPT_TIMEOUT, message, hex(transaction)))
      })
      const forget = chain.onHead(check)
      function check(): void {
        if (chain.locate(transaction) === undefined) return
        cancel()
        forget()
        resolve(receiptOf(transaction))
      }
      check()
    })
  }

  return [
    method('eth_sendRawTransaction', [raw], (encoded): Later<JsonText> => {
      const submitted = pool.submit(encoded)
      return typeof submitted === 'string' ? hex(submitted) : submitted.then(hex)
    }),
    method('eth_sendRawTransactionSync', [raw, optional(parseTimeout)], sendAndWait),
    method('eth_getTransactionByHash', [hash], (wanted) => {
      const location = chain.locate(wanted)
      if (location === undefined) {
        const waiting = pool.get(wanted)
        return waiting === undefined ? NULL : formatTransaction(waiting, undefined, undefined)
      }
      const block = chain.block(location.number)
      const transaction = block?.transactions[location.index]
      if (block === undefined || transaction === undefined) return NULL
      const place = placeIn(block, location.index)
      return formatTransaction(transaction, place, block.header.baseFeePerGas)
    }),
    method('eth_getTransactionReceipt', [hash], receiptOf),
    method('eth_getRawTransactionByHash', [hash], (wanted) => {
      const location = chain.locate(wanted)
      const transaction =
        location === undefined
          ? pool.get(wanted)
          : chain.block(location.number)?.transactions[location.index]
      return transaction === undefined ? NULL : hex(bytesToHex(transaction.encoded))
    }),
  ]
}

/** Sizes before contents: what is too long is not decoded. */
function parseRaw(value: unknown, bytesMax: number): Uint8Array {
  if (typeof value === 'string' && value.length > 2 + 2 * bytesMax) {
    throw invalidParams(`oversized data: want at most ${bytesMax} bytes`)
  }
  return parseBytes(value)
}

/** Milliseconds, as a number or a quantity: clients of EIP-7966 send both. */
function parseTimeout(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  return parseIndex(value)
}
