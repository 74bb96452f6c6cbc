import { expect, it } from 'vitest'
import { fuzzPeg, VERDICT_GAS_MAX, VERDICT_MS_MAX } from './fuzz/peg.ts'

it('damaged headers, proofs and messages are refused, whole ones taken, 10,000 of them', async () => {
  const report = await fuzzPeg({ runs: 10_000, seed: 1 }, () => {})
  expect(report.failed).toEqual([])
  expect(report.mutated).toBe(10_000)
  expect(report.accepted).toBe(0)
  expect(report.valid).toBeGreaterThan(1_000)
  // Every kind of damage has its turn.
  expect(report.kinds.size).toBeGreaterThan(170)
  expect(Math.min(...report.kinds.values())).toBeGreaterThan(5)
  expect(report.msMax).toBeLessThan(VERDICT_MS_MAX)
  expect(report.gasMax).toBeLessThan(VERDICT_GAS_MAX)
})
