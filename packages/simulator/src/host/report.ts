/** What is said of a run, for people. */

import type { Scenario } from '../scenario.ts'
import { EPOCH_MS } from '../virtual-time.ts'
import type { Outcome } from '../world.ts'

/** True if the outcome is what the scenario asks for. */
export function isAsExpected(scenario: Scenario, outcome: Outcome): boolean {
  const isFound = outcome.violations.length > 0
  return scenario.expect.violations === 'some' ? isFound : !isFound
}

export function describeOutcome(outcome: Outcome): string {
  const { violations, heightAtHealing, height, recoveryMs, recoveryPeriods } = outcome
  const recovery =
    recoveryMs === undefined
      ? 'no block after the healing'
      : `next block ${seconds(recoveryMs)} s after the healing (${recoveryPeriods!.toFixed(2)} block periods)`
  return [
    `blocks      ${heightAtHealing} before the healing, ${height} in all; ${outcome.roundsLost} rounds failed, ${outcome.carriedOver} blocks were carried over`,
    `recovery    ${recovery}`,
    `heads       ${outcome.heights.join(' ')}`,
    `traffic     ${outcome.messages} messages, ${outcome.transactions} transactions, ${outcome.virtualSeconds.toFixed(1)} virtual seconds`,
    `incidents   ${outcome.kills} kills, ${outcome.powerCuts} power cuts, ${outcome.failures} nodes stopped by themselves, ${outcome.evidence} proofs of lies`,
    `transcript  ${outcome.digest}`,
    `violations  ${violations.length}`,
    ...violations.map(({ rule, at, text }) => `  ${rule} at ${seconds(at - EPOCH_MS)} s: ${text}`),
  ].join('\n')
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3)
}

/** Value below which this part of the sorted list lies. */
export function quantile(sorted: readonly number[], part: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]
}
