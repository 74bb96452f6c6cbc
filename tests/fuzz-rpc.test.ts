import { expect, it } from 'vitest'
import { fuzzRpc, HEAP_GROWTH_MAX } from './fuzz/rpc.ts'

it('answers 10,000 damaged requests with well-formed JSON-RPC and keeps nothing of them', async () => {
  const report = await fuzzRpc({ runs: 10_000, seed: 1 }, () => {})
  expect(report.failed).toEqual([])
  expect(report.passed).toBe(10_000)
  // The mutations reach handlers as well as every kind of refusal.
  for (const kind of ['result', '-32700', '-32600', '-32601', '-32602', '-32000']) {
    expect(report.answers.get(kind) ?? 0).toBeGreaterThan(50)
  }
  // They take every way, and the server ends what cannot be read further.
  for (const way of ['HTTP', 'HTTP, damaged', 'WebSocket', 'WebSocket, damaged']) {
    expect(report.ways.get(way) ?? 0).toBeGreaterThan(400)
  }
  expect(report.heap.late - report.heap.early).toBeLessThan(HEAP_GROWTH_MAX)
})
