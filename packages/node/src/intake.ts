/**
 * How a raw transaction gets from a client into the pool: decoded, its sender recovered, added.
 *
 * Recovery is a third of what a transfer costs. A single transaction is recovered at once, 80 µs. When
 * many come, those of a turn of the event loop are left to the threads together, which gives this thread
 * the time to execute; under load that is worth more than the hop costs.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import type { Hash } from '@vellum/evm'
import {
  decodePooledBlobTransaction,
  decodeTransaction,
  hasBlobSidecar,
  isRefusal,
  LedgerError,
  type LedgerErrorCode,
  type Pool,
  recoverSender,
  type Secp256k1,
  signatureBytes,
  signingHash,
  type UnrecoveredTransaction,
  withSender,
} from '@vellum/ledger'
import type { Clock, SignerRecovery, Timers } from './ports.ts'

export interface Intake {
  /**
   * Takes a transaction into the pool, now or soon.
   * @returns its hash
   * @throws LedgerError why it is refused; the same if the promise rejects
   */
  submit(encoded: Uint8Array): Hash | Promise<Hash>
  /** The same for one that a peer has passed on: `known` if it is of no use here, for whatever reason. */
  takeFromPeer(encoded: Uint8Array): Promise<'new' | 'known' | 'forged'>
}

export interface IntakePorts {
  readonly pool: Pool
  readonly crypto: Secp256k1
  readonly clock: Clock
  readonly timers: Timers
  /** Threads; undefined where there is one core only. */
  readonly recovery: SignerRecovery | undefined
  /** Told of what a client gave us, once it is in the pool: the peers should have it, too. */
  readonly onSubmitted?: (encoded: Uint8Array) => void
}

/** Refusals that no honest node passes on: it would have made them itself. */
const FORGED: ReadonlySet<LedgerErrorCode> = new Set([
  'LEDGER_RLP_INVALID',
  'LEDGER_SIGNATURE_INVALID',
  'LEDGER_TRANSACTION_INVALID',
  'LEDGER_TRANSACTION_TYPE_UNKNOWN',
  'LEDGER_CHAIN_ID',
] as const)

/** This many transactions in `WINDOW_MS` are recovered on this thread: under a tenth of its time. */
const QUIET_COUNT = 10
const WINDOW_MS = 10

interface Waiting {
  readonly tx: UnrecoveredTransaction
  readonly resolve: (hash: Hash) => void
  readonly reject: (error: unknown) => void
}

export function createIntake(ports: IntakePorts): Intake {
  const { pool, crypto, clock, timers, recovery, onSubmitted } = ports
  let waiting: Waiting[] = []
  let outstanding = 0
  let windowBegan = Number.NEGATIVE_INFINITY
  let inWindow = 0

  /** True as long as what comes is little, and nothing that came before is still on its way. */
  function isQuiet(): boolean {
    const now = clock.elapsed()
    if (now - windowBegan > WINDOW_MS) {
      windowBegan = now
      inWindow = 0
    }
    inWindow += 1
    return inWindow <= QUIET_COUNT && waiting.length === 0 && outstanding === 0
  }

  function add(tx: UnrecoveredTransaction): Hash {
    pool.add(recoverSender(tx, crypto))
    return tx.hash
  }

  /** Those of a turn together. */
  async function recoverWaiting(threads: SignerRecovery): Promise<void> {
    const batch = waiting
    waiting = []
    outstanding += 1
    try {
      const signers = await threads.recover(
        batch.map(({ tx }) => ({
          hash: signingHash(tx),
          rs: signatureBytes(tx.signature),
          yParity: tx.signature.yParity,
        })),
      )
      batch.forEach(({ tx, resolve, reject }, i) => {
        const sender = signers[i]
        settle(resolve, reject, () => {
          // Nobody signed it: said in the words of the one who knows them.
          if (sender === undefined) return add(tx)
          pool.add(withSender(tx, sender))
          return tx.hash
        })
      })
    } catch {
      // The threads are busy or gone. What they would have done is done here: slower, not wrong.
      for (const { tx, resolve, reject } of batch) settle(resolve, reject, () => add(tx))
    } finally {
      outstanding -= 1
    }
  }

  /** @param tx not in the pool */
  function admit(tx: UnrecoveredTransaction): Hash | Promise<Hash> {
    if (recovery === undefined || isQuiet()) return add(tx)
    return new Promise((resolve, reject) => {
      waiting.push({ tx, resolve, reject })
      if (waiting.length === 1) timers.after(0, () => void recoverWaiting(recovery))
    })
  }

  return {
    submit: (encoded) => {
      const tx = decodeRaw(encoded)
      if (pool.get(tx.hash) !== undefined) {
        throw new LedgerError('LEDGER_ALREADY_KNOWN', 'the transaction is waiting already', {
          hash: tx.hash,
        })
      }
      const admitted = admit(tx)
      if (onSubmitted === undefined) return admitted
      const told = (hash: Hash): Hash => {
        onSubmitted(encoded)
        return hash
      }
      return admitted instanceof Promise ? admitted.then(told) : told(admitted)
    },
    takeFromPeer: async (encoded) => {
      try {
        const tx = decodeRaw(encoded)
        // Not by an error: with many peers this is the usual case.
        if (pool.get(tx.hash) !== undefined) return 'known'
        await admit(tx)
        return 'new'
      } catch (error) {
        if (!isRefusal(error)) throw error
        return FORGED.has(error.code) ? 'forged' : 'known'
      }
    },
  }
}

function settle(
  resolve: (hash: Hash) => void,
  reject: (error: unknown) => void,
  work: () => Hash,
): void {
  try {
    resolve(work())
  } catch (error) {
    reject(error)
  }
}

/** @throws LedgerError if it is not a valid transaction */
function decodeRaw(encoded: Uint8Array): UnrecoveredTransaction {
  if (encoded[0] !== 3 || !hasBlobSidecar(encoded)) return decodeTransaction(encoded)
  // With its blobs around it, as wallets send it: so that the pool's refusal says what is wrong.
  return decodePooledBlobTransaction(encoded, sha256).transaction
}
