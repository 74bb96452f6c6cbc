/** Addresses of new contracts. */

import { type Address, bigIntToMinimalBytes, concatBytes, type Hash, hexToBytes } from './bytes.ts'
import { keccak256, keccak256Address } from './keccak.ts'

/** Address that a creation by `sender` with this nonce gets: the end of keccak256(rlp([sender, nonce])). */
export function createAddress(sender: Address, nonce: bigint): Address {
  const number = bigIntToMinimalBytes(nonce)
  // RLP writes a single byte below 0x80 as itself.
  const item =
    number.length === 1 && number[0]! < 0x80
      ? number
      : concatBytes(Uint8Array.of(0x80 + number.length), number)
  const list = concatBytes(Uint8Array.of(0xd5 + item.length, 0x94), hexToBytes(sender), item)
  return keccak256Address(list)
}

/** Address of CREATE2 (EIP-1014). */
export function create2Address(sender: Address, salt: Hash, initCode: Uint8Array): Address {
  const text = concatBytes(
    Uint8Array.of(0xff),
    hexToBytes(sender),
    hexToBytes(salt),
    keccak256(initCode),
  )
  return keccak256Address(text)
}
