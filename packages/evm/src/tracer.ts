/**
 * Hooks that observe a run, one opcode and one frame at a time. Enough for the struct log, call and
 * prestate tracers of go-ethereum. A machine without a tracer pays nothing for them.
 */

import type { Address } from './bytes.ts'
import type { Halt, Log, Status } from './context.ts'

/** The machine just before it runs an opcode. Valid during the hook only. */
export interface Step {
  readonly pc: number
  /** 0 to 255; 0 (STOP) past the end of the code. */
  readonly op: number
  /** Gas left before the opcode. */
  readonly gas: bigint
  /** 1 for the outermost frame. */
  readonly depth: number
  /** Whose storage the frame uses. */
  readonly address: Address
  /** Refund counter of the transaction. */
  readonly refund: bigint
  /** Words on the stack, 0 to 1024. */
  readonly stackSize: number
  /** Bytes of memory, a multiple of 32. */
  readonly memorySize: number
  /** A word of the stack; 0 is the top. 0n beyond its end. */
  stackAt(index: number): bigint
  /** The whole stack, bottom first. A copy. */
  stack(): bigint[]
  /** The whole memory. A copy. */
  memory(): Uint8Array
  /** Bytes that the last call of this frame returned. A copy. */
  returnData(): Uint8Array
}

export type FrameType =
  | 'CALL'
  | 'CALLCODE'
  | 'DELEGATECALL'
  | 'STATICCALL'
  | 'CREATE'
  | 'CREATE2'
  | 'SELFDESTRUCT'

export interface FrameStart {
  readonly type: FrameType
  /** 1 for the outermost frame. */
  readonly depth: number
  readonly from: Address
  /** Callee whose code runs (not its delegate under EIP-7702); the address of a creation; the heir. */
  readonly to: Address
  /** Wei moved. For DELEGATECALL that of the parent frame. */
  readonly value: bigint
  /** Gas the frame may use, with the stipend. */
  readonly gas: bigint
  readonly input: Uint8Array
}

export interface FrameEnd {
  readonly depth: number
  readonly status: Status
  readonly gasUsed: bigint
  /** Returned or reverted bytes; deployed code of a creation. */
  readonly output: Uint8Array
}

export interface Tracer {
  /** Before each opcode. */
  step?(step: Step): void
  /**
   * After an opcode was charged and, unless it starts a frame, done; before `enter` of a frame that
   * it starts. `gasCost` counts gas forwarded to a call, as go-ethereum does; for `outOfGas` it is
   * the cost that could not be paid.
   */
  stepEnd?(gasCost: bigint, halt: Halt | undefined): void
  /**
   * A frame starts: also of a precompile, of an account without code, of a SELFDESTRUCT (depth
   * of the new frame, gas 0n) and one that fails at once for depth, balance or nonce.
   */
  enter?(frame: FrameStart): void
  exit?(frame: FrameEnd): void
  /** The running frame emitted an event, which goes again if the frame is undone. */
  log?(log: Log): void
}
