/**
 * Records of a busy verifier. While one transaction is on its way the next verifications gather, and go
 * together in the next one: alone none waits, and under load the cost of a transaction is shared.
 */

import { LICENCE_LIMITS } from '../config.ts'
import { LicenceError } from '../error.ts'
import type { ChainWriter, Done } from './contracts.ts'
import { recordVerifications, type VerificationEntry } from './verifier.ts'

export interface Recorded extends Pick<Done, 'transactionHash' | 'blockNumber'> {
  /** Of the log. */
  readonly index: bigint
}

export interface Recorder {
  /**
   * Records one verification, together with others that wait. A refusal is this entry's own: the others
   * are recorded without it.
   * @throws LicenceError as `recordVerification`; LICENCE_RECORDER_FULL. After another error, of the
   *   network, it may be recorded or not: recorded again it is refused with `TagUsed` if it was
   */
  record(entry: VerificationEntry): Promise<Recorded>
}

interface Waiting {
  readonly entry: VerificationEntry
  readonly resolve: (recorded: Recorded) => void
  readonly reject: (error: unknown) => void
}

/** @param chain whose account no one else sends with meanwhile: its nonces follow each other */
export function createRecorder(chain: ChainWriter): Recorder {
  const waiting: Waiting[] = []
  let isSending = false

  async function sendAll(): Promise<void> {
    isSending = true
    while (waiting.length > 0) {
      await settle(chain, waiting.splice(0, LICENCE_LIMITS.recordsMax))
    }
    isSending = false
  }

  return {
    record: (entry) => {
      if (waiting.length >= LICENCE_LIMITS.recordsWaitingMax) {
        const limit = LICENCE_LIMITS.recordsWaitingMax
        return Promise.reject(
          new LicenceError('LICENCE_RECORDER_FULL', `${limit} verifications wait to be recorded`),
        )
      }
      return new Promise((resolve, reject) => {
        waiting.push({ entry, resolve, reject })
        if (!isSending) void sendAll()
      })
    },
  }
}

/** Answers each of some entries; never throws. Of refused ones the halves are tried, down to the one. */
async function settle(chain: ChainWriter, entries: readonly Waiting[]): Promise<void> {
  let done: Awaited<ReturnType<typeof recordVerifications>>
  try {
    done = await recordVerifications(
      chain,
      entries.map(({ entry }) => entry),
    )
  } catch (error) {
    const isRefused = error instanceof LicenceError && error.code === 'LICENCE_CHAIN_REFUSED'
    if (!isRefused || entries.length === 1) {
      for (const { reject } of entries) reject(error)
      return
    }
    const half = Math.ceil(entries.length / 2)
    await settle(chain, entries.slice(0, half))
    await settle(chain, entries.slice(half))
    return
  }
  const { transactionHash, blockNumber, indexes } = done
  for (const [i, { resolve }] of entries.entries()) {
    resolve({ transactionHash, blockNumber, index: indexes[i]! })
  }
}
