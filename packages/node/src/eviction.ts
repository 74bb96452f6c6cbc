/**
 * Opens the removal of validators that are proven to have contradicted themselves, on this chain or on
 * another that they serve (R2.8): this node votes against them, as soon as the vote guard has nothing
 * against it. It takes more than half of the validators, each of which has seen the proof for itself.
 */

import type { Address } from '@vellum/evm'
import type { ConsensusPort } from '@vellum/rpc'
import type { Logger } from './ports.ts'

export interface Eviction {
  /** @param where what it did, for people */
  accuse(validator: Address, where: string): void
  /** The chain has a new head: its validators may be others now. */
  advanced(): void
  /** Accused validators that are still in the set. */
  accused(): readonly Address[]
}

export interface EvictionPorts {
  readonly validators: () => readonly Address[]
  readonly propose: ConsensusPort['propose']
  readonly log: Logger
}

/** Accusations kept at once; a chain has at most 128 validators. */
const ACCUSED_MAX = 256
/** Heads between two attempts to vote that the guard refuses. */
const RETRY_BLOCKS = 32

interface Case {
  /** Heads until the next attempt; undefined: the vote is cast. */
  wait: number | undefined
}

export function createEviction({ validators, propose, log }: EvictionPorts): Eviction {
  const cases = new Map<Address, Case>()

  function attempt(subject: Address, open: Case): void {
    const verdict = propose({ subject, kind: 'drop', isForced: false })
    open.wait = verdict.ok ? undefined : RETRY_BLOCKS
    if (verdict.ok) log.warn('votes to remove a validator', { validator: subject })
    else log.error('an accused validator stays', { validator: subject, reason: verdict.reason })
  }

  return {
    accuse: (validator, where) => {
      if (cases.has(validator) || !validators().includes(validator)) return
      if (cases.size >= ACCUSED_MAX) return
      log.error('a validator stands accused', { validator, where })
      const open: Case = { wait: undefined }
      cases.set(validator, open)
      attempt(validator, open)
    },
    advanced: () => {
      if (cases.size === 0) return
      const set = validators()
      for (const [subject, open] of cases) {
        if (!set.includes(subject)) {
          log.info('an accused validator is removed', { validator: subject })
          cases.delete(subject)
        } else if (open.wait !== undefined && --open.wait <= 0) attempt(subject, open)
      }
    },
    accused: () => [...cases.keys()],
  }
}
