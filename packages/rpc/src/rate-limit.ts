/** How much each client may ask: a bucket of tokens for each address, which fills at a steady pace. */

import type { Budget } from './access.ts'

export interface RateLimits {
  /** Tokens that come back in a second; an ordinary call costs one. 0: no limit. */
  readonly tokensPerSecond: number
  /** Tokens of who has not asked for a while. */
  readonly tokensAtOnce: number
  /** Addresses remembered; who asked longest ago begins anew. */
  readonly addressesMax: number
}

export interface RateLimiter {
  /** The budget of all connections from an address; undefined without limit. */
  budgetOf(address: string): Budget | undefined
}

/** @param nowMs milliseconds from any fixed point, never falling */
export function createRateLimiter(limits: RateLimits, nowMs: () => number): RateLimiter {
  const { tokensPerSecond, tokensAtOnce } = limits
  /** By address; the map's order is that of the last connection. */
  const budgets = new Map<string, Budget>()

  function createBudget(): Budget {
    let left = tokensAtOnce
    let atMs = nowMs()
    const refill = (): void => {
      const now = nowMs()
      left = Math.min(tokensAtOnce, left + ((now - atMs) * tokensPerSecond) / 1_000)
      atMs = now
    }
    return {
      hasLeft() {
        refill()
        return left > 0
      },
      take(tokens) {
        refill()
        left -= tokens
      },
      waitMs() {
        refill()
        return left > 0 ? 0 : Math.ceil((-left * 1_000) / tokensPerSecond) + 1
      },
    }
  }

  return {
    budgetOf(address) {
      if (tokensPerSecond === 0) return undefined
      const name = networkOf(address)
      const budget = budgets.get(name) ?? createBudget()
      budgets.delete(name)
      budgets.set(name, budget)
      if (budgets.size > limits.addressesMax) budgets.delete(budgets.keys().next().value!)
      return budget
    },
  }
}

/**
 * Whom an address belongs to: itself in IPv4, the network of 64 bits in IPv6, of which a single client
 * has all addresses. @param address in the form of the system: of IPv6 in lower case, shortened
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [front = '', back] = address.split('%')[0]!.split('::')
  const head = front === '' ? [] : front.split(':')
  const tail = back === undefined || back === '' ? [] : back.split(':')
  const zeros = back === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':')
}
