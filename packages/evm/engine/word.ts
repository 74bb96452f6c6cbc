/**
 * Arithmetic on 256-bit words in memory: four 64-bit limbs, least significant first. Operands are given
 * by address; a result may be written over an operand unless a function says otherwise.
 *
 * Stack words are read limb by limb, never as vectors: a 128-bit load of what was just stored as two
 * 64-bit limbs cannot be forwarded and stalls. Vector stores of what is read as limbs are harmless.
 */

import { SCRATCH } from './layout'

const LOW32: u64 = 0xffffffff

// Scratch: dividend with one extra digit, divisor, quotient, remainder, and four words.
const U: usize = SCRATCH
const V: usize = SCRATCH + 0x80
const Q: usize = SCRATCH + 0xc0
const W0: usize = SCRATCH + 0x140
const W1: usize = SCRATCH + 0x160
const W2: usize = SCRATCH + 0x180

// @ts-ignore: decorator
@inline
export function isZero(a: usize): bool {
  return (load<u64>(a) | load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)) == 0
}

// @ts-ignore: decorator
@inline
export function copy(to: usize, from: usize): void {
  const w0 = load<u64>(from)
  const w1 = load<u64>(from, 8)
  const w2 = load<u64>(from, 16)
  const w3 = load<u64>(from, 24)
  store<u64>(to, w0)
  store<u64>(to, w1, 8)
  store<u64>(to, w2, 16)
  store<u64>(to, w3, 24)
}

// @ts-ignore: decorator
@inline
export function setSmall(to: usize, value: u64): void {
  store<u64>(to, value)
  store<u64>(to, 0, 8)
  v128.store(to, i64x2.splat(0), 16)
}

/** The value if it fits 64 bits, else the largest 64-bit integer. */
// @ts-ignore: decorator
@inline
export function clamp(a: usize): u64 {
  return (load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)) == 0 ? load<u64>(a) : u64.MAX_VALUE
}

/** Reverses 32 bytes of EVM memory, code or input into a word. */
// @ts-ignore: decorator
@inline
export function reverse(to: usize, from: usize): void {
  const low = v128.load(from)
  const high = v128.load(from, 16)
  v128.store(to, v128.shuffle<u8>(high, high, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
  v128.store(to, v128.shuffle<u8>(low, low, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), 16)
}

/** Reverses a word into its form in EVM memory. */
// @ts-ignore: decorator
@inline
export function reverseWord(to: usize, from: usize): void {
  const low = v128.load_lane<u64>(from + 8, v128.load_zero<u64>(from), 1)
  const high = v128.load_lane<u64>(from + 24, v128.load_zero<u64>(from + 16), 1)
  v128.store(to, v128.shuffle<u8>(high, high, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
  v128.store(to, v128.shuffle<u8>(low, low, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), 16)
}

// @ts-ignore: decorator
@inline
export function add(a: usize, b: usize, out: usize): void {
  const b0 = load<u64>(b)
  const b1 = load<u64>(b, 8)
  const b2 = load<u64>(b, 16)
  const s0 = load<u64>(a) + b0
  let carry = u64(s0 < b0)
  const s1 = load<u64>(a, 8) + b1
  const t1 = s1 + carry
  carry = u64(s1 < b1) | u64(t1 < carry)
  const s2 = load<u64>(a, 16) + b2
  const t2 = s2 + carry
  carry = u64(s2 < b2) | u64(t2 < carry)
  const t3 = load<u64>(a, 24) + load<u64>(b, 24) + carry
  store<u64>(out, s0)
  store<u64>(out, t1, 8)
  store<u64>(out, t2, 16)
  store<u64>(out, t3, 24)
}

// @ts-ignore: decorator
@inline
export function sub(a: usize, b: usize, out: usize): void {
  const a0 = load<u64>(a)
  const a1 = load<u64>(a, 8)
  const a2 = load<u64>(a, 16)
  const b0 = load<u64>(b)
  const b1 = load<u64>(b, 8)
  const b2 = load<u64>(b, 16)
  let borrow = u64(a0 < b0)
  const s1 = a1 - b1
  const t1 = s1 - borrow
  borrow = u64(a1 < b1) | u64(s1 < borrow)
  const s2 = a2 - b2
  const t2 = s2 - borrow
  borrow = u64(a2 < b2) | u64(s2 < borrow)
  const t3 = load<u64>(a, 24) - load<u64>(b, 24) - borrow
  store<u64>(out, a0 - b0)
  store<u64>(out, t1, 8)
  store<u64>(out, t2, 16)
  store<u64>(out, t3, 24)
}

// @ts-ignore: decorator
@inline
export function less(a: usize, b: usize): bool {
  const a3 = load<u64>(a, 24)
  const b3 = load<u64>(b, 24)
  if (a3 != b3) return a3 < b3
  const a2 = load<u64>(a, 16)
  const b2 = load<u64>(b, 16)
  if (a2 != b2) return a2 < b2
  const a1 = load<u64>(a, 8)
  const b1 = load<u64>(b, 8)
  if (a1 != b1) return a1 < b1
  return load<u64>(a) < load<u64>(b)
}

// @ts-ignore: decorator
@inline
export function lessSigned(a: usize, b: usize): bool {
  const a3 = load<i64>(a, 24)
  const b3 = load<i64>(b, 24)
  if (a3 < 0 != b3 < 0) return a3 < 0
  return less(a, b)
}

// @ts-ignore: decorator
@inline
export function equal(a: usize, b: usize): bool {
  return (
    ((load<u64>(a) ^ load<u64>(b)) |
      (load<u64>(a, 8) ^ load<u64>(b, 8)) |
      (load<u64>(a, 16) ^ load<u64>(b, 16)) |
      (load<u64>(a, 24) ^ load<u64>(b, 24))) == 0
  )
}

/** High half of the product of two limbs, which WebAssembly has no instruction for. */
// @ts-ignore: decorator
@inline
function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & LOW32
  const a1 = a >> 32
  const b0 = b & LOW32
  const b1 = b >> 32
  const middle = a1 * b0 + ((a0 * b0) >> 32)
  return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & LOW32)) >> 32)
}

