/**
 * 0x06 to 0x08: addition, multiplication and pairing check on bn254 (alt_bn128). EIP-196 and
 * EIP-197, priced by EIP-1108 from Istanbul on.
 *
 * Coordinates are words below the field modulus, the imaginary half of an Fp2 coordinate first;
 * infinity is all zeros. G1 has cofactor 1: what is on the curve is in the group.
 */

import { bn254 } from '@noble/curves/bn254.js'
import { bigIntToBytes, bytesToBigInt } from '../bytes.ts'
import type { Precompile } from './precompile.ts'
import { slicePadded, wordOfOne } from './precompile.ts'

const { Fp, Fp2, Fp12, Fr } = bn254.fields
const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
type PointG1 = InstanceType<typeof G1>
type PointG2 = InstanceType<typeof G2>

const PAIR_BYTES = 192

/** Input: two points of G1. Output: their sum. */
export const bn254Add: Precompile = {
  gas: () => 150n,
  run(input) {
    const a = decodeG1(slicePadded(input, 0, 64))
    const b = decodeG1(slicePadded(input, 64, 64))
    return a === undefined || b === undefined ? undefined : encodeG1(a.add(b))
  },
}

/** Input: a point of G1 and a factor of any value. Output: their product. */
export const bn254Multiply: Precompile = {
  gas: () => 6000n,
  run(input) {
    const point = decodeG1(slicePadded(input, 0, 64))
    if (point === undefined) return undefined
    return encodeG1(point.multiplyUnsafe(Fr.create(bytesToBigInt(slicePadded(input, 64, 32)))))
  },
}

/** Input: pairs of points of G1 and G2. Output: 1 if the product of their pairings is 1, else 0. */
export const bn254Pairing: Precompile = {
  gas: (input) => 45_000n + 34_000n * BigInt(Math.floor(input.length / PAIR_BYTES)),
  run(input) {
    if (input.length % PAIR_BYTES !== 0) return undefined
    const pairs: { g1: PointG1; g2: PointG2 }[] = []
    for (let at = 0; at < input.length; at += PAIR_BYTES) {
      const g1 = decodeG1(input.subarray(at, at + 64))
      if (g1 === undefined) return undefined
      const g2 = decodeG2(input.subarray(at + 64, at + PAIR_BYTES))
      if (g2 === undefined) return undefined
      // Pairing with infinity gives 1, which changes nothing; the library refuses to compute it.
      if (!g1.is0() && !g2.is0()) pairs.push({ g1, g2 })
    }
    return Fp12.eql(bn254.pairingBatch(pairs), Fp12.ONE) ? wordOfOne() : new Uint8Array(32)
  },
}

/** The same at the prices of Byzantium. */
export const bn254AddByzantium: Precompile = { ...bn254Add, gas: () => 500n }
export const bn254MultiplyByzantium: Precompile = { ...bn254Multiply, gas: () => 40_000n }
export const bn254PairingByzantium: Precompile = {
  ...bn254Pairing,
  gas: (input) => 100_000n + 80_000n * BigInt(Math.floor(input.length / PAIR_BYTES)),
}

function decodeG1(bytes: Uint8Array): PointG1 | undefined {
  const x = bytesToBigInt(bytes.subarray(0, 32))
  const y = bytesToBigInt(bytes.subarray(32, 64))
  if (x >= Fp.ORDER || y >= Fp.ORDER) return undefined
  if (x === 0n && y === 0n) return G1.ZERO
  if ((y * y - x * x * x - 3n) % Fp.ORDER !== 0n) return undefined
  return G1.fromAffine({ x, y })
}

function decodeG2(bytes: Uint8Array): PointG2 | undefined {
  const parts: bigint[] = []
  for (let at = 0; at < 128; at += 32) {
    const part = bytesToBigInt(bytes.subarray(at, at + 32))
    if (part >= Fp.ORDER) return undefined
    parts.push(part)
  }
  const x = Fp2.fromBigTuple([parts[1]!, parts[0]!])
  const y = Fp2.fromBigTuple([parts[3]!, parts[2]!])
  try {
    const point = G2.fromAffine({ x, y })
    point.assertValidity()
    return point
  } catch {
    // Off the curve (a y of 0 is found when the point is made), or on it outside the group.
    return undefined
  }
}

function encodeG1(point: PointG1): Uint8Array {
  const { x, y } = point.toAffine()
  const output = new Uint8Array(64)
  output.set(bigIntToBytes(x, 32), 0)
  output.set(bigIntToBytes(y, 32), 32)
  return output
}
