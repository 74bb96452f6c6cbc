/** A seeded source of choices: the same seed makes the same program on every machine. */

export interface Prng {
  /** 0 to 2^32 - 1. */
  uint32(): number
  /** 0 to `limit` - 1. */
  below(limit: number): number
  /** True once in `n` times. */
  oneIn(n: number): boolean
  pick<T>(items: readonly T[]): T
  bytes(size: number): Uint8Array
}

/** SplitMix32. */
export function createPrng(seed: number): Prng {
  let state = seed >>> 0
  const uint32 = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  const below = (limit: number): number => Math.floor((uint32() / 4294967296) * limit)
  return {
    uint32,
    below,
    oneIn: (n) => below(n) === 0,
    pick: (items) => items[below(items.length)]!,
    bytes: (size) => Uint8Array.from({ length: size }, () => uint32() & 255),
  }
}
