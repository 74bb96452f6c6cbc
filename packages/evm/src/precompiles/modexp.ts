/**
 * 0x05 MODEXP: modular exponentiation of integers of any length. EIP-198, priced by EIP-2565 since
 * Berlin; since Osaka bounded by EIP-7823 and priced by EIP-7883.
 *
 * Input: the lengths of base, exponent and modulus in bytes, a word each, then the three integers.
 * Output: the result, as long as the modulus.
 */

import { bigIntToBytes, bytesToBigInt, NO_BYTES } from '../bytes.ts'
import type { Precompile } from './precompile.ts'
import { slicePadded } from './precompile.ts'

/** EIP-7823: bytes of each operand from Osaka on. */
const OSAKA_OPERAND_BYTES_MAX = 1024n
/** Before it the price is the only bound; past this, at 5 * 10^9 gas, JavaScript has no such array. */
const OPERAND_BYTES_MAX = 2n ** 31n - 1n

interface Lengths {
  readonly base: bigint
  readonly exponent: bigint
  readonly modulus: bigint
}

/** MODEXP from Berlin (EIP-2565) to Prague. */
export const modexp: Precompile = {
  gas(input) {
    const lengths = lengthsOf(input)
    const words = (longest(lengths) + 7n) / 8n
    const gas = (words * words * iterations(input, lengths, 8n)) / 3n
    return gas < 200n ? 200n : gas
  },
  run,
}

/** MODEXP from Byzantium to Istanbul. */
export const modexpByzantium: Precompile = {
  gas(input) {
    const lengths = lengthsOf(input)
    return (multiplicationGas(longest(lengths)) * iterations(input, lengths, 8n)) / 20n
  },
  run,
}

/** EIP-198, `mult_complexity`. */
function multiplicationGas(size: bigint): bigint {
  if (size <= 64n) return size * size
  if (size <= 1024n) return (size * size) / 4n + 96n * size - 3072n
  return (size * size) / 16n + 480n * size - 199_680n
}

/** MODEXP since Osaka. */
export const modexpOsaka: Precompile = {
  gas(input) {
    const lengths = lengthsOf(input)
    const size = longest(lengths)
    const words = (size + 7n) / 8n
    const complexity = size <= 32n ? 16n : 2n * words * words
    const gas = complexity * iterations(input, lengths, 16n)
    return gas < 500n ? 500n : gas
  },
  run(input) {
    const { base, exponent, modulus } = lengthsOf(input)
    const max = OSAKA_OPERAND_BYTES_MAX
    return base > max || exponent > max || modulus > max ? undefined : run(input)
  },
}

/**
 * Base to the power of the exponent, modulo the modulus (which is above 1).
 * @param exponent big-endian; zero bits may lead
 * @param zeroBytes zero bytes to append to the exponent: it may be longer than what was sent
 */
export function powerModulo(
  base: bigint,
  exponent: Uint8Array,
  zeroBytes: number,
  modulus: bigint,
): bigint {
  const reduced = base % modulus
  let first = 0
  while (first < exponent.length && exponent[first] === 0) first++
  if (first === exponent.length) return 1n
  if (reduced <= 1n) return reduced
  const significant = exponent.subarray(first)
  let power =
    significant.length <= 4
      ? binaryPower(reduced, significant, modulus)
      : windowedPower(reduced, significant, modulus)
  // Zeros at the end are only squarings, and 0 and 1 are their own squares.
  for (let i = 0; i < zeroBytes && power > 1n; i++) {
    for (let bit = 0; bit < 8; bit++) power = (power * power) % modulus
  }
  return power
}

function run(input: Uint8Array): Uint8Array | undefined {
  const { base, exponent, modulus } = lengthsOf(input)
  if (modulus === 0n) return NO_BYTES
  const max = OPERAND_BYTES_MAX
  if (base > max || exponent > max || modulus > max) return undefined
  const size = Number(modulus)
  const exponentAt = 96 + Number(base)
  const modulusAt = exponentAt + Number(exponent)
  const modulusValue = bytesToBigInt(slicePadded(input, modulusAt, size))
  if (modulusValue <= 1n) return new Uint8Array(size)
  // The part of the exponent past the end of the input is zeros: no need to hold them.
  const sent = input.subarray(exponentAt, modulusAt)
  const result = powerModulo(
    bytesToBigInt(slicePadded(input, 96, Number(base))),
    sent,
    Number(exponent) - sent.length,
    modulusValue,
  )
  return bigIntToBytes(result, size)
}

function binaryPower(base: bigint, exponent: Uint8Array, modulus: bigint): bigint {
  let power = base
  let bit = bitLength(exponent) - 1
  while (--bit >= 0) {
    power = (power * power) % modulus
    const byte = exponent[exponent.length - 1 - (bit >> 3)]!
    if (((byte >> (bit & 7)) & 1) === 1) power = (power * base) % modulus
  }
  return power
}

/** Four bits of the exponent at a time, with the first sixteen powers at hand. */
function windowedPower(base: bigint, exponent: Uint8Array, modulus: bigint): bigint {
  const powers: bigint[] = [1n, base]
  for (let i = 2; i < 16; i++) powers.push((powers[i - 1]! * base) % modulus)
  let power = 1n
  for (const byte of exponent) {
    power = fourSquarings(power, modulus)
    if (byte >> 4 !== 0) power = (power * powers[byte >> 4]!) % modulus
    power = fourSquarings(power, modulus)
    if ((byte & 15) !== 0) power = (power * powers[byte & 15]!) % modulus
  }
  return power
}

function fourSquarings(value: bigint, modulus: bigint): bigint {
  let power = (value * value) % modulus
  power = (power * power) % modulus
  power = (power * power) % modulus
  return (power * power) % modulus
}

function lengthsOf(input: Uint8Array): Lengths {
  return {
    base: bytesToBigInt(slicePadded(input, 0, 32)),
    exponent: bytesToBigInt(slicePadded(input, 32, 32)),
    modulus: bytesToBigInt(slicePadded(input, 64, 32)),
  }
}

function longest(lengths: Lengths): bigint {
  const { base, modulus } = lengths
  if (base > modulus) return base
  return modulus
}

/**
 * Steps that the exponent takes, at least 1: its bit length without the highest bit, where bits
 * past the first 32 bytes count as if they were all there.
 * @param perByte steps for each byte past the first 32
 */
function iterations(input: Uint8Array, lengths: Lengths, perByte: bigint): bigint {
  const head = exponentHead(input, lengths)
  const bits = BigInt(Math.max(bitLength(head) - 1, 0))
  const count = lengths.exponent > 32n ? perByte * (lengths.exponent - 32n) + bits : bits
  return count < 1n ? 1n : count
}

/** The first 32 bytes of the exponent, or all if it is shorter. */
function exponentHead(input: Uint8Array, lengths: Lengths): Uint8Array {
  const at = 96n + lengths.base
  if (at >= BigInt(input.length)) return NO_BYTES
  return slicePadded(input, Number(at), lengths.exponent < 32n ? Number(lengths.exponent) : 32)
}

/** Bits of a big-endian integer without its leading zeros. */
function bitLength(bytes: Uint8Array): number {
  let first = 0
  while (first < bytes.length && bytes[first] === 0) first++
  if (first === bytes.length) return 0
  return (bytes.length - first) * 8 - (Math.clz32(bytes[first]!) - 24)
}
