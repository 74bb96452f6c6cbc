import { expect, test } from 'vitest'
import { fuzzTransport, NETWORK_HEAP_GROWTH_MAX } from '../../../tests/fuzz/network.ts'

test('2,000 mutated messages, questions, addresses and frames harm neither node nor honest peer', async () => {
  const report = await fuzzTransport({ runs: 2_000, seed: 1 }, () => {})
  expect(report.failed).toEqual([])
  expect(report.passed).toBe(2_000)
  // Valid ones came through, and wrong ones ended sessions.
  expect(report.delivered).toBeGreaterThan(100)
  expect(report.ended).toBeGreaterThan(20)
  expect([...report.cases.keys()].sort()).toEqual(
    ['addresses', 'channel', 'multiplexer', 'question', 'socket'].sort(),
  )
  expect(report.heap.late - report.heap.early).toBeLessThan(NETWORK_HEAP_GROWTH_MAX)
})
