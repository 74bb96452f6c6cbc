/**
 * 0x100 P256VERIFY: ECDSA over secp256r1, for signatures of phones and smart cards. EIP-7951, Osaka.
 *
 * Input, 160 bytes: hash, r, s, and x and y of the public key. Output: 1 in a word if the
 * signature is valid, else nothing. Never fails.
 */

import { p256 } from '@noble/curves/nist.js'
import { bytesToBigInt, NO_BYTES } from '../bytes.ts'
import type { Precompile } from './precompile.ts'
import { wordOfOne } from './precompile.ts'

const INPUT_BYTES = 160
const { Point } = p256
const { Fp, Fn } = Point
const B = Point.CURVE().b

export const p256Verify: Precompile = {
  gas: () => 6900n,
  run: (input) => (input.length === INPUT_BYTES && isValid(input) ? wordOfOne() : NO_BYTES),
}

function isValid(input: Uint8Array): boolean {
  const r = bytesToBigInt(input.subarray(32, 64))
  const s = bytesToBigInt(input.subarray(64, 96))
  if (!Fn.isValidNot0(r) || !Fn.isValidNot0(s)) return false
  const x = bytesToBigInt(input.subarray(96, 128))
  const y = bytesToBigInt(input.subarray(128, 160))
  // Infinity, written as zeros, is not on the curve either.
  if (x >= Fp.ORDER || y >= Fp.ORDER) return false
  if ((y * y - x * x * x + 3n * x - B) % Fp.ORDER !== 0n) return false
  const hash = bytesToBigInt(input.subarray(0, 32))
  const inverse = Fn.inv(s)
  const ofBase = Fn.mul(Fn.create(hash), inverse)
  const ofKey = Fn.mul(r, inverse)
  const point = Point.BASE.mulAddUnsafe(ofBase, Point.fromAffine({ x, y }), ofKey)
  // EIP-7951 compares modulo the group order: x can exceed it.
  return !point.is0() && Fn.create(point.toAffine().x) === r
}
