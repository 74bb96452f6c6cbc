/**
 * Whether the credit of a side chain is what main has locked for it: the equation of docs/protocol/peg.md
 * "Audit". All amounts are in units of credit; counters are since ever.
 *
 *   supply of the side chain          = minted - burned + returned
 *   on its way to the side chain      = locked - refunded - minted
 *   on its way to main                = burned - returned - released
 *   locked for it                     = locked - refunded - released = the sum of the three
 */

export interface CreditCounters {
  /** By main's vault, for the side chain. */
  readonly locked: bigint
  readonly refunded: bigint
  readonly released: bigint
  /** By the side chain's peg. */
  readonly minted: bigint
  readonly burned: bigint
  readonly returned: bigint
  /** Credit that there is on the side chain. */
  readonly supply: bigint
  /** Credit that main's vault has, and the sum of what it has locked for all side chains. */
  readonly vaultBalance: bigint
  readonly lockedForAll: bigint
}

/** Sums of messages that have no receipt of delivery yet, where somebody has counted them. */
export interface CreditUnderWay {
  readonly toSide: bigint
  readonly toMain: bigint
}

export type AuditFault =
  | 'supply differs from what was minted and burned'
  | 'more was minted than was locked'
  | 'more was released than was burned'
  | 'vault has less than it has locked'
  | 'messages to the side chain differ from what is on its way'
  | 'messages to main differ from what is on its way'

export interface AuditVerdict {
  readonly ok: boolean
  readonly faults: readonly AuditFault[]
  /** Of the side chain: locked - refunded - released. */
  readonly lockedFor: bigint
  readonly toSide: bigint
  readonly toMain: bigint
}

/**
 * Judges counters of two blocks that have seen all that each other's receipts stand on.
 * @param messages undefined: nobody has counted them
 */
export function auditCredit(counters: CreditCounters, messages?: CreditUnderWay): AuditVerdict {
  const { locked, refunded, released, minted, burned, returned, supply } = counters
  const toSide = locked - refunded - minted
  const toMain = burned - returned - released
  const faults: AuditFault[] = []
  if (supply !== minted - burned + returned) {
    faults.push('supply differs from what was minted and burned')
  }
  if (toSide < 0n) faults.push('more was minted than was locked')
  if (toMain < 0n) faults.push('more was released than was burned')
  if (counters.vaultBalance < counters.lockedForAll) {
    faults.push('vault has less than it has locked')
  }
  if (messages !== undefined && messages.toSide !== toSide) {
    faults.push('messages to the side chain differ from what is on its way')
  }
  if (messages !== undefined && messages.toMain !== toMain) {
    faults.push('messages to main differ from what is on its way')
  }
  return {
    ok: faults.length === 0,
    faults,
    lockedFor: locked - refunded - released,
    toSide,
    toMain,
  }
}
