/**
 * The outside world, on one page: all that a node asks of clock, disk, threads and console. The
 * shell (`host/`) has the real ones, tests and the simulator bring their own.
 */

import type { Address, Hash } from '@vellum/evm'
import type { Crc32, KeyValue, Secp256k1 } from '@vellum/ledger'

export interface Clock {
  /** Milliseconds since 1970, as the machine believes. May jump. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  elapsed(): number
}

/** What a timer was; stops it. */
export type CancelTimer = () => void

export interface Timers {
  /** Calls once, not before `afterMs` have passed, never in the same turn. 0: at the next turn. */
  after(afterMs: number, run: () => void): CancelTimer
}

export interface Random {
  /** Unpredictable bytes. */
  bytes(size: number): Uint8Array
}

export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>

/** `error`: someone must act; `warn`: may lead there; `info`: the node's life; `debug`: the rest. */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** A logger whose lines name the module. */
  child(module: string): Logger
}

/** Where the chain's last durable head is noted, outside the database. */
export interface HeadWitness {
  /** What was noted last, before this run; undefined: nothing yet; `unknown`: lost, and accepted. */
  readonly found: { readonly height: number; readonly hash: Hash } | 'unknown' | undefined
  /** Notes a head. Cheap; survives the process at once, the machine a little later. */
  write(mark: { readonly height: number; readonly hash: Hash }): void
}

/** Signers of many signatures at once, beside the thread that executes. */
export interface SignerRecovery {
  /**
   * Signer of each signature in order; undefined where none recovers. Rejects if it cannot work now.
   * @param batch hashes of 32 bytes, r and s of 64
   */
  recover(
    batch: readonly {
      readonly hash: Uint8Array
      readonly rs: Uint8Array
      readonly yParity: 0 | 1
    }[],
  ): Promise<readonly (Address | undefined)[]>
}

/** Everything `createNode` is given. */
export interface NodePorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  /** The chain's own database: see `KeyValue` for what may be relied on. */
  readonly disk: KeyValue
  readonly heads: HeadWitness
  readonly crc32: Crc32
  readonly crypto: Secp256k1
  /** undefined: signers are recovered one by one, by `crypto`. */
  readonly recovery?: SignerRecovery | undefined
}
