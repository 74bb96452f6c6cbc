/** eth_fillTransaction: a transaction with all that its sender left out, to be signed elsewhere. */

import { bytesToHex, NO_BYTES, ZERO_ADDRESS } from '@vellum/evm'
import {
  type CallRequest,
  type SignedTransaction,
  type TransactionType,
  withoutSignature,
} from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { parseCallRequest } from '../call-request.ts'
import { formatTransaction, hex } from '../format.ts'
import type { JsonText } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import { required } from '../parse.ts'
import { createTipSuggestion } from '../tip-suggestion.ts'
import { fail } from './call.ts'

/** Base fees that a suggestion allows for: it rises by an eighth a block at most. */
const BASE_FEES = 2n

export function fillMethods(backend: Backend, limits: RpcLimits): Method[] {
  const { chain, pool, simulator, node } = backend
  const suggestTip = createTipSuggestion(backend)

  /** A gas limit with which it succeeds at the head. */
  async function gasFor(request: CallRequest): Promise<bigint> {
    const outcome = await simulator.estimateGas({
      request,
      number: chain.head().header.number,
      stateOverrides: undefined,
      blockOverrides: undefined,
    })
    return outcome.status === 'success' ? outcome.gas : fail(outcome)
  }

  async function fill(request: CallRequest): Promise<SignedTransaction> {
    const sender = request.from ?? ZERO_ADDRESS
    const { baseFeePerGas, blobBaseFee } = chain.nextFees(chain.head().header)
    const type = typeOf(request, baseFeePerGas !== undefined)
    const base = baseFeePerGas ?? 0n
    const price = request.gasPrice ?? base + suggestTip()
    const tip = request.maxPriorityFeePerGas ?? suggestTip()
    const isPriced = type < 2
    return withoutSignature(
      {
        type,
        chainId: node.chainId,
        nonce: request.nonce ?? pool.nonce(sender),
        gasLimit: request.gas ?? (await gasFor(request)),
        maxFeePerGas: isPriced ? price : (request.maxFeePerGas ?? base * BASE_FEES + tip),
        maxPriorityFeePerGas: isPriced ? price : tip,
        to: request.to,
        value: request.value ?? 0n,
        data: request.data ?? NO_BYTES,
        accessList: request.accessList ?? [],
        maxFeePerBlobGas:
          type === 3 ? (request.maxFeePerBlobGas ?? (blobBaseFee ?? 0n) * BASE_FEES) : 0n,
        blobVersionedHashes: request.blobVersionedHashes ?? [],
        authorizationList: request.authorizationList ?? [],
      },
      sender,
    )
  }

  return [
    method(
      'eth_fillTransaction',
      [required((value) => parseCallRequest(value, limits, node.chainId))],
      async (request): Promise<JsonText> => {
        const filled = await fill(request)
        const text = formatTransaction(filled, undefined, undefined)
        return `{"raw":${hex(bytesToHex(filled.encoded))},"tx":${text}}`
      },
    ),
  ]
}

function typeOf(request: CallRequest, hasBaseFee: boolean): TransactionType {
  if (request.authorizationList !== undefined) return 4
  if (request.blobVersionedHashes !== undefined) return 3
  if (hasBaseFee && request.gasPrice === undefined) return 2
  return request.accessList === undefined ? 0 : 1
}
