/** Why a contract reverted, in words: `Error(string)` and `Panic(uint256)` of Solidity. */

import { bytesToBigInt, bytesToHex } from '@vellum/evm'

const ERROR_SELECTOR = '0x08c379a0'
const PANIC_SELECTOR = '0x4e487b71'
const WORD = 32

/** Solidity documentation, "Panic via assert and Error via require"; words of go-ethereum. */
const PANICS: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assert(false)'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'enum overflow'],
  [0x22n, 'invalid encoded storage byte array accessed'],
  [0x31n, 'out-of-bounds array access; popping on an empty array'],
  [0x32n, 'out-of-bounds access of an array or bytesN'],
  [0x41n, 'out of memory'],
  [0x51n, 'uninitialized function'],
])

/**
 * The reason in revert data; undefined if the data is not of one of the two forms.
 * @param output what the contract reverted with
 */
export function revertReason(output: Uint8Array): string | undefined {
  if (output.length < 4 + WORD) return undefined
  const selector = bytesToHex(output.subarray(0, 4))
  const body = output.subarray(4)
  if (selector === PANIC_SELECTOR) {
    const code = bytesToBigInt(body.subarray(0, WORD))
    return PANICS.get(code) ?? `unknown panic code: 0x${code.toString(16)}`
  }
  return selector === ERROR_SELECTOR ? decodeString(body) : undefined
}

/** The one ABI-encoded string in the body. */
function decodeString(body: Uint8Array): string | undefined {
  const offset = bytesToBigInt(body.subarray(0, WORD))
  if (offset + BigInt(WORD) > BigInt(body.length)) return undefined
  const start = Number(offset) + WORD
  const size = bytesToBigInt(body.subarray(start - WORD, start))
  if (size > BigInt(body.length - start)) return undefined
  return decodeUtf8(body.subarray(start, start + Number(size)))
}

/** Text of UTF-8 bytes; bytes that are not UTF-8 stand one by one for the characters of Latin-1. */
function decodeUtf8(bytes: Uint8Array): string {
  const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`)
  try {
    return decodeURIComponent(escaped.join(''))
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  }
}
