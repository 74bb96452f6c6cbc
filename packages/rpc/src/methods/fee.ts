/** What gas costs, and has cost. */

import type { Receipt, SealedBlock } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { heightOf, requireHeight } from '../block.ts'
import { invalidParams, RpcError, SERVER_ERROR } from '../error.ts'
import { quantity } from '../format.ts'
import { type JsonText, jsonArray, NULL } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import { listOf, optional, parseBlockNumber, parseIndex, required } from '../parse.ts'
import { ascending, createTipSuggestion, tipOf } from '../tip-suggestion.ts'
import { beginTurn, type TurnPorts } from '../turn.ts'

export function feeMethods(backend: Backend, limits: RpcLimits, ports: TurnPorts): Method[] {
  const { chain } = backend
  const suggestTip = createTipSuggestion(backend)

  async function feeHistory(
    countWanted: number,
    newest: number,
    percentiles: readonly number[] | undefined,
  ): Promise<JsonText> {
    const count = Math.min(countWanted, limits.feeHistoryBlocksMax, newest + 1)
    const oldest = newest + 1 - count
    const rewards: JsonText[] = []
    const baseFees: JsonText[] = []
    const gasRatios: number[] = []
    const blobFees: JsonText[] = []
    const blobRatios: number[] = []
    const turn = beginTurn(ports, limits.turnMsMax)
    for (let height = oldest; height <= newest; height++) {
      if (turn.isOver()) await turn.pass()
      const { header } = chain.header(height) ?? missing(height)
      const fees = chain.fees(header)
      baseFees.push(quantity(fees.baseFeePerGas ?? 0n))
      blobFees.push(quantity(fees.blobBaseFee ?? 0n))
      gasRatios.push(ratio(header.gasUsed, header.gasLimit))
      blobRatios.push(ratio(header.blobGasUsed ?? 0n, fees.blobGasMax))
      if (percentiles !== undefined) {
        const block = chain.block(height) ?? missing(height)
        const receipts = chain.receipts(height) ?? []
        rewards.push(jsonArray(rewardsAt(percentiles, block, receipts).map(quantity)))
      }
    }
    const { header } = chain.header(newest) ?? missing(newest)
    const next = chain.nextFees(header)
    baseFees.push(quantity(next.baseFeePerGas ?? 0n))
    blobFees.push(quantity(next.blobBaseFee ?? 0n))
    const reward = percentiles === undefined ? '' : `,"reward":${jsonArray(rewards)}`
    return (
      `{"oldestBlock":${quantity(oldest)}${reward},"baseFeePerGas":${jsonArray(baseFees)}` +
      `,"gasUsedRatio":${JSON.stringify(gasRatios)},"baseFeePerBlobGas":${jsonArray(blobFees)}` +
      `,"blobGasUsedRatio":${JSON.stringify(blobRatios)}}`
    )
  }

  const blobBaseFee = (): JsonText =>
    quantity(chain.nextFees(chain.head().header).blobBaseFee ?? 0n)

  return [
    method('eth_gasPrice', [], () => {
      const base = chain.nextFees(chain.head().header).baseFeePerGas ?? 0n
      return quantity(base + suggestTip())
    }),
    method('eth_maxPriorityFeePerGas', [], () => quantity(suggestTip())),
    method('eth_baseFee', [], () => {
      const base = chain.nextFees(chain.head().header).baseFeePerGas
      return base === undefined ? NULL : quantity(base)
    }),
    method('eth_blobBaseFee', [], blobBaseFee),
    // Its name before the specification gave it another.
    method('eth_blobGasPrice', [], blobBaseFee),
    method(
      'eth_feeHistory',
      [
        required(parseCount),
        required(parseBlockNumber),
        optional(listOf(parsePercentile, limits.feeHistoryPercentilesMax)),
      ],
      (count, newest, percentiles) => {
        if (count === 0) return '{"oldestBlock":"0x0","gasUsedRatio":[]}'
        percentiles?.forEach((percentile, i) => {
          if (i > 0 && percentile <= percentiles[i - 1]!) {
            throw invalidParams(`invalid reward percentile: #${i} must be above the one before it`)
          }
        })
        if (newest.type === 'number' && heightOf(chain, newest) === undefined) {
          throw new RpcError(SERVER_ERROR, 'request beyond head block')
        }
        return feeHistory(count, requireHeight(chain, newest), percentiles)
      },
    ),
  ]
}

/** For each percentile of the block's gas, the tip that the transaction at that point paid. */
function rewardsAt(
  percentiles: readonly number[],
  block: SealedBlock,
  receipts: readonly Receipt[],
): bigint[] {
  if (block.transactions.length === 0) return percentiles.map(() => 0n)
  const paid = block.transactions.map((tx, i) => {
    const before = i === 0 ? 0n : (receipts[i - 1]?.cumulativeGasUsed ?? 0n)
    const gas = (receipts[i]?.cumulativeGasUsed ?? 0n) - before
    return { gas: Number(gas), tip: tipOf(tx, block.header.baseFeePerGas) }
  })
  paid.sort((a, b) => ascending(a.tip, b.tip))
  const total = Number(block.header.gasUsed)
  let at = 0
  let sum = paid[0]!.gas
  return percentiles.map((percentile) => {
    while (sum < (total * percentile) / 100 && at < paid.length - 1) sum += paid[++at]!.gas
    return paid[at]!.tip
  })
}

function ratio(used: bigint, limit: bigint): number {
  return limit === 0n ? 0 : Number(used) / Number(limit)
}

/** A count of blocks: a quantity, or as go-ethereum also takes it, a number or decimal text. */
function parseCount(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  if (typeof value === 'string' && /^[0-9]{1,15}$/.test(value)) return Number(value)
  return parseIndex(value)
}

function parsePercentile(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) {
    throw invalidParams('invalid reward percentile: must be a number from 0 to 100')
  }
  return value
}

function missing(height: number): never {
  throw new Error(`block ${height} is below the head and not stored`)
}