/** Low 256 bits of the product. */
export function mul(a: usize, b: usize, out: usize): void {
  const a0 = load<u64>(a)
  const b0 = load<u64>(b)
  const a1 = load<u64>(a, 8)
  const b1 = load<u64>(b, 8)
  const a2 = load<u64>(a, 16)
  const b2 = load<u64>(b, 16)
  const a3 = load<u64>(a, 24)
  const b3 = load<u64>(b, 24)
  if ((a1 | a2 | a3 | b1 | b2 | b3) == 0) {
    store<u64>(out, a0 * b0)
    store<u64>(out, mulHigh(a0, b0), 8)
    v128.store(out, i64x2.splat(0), 16)
    return
  }
  let high = mulHigh(a0, b0)
  let r1 = a1 * b0 + high
  high = mulHigh(a1, b0) + u64(r1 < high)
  let r2 = a2 * b0 + high
  let r3 = a3 * b0 + mulHigh(a2, b0) + u64(r2 < high)
  if ((b1 | b2 | b3) == 0) {
    store<u64>(out, a0 * b0)
    store<u64>(out, r1, 8)
    store<u64>(out, r2, 16)
    store<u64>(out, r3, 24)
    return
  }
  // Second row.
  let low = a0 * b1
  r1 += low
  high = mulHigh(a0, b1) + u64(r1 < low)
  low = a1 * b1 + high
  high = mulHigh(a1, b1) + u64(low < high)
  r2 += low
  r3 += a2 * b1 + high + u64(r2 < low)
  // Third and fourth.
  low = a0 * b2
  r2 += low
  r3 += mulHigh(a0, b2) + u64(r2 < low) + a1 * b2 + a0 * b3
  store<u64>(out, a0 * b0)
  store<u64>(out, r1, 8)
  store<u64>(out, r2, 16)
  store<u64>(out, r3, 24)
}

// Division by digits of 32 bits: Knuth, TAOCP 4.3.1, algorithm D.

// @ts-ignore: decorator
@inline
function digitCount(at: usize, most: i32): i32 {
  let count = most
  while (count > 0 && load<u32>(at + ((count - 1) << 2)) == 0) count--
  return count
}

/**
 * Divides the `m` digits at U by the `n` digits at V, with the top digit of V not 0 and m >= n. The
 * quotient's m - n + 1 digits go to Q, above which nothing is written; the remainder to U, n digits.
 */
