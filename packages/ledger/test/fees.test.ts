import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  blobBaseFee,
  defaultBlobSchedule,
  GAS_PER_BLOB,
  nextBaseFee,
  nextExcessBlobGas,
  nextGasLimit,
} from '../src/index.ts'

describe('base fee (EIP-1559)', () => {
  const parent = { gasLimit: 20_000_000n, gasUsed: 10_000_000n, baseFeePerGas: 1_000_000_000n }

  test.for([
    ['stays at the target', 10_000_000n, 1_000_000_000n],
    ['rises by an eighth after a full block', 20_000_000n, 1_125_000_000n],
    ['falls by an eighth after an empty one', 0n, 875_000_000n],
    ['moves in proportion between', 15_000_000n, 1_062_500_000n],
  ] as const)('%s', ([, gasUsed, expected]) => {
    expect(nextBaseFee({ ...parent, gasUsed })).toBe(expected)
  })

  test('rises by 1 at least, and never below 0', () => {
    expect(nextBaseFee({ ...parent, gasUsed: 10_000_001n, baseFeePerGas: 1n })).toBe(2n)
    expect(nextBaseFee({ ...parent, gasUsed: 0n, baseFeePerGas: 0n })).toBe(0n)
  })
})

describe('blob gas (EIP-4844, EIP-7691, EIP-7918)', () => {
  test('costs 1 wei at least, and what e to the power of the excess says', () => {
    const schedule = defaultBlobSchedule('cancun')
    expect(blobBaseFee(0n, schedule)).toBe(1n)
    const property = fc.property(fc.bigInt(0n, 60_000_000n), (excess) => {
      const exact = Math.exp(Number(excess) / Number(schedule.baseFeeUpdateFraction))
      const fee = Number(blobBaseFee(excess, schedule))
      expect(fee).toBeGreaterThanOrEqual(Math.floor(exact * 0.999_999))
      expect(fee).toBeLessThanOrEqual(Math.max(1, exact))
    })
    fc.assert(property)
  })

  test('the excess is what blocks used above the target, and never negative', () => {
    const schedule = defaultBlobSchedule('cancun')
    const parent = { excessBlobGas: 0n, blobGasUsed: 0n, baseFeePerGas: 7n }
    expect(nextExcessBlobGas(parent, 'cancun', schedule)).toBe(0n)
    const full = { ...parent, blobGasUsed: 6n * GAS_PER_BLOB }
    expect(nextExcessBlobGas(full, 'cancun', schedule)).toBe(3n * GAS_PER_BLOB)
  })

  test('from Osaka on the price does not fall while execution costs more', () => {
    const schedule = defaultBlobSchedule('osaka')
    const parent = {
      excessBlobGas: 10n * GAS_PER_BLOB,
      blobGasUsed: 3n * GAS_PER_BLOB,
      baseFeePerGas: 10n ** 9n,
    }
    const floor = parent.excessBlobGas + (parent.blobGasUsed * 3n) / 9n
    expect(nextExcessBlobGas(parent, 'osaka', schedule)).toBe(floor)
    const cheap = { ...parent, baseFeePerGas: 1n }
    expect(nextExcessBlobGas(cheap, 'osaka', schedule)).toBe(7n * GAS_PER_BLOB)
    expect(nextExcessBlobGas(parent, 'prague', schedule)).toBe(7n * GAS_PER_BLOB)
  })
})

test('the gas limit moves towards its target by legal steps and arrives', () => {
  const limit = fc.bigInt(5_000n, 10n ** 12n)
  const property = fc.property(limit, limit, (from, target) => {
    const next = nextGasLimit(from, target)
    const step = next > from ? next - from : from - next
    if (step > 0n) expect(step).toBeLessThan(from / 1024n)
    expect(next).toBeGreaterThanOrEqual(5_000n)
    // Never past the target, never away from it.
    if (target >= from) expect(next >= from && next <= target).toBe(true)
    else expect(next <= from && next >= target).toBe(true)
  })
  fc.assert(property)
})
