/**
 * The two prime-order groups of BLS12-381 and the endomorphisms that make work in them cheap.
 *
 * Each group has a map that costs a few multiplications in the field and is, for points of the
 * group and for no others on the curve, multiplication by a known large number. That is the check
 * of membership, and it cuts long scalars into a few short ones that share their doublings.
 * Sources: Scott, "A note on group membership tests for G1, G2 and GT", eprint 2021/1130;
 * Galbraith, Lin and Scott, eprint 2008/194.
 */

import { bls12_381 } from '@noble/curves/bls12-381.js'

const { Fp, Fp2 } = bls12_381.fields
const { Point: G1 } = bls12_381.G1
const { Point: G2 } = bls12_381.G2
type PointG1 = InstanceType<typeof bls12_381.G1.Point>
type PointG2 = InstanceType<typeof bls12_381.G2.Point>
type ElementFp2 = typeof bls12_381.fields.Fp2.ZERO

/** The parameter of the curve is minus this: 64 bits, of which six are ones. */
const X = 0xd201000000010000n
const X_BITS = X.toString(2)

/** A third root of unity in Fp: the one for which the map below multiplies by x². */
const BETA = 0x5f19672fdf76ce51ba69c6076a0f77eaddb3a93be6f89688de17d813620a00022e01fffffffefffen
/** What takes the Frobenius map of the twist back to it: powers of 1 / (u + 1). */
const UNTWIST = Fp2.inv(Fp2.fromBigTuple([1n, 1n]))
const PSI_X = Fp2.pow(UNTWIST, (Fp.ORDER - 1n) / 3n)
const PSI_Y = Fp2.pow(UNTWIST, (Fp.ORDER - 1n) / 2n)

/** What the algorithms below need of a point; the formulas of the library hold for all points. */
interface CurvePoint<P> {
  add(other: P): P
  double(): P
  is0(): boolean
  equals(other: P): boolean
}

export interface Group<P> {
  readonly zero: P
  /** What the map multiplies by: the power of x, and its bits. */
  readonly power: 1 | 2
  readonly factor: bigint
  readonly factorBits: number
  /** The product by `factor`, for points of the group. */
  map(point: P): P
}

export interface Term<P> {
  /** A point of the group. */
  readonly point: P
  /** Below the group order; the same for scalars that differ by a multiple of it. */
  readonly scalar: bigint
}

/** G1 over Fp. The map (x, y) -> (βx, -y) multiplies by x². */
export const GROUP_1: Group<PointG1> = {
  zero: G1.ZERO,
  power: 2,
  factor: X * X,
  factorBits: 128,
  map: ({ X, Y, Z }) => new G1(Fp.mul(X, BETA), Fp.neg(Y), Z),
}

/** G2 over Fp2. Frobenius between twisting and untwisting multiplies by the parameter, -x. */
export const GROUP_2: Group<PointG2> = {
  zero: G2.ZERO,
  power: 1,
  factor: X,
  factorBits: 64,
  map: ({ X, Y, Z }) =>
    new G2(Fp2.mul(conjugate(X), PSI_X), Fp2.neg(Fp2.mul(conjugate(Y), PSI_Y)), conjugate(Z)),
}

/** True if a point of the curve is in the group of prime order. */
export function isInGroup<P extends CurvePoint<P>>(group: Group<P>, point: P): boolean {
  if (point.is0()) return true
  let product = timesX(point)
  if (group.power === 2) product = timesX(product)
  return product.equals(group.map(point))
}

/** Terms up to which tables of each point's multiples are cheaper than buckets. */
const TABLE_TERMS_MAX = 12

/** The sum of the products. */
export function multiScalar<P extends CurvePoint<P>>(
  group: Group<P>,
  terms: readonly Term<P>[],
): P {
  return terms.length <= TABLE_TERMS_MAX ? sumByTables(group, terms) : sumByBuckets(group, terms)
}

/** Four bits of all short scalars at a time, by the first fifteen multiples of each point. */
function sumByTables<P extends CurvePoint<P>>(group: Group<P>, terms: readonly Term<P>[]): P {
  const parts = terms.flatMap(({ point, scalar }) => {
    let multiples = [point, point.double()]
    while (multiples.length < 15) multiples.push(multiples.at(-1)!.add(point))
    return shortScalars(group, scalar).map((short, i) => {
      if (i > 0) multiples = multiples.map((multiple) => group.map(multiple))
      return { multiples, short }
    })
  })
  let total = group.zero
  for (let shift = group.factorBits - 4; shift >= 0; shift -= 4) {
    total = doubled(total, 4)
    for (const { multiples, short } of parts) {
      const digit = Number((short >> BigInt(shift)) & 15n)
      if (digit !== 0) total = total.add(multiples[digit - 1]!)
    }
  }
  return total
}

/**
 * For each window of bits, points with the same digit are added first, so that only as many
 * multiples are computed as there are digits.
 * Source: Pippenger, "On the evaluation of powers and related problems", 1976.
 */
function sumByBuckets<P extends CurvePoint<P>>(group: Group<P>, terms: readonly Term<P>[]): P {
  const parts = terms.flatMap(({ point, scalar }) => {
    let image = point
    return shortScalars(group, scalar).map((short, i) => {
      if (i > 0) image = group.map(image)
      return { image, short }
    })
  })
  const width = parts.length < 128 ? 4 : parts.length < 512 ? 6 : 8
  const mask = (1n << BigInt(width)) - 1n
  let total = group.zero
  for (let window = Math.ceil(group.factorBits / width) - 1; window >= 0; window--) {
    total = doubled(total, width)
    const buckets: (P | undefined)[] = []
    for (const { image, short } of parts) {
      const digit = Number((short >> BigInt(window * width)) & mask)
      if (digit !== 0) buckets[digit] = buckets[digit]?.add(image) ?? image
    }
    // Adding the running sum at each step counts the bucket of a digit that many times.
    let running: P | undefined
    for (let digit = Number(mask); digit > 0; digit--) {
      const bucket = buckets[digit]
      if (bucket !== undefined) running = running?.add(bucket) ?? bucket
      if (running !== undefined) total = total.add(running)
    }
  }
  return total
}

/** The digits of a scalar in base `factor`, lowest first: one for each image of the point. */
function shortScalars<P>({ factor }: Group<P>, scalar: bigint): bigint[] {
  const shorts: bigint[] = []
  for (let rest = scalar; rest > 0n; rest /= factor) shorts.push(rest % factor)
  return shorts
}

function timesX<P extends CurvePoint<P>>(point: P): P {
  let product = point
  for (let i = 1; i < X_BITS.length; i++) {
    product = product.double()
    if (X_BITS[i] === '1') product = product.add(point)
  }
  return product
}

function doubled<P extends CurvePoint<P>>(point: P, times: number): P {
  if (point.is0()) return point
  let product = point
  for (let i = 0; i < times; i++) product = product.double()
  return product
}

function conjugate({ c0, c1 }: ElementFp2): ElementFp2 {
  return { c0, c1: Fp.neg(c1) }
}