function divideDigits(m: i32, n: i32): void {
  if (n == 1) {
    const divisor = u64(load<u32>(V))
    let rest: u64 = 0
    for (let j = m - 1; j >= 0; j--) {
      const at = j << 2
      const part = (rest << 32) | u64(load<u32>(U + at))
      const digit = part / divisor
      store<u32>(Q + at, u32(digit))
      rest = part - digit * divisor
    }
    store<u32>(U, u32(rest))
    return
  }
  const shift = clz<u32>(load<u32>(V + ((n - 1) << 2)))
  store<u32>(U + (m << 2), 0)
  if (shift != 0) {
    const back = 32 - shift
    for (let i = n - 1; i > 0; i--) {
      const at = V + (i << 2)
      store<u32>(at, (load<u32>(at) << shift) | (load<u32>(at - 4) >> back))
    }
    store<u32>(V, load<u32>(V) << shift)
    for (let i = m; i > 0; i--) {
      const at = U + (i << 2)
      store<u32>(at, (load<u32>(at) << shift) | (load<u32>(at - 4) >> back))
    }
    store<u32>(U, load<u32>(U) << shift)
  }
  const top = u64(load<u32>(V + ((n - 1) << 2)))
  const second = u64(load<u32>(V + ((n - 2) << 2)))
  for (let j = m - n; j >= 0; j--) {
    const at = U + (j << 2)
    const high = at + (n << 2)
    const part = (u64(load<u32>(high)) << 32) | u64(load<u32>(high - 4))
    let digit = part / top
    let rest = part - digit * top
    while (digit > LOW32 || digit * second > ((rest << 32) | u64(load<u32>(high - 8)))) {
      digit--
      rest += top
      if (rest > LOW32) break
    }
    let borrow: i64 = 0
    for (let i = 0; i < n; i++) {
      const product = digit * u64(load<u32>(V + (i << 2)))
      const t = i64(load<u32>(at + (i << 2))) - borrow - i64(product & LOW32)
      store<u32>(at + (i << 2), u32(t))
      borrow = i64(product >> 32) - (t >> 32)
    }
    const t = i64(load<u32>(high)) - borrow
    store<u32>(high, u32(t))
    if (t < 0) {
      digit--
      let carry: u64 = 0
      for (let i = 0; i < n; i++) {
        const sum = u64(load<u32>(at + (i << 2))) + u64(load<u32>(V + (i << 2))) + carry
        store<u32>(at + (i << 2), u32(sum))
        carry = sum >> 32
      }
      store<u32>(high, load<u32>(high) + u32(carry))
    }
    store<u32>(Q + (j << 2), u32(digit))
  }
  if (shift != 0) {
    const back = 32 - shift
    for (let i = 0; i < n - 1; i++) {
      const at = U + (i << 2)
      store<u32>(at, (load<u32>(at) >> shift) | (load<u32>(at + 4) << back))
    }
    const at = U + ((n - 1) << 2)
    store<u32>(at, load<u32>(at) >> shift)
  }
}

/** Remainder of the `size` digits at U by the word `b`, which is not 0. */
function remainderOfDigits(size: i32, b: usize, out: usize): void {
  copy(V, b)
  const n = digitCount(V, 8)
  const m = digitCount(U, size)
  if (m >= n) divideDigits(m, n)
  const kept = m >= n ? n : m
  for (let i = kept; i < 8; i++) store<u32>(U + (i << 2), 0)
  copy(out, U)
}

/** Quotient, 0 if b is 0. */
export function div(a: usize, b: usize, out: usize): void {
  const a0 = load<u64>(a)
  const b0 = load<u64>(b)
  const aHigh = load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)
  const bHigh = load<u64>(b, 8) | load<u64>(b, 16) | load<u64>(b, 24)
  if ((aHigh | bHigh) == 0) {
    setSmall(out, b0 == 0 ? 0 : a0 / b0)
    return
  }
  if ((bHigh | b0) == 0 || less(a, b)) {
    setSmall(out, 0)
    return
  }
  copy(U, a)
  copy(V, b)
  setSmall(Q, 0)
  divideDigits(digitCount(U, 8), digitCount(V, 8))
  copy(out, Q)
}

