/** Errors of this package: bad input is thrown with a code that never changes. */

export type SidechainErrorCode =
  /** Bytes that are not the values of the types asked for, in the Solidity ABI. */
  | 'SIDECHAIN_ABI_INVALID'
  /** A number outside of what its field can hold. */
  | 'SIDECHAIN_OUT_OF_RANGE'
  /** What a chain answers contradicts itself: its node is broken, or lies. */
  | 'SIDECHAIN_CHAIN_INVALID'

export class SidechainError extends Error {
  override readonly name = 'SidechainError'
  readonly code: SidechainErrorCode

  constructor(code: SidechainErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
