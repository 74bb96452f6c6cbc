/** How long a round may take. Spec: qbft.md §13.1. */

/**
 * base * 2^round, at most the cap. Integers only: the power is never computed where it would overflow.
 * @param round 0 or more
 */
export function roundTimeoutMs(baseMs: number, round: number, capMs: number): number {
  let timeoutMs = Math.min(baseMs, capMs)
  for (let i = 0; i < round && timeoutMs < capMs; i++) timeoutMs = Math.min(timeoutMs * 2, capMs)
  return timeoutMs
}
