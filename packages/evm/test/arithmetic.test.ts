/** Every operation on words against BigInt, by running it. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wordOf } from './stage.ts'

const LIMIT = 1n << 256n

const signed = (value: bigint): bigint => BigInt.asIntN(256, value)
const word = (value: bigint): bigint => BigInt.asUintN(256, value)
const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let b = base, e = exponent; e > 0n; e >>= 1n, b = (b * b) % LIMIT) {
    if (e & 1n) result = (result * b) % LIMIT
  }
  return result
}

const BINARY: Readonly<Record<string, [op: string, meaning: (a: bigint, b: bigint) => bigint]>> = {
  ADD: ['01', (a, b) => a + b],
  MUL: ['02', (a, b) => a * b],
  SUB: ['03', (a, b) => a - b],
  DIV: ['04', (a, b) => (b === 0n ? 0n : a / b)],
  SDIV: ['05', (a, b) => (b === 0n ? 0n : signed(a) / signed(b))],
  MOD: ['06', (a, b) => (b === 0n ? 0n : a % b)],
  SMOD: ['07', (a, b) => (b === 0n ? 0n : signed(a) % signed(b))],
  EXP: ['0a', power],
  SIGNEXTEND: ['0b', (a, b) => (a > 30n ? b : BigInt.asIntN(Number(a) * 8 + 8, b))],
  LT: ['10', (a, b) => BigInt(a < b)],
  GT: ['11', (a, b) => BigInt(a > b)],
  SLT: ['12', (a, b) => BigInt(signed(a) < signed(b))],
  SGT: ['13', (a, b) => BigInt(signed(a) > signed(b))],
  EQ: ['14', (a, b) => BigInt(a === b)],
  AND: ['16', (a, b) => a & b],
  OR: ['17', (a, b) => a | b],
  XOR: ['18', (a, b) => a ^ b],
  BYTE: ['1a', (a, b) => (a > 31n ? 0n : (b >> (248n - a * 8n)) & 255n)],
  SHL: ['1b', (a, b) => (a > 255n ? 0n : b << a)],
  SHR: ['1c', (a, b) => (a > 255n ? 0n : b >> a)],
  SAR: ['1d', (a, b) => signed(b) >> (a > 255n ? 255n : a)],
}

const UNARY: Readonly<Record<string, [op: string, meaning: (a: bigint) => bigint]>> = {
  ISZERO: ['15', (a) => BigInt(a === 0n)],
  NOT: ['19', (a) => ~a],
  CLZ: ['1e', (a) => (a === 0n ? 256n : 256n - BigInt(a.toString(2).length))],
}

const TERNARY: Readonly<
  Record<string, [op: string, meaning: (a: bigint, b: bigint, m: bigint) => bigint]>
> = {
  ADDMOD: ['08', (a, b, m) => (m === 0n ? 0n : (a + b) % m)],
  MULMOD: ['09', (a, b, m) => (m === 0n ? 0n : (a * b) % m)],
}

/** Words of all lengths, runs of ones, and neighbours of powers of two: where carries go wrong. */
const anyWord = fc.oneof(
  fc.bigInt({ min: 0n, max: LIMIT - 1n }),
  fc.nat({ max: 256 }).map((bits) => word((1n << BigInt(bits)) - 1n)),
  fc.nat({ max: 255 }).map((bits) => 1n << BigInt(bits)),
  fc.nat({ max: 255 }).map((bits) => word(~(1n << BigInt(bits)))),
  fc.nat({ max: 300 }).map(BigInt),
  fc.nat({ max: 300 }).map((small) => word(-BigInt(small))),
  fc
    .tuple(fc.nat({ max: 256 }), fc.bigInt({ min: 0n, max: LIMIT - 1n }))
    .map(([bits, value]) => value >> BigInt(bits)),
  // Digits of 32 bits that are all ones or zeros: the corrections of long division.
  fc
    .array(fc.constantFrom(0n, 0xffffffffn, 1n, 0x80000000n, 0xfffffffen), {
      minLength: 8,
      maxLength: 8,
    })
    .map((digits) => digits.reduce<bigint>((value, digit) => (value << 32n) | digit, 0n)),
)

const push32 = (value: bigint): string => `7f${value.toString(16).padStart(64, '0')}`

for (const [name, [op, meaning]] of Object.entries(BINARY)) {
  test(`${name}: equals its definition on any two words`, () => {
    fc.assert(
      fc.property(anyWord, anyWord, (a, b) => {
        expect(wordOf(push32(b) + push32(a) + op)).toBe(word(meaning(a, b)))
      }),
      { numRuns: name === 'EXP' ? 150 : 400 },
    )
  })
}

for (const [name, [op, meaning]] of Object.entries(UNARY)) {
  test(`${name}: equals its definition on any word`, () => {
    fc.assert(
      fc.property(anyWord, (a) => {
        expect(wordOf(push32(a) + op)).toBe(word(meaning(a)))
      }),
      { numRuns: 200 },
    )
  })
}

for (const [name, [op, meaning]] of Object.entries(TERNARY)) {
  test(`${name}: equals its definition on any three words`, () => {
    fc.assert(
      fc.property(anyWord, anyWord, anyWord, (a, b, m) => {
        expect(wordOf(push32(m) + push32(b) + push32(a) + op)).toBe(meaning(a, b, m))
      }),
      { numRuns: 600 },
    )
  })
}

test('shifts: equal their definitions at every amount', () => {
  const value = 0xf1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef0fedcba9876543211n
  for (let amount = 0n; amount <= 257n; amount++) {
    for (const name of ['SHL', 'SHR', 'SAR']) {
      const [op, meaning] = BINARY[name]!
      expect(wordOf(push32(value) + push32(amount) + op)).toBe(word(meaning(amount, value)))
    }
  }
})

test('PUSH1 to PUSH32: push their bytes, most significant first', () => {
  for (let size = 1; size <= 32; size++) {
    const digits = Array.from({ length: size }, (_, i) => (i + 0xa1).toString(16)).join('')
    expect(wordOf((0x5f + size).toString(16) + digits)).toBe(BigInt(`0x${digits}`))
  }
})

test('DUP and SWAP: reach the word they name', () => {
  const words = Array.from({ length: 17 }, (_, i) => push32(BigInt(i + 1))).join('')
  for (let n = 1; n <= 16; n++) {
    expect(wordOf(words + (0x7f + n).toString(16))).toBe(BigInt(18 - n))
    expect(wordOf(words + (0x8f + n).toString(16))).toBe(BigInt(17 - n))
    // What was on top is now n below it.
    const swapped = words + (0x8f + n).toString(16) + '50'.repeat(n)
    expect(wordOf(swapped)).toBe(17n)
  }
})
