/** What every tracer is: it watches one transaction and then tells what it saw, as JSON text. */

import type { Status } from '@vellum/evm'
import { type TransactionWatch, wordsOf } from '@vellum/ledger'
import { RESPONSE_TOO_LARGE, RpcError } from '../error.ts'
import type { JsonText } from '../json.ts'

export interface Recorder extends TransactionWatch {
  /** After the end of the transaction. */
  result(): JsonText
}

/** Characters that the traces of one request may still take. */
export interface Room {
  /** @throws RpcError -32003 if so many are not left */
  take(chars: number): void
}

export function createRoom(charsMax: number): Room {
  let left = charsMax
  return {
    take(chars) {
      left -= chars
      if (left >= 0) return
      throw new RpcError(
        RESPONSE_TOO_LARGE,
        `response too large: a trace has at most ${charsMax} characters, use limit or another tracer`,
      )
    },
  }
}

/** The words of go-ethereum for how a frame ended badly. */
export function failureOf(status: Exclude<Status, 'success'>): string {
  return wordsOf(status)
}
