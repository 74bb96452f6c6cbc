/**
 * 0x0a POINT_EVALUATION: does a polynomial, known by its KZG commitment, have the value y at z?
 * EIP-4844, and `verify_kzg_proof` of the consensus specification (Deneb, polynomial commitments).
 *
 * Input, 192 bytes: versioned hash (32), z (32), y (32), commitment (48), proof (48). Output: the
 * field elements of a blob and the modulus of the scalar field, a word each.
 */

import { bls12_381 } from '@noble/curves/bls12-381.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bigIntToBytes, bytesToBigInt, concatBytes, equalBytes } from '../bytes.ts'
import { GROUP_1, multiScalar } from './bls12-381-groups.ts'
import type { Precompile } from './precompile.ts'

const { Fp, Fp12, Fr } = bls12_381.fields
const G1 = bls12_381.G1.Point
const G2 = bls12_381.G2.Point
type PointG1 = InstanceType<typeof G1>
type MillerLines = ReturnType<typeof bls12_381.utils.calcPairingPrecomputes>

const INPUT_BYTES = 192
const BLOB_COMMITMENT_VERSION = 1
const FIELD_ELEMENTS_PER_BLOB = 4096n

/** The secret of the KZG ceremony of 2023, times the generator of G2: all that a check needs of it. */
const SECRET_G2 =
  'b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72' +
  '185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2'
/**
 * The lines of the Miller loop for the generator of G2 and for `SECRET_G2`, which every check pairs
 * with. Made when first needed: that takes some 20 ms, and few programs need it.
 */
let lines: readonly [MillerLines, MillerLines] | undefined

export const pointEvaluation: Precompile = {
  gas: () => 50_000n,
  run(input) {
    if (input.length !== INPUT_BYTES) return undefined
    const versionedHash = sha256(input.subarray(96, 144))
    versionedHash[0] = BLOB_COMMITMENT_VERSION
    if (!equalBytes(versionedHash, input.subarray(0, 32))) return undefined
    const z = bytesToBigInt(input.subarray(32, 64))
    const y = bytesToBigInt(input.subarray(64, 96))
    if (z >= Fr.ORDER || y >= Fr.ORDER) return undefined
    const commitment = decodeG1(input.subarray(96, 144))
    if (commitment === undefined) return undefined
    const proof = decodeG1(input.subarray(144, 192))
    if (proof === undefined || !verifyProof(commitment, z, y, proof)) return undefined
    return concatBytes(bigIntToBytes(FIELD_ELEMENTS_PER_BLOB, 32), bigIntToBytes(Fr.ORDER, 32))
  },
}

/**
 * The polynomial minus y is a multiple of X - z: e(C - yG, H) = e(proof, (s - z)H), written as
 * e(C - yG + z·proof, H) · e(-proof, sH) = 1, which needs products in G1 alone.
 */
function verifyProof(commitment: PointG1, z: bigint, y: bigint, proof: PointG1): boolean {
  const { calcPairingPrecomputes } = bls12_381.utils
  lines ??= [calcPairingPrecomputes(G2.BASE), calcPairingPrecomputes(G2.fromHex(SECRET_G2))]
  const products = multiScalar(GROUP_1, [
    { point: proof, scalar: z },
    { point: G1.BASE, scalar: Fr.neg(y) },
  ])
  const left = commitment.add(products)
  const pairs: [MillerLines, bigint, bigint][] = []
  // Pairing with infinity gives 1, which changes nothing.
  if (!left.is0()) {
    const affine = left.toAffine()
    pairs.push([lines[0], affine.x, affine.y])
  }
  if (!proof.is0()) pairs.push([lines[1], proof.x, Fp.neg(proof.y)])
  const product = Fp12.finalExponentiate(bls12_381.millerLoopBatch(pairs))
  return Fp12.eql(product, Fp12.ONE)
}

/** A compressed point in the prime-order subgroup, or infinity. */
function decodeG1(bytes: Uint8Array): PointG1 | undefined {
  try {
    return G1.fromBytes(bytes)
  } catch {
    // Not a compressed encoding, off the curve or outside the subgroup.
    return undefined
  }
}
