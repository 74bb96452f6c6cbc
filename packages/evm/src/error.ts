/** Misuse of the machine, as an error with a stable code. What a program does wrong is an `Outcome`. */

export type EvmErrorCode =
  /** A program paid for more memory than the machine can address (over 2^41 gas). */
  | 'EVM_MEMORY_LIMIT'
  /** An argument is outside the range its documentation gives. */
  | 'EVM_ARGUMENT_INVALID'

export class EvmError extends Error {
  readonly code: EvmErrorCode

  constructor(code: EvmErrorCode, message: string) {
    super(message)
    this.name = 'EvmError'
    this.code = code
  }
}
