/** The rules between chains, broken one by one: each must be reported, and nothing where none is. */

import type { Hash } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import {
  type BlockFacts,
  createPegChecks,
  type MainSums,
  type MessageEvent,
  type PegChecks,
} from '../src/peg/checks.ts'
import { MAIN } from '../src/peg/scenario.ts'

const SIDE = 'business'
const OTHER = 'health'
const SUPPLY = 1_000n

const id = (number: number): Hash => `0x${number.toString(16).padStart(64, '0')}`

/** A world in which everything is told by hand. */
function createTale(isTrusted: (chain: string) => boolean = () => true) {
  const checks: PegChecks = createPegChecks({
    sides: [SIDE, OTHER],
    isTrusted,
    supply: SUPPLY,
    now: () => 7,
  })
  let height = 0
  const tell = (facts: Omit<BlockFacts, 'height'>): void => {
    height += 1
    checks.onBlock({ ...facts, height } as BlockFacts)
  }
  return {
    checks,
    main: (events: readonly MessageEvent[], locked: bigint, changes: Partial<MainSums> = {}) =>
      tell({
        chain: MAIN,
        events,
        main: {
          supply: SUPPLY,
          vaultBalance: locked,
          locked: new Map([
            [SIDE, locked],
            [OTHER, 0n],
          ]),
          ...changes,
        },
      } as Omit<BlockFacts, 'height'>),
    side: (events: readonly MessageEvent[], supply: bigint) =>
      tell({ chain: SIDE, events, supply } as Omit<BlockFacts, 'height'>),
    rules: () => [...new Set(checks.violations.map(({ rule }) => rule))].sort(),
  }
}

const sent = (number: number, to: string, amount?: bigint): MessageEvent => ({
  type: 'sent',
  to,
  id: id(number),
  sequence: number,
  amount,
})
const received = (
  number: number,
  from: string,
  outcome: 'delivered' | 'failed' | 'expired' = 'delivered',
): MessageEvent => ({ type: 'received', from, id: id(number), sequence: number, outcome })
const acknowledged = (
  number: number,
  by: string,
  outcome: 'delivered' | 'failed' | 'expired' = 'delivered',
): MessageEvent => ({ type: 'acknowledged', by, id: id(number), outcome })
const credited = (number: number, from: string, amount: bigint): MessageEvent => ({
  type: 'credited',
  from,
  id: id(number),
  amount,
})
const returned = (number: number, amount: bigint): MessageEvent => ({
  type: 'returned',
  id: id(number),
  amount,
})

describe('nothing is reported of', () => {
  test('credit that goes there and back', () => {
    const { checks, main, side, rules } = createTale()
    main([sent(1, SIDE, 10n)], 10n)
    side([credited(1, MAIN, 10n), received(1, MAIN)], 10n)
    main([acknowledged(1, SIDE)], 10n)
    side([sent(2, MAIN, 4n)], 6n)
    main([credited(2, SIDE, 4n), received(2, SIDE)], 6n)
    side([acknowledged(2, MAIN)], 6n)
    checks.atEnd(() => true)
    expect(rules()).toEqual([])
  })

  test('credit that comes back, as it was too late or refused', () => {
    const { checks, main, side, rules } = createTale()
    main([sent(1, SIDE, 10n), sent(2, SIDE, 5n)], 15n)
    side([received(1, MAIN, 'expired'), received(2, MAIN, 'failed')], 0n)
    main([returned(1, 10n), acknowledged(1, SIDE, 'expired')], 5n)
    main([returned(2, 5n), acknowledged(2, SIDE, 'failed')], 0n)
    checks.atEnd(() => true)
    expect(rules()).toEqual([])
  })

  test('a chain known to lie that takes what was locked for it', () => {
    const { checks, main, rules } = createTale((chain) => chain !== SIDE)
    main([sent(1, SIDE, 10n)], 10n)
    main([credited(9, SIDE, 10n), received(9, SIDE)], 0n)
    checks.atEnd((chain) => chain !== SIDE)
    expect(rules()).toEqual([])
    expect(checks.forged).toBe(1)
  })
})