/** Remainder, 0 if b is 0. */
export function mod(a: usize, b: usize, out: usize): void {
  const a0 = load<u64>(a)
  const b0 = load<u64>(b)
  const aHigh = load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)
  const bHigh = load<u64>(b, 8) | load<u64>(b, 16) | load<u64>(b, 24)
  if ((aHigh | bHigh) == 0) {
    setSmall(out, b0 == 0 ? 0 : a0 % b0)
    return
  }
  if ((bHigh | b0) == 0) {
    setSmall(out, 0)
    return
  }
  if (less(a, b)) {
    copy(out, a)
    return
  }
  copy(U, a)
  remainderOfDigits(8, b, out)
}

function negate(a: usize, out: usize): void {
  setSmall(W2, 0)
  sub(W2, a, out)
}

// @ts-ignore: decorator
@inline
function isNegative(a: usize): bool {
  return load<i64>(a, 24) < 0
}

/** Signed quotient, rounded to zero; the least integer divided by -1 is itself. */
export function sdiv(a: usize, b: usize, out: usize): void {
  const sign = isNegative(a) != isNegative(b)
  if (isNegative(a)) negate(a, W0)
  else copy(W0, a)
  if (isNegative(b)) negate(b, W1)
  else copy(W1, b)
  div(W0, W1, out)
  if (sign) negate(out, out)
}

/** Signed remainder, with the sign of a. */
export function smod(a: usize, b: usize, out: usize): void {
  const sign = isNegative(a)
  if (sign) negate(a, W0)
  else copy(W0, a)
  if (isNegative(b)) negate(b, W1)
  else copy(W1, b)
  mod(W0, W1, out)
  if (sign) negate(out, out)
}

/** (a + b) mod m without overflow, 0 if m is 0. */
export function addmod(a: usize, b: usize, m: usize, out: usize): void {
  if (isZero(m)) {
    setSmall(out, 0)
    return
  }
  const bounded = less(a, m) && less(b, m)
  add(a, b, U)
  const carry = less(U, a)
  if (bounded) {
    if (carry || !less(U, m)) sub(U, m, out)
    else copy(out, U)
    return
  }
  store<u32>(U, u32(carry), 32)
  remainderOfDigits(9, m, out)
}

/** (a * b) mod m without overflow, 0 if m is 0. */
export function mulmod(a: usize, b: usize, m: usize, out: usize): void {
  if (isZero(m)) {
    setSmall(out, 0)
    return
  }
  setSmall(U + 32, 0)
  setSmall(U, 0)
  for (let i: usize = 0; i < 32; i += 8) {
    const x = load<u64>(a + i)
    if (x == 0) continue
    let carry: u64 = 0
    for (let j: usize = 0; j < 32; j += 8) {
      const y = load<u64>(b + j)
      const at = U + i + j
      let low = x * y + carry
      carry = mulHigh(x, y) + u64(low < carry)
      const sum = load<u64>(at) + low
      carry += u64(sum < low)
      store<u64>(at, sum)
    }
    store<u64>(U + i + 32, carry)
  }
  remainderOfDigits(16, m, out)
}

/** a to the power of b, mod 2^256. */
export function exp(a: usize, b: usize, out: usize): void {
  copy(W0, a)
  copy(W1, b)
  setSmall(out, 1)
  for (let i: usize = 0; i < 32; i += 8) {
    let bits = load<u64>(W1 + i)
    const last =
      (i < 24 ? load<u64>(W1, 24) : 0) | (i < 16 ? load<u64>(W1, 16) : 0) | (i < 8 ? load<u64>(W1, 8) : 0)
    for (let left = 64; left > 0; left--) {
      if (bits == 0 && last == 0) return
      if (bits & 1) mul(out, W0, out)
      bits >>= 1
      mul(W0, W0, W0)
    }
  }
}

/** Bytes needed to write the word: 0 to 32. */
export function byteLength(a: usize): u64 {
  for (let i: i32 = 24; i >= 0; i -= 8) {
    const limb = load<u64>(a + i)
    if (limb != 0) return u64(i) + 8 - (clz<u64>(limb) >> 3)
  }
  return 0
}

