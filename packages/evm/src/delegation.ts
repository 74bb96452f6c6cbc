/** EIP-7702: code that points to the code of another account. */

import { type Address, bytesToHex } from './bytes.ts'

/** 0xef0100 and an address. */
const DESIGNATOR_BYTES = 23

/** The account whose code runs in place of this code, or undefined if it is no delegation. */
export function delegateOf(code: Uint8Array): Address | undefined {
  const isDesignator =
    code.length === DESIGNATOR_BYTES && code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00
  return isDesignator ? bytesToHex(code.subarray(3)) : undefined
}

/** Code of an account that delegates to `address`. */
export function delegationTo(address: Address): Uint8Array {
  const code = new Uint8Array(DESIGNATOR_BYTES)
  code.set([0xef, 0x01, 0x00])
  for (let i = 0; i < 20; i++)
    code[3 + i] = Number.parseInt(address.slice(2 + 2 * i, 4 + 2 * i), 16)
  return code
}
