/** 0x01 ECRECOVER: the address that signed a hash. Yellow paper, appendix E.1. */

import { secp256k1 } from '@noble/curves/secp256k1.js'
import { NO_BYTES } from '../bytes.ts'
import { keccak256 } from '../keccak.ts'
import type { Precompile, RecoverPublicKey } from './precompile.ts'
import { slicePadded } from './precompile.ts'

/** Input: hash, v (27 or 28), r, s, a word each. Output: the address in a word; nothing if none. */
export function createEcrecover(recover: RecoverPublicKey): Precompile {
  return {
    gas: () => 3000n,
    run(input) {
      const call = slicePadded(input, 0, 128)
      const v = call[63]!
      if ((v !== 27 && v !== 28) || !isZero(call, 32, 63)) return NO_BYTES
      const publicKey = recover(call.subarray(0, 32), call.subarray(64), v === 27 ? 0 : 1)
      if (publicKey === undefined) return NO_BYTES
      const output = new Uint8Array(32)
      output.set(keccak256(publicKey).subarray(12), 12)
      return output
    },
  }
}

/** Recovery in JavaScript, for hosts without a native library. */
export const recoverWithNoble: RecoverPublicKey = (hash, rs, yParity) => {
  try {
    const signature = secp256k1.Signature.fromBytes(rs, 'compact').addRecoveryBit(yParity)
    return signature.recoverPublicKey(hash).toBytes(false).subarray(1)
  } catch {
    // The library reports every kind of unrecoverable signature by throwing.
    return undefined
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}
