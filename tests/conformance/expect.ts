/** Assertions of the suites: short messages that say what differs. */

import { isDeepStrictEqual } from 'node:util'
import { LedgerError } from '@vellum/ledger'

/** @throws Error unless both are deeply equal; `what` names the thing compared */
export function expectEqual(found: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(found, expected)) return
  throw new Error(`${what} is ${shown(found)}, expected ${shown(expected)}`)
}

/** @throws Error unless the work throws a LedgerError: a refusal, not a crash */
export function expectRefusal(work: () => unknown, what: string): void {
  let result: unknown
  try {
    result = work()
  } catch (error) {
    if (error instanceof LedgerError) return
    throw error
  }
  throw new Error(`accepted what must be refused (${what}): ${shown(result)}`)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, inner) =>
    typeof inner === 'bigint' ? inner.toString() : inner,
  )
  return text === undefined ? 'undefined' : text.slice(0, 300)
}
