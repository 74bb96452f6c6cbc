/** Numbers that look random and repeat with their seed (mulberry32), for tests that draw cases. */

export interface SeededRandom {
  /** From 0 (included) to `below` (excluded), whole. */
  whole(below: number): number
  pick<T>(from: readonly T[]): T
}

export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (below: number): number => Math.floor(next() * below)
  return { whole, pick: (from) => from[whole(from.length)]! }
}
