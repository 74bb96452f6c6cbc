import { expect, test } from 'vitest'
import { fuzzEvm } from './fuzz/evm.ts'

test('the machine: generated programs end as on an independent one, by blocks and by steps', async () => {
  const { passed, failed } = await fuzzEvm({ runs: 250, seed: 77, fork: undefined }, () => {})
  expect(failed).toEqual([])
  expect(passed).toBe(250)
})