describe('reported', () => {
  const cases: readonly {
    readonly name: string
    readonly rule: string
    readonly trusts?: (chain: string) => boolean
    readonly tell: (tale: ReturnType<typeof createTale>) => void
  }[] = [
    {
      name: 'C1: more is locked than was sent',
      rule: 'C1',
      tell: ({ main }) => main([sent(1, SIDE, 10n)], 11n),
    },
    {
      name: 'C1: a side chain has more than arrived',
      rule: 'C1',
      tell: ({ main, side }) => {
        main([sent(1, SIDE, 10n)], 10n)
        side([credited(1, MAIN, 10n), received(1, MAIN)], 11n)
      },
    },
    {
      name: 'C2: the vault has less than it keeps',
      rule: 'C2',
      tell: ({ main }) => main([sent(1, SIDE, 10n)], 10n, { vaultBalance: 9n }),
    },
    {
      name: 'C2: credit of main comes from nowhere',
      rule: 'C2',
      tell: ({ main }) => main([], 0n, { supply: SUPPLY + 1n }),
    },
    {
      name: 'C3: a lying side chain gets more than was locked for it',
      rule: 'C3',
      trusts: (chain) => chain !== SIDE,
      tell: ({ main }) => {
        main([sent(1, SIDE, 10n)], 10n)
        main([credited(8, SIDE, 11n)], -1n, { vaultBalance: 0n })
      },
    },
    {
      name: 'M1: a message is received that was never sent',
      rule: 'M1',
      tell: ({ side }) => side([received(1, MAIN)], 0n),
    },
    {
      name: 'M1: a message is received twice',
      rule: 'M1',
      tell: ({ main, side }) => {
        main([sent(1, SIDE)], 0n)
        side([received(1, MAIN)], 0n)
        side([received(1, MAIN)], 0n)
      },
    },
    {
      name: 'M1: a message is received by another chain than it was sent to',
      rule: 'M1',
      tell: ({ main, side }) => {
        main([sent(1, OTHER)], 0n)
        side([received(1, MAIN)], 0n)
      },
    },
    {
      name: 'M2: an outcome is taken before there is one',
      rule: 'M2',
      tell: ({ main }) => {
        main([sent(1, SIDE)], 0n)
        main([acknowledged(1, SIDE)], 0n)
      },
    },
    {
      name: 'M2: an outcome is taken for another',
      rule: 'M2',
      tell: ({ main, side }) => {
        main([sent(1, SIDE)], 0n)
        side([received(1, MAIN)], 0n)
        main([acknowledged(1, SIDE, 'expired')], 0n)
      },
    },
    {
      name: 'M2: an outcome is taken twice',
      rule: 'M2',
      tell: ({ main, side }) => {
        main([sent(1, SIDE)], 0n)
        side([received(1, MAIN)], 0n)
        main([acknowledged(1, SIDE), acknowledged(1, SIDE)], 0n)
      },
    },
    {
      name: 'M3: credit is minted twice for one message',
      rule: 'M3',
      tell: ({ main, side }) => {
        main([sent(1, SIDE, 10n)], 10n)
        side([credited(1, MAIN, 10n), credited(1, MAIN, 10n)], 20n)
      },
    },
    {
      name: 'M3: credit is minted of another amount than was sent',
      rule: 'M3',
      tell: ({ main, side }) => {
        main([sent(1, SIDE, 10n)], 10n)
        side([credited(1, MAIN, 9n)], 9n)
      },
    },
    {
      name: 'M3: credit is given back although it was delivered',
      rule: 'M3',
      tell: ({ checks, main, side }) => {
        main([sent(1, SIDE, 10n)], 10n)
        side([credited(1, MAIN, 10n), received(1, MAIN)], 10n)
        main([acknowledged(1, SIDE), returned(1, 10n)], 0n)
        checks.atEnd(() => true)
      },
    },
    {
      name: 'M3: a message is acknowledged as delivered, and nothing was done',
      rule: 'M3',
      tell: ({ checks, main, side }) => {
        main([sent(1, SIDE, 10n)], 10n)
        side([received(1, MAIN)], 0n)
        main([acknowledged(1, SIDE)], 10n)
        checks.atEnd(() => true)
      },
    },
    {
      name: 'M4: a message has no outcome in the end',
      rule: 'M4',
      tell: ({ checks, main }) => {
        main([sent(1, SIDE)], 0n)
        checks.atEnd(() => true)
      },
    },
  ]

  test.for(cases)('$name', ({ rule, trusts, tell }) => {
    const tale = createTale(trusts)
    tell(tale)
    expect(tale.rules()).toContain(rule)
  })

  test('M4 is not asked of a chain that is lost', () => {
    const { checks, main, rules } = createTale()
    main([sent(1, SIDE)], 0n)
    checks.atEnd((chain) => chain !== SIDE)
    expect(rules()).toEqual([])
  })

  test('a broken run is not listed for ever', () => {
    const { checks, main } = createTale()
    for (let i = 0; i < 100; i++) main([], 1n)
    expect(checks.violations.length).toBeLessThanOrEqual(10)
  })
})
