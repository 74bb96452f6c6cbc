/** What every precompiled contract is to the machine: a price, and a function of its input. */

/**
 * One precompiled contract. The machine asks for the price first, and runs only what is paid for.
 * Both are pure and synchronous, and take any input of any length.
 */
export interface Precompile {
  /**
   * Gas for this input: never negative, and without an upper bound (MODEXP prices operands that
   * nothing could hold, so a price can have hundreds of bits).
   */
  gas(input: Uint8Array): bigint
  /** The output, or undefined if the call fails, which consumes all gas given to it. */
  run(input: Uint8Array): Uint8Array | undefined
}

/**
 * Public key that made a secp256k1 signature, high `s` included.
 * @param hash 32 bytes that were signed
 * @param rs 32 bytes of r, then 32 of s; neither is checked before
 * @returns 64 bytes: x, then y; undefined if r or s is out of range or no such key exists
 */
export type RecoverPublicKey = (
  hash: Uint8Array,
  rs: Uint8Array,
  yParity: 0 | 1,
) => Uint8Array | undefined

/** `base` and `perWord` for each 32 bytes of input, begun ones included. */
export function linearGas(input: Uint8Array, base: number, perWord: number): bigint {
  return BigInt(base + perWord * Math.ceil(input.length / 32))
}

/** `size` bytes of the input from `offset`; past its end there are zeros, as in all call data. */
export function slicePadded(input: Uint8Array, offset: number, size: number): Uint8Array {
  const slice = input.subarray(offset, offset + size)
  if (slice.length === size) return slice
  const padded = new Uint8Array(size)
  padded.set(slice)
  return padded
}

/** A word that holds 1: how verifying precompiles say yes. A fresh one, as callers may write to it. */
export function wordOfOne(): Uint8Array {
  const word = new Uint8Array(32)
  word[31] = 1
  return word
}
