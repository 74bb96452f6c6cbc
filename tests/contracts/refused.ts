/** What the tests of the contracts expect of a refusal. */

import { expect } from 'vitest'
import type { Refusal } from './chain.ts'

/** @param values arguments of the error; absent: any */
export async function refused(
  sent: Promise<unknown>,
  reason: string,
  values?: readonly unknown[],
): Promise<void> {
  const outcome = await sent.then(
    () => 'done',
    (error: unknown) => error,
  )
  // What is no refusal is shown as it is.
  if (typeof outcome !== 'object' || (outcome as Refusal).reason === undefined) {
    throw outcome === 'done' ? new Error(`not refused: expected ${reason}`) : outcome
  }
  const { reason: found, values: given } = outcome as Refusal
  expect(found).toBe(reason)
  if (values !== undefined) expect(given).toEqual(values)
}
