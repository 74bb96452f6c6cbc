import { describe, expect, it } from 'vitest'
import { createRateLimiter, networkOf, type RateLimiter } from '../src/rate-limit.ts'

function setUp(
  tokensPerSecond = 10,
  addressesMax = 3,
): { limiter: RateLimiter; pass(ms: number): void } {
  let nowMs = 0
  const limits = { tokensPerSecond, tokensAtOnce: 20, addressesMax }
  return {
    limiter: createRateLimiter(limits, () => nowMs),
    pass: (ms) => {
      nowMs += ms
    },
  }
}

describe('createRateLimiter', () => {
  it('lets a client use what it has at once, and more only with time', () => {
    const { limiter, pass } = setUp()
    const budget = limiter.budgetOf('10.0.0.1')!
    budget.take(19)
    expect(budget.hasLeft()).toBe(true)
    budget.take(6)
    expect(budget.hasLeft()).toBe(false)
    expect(budget.waitMs()).toBe(501)
    pass(400)
    expect(budget.hasLeft()).toBe(false)
    pass(200)
    expect([budget.hasLeft(), budget.waitMs()]).toEqual([true, 0])
  })

  it('fills no further than to the brim', () => {
    const { limiter, pass } = setUp()
    const budget = limiter.budgetOf('10.0.0.1')!
    pass(1e9)
    budget.take(21)
    expect(budget.hasLeft()).toBe(false)
  })

  it('gives all connections of an address one budget, and others their own', () => {
    const { limiter } = setUp()
    limiter.budgetOf('10.0.0.1')!.take(30)
    expect(limiter.budgetOf('10.0.0.1')!.hasLeft()).toBe(false)
    expect(limiter.budgetOf('10.0.0.2')!.hasLeft()).toBe(true)
  })

  it('remembers so many addresses, those that connected last', () => {
    const { limiter } = setUp()
    for (const address of ['a', 'b', 'c']) limiter.budgetOf(address)!.take(30)
    limiter.budgetOf('a')
    limiter.budgetOf('d')
    expect(limiter.budgetOf('a')!.hasLeft()).toBe(false)
    expect(limiter.budgetOf('b')!.hasLeft()).toBe(true)
  })

  it('limits nobody where the pace is 0', () => {
    expect(setUp(0).limiter.budgetOf('10.0.0.1')).toBeUndefined()
  })
})

describe('networkOf', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:0:0:ffff::1', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
  ])('%s belongs to %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})
