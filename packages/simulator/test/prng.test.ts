import { describe, expect, test } from 'vitest'
import { createPrng } from '../src/prng.ts'

const draws = (seed: string, count = 20): number[] => {
  const prng = createPrng(seed)
  return Array.from({ length: count }, () => prng.word())
}

describe('prng', () => {
  test('gives the same numbers for the same seed, and others for another', () => {
    expect(draws('7')).toEqual(draws('7'))
    expect(draws('7')).not.toEqual(draws('8'))
    expect(new Set(draws('7', 1_000)).size).toBe(1_000)
  })

  test('splits by name, whatever was drawn before', () => {
    const fresh = createPrng('7')
    const used = createPrng('7')
    for (let i = 0; i < 10; i++) used.word()
    expect(used.split('a').word()).toBe(fresh.split('a').word())
    expect(fresh.split('a').word()).not.toBe(fresh.split('b').word())
    expect(fresh.split('a').split('b').word()).not.toBe(fresh.split('ab').word())
  })

  test('draws evenly', () => {
    const prng = createPrng('even')
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 10_000; i++) {
      const drawn = prng.whole(0, 9)
      counts[drawn] = counts[drawn]! + 1
    }
    // Four standard deviations (30) around the mean.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(120)
    const mean = Array.from({ length: 10_000 }, () => prng.exponential(5)).reduce((a, b) => a + b)
    expect(Math.abs(mean / 10_000 - 5)).toBeLessThan(0.2)
  })

  test('shuffles without loss, and leaves the list as it was', () => {
    const list = [1, 2, 3, 4, 5, 6, 7, 8]
    const shuffled = createPrng('s').shuffled(list)
    expect(shuffled).not.toEqual(list)
    expect([...shuffled].sort()).toEqual(list)
  })

  test('picks nothing from an empty list', () => {
    expect(() => createPrng('s').pick([])).toThrow(RangeError)
  })
})
