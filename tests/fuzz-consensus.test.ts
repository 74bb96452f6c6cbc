import { expect, it } from 'vitest'
import { fuzzConsensus } from './fuzz/consensus.ts'

it('three honest validators decide, whatever the fourth sends, 10,000 messages', async () => {
  const report = await fuzzConsensus({ runs: 10_000, seed: 1 }, () => {})
  expect(report.failed).toEqual([])
  expect(report.passed).toBe(10_000)
  // The lies reach the rules, and not only the decoder.
  for (const kind of ['taken', 'not decoded', 'justification is not valid', 'too far ahead']) {
    expect(report.outcomes.get(kind) ?? 0, kind).toBeGreaterThan(50)
  }
})
