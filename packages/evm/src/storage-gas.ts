/**
 * Gas and refund of SSTORE, without the surcharge for a first access. Each value is given as at the
 * transaction's start, now, and after.
 *
 * Two ways of counting. By the change alone: yellow paper appendix G, until Byzantium and again in
 * Petersburg. By the net change since the transaction began: EIP-1283 in Constantinople, then EIP-2200, with
 * the prices of EIP-2929 and EIP-3529 later.
 */

import { type Fork, isAtLeast } from './fork.ts'
import { type WordKey, ZERO_WORD } from './key.ts'

export interface StoragePrices {
  gas(original: WordKey, current: WordKey, next: WordKey): number
  /** May be negative: a refund granted before is taken back. */
  refund(original: WordKey, current: WordKey, next: WordKey): number
}

const SET_GAS = 20_000
const RESET_GAS = 5_000
/** RESET_GAS less the 2,100 of a cold access (EIP-2929). */
const WARM_RESET_GAS = 2_900
const CLEAR_REFUND = 15_000
/** EIP-3529: 2,900 and the 1,900 of an access list key. */
const LONDON_CLEAR_REFUND = 4_800

const BY_CHANGE: StoragePrices = {
  gas: (_original, current, next) =>
    current === ZERO_WORD && next !== ZERO_WORD ? SET_GAS : RESET_GAS,
  refund: (_original, current, next) =>
    current !== ZERO_WORD && next === ZERO_WORD ? CLEAR_REFUND : 0,
}

/** The prices of a fork. */
export function storagePricesOf(fork: Fork): StoragePrices {
  if (isAtLeast(fork, 'london')) return byNetChange(WARM_RESET_GAS, 100, LONDON_CLEAR_REFUND)
  if (isAtLeast(fork, 'berlin')) return byNetChange(WARM_RESET_GAS, 100, CLEAR_REFUND)
  if (isAtLeast(fork, 'istanbul')) return byNetChange(RESET_GAS, 800, CLEAR_REFUND)
  return fork === 'constantinople' ? byNetChange(RESET_GAS, 200, CLEAR_REFUND) : BY_CHANGE
}

/**
 * @param reset gas of the first change of a slot that held something
 * @param again gas of writing what is there, or a slot that was changed before
 */
function byNetChange(reset: number, again: number, clearRefund: number): StoragePrices {
  return {
    gas: (original, current, next) => {
      if (current === next || original !== current) return again
      return original === ZERO_WORD ? SET_GAS : reset
    },
    refund: (original, current, next) => {
      if (current === next) return 0
      if (original === current) {
        return original !== ZERO_WORD && next === ZERO_WORD ? clearRefund : 0
      }
      let refund = 0
      if (original !== ZERO_WORD) {
        if (current === ZERO_WORD) refund -= clearRefund
        else if (next === ZERO_WORD) refund += clearRefund
      }
      if (original === next) refund += (original === ZERO_WORD ? SET_GAS : reset) - again
      return refund
    },
  }
}
