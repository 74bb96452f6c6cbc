/**
 * Chance that can be repeated: xoshiro128** (Blackman and Vigna), seeded from text.
 *
 * Every part of the world has a stream of its own, split off by name. A name fixes the stream,
 * whatever was drawn before, so that a new draw in one place does not shift those of another.
 */

export interface Prng {
  /** 0 to 2^32 - 1. */
  word(): number
  /** From 0 up to, but not, 1. */
  fraction(): number
  /** A whole number, both bounds included. */
  whole(least: number, most: number): number
  /** A number from `least` up to, but not, `most`. */
  between(least: number, most: number): number
  /** @param probability 0 to 1 */
  chance(probability: number): boolean
  /** @throws RangeError for an empty list */
  pick<T>(items: readonly T[]): T
  /** A copy in random order. */
  shuffled<T>(items: readonly T[]): T[]
  /** Of the exponential distribution with this mean. */
  exponential(mean: number): number
  bytes(size: number): Uint8Array
  /** A stream of its own: the same for the same name, whatever was drawn here. */
  split(name: string): Prng
}

export function createPrng(seed: string): Prng {
  const state = stateOf(seed)

  function word(): number {
    const [a, b, c, d] = state as [number, number, number, number]
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const mixed = d ^ b
    const other = c ^ a
    state[1] = b ^ other
    state[0] = a ^ mixed
    state[2] = other ^ (b << 9)
    state[3] = (mixed << 11) | (mixed >>> 21)
    return result
  }

  const fraction = (): number => word() / 2 ** 32
  const whole = (least: number, most: number): number =>
    least + Math.floor(fraction() * (most - least + 1))

  return {
    word,
    fraction,
    whole,
    between: (least, most) => least + fraction() * (most - least),
    chance: (probability) => fraction() < probability,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('nothing to pick from')
      return items[whole(0, items.length - 1)]!
    },
    shuffled: (items) => {
      const copy = [...items]
      for (let i = copy.length - 1; i > 0; i--) {
        const j = whole(0, i)
        const kept = copy[i]!
        copy[i] = copy[j]!
        copy[j] = kept
      }
      return copy
    },
    exponential: (mean) => -mean * Math.log(1 - fraction()),
    bytes: (size) => Uint8Array.from({ length: size }, () => word() & 255),
    split: (name) => createPrng(`${seed}/${name}`),
  }
}

/** Four words that depend on every character (the 128-bit hash "cyrb128"), never all zero. */
function stateOf(text: string): number[] {
  let [a, b, c, d] = [1779033703, 3144134277, 1013904242, 2773480762]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = b ^ Math.imul(a ^ code, 597399067)
    b = c ^ Math.imul(b ^ code, 2869860233)
    c = d ^ Math.imul(c ^ code, 951274213)
    d = a ^ Math.imul(d ^ code, 2716044179)
  }
  a = Math.imul(c ^ (a >>> 18), 597399067)
  b = Math.imul(d ^ (b >>> 22), 2869860233)
  c = Math.imul(a ^ (c >>> 17), 951274213)
  d = Math.imul(b ^ (d >>> 19), 2716044179)
  return [a ^ b ^ c ^ d, b ^ a, c ^ a, (d ^ a) | 1]
}
