/** testing_buildBlockV1: a block on top of another, built and kept nowhere. */

import { type Address, type Hash, NO_BYTES } from '@vellum/evm'
import type { Payload, SignedTransaction, Withdrawal } from '@vellum/ledger'
import type { Backend, PayloadPort } from '../backend.ts'
import { parseWithdrawal } from '../call-request.ts'
import { invalidParams, RpcError, SERVER_ERROR } from '../error.ts'
import { data, formatWithdrawal, hex, quantity } from '../format.ts'
import { type JsonText, jsonArray } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import {
  listOf,
  member,
  optional,
  parseAddress,
  parseBytes,
  parseHash,
  parseIndex,
  parseRecord,
  required,
} from '../parse.ts'

export function testingMethods(
  { chain, pool }: Backend,
  payloads: PayloadPort,
  limits: RpcLimits,
): Method[] {
  /** What waits, each sender's in order. */
  function waiting(): SignedTransaction[] {
    return [...pool.content().pending.values()].flat()
  }

  return [
    method(
      'testing_buildBlockV1',
      [
        required(parseHash),
        required((value) => parseAttributes(value, limits)),
        optional(listOf(parseBytes, limits.simulatedCallsMax)),
        optional(parseBytes),
      ],
      (parent, attributes, given, extraData) => {
        const number = chain.numberOf(parent)
        if (number === undefined) throw new RpcError(SERVER_ERROR, 'unknown parent block')
        const payload = payloads.build({
          ...attributes,
          number,
          extraData: extraData ?? NO_BYTES,
          transactions: given?.map(payloads.decode) ?? waiting(),
          ifInvalid: given === undefined ? 'leave out' : 'fail',
        })
        return formatPayload(payload)
      },
    ),
  ]
}

interface Attributes {
  readonly timestamp: number
  readonly prevRandao: Hash
  readonly feeRecipient: Address
  readonly withdrawals: readonly Withdrawal[]
  readonly parentBeaconBlockRoot: Hash
}

/** `PayloadAttributesV3` of the engine API. */
function parseAttributes(value: unknown, limits: RpcLimits): Attributes {
  const record = parseRecord(value)
  const wanted = <T>(name: string, parse: (value: unknown) => T): T => {
    const found = member(record, name, parse)
    if (found === undefined) throw invalidParams(`${name} is missing`)
    return found
  }
  return {
    timestamp: wanted('timestamp', parseIndex),
    prevRandao: wanted('prevRandao', parseHash),
    feeRecipient: wanted('suggestedFeeRecipient', parseAddress),
    withdrawals: wanted('withdrawals', listOf(parseWithdrawal, limits.overridesMax)),
    parentBeaconBlockRoot: wanted('parentBeaconBlockRoot', parseHash),
  }
}

/** `ExecutionPayloadV3` of the engine API and what stands around it; blobs are not looked for. */
function formatPayload({ block, hash, value, requests }: Payload): JsonText {
  const { header, transactions, withdrawals } = block
  const payload =
    `{"parentHash":${hex(header.parentHash)},"feeRecipient":${hex(header.coinbase)}` +
    `,"stateRoot":${hex(header.stateRoot)},"receiptsRoot":${hex(header.receiptsRoot)}` +
    `,"logsBloom":${data(header.logsBloom)},"prevRandao":${hex(header.mixHash)}` +
    `,"blockNumber":${quantity(header.number)},"gasLimit":${quantity(header.gasLimit)}` +
    `,"gasUsed":${quantity(header.gasUsed)},"timestamp":${quantity(header.timestamp)}` +
    `,"extraData":${data(header.extraData)}` +
    `,"baseFeePerGas":${quantity(header.baseFeePerGas ?? 0n)},"blockHash":${hex(hash)}` +
    `,"transactions":${jsonArray(transactions.map(({ encoded }) => data(encoded)))}` +
    `,"withdrawals":${jsonArray((withdrawals ?? []).map(formatWithdrawal))}` +
    `,"blobGasUsed":${quantity(header.blobGasUsed ?? 0n)}` +
    `,"excessBlobGas":${quantity(header.excessBlobGas ?? 0n)}}`
  return (
    `{"executionPayload":${payload},"blockValue":${quantity(value)}` +
    `,"blobsBundle":{"commitments":[],"proofs":[],"blobs":[]}` +
    `,"executionRequests":${jsonArray(requests.map(data))},"shouldOverrideBuilder":false}`
  )
}
