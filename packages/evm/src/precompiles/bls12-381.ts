/**
 * 0x0b to 0x11: addition, multi-scalar multiplication, pairing check and maps to the curve on
 * BLS12-381. EIP-2537, Prague.
 *
 * A field element is 64 bytes big-endian, below the modulus (so the first 16 are zeros), the real
 * half of an Fp2 element first; infinity is all zeros. Additions take any point of the curve; all
 * else takes only points of the prime-order subgroup.
 */

import { bls12_381 } from '@noble/curves/bls12-381.js'
import { bigIntToBytes, bytesToBigInt } from '../bytes.ts'
import { G1_DISCOUNTS, G2_DISCOUNTS } from './bls12-381-discounts.ts'
import { GROUP_1, GROUP_2, isInGroup, multiScalar, type Term } from './bls12-381-groups.ts'
import type { Precompile } from './precompile.ts'
import { wordOfOne } from './precompile.ts'

const { Fp, Fp2, Fp12, Fr } = bls12_381.fields
const G1 = bls12_381.G1.Point
const G2 = bls12_381.G2.Point
type PointG1 = InstanceType<typeof G1>
type PointG2 = InstanceType<typeof G2>
type ElementFp2 = typeof Fp2.ZERO
type MillerLines = ReturnType<typeof bls12_381.utils.calcPairingPrecomputes>

const FP_BYTES = 64
const FP2_BYTES = 128
const G1_BYTES = 128
const G2_BYTES = 256
const SCALAR_BYTES = 32
const PAIR_BYTES = G1_BYTES + G2_BYTES
/**
 * The library's types describe these maps as they are given to it; what it hands out takes an
 * element without a list where that is all of the list, and clears the cofactor.
 */
const mapToG1 = bls12_381.G1.mapToCurve as unknown as (element: bigint) => PointG1
const mapToG2 = bls12_381.G2.mapToCurve as unknown as (element: bigint[]) => PointG2
/** Right side of the curve of G2: y² = x³ + 4(1 + u). */
const G2_B: ElementFp2 = Fp2.fromBigTuple([4n, 4n])

/** Input: two points. Output: their sum. */
export const g1Add: Precompile = {
  gas: () => 375n,
  run(input) {
    if (input.length !== 2 * G1_BYTES) return undefined
    const a = decodeG1(input.subarray(0, G1_BYTES))
    const b = decodeG1(input.subarray(G1_BYTES))
    return a === undefined || b === undefined ? undefined : encodeG1(a.add(b))
  },
}

/** Input: two points. Output: their sum. */
export const g2Add: Precompile = {
  gas: () => 600n,
  run(input) {
    if (input.length !== 2 * G2_BYTES) return undefined
    const a = decodeG2(input.subarray(0, G2_BYTES))
    const b = decodeG2(input.subarray(G2_BYTES))
    return a === undefined || b === undefined ? undefined : encodeG2(a.add(b))
  },
}

/** Input: points, each with a scalar of any value. Output: the sum of their products. */
export const g1MultiScalar: Precompile = {
  gas: (input) => multiScalarGas(input.length, G1_BYTES + SCALAR_BYTES, 12_000n, G1_DISCOUNTS),
  run(input) {
    const terms = decodeTerms(input, G1_BYTES, decodeGroupG1)
    return terms && encodeG1(multiScalar(GROUP_1, terms))
  },
}

/** Input: points, each with a scalar of any value. Output: the sum of their products. */
export const g2MultiScalar: Precompile = {
  gas: (input) => multiScalarGas(input.length, G2_BYTES + SCALAR_BYTES, 22_500n, G2_DISCOUNTS),
  run(input) {
    const terms = decodeTerms(input, G2_BYTES, decodeGroupG2)
    return terms && encodeG2(multiScalar(GROUP_2, terms))
  },
}

/** Input: pairs of points of G1 and G2. Output: 1 if the product of their pairings is 1, else 0. */
export const pairing: Precompile = {
  gas: (input) => 37_700n + 32_600n * BigInt(Math.floor(input.length / PAIR_BYTES)),
  run(input) {
    if (input.length === 0 || input.length % PAIR_BYTES !== 0) return undefined
    const pairs: [MillerLines, bigint, bigint][] = []
    for (let at = 0; at < input.length; at += PAIR_BYTES) {
      const g1 = decodeGroupG1(input.subarray(at, at + G1_BYTES))
      if (g1 === undefined) return undefined
      const g2 = decodeGroupG2(input.subarray(at + G1_BYTES, at + PAIR_BYTES))
      if (g2 === undefined) return undefined
      // Pairing with infinity gives 1, which changes nothing.
      if (g1.is0() || g2.is0()) continue
      pairs.push([bls12_381.utils.calcPairingPrecomputes(g2), g1.X, g1.Y])
    }
    // The library's own pairing of a batch would check the subgroups once more.
    const product = Fp12.finalExponentiate(bls12_381.millerLoopBatch(pairs))
    return Fp12.eql(product, Fp12.ONE) ? wordOfOne() : new Uint8Array(32)
  },
}

