/** Errors of this package: bad input is thrown with a code that never changes. */

export type ConsensusErrorCode =
  /** A message that is not canonical, out of range, or that nobody signed. */
  | 'CONSENSUS_MESSAGE_INVALID'
  /** A validator vote that would have no effect, or a harmful one; the message says which. */
  | 'CONSENSUS_VOTE_REFUSED'

export class ConsensusError extends Error {
  override readonly name = 'ConsensusError'
  readonly code: ConsensusErrorCode

  constructor(code: ConsensusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
