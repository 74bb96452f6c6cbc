/** What is said of a run of several chains, for people. */

import { MAIN, type PegScenario } from '../peg/scenario.ts'
import type { PegOutcome } from '../peg/world.ts'
import { EPOCH_MS } from '../virtual-time.ts'
import { quantile } from './report.ts'

/** True if the outcome is what the scenario asks for: the rules that were broken are those named. */
export function isPegAsExpected({ expect }: PegScenario, outcome: PegOutcome): boolean {
  const broken = new Set(outcome.violations.map(({ rule }) => rule))
  if (expect.violations.length > 0) return expect.violations.every((rule) => broken.has(rule))
  const { delivered, failed, expired } = outcome
  return (
    broken.size === 0 && delivered >= expect.deliveredMin && failed + expired >= expect.refundedMin
  )
}

export function describePegOutcome({ sides }: PegScenario, outcome: PegOutcome): string {
  const { heights, sent, delivered, failed, expired, arrivals, latencies } = outcome
  const { settledMs, violations } = outcome
  const names = [MAIN, ...sides.map(({ name }) => name)]
  const at = (part: number): string => seconds(quantile(latencies, part) ?? 0)
  return [
    `blocks      ${heights.map((height, i) => `${names[i]} ${height}`).join(', ')}`,
    `validators  ${outcome.validators.map((each, i) => `${names[i]} ${each.join(' ')}`).join(', ')}`,
    `people      ${outcome.operations} acts, ${arrivals} licences moved to another chain`,
    `messages    ${sent} sent, ${delivered} delivered, ${failed} failed, ${expired} expired, ${outcome.forged} forged; ${at(0.5)} s from sending to acknowledgement (p50), ${at(1)} s at most`,
    `relayers    ${outcome.relayed} transactions, ${outcome.relayerDeaths} deaths at a step`,
    `settled     ${settledMs === undefined ? 'never' : `${seconds(settledMs)} s after the healing`}`,
    `frozen      ${outcome.frozen.join(', ') || 'no client'}; alarms of the audit: ${outcome.alarms.join(', ') || 'none'}`,
    `incidents   ${outcome.kills} kills, ${outcome.powerCuts} power cuts, ${outcome.virtualSeconds.toFixed(1)} virtual seconds`,
    `transcript  ${outcome.digest}`,
    `violations  ${violations.length}`,
    ...violations.map(
      ({ rule, at: when, text }) => `  ${rule} at ${seconds(when - EPOCH_MS)} s: ${text}`,
    ),
  ].join('\n')
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3)
}
