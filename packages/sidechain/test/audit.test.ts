import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { auditCredit, type CreditCounters } from '../src/index.ts'

const WHOLE: CreditCounters = {
  locked: 1_000n,
  refunded: 100n,
  released: 200n,
  minted: 700n,
  burned: 350n,
  returned: 50n,
  supply: 400n,
  vaultBalance: 700n,
  lockedForAll: 700n,
}

describe('auditCredit', () => {
  test('what is locked is on the side chain, or on its way', () => {
    expect(auditCredit(WHOLE, { toSide: 200n, toMain: 100n })).toEqual({
      ok: true,
      faults: [],
      lockedFor: 700n,
      toSide: 200n,
      toMain: 100n,
    })
  })

  test.each([
    ['supply differs from what was minted and burned', { supply: 401n }, undefined],
    ['more was minted than was locked', { minted: 901n, supply: 601n }, undefined],
    ['more was released than was burned', { released: 301n }, undefined],
    ['vault has less than it has locked', { vaultBalance: 699n }, undefined],
    [
      'messages to the side chain differ from what is on its way',
      {},
      { toSide: 199n, toMain: 100n },
    ],
    ['messages to main differ from what is on its way', {}, { toSide: 200n, toMain: 101n }],
  ] as const)('%s', (fault, change, messages) => {
    const verdict = auditCredit({ ...WHOLE, ...change }, messages)
    expect(verdict).toMatchObject({ ok: false, faults: [fault] })
  })

  test('holds after any honest sequence of steps, and the sum is always what is locked', () => {
    const step = fc.tuple(
      fc.constantFrom('lock', 'mint', 'refund', 'burn', 'release', 'return'),
      fc.bigInt(1n, 1_000n),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const c = {
          locked: 0n,
          refunded: 0n,
          released: 0n,
          minted: 0n,
          burned: 0n,
          returned: 0n,
          supply: 0n,
        }
        for (const [kind, wanted] of steps) {
          const toSide = c.locked - c.refunded - c.minted
          const toMain = c.burned - c.returned - c.released
          const most = {
            lock: wanted,
            mint: toSide,
            refund: toSide,
            burn: c.supply,
            release: toMain,
            return: toMain,
          }[kind]
          const amount = wanted < most ? wanted : most
          if (kind === 'lock') c.locked += amount
          if (kind === 'mint') c.minted += amount
          if (kind === 'refund') c.refunded += amount
          if (kind === 'burn') c.burned += amount
          if (kind === 'release') c.released += amount
          if (kind === 'return') c.returned += amount
          c.supply = c.minted - c.burned + c.returned
        }
        const lockedFor = c.locked - c.refunded - c.released
        const verdict = auditCredit({ ...c, vaultBalance: lockedFor, lockedForAll: lockedFor })
        expect(verdict.faults).toEqual([])
        expect(verdict.lockedFor).toBe(c.supply + verdict.toSide + verdict.toMain)
      }),
    )
  })
})
