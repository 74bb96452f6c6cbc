/**
 * Gas and refund of SSTORE (EIP-2200 with the prices of EIP-2929 and EIP-3529), without the surcharge for
 * a first access. Each value is given as at the transaction's start, now, and after.
 */

import { type WordKey, ZERO_WORD } from './key.ts'

const SET_GAS = 20_000
/** 5,000 less the 2,100 of a cold access. */
const RESET_GAS = 2_900
const WARM_GAS = 100
/** EIP-3529: 2,900 and the 1,900 of an access list key. */
const CLEAR_REFUND = 4_800

export function storeGas(original: WordKey, current: WordKey, next: WordKey): number {
  if (current === next || original !== current) return WARM_GAS
  return original === ZERO_WORD ? SET_GAS : RESET_GAS
}

/** May be negative: a refund granted before is taken back. */
export function storeRefund(original: WordKey, current: WordKey, next: WordKey): number {
  if (current === next) return 0
  if (original === current) return original !== ZERO_WORD && next === ZERO_WORD ? CLEAR_REFUND : 0
  let refund = 0
  if (original !== ZERO_WORD) {
    if (current === ZERO_WORD) refund -= CLEAR_REFUND
    else if (next === ZERO_WORD) refund += CLEAR_REFUND
  }
  if (original === next) refund += (original === ZERO_WORD ? SET_GAS : RESET_GAS) - WARM_GAS
  return refund
}