/** Leading zero bits, 256 for 0 (EIP-7939). */
export function leadingZeros(a: usize): u64 {
  for (let i: i32 = 24; i >= 0; i -= 8) {
    const limb = load<u64>(a + i)
    if (limb != 0) return u64(24 - i) * 8 + clz<u64>(limb)
  }
  return 256
}

/** b shifted left by a bits. */
export function shl(a: usize, b: usize, out: usize): void {
  const shift = clamp(a)
  if (shift >= 256) {
    setSmall(out, 0)
    return
  }
  const bits = shift & 63
  // `x >> 1 >> (63 - bits)` is x >> (64 - bits), also for bits = 0.
  const back = 63 - bits
  const b0 = load<u64>(b)
  const b1 = load<u64>(b, 8)
  const b2 = load<u64>(b, 16)
  if (shift < 64) {
    const b3 = load<u64>(b, 24)
    store<u64>(out, b0 << bits)
    store<u64>(out, (b1 << bits) | (b0 >> 1 >> back), 8)
    store<u64>(out, (b2 << bits) | (b1 >> 1 >> back), 16)
    store<u64>(out, (b3 << bits) | (b2 >> 1 >> back), 24)
  } else if (shift < 128) {
    store<u64>(out, 0)
    store<u64>(out, b0 << bits, 8)
    store<u64>(out, (b1 << bits) | (b0 >> 1 >> back), 16)
    store<u64>(out, (b2 << bits) | (b1 >> 1 >> back), 24)
  } else if (shift < 192) {
    v128.store(out, i64x2.splat(0))
    store<u64>(out, b0 << bits, 16)
    store<u64>(out, (b1 << bits) | (b0 >> 1 >> back), 24)
  } else {
    v128.store(out, i64x2.splat(0))
    store<u64>(out, 0, 16)
    store<u64>(out, b0 << bits, 24)
  }
}

/** b shifted right by a bits, with `fill` (0 or all ones) from above. */
// @ts-ignore: decorator
@inline
function shiftRight(a: usize, b: usize, out: usize, fill: u64): void {
  const shift = clamp(a)
  if (shift >= 256) {
    v128.store(out, i64x2.splat(fill))
    v128.store(out, i64x2.splat(fill), 16)
    return
  }
  const bits = shift & 63
  const back = 63 - bits
  const b1 = load<u64>(b, 8)
  const b2 = load<u64>(b, 16)
  const b3 = load<u64>(b, 24)
  const top = (b3 >> bits) | ((fill << 1) << back)
  if (shift < 64) {
    const b0 = load<u64>(b)
    store<u64>(out, (b0 >> bits) | ((b1 << 1) << back))
    store<u64>(out, (b1 >> bits) | ((b2 << 1) << back), 8)
    store<u64>(out, (b2 >> bits) | ((b3 << 1) << back), 16)
    store<u64>(out, top, 24)
  } else if (shift < 128) {
    store<u64>(out, (b1 >> bits) | ((b2 << 1) << back))
    store<u64>(out, (b2 >> bits) | ((b3 << 1) << back), 8)
    store<u64>(out, top, 16)
    store<u64>(out, fill, 24)
  } else if (shift < 192) {
    store<u64>(out, (b2 >> bits) | ((b3 << 1) << back))
    store<u64>(out, top, 8)
    v128.store(out, i64x2.splat(fill), 16)
  } else {
    store<u64>(out, top)
    store<u64>(out, fill, 8)
    v128.store(out, i64x2.splat(fill), 16)
  }
}

export function shr(a: usize, b: usize, out: usize): void {
  shiftRight(a, b, out, 0)
}

export function sar(a: usize, b: usize, out: usize): void {
  shiftRight(a, b, out, u64(load<i64>(b, 24) >> 63))
}

/** b with the sign of its byte a (0 is the lowest) continued upward. */
export function signextend(a: usize, b: usize, out: usize): void {
  const index = clamp(a)
  copy(out, b)
  if (index >= 31) return
  const limb = usize(index & 24)
  // Bits of the limb above the sign bit.
  const above = 56 - ((index & 7) << 3)
  const value = (load<i64>(out + limb) << i64(above)) >> i64(above)
  store<i64>(out + limb, value)
  const fill = value >> 63
  for (let at = limb + 8; at < 32; at += 8) store<i64>(out + at, fill)
}
