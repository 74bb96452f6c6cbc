/**
 * The signature of a transaction: the parity of the nonce point's y, r and s (yellow paper, appendix F).
 *
 * A decoded transaction keeps r and s where they lie in its bytes. Whoever recovers a signer wants
 * them as bytes, and only few ever ask for the numbers, which cost ten short-lived integers each.
 */

import { bigIntToBytes, concatBytes } from '@vellum/evm'
import { bigIntAt, rlpIntegerStart } from './rlp.ts'

export interface Signature {
  readonly yParity: 0 | 1
  /** 1 to n - 1, n being the order of secp256k1. */
  readonly r: bigint
  /** 1 to n / 2 (EIP-2); in a legacy transaction of a Frontier block to n - 1. */
  readonly s: bigint
}

/** The order n of secp256k1. */
export const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
export const CURVE_ORDER_BYTES: Uint8Array = bigIntToBytes(CURVE_ORDER, 32)
const S_MAX = CURVE_ORDER / 2n
/** EIP-2: s from here on is refused, so that nobody can alter a transaction's hash. */
export const HIGH_S_BYTES: Uint8Array = bigIntToBytes(S_MAX + 1n, 32)

/** A signature that lies in the bytes of a transaction. */
export class EncodedSignature implements Signature {
  readonly yParity: 0 | 1
  /** True for an s above half the order of the curve. */
  readonly isHigh: boolean
  private readonly encoded: Uint8Array
  private readonly rStart: number
  private readonly rEnd: number
  private readonly sStart: number
  private readonly sEnd: number

  /**
   * @param from where r begins as an RLP string
   * @param middle where r ends and s begins
   * @param end where s ends
   * @throws LedgerError LEDGER_RLP_INVALID unless they are integers of at most 32 bytes
   */
  constructor(encoded: Uint8Array, from: number, middle: number, end: number, yParity: 0 | 1) {
    this.yParity = yParity
    this.encoded = encoded
    this.rStart = rlpIntegerStart(encoded, from, middle, 32, 'r')
    this.rEnd = middle
    this.sStart = rlpIntegerStart(encoded, middle, end, 32, 's')
    this.sEnd = end
    this.isHigh = end - this.sStart === 32 && !isBelow(encoded, this.sStart, HIGH_S_BYTES)
  }

  get r(): bigint {
    return bigIntAt(this.encoded, this.rStart, this.rEnd)
  }

  get s(): bigint {
    return bigIntAt(this.encoded, this.sStart, this.sEnd)
  }

  /** True for r and s from 1 to n - 1. */
  isInRange(): boolean {
    const { encoded, rStart, rEnd, sStart, sEnd } = this
    return isScalar(encoded, rStart, rEnd) && isScalar(encoded, sStart, sEnd)
  }

  /** Writes r and s as 64 bytes. */
  writeTo(out: Uint8Array): void {
    writePadded(out, 32, this.encoded, this.rStart, this.rEnd)
    writePadded(out, 64, this.encoded, this.sStart, this.sEnd)
  }
}

/** r and s, 32 bytes each: what `recoverBytes` takes. @throws RangeError if either needs more */
export function signatureBytes(signature: Pick<Signature, 'r' | 's'>): Uint8Array {
  if (signature instanceof EncodedSignature) {
    const bytes = new Uint8Array(64)
    signature.writeTo(bytes)
    return bytes
  }
  return concatBytes(bigIntToBytes(signature.r, 32), bigIntToBytes(signature.s, 32))
}

/** True for an s above half the order of the curve. */
export function isHighSignature(signature: Pick<Signature, 's'>): boolean {
  return signature instanceof EncodedSignature ? signature.isHigh : signature.s > S_MAX
}

/** The signature with low s of the same signer. */
export function lowSignature(signature: Signature): Signature {
  if (!isHighSignature(signature)) return signature
  const { r, s, yParity } = signature
  return { r, s: CURVE_ORDER - s, yParity: yParity === 0 ? 1 : 0 }
}

/** True if the 32 bytes from `at` are, as a number, below `limit` (32 bytes). */
export function isBelow(bytes: Uint8Array, at: number, limit: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) {
    const difference = bytes[at + i]! - limit[i]!
    if (difference !== 0) return difference < 0
  }
  return false
}

/** An integer without leading zeros, of at most 32 bytes: is it from 1 to n - 1? */
function isScalar(bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start
  return size > 0 && (size < 32 || isBelow(bytes, start, CURVE_ORDER_BYTES))
}

/** Writes a big-endian integer into the 32 bytes before `outEnd`. */
function writePadded(
  out: Uint8Array,
  outEnd: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const first = outEnd - (end - start)
  for (let i = outEnd - 32; i < first; i++) out[i] = 0
  for (let i = first; i < outEnd; i++) out[i] = bytes[start + i - first]!
}
