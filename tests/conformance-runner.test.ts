/** The runner of conformance suites: what it takes, and that it can fail. */

import { LedgerError } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { expectEqual, expectRefusal } from './conformance/expect.ts'
import { type Case, type RunOptions, runSuite, type Suite } from './conformance/suite.ts'

const OPTIONS: RunOptions = { path: '.', fork: undefined, sample: undefined, filter: undefined }

function suiteOf(...cases: readonly Case[]): Suite {
  return { name: 'made up', sample: 1, cases: () => cases }
}

const numbered = (count: number, ran: number[]): Suite =>
  suiteOf(
    ...Array.from({ length: count }, (_, i) => ({
      name: `case ${i}`,
      run: () => {
        ran.push(i)
      },
    })),
  )

describe('runSuite', () => {
  test('counts what passes, and names what fails or does not apply, with the reason', async () => {
    const suite = suiteOf(
      { name: 'fine', run: () => {} },
      { name: 'late', run: async () => expectEqual(1n, 2n, 'the number') },
      { name: 'wrong', run: () => expectEqual([1], [1, 2], 'the list') },
      { name: 'other', run: () => ({ skip: 'another chain' }) },
    )
    expect(await runSuite(suite, OPTIONS)).toEqual({
      passed: 1,
      failed: [
        { name: 'late', reason: 'the number is "1", expected "2"' },
        { name: 'wrong', reason: 'the list is [1], expected [1,2]' },
      ],
      skipped: [{ name: 'other', reason: 'another chain' }],
    })
  })

  test('takes a sample of exactly the size asked for, spread over all cases', async () => {
    for (const [count, sample, expected] of [
      [10, 1, [9]],
      [10, 3, [3, 6, 9]],
      [3, 10, [0, 1, 2]],
      [666, 7, [95, 190, 285, 380, 475, 570, 665]],
    ] as const) {
      const ran: number[] = []
      await runSuite(numbered(count, ran), { ...OPTIONS, sample })
      expect(ran).toEqual(expected)
    }
  })

  test('takes only the cases whose names contain the filter, and samples among them', async () => {
    const ran: number[] = []
    await runSuite(numbered(30, ran), { ...OPTIONS, filter: 'case 1', sample: 2 })
    expect(ran).toEqual([14, 19])
  })
})

describe('expectRefusal', () => {
  test('passes for a LedgerError only: neither acceptance nor a crash is a refusal', () => {
    const refuse = (): never => {
      throw new LedgerError('LEDGER_RLP_INVALID', 'no')
    }
    const crash = (): never => {
      throw new TypeError('crashed')
    }
    expect(() => expectRefusal(refuse, 'bad')).not.toThrow()
    expect(() => expectRefusal(crash, 'bad')).toThrow('crashed')
    expect(() => expectRefusal(() => 5, 'bad')).toThrow('accepted what must be refused')
  })
})