/** Input: an element of Fp. Output: its point, by the simplified SWU map and cofactor clearing. */
export const mapFpToG1: Precompile = {
  gas: () => 5500n,
  run(input) {
    if (input.length !== FP_BYTES) return undefined
    const element = decodeFp(input)
    return element === undefined ? undefined : encodeG1(mapToG1(element))
  },
}

/** Input: an element of Fp2. Output: its point, by the simplified SWU map and cofactor clearing. */
export const mapFp2ToG2: Precompile = {
  gas: () => 23_800n,
  run(input) {
    if (input.length !== FP2_BYTES) return undefined
    const element = decodeFp2(input)
    return element === undefined ? undefined : encodeG2(mapToG2([element.c0, element.c1]))
  },
}

function multiScalarGas(
  size: number,
  termBytes: number,
  single: bigint,
  discounts: readonly number[],
): bigint {
  const terms = Math.floor(size / termBytes)
  if (terms === 0) return 0n
  const discount = discounts[Math.min(terms, discounts.length) - 1]!
  return (BigInt(terms) * single * BigInt(discount)) / 1000n
}

function decodeTerms<P>(
  input: Uint8Array,
  pointBytes: number,
  decodePoint: (bytes: Uint8Array) => P | undefined,
): Term<P>[] | undefined {
  const termBytes = pointBytes + SCALAR_BYTES
  if (input.length === 0 || input.length % termBytes !== 0) return undefined
  const terms: Term<P>[] = []
  for (let at = 0; at < input.length; at += termBytes) {
    const point = decodePoint(input.subarray(at, at + pointBytes))
    if (point === undefined) return undefined
    const scalar = Fr.create(bytesToBigInt(input.subarray(at + pointBytes, at + termBytes)))
    terms.push({ point, scalar })
  }
  return terms
}

/** An element of Fp, or undefined if it is not below the modulus. */
function decodeFp(bytes: Uint8Array): bigint | undefined {
  const element = bytesToBigInt(bytes)
  return element < Fp.ORDER ? element : undefined
}

function decodeFp2(bytes: Uint8Array): ElementFp2 | undefined {
  const c0 = decodeFp(bytes.subarray(0, FP_BYTES))
  const c1 = decodeFp(bytes.subarray(FP_BYTES, FP2_BYTES))
  return c0 === undefined || c1 === undefined ? undefined : Fp2.fromBigTuple([c0, c1])
}

/** A point of the curve of G1, in the subgroup or not. */
function decodeG1(bytes: Uint8Array): PointG1 | undefined {
  const x = decodeFp(bytes.subarray(0, FP_BYTES))
  const y = decodeFp(bytes.subarray(FP_BYTES, G1_BYTES))
  if (x === undefined || y === undefined) return undefined
  if (x === 0n && y === 0n) return G1.ZERO
  if ((y * y - x * x * x - 4n) % Fp.ORDER !== 0n) return undefined
  return G1.fromAffine({ x, y })
}

/** A point of the curve of G2, in the subgroup or not. */
function decodeG2(bytes: Uint8Array): PointG2 | undefined {
  const x = decodeFp2(bytes.subarray(0, FP2_BYTES))
  const y = decodeFp2(bytes.subarray(FP2_BYTES, G2_BYTES))
  if (x === undefined || y === undefined) return undefined
  if (Fp2.is0(x) && Fp2.is0(y)) return G2.ZERO
  const right = Fp2.add(Fp2.mul(Fp2.sqr(x), x), G2_B)
  return Fp2.eql(Fp2.sqr(y), right) ? G2.fromAffine({ x, y }) : undefined
}

function decodeGroupG1(bytes: Uint8Array): PointG1 | undefined {
  const point = decodeG1(bytes)
  return point !== undefined && isInGroup(GROUP_1, point) ? point : undefined
}

function decodeGroupG2(bytes: Uint8Array): PointG2 | undefined {
  const point = decodeG2(bytes)
  return point !== undefined && isInGroup(GROUP_2, point) ? point : undefined
}

function encodeG1(point: { toAffine(): { x: bigint; y: bigint } }): Uint8Array {
  const { x, y } = point.toAffine()
  return encodeElements(x, y)
}

function encodeG2(point: { toAffine(): { x: ElementFp2; y: ElementFp2 } }): Uint8Array {
  const { x, y } = point.toAffine()
  return encodeElements(x.c0, x.c1, y.c0, y.c1)
}

function encodeElements(...elements: readonly bigint[]): Uint8Array {
  const output = new Uint8Array(elements.length * FP_BYTES)
  elements.forEach((element, i) => {
    output.set(bigIntToBytes(element, FP_BYTES), i * FP_BYTES)
  })
  return output
}
