/**
 * What to offer above the base fee.
 *
 * A tip buys a place only where places are scarce. On a chain whose blocks are not full the
 * suggestion is therefore the least that the pool takes, which is 0 on a chain without fees.
 */

import type { Hash } from '@vellum/evm'
import type { SignedTransaction } from '@vellum/ledger'
import type { Backend } from './backend.ts'
import { paidPerGas } from './format.ts'

/** Blocks looked back at for what tips scarce places went for. */
const SAMPLED_BLOCKS = 20
/** Transactions with the lowest tips taken of each such block: what it cost to get in. */
const SAMPLED_TRANSACTIONS = 3
/** A block is full from this share of its gas limit on, in per cent. */
const FULL_PERCENT = 90n
const SUGGESTED_PERCENTILE = 60

/** Wei a gas that get a transaction into one of the next blocks; found once a head. */
export function createTipSuggestion({ chain, pool }: Backend): () => bigint {
  let suggested: { readonly head: Hash; readonly tip: bigint } | undefined

  /** Wei per gas above the base fee that gets a transaction into one of the next blocks. */
  function suggestTip(): bigint {
    const { header, hash } = chain.head()
    if (suggested?.head !== hash) {
      const base = chain.nextFees(header).baseFeePerGas ?? 0n
      const minimum = pool.feePerGasMin()
      const floor = minimum > base ? minimum - base : 0n
      const going = tipsOfFullBlocks(header.number)
      const rank = Math.floor(((going.length - 1) * SUGGESTED_PERCENTILE) / 100)
      const tip = going[rank] ?? floor
      suggested = { head: hash, tip: tip > floor ? tip : floor }
    }
    return suggested.tip
  }

  function tipsOfFullBlocks(head: number): bigint[] {
    const tips: bigint[] = []
    for (let height = head; height > 0 && height > head - SAMPLED_BLOCKS; height--) {
      const header = chain.header(height)?.header
      if (header === undefined) break
      if (header.gasUsed * 100n < header.gasLimit * FULL_PERCENT) continue
      const block = chain.block(height)
      if (block === undefined) break
      const cheapest = block.transactions.map((tx) => tipOf(tx, header.baseFeePerGas))
      tips.push(...cheapest.sort(ascending).slice(0, SAMPLED_TRANSACTIONS))
    }
    return tips.sort(ascending)
  }

  return suggestTip
}

/** Wei per gas that went to the block's author. */
export function tipOf(tx: SignedTransaction, baseFee: bigint | undefined): bigint {
  return paidPerGas(tx, baseFee) - (baseFee ?? 0n)
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
