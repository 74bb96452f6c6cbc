/** secp256k1 for the suites: the audited library itself, independent of our crypto module. */

import { secp256k1 } from '@noble/curves/secp256k1.js'
import {
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  keccak256,
} from '@vellum/evm'
import type { HashSigner, SenderRecovery } from '@vellum/ledger'

export const curve: SenderRecovery & HashSigner = {
  recover: (hash, { yParity, r, s }) => {
    try {
      const bytes = concatBytes(Uint8Array.of(yParity), bigIntToBytes(r, 32), bigIntToBytes(s, 32))
      const key = secp256k1.recoverPublicKey(bytes, hash, { prehash: false })
      return addressOf(secp256k1.Point.fromBytes(key).toBytes(false))
    } catch {
      return undefined
    }
  },
  sign: (hash, privateKey) => {
    const bytes = secp256k1.sign(hash, privateKey, { prehash: false, format: 'recovered' })
    const { r, s } = secp256k1.Signature.fromBytes(bytes.subarray(1), 'compact')
    return { yParity: bytes[0] === 1 ? 1 : 0, r, s }
  },
}

/** Who made a seal: r, s and y parity, 65 bytes. */
export function recoverSeal(hash: Uint8Array, seal: Uint8Array): Address | undefined {
  return curve.recover(hash, {
    r: bytesToBigInt(seal.subarray(0, 32)),
    s: bytesToBigInt(seal.subarray(32, 64)),
    yParity: seal[64] === 1 ? 1 : 0,
  })
}

/** Address of a private key of 32 bytes. */
export function addressOfKey(privateKey: Uint8Array): Address {
  return addressOf(secp256k1.getPublicKey(privateKey, false))
}

function addressOf(uncompressedKey: Uint8Array): Address {
  return bytesToHex(keccak256(uncompressedKey.subarray(1)).subarray(12))
}
