/**
 * Bytes and their hexadecimal text: the one place where they are converted.
 *
 * `Hash` and `Address` are lower-case hex strings, because they are compared, used as keys and
 * logged; everything else that is bytes is a `Uint8Array`.
 */

/** 32 bytes as `0x` and 64 lower-case hex digits. */
export type Hash = `0x${string}`
/** 20 bytes as `0x` and 40 lower-case hex digits. */
export type Address = `0x${string}`
/** Any bytes as `0x` and an even number of lower-case hex digits. */
export type Hex = `0x${string}`

const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

export const ZERO_HASH: Hash = bytesToHex(new Uint8Array(32))
export const ZERO_ADDRESS: Address = bytesToHex(new Uint8Array(20))
export const NO_BYTES: Uint8Array = new Uint8Array(0)

/** `0x` and two lower-case digits a byte; `0x` for no bytes. */
export function bytesToHex(bytes: Uint8Array): Hex {
  let text = '0x'
  for (let i = 0; i < bytes.length; i++) text += PAIRS[bytes[i]!]
  return text as Hex
}

/**
 * Bytes of `0x` hex text, of either case.
 * @throws RangeError if the text is not `0x` and an even number of hex digits
 */
export function hexToBytes(text: string): Uint8Array {
  if (text.length % 2 !== 0 || text.charCodeAt(0) !== 48 || text.charCodeAt(1) !== 120) {
    throw new RangeError('hex text must be 0x and an even number of digits')
  }
  const bytes = new Uint8Array(text.length / 2 - 1)
  for (let i = 0; i < bytes.length; i++) {
    const high = digit(text.charCodeAt(2 * i + 2))
    const low = digit(text.charCodeAt(2 * i + 3))
    bytes[i] = (high << 4) | low
  }
  return bytes
}

function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  if (lower >= 97 && lower <= 102) return lower - 87
  throw new RangeError('hex text must hold only the digits 0-9 and a-f')
}

/** Unsigned big-endian integer of any number of bytes; 0n for none. */
export function bytesToBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes))
}

/**
 * Big-endian bytes of an unsigned integer, left-padded with zeros.
 * @param size in bytes
 * @throws RangeError if the value is negative or needs more than `size` bytes
 */
export function bigIntToBytes(value: bigint, size: number): Uint8Array {
  const digits = value.toString(16)
  if (value < 0n || digits.length > size * 2) throw new RangeError(`value needs over ${size} bytes`)
  return hexToBytes(`0x${digits.padStart(size * 2, '0')}`)
}

/** Shortest big-endian bytes of an unsigned integer: none for 0. The form RLP and tries use. */
export function bigIntToMinimalBytes(value: bigint): Uint8Array {
  if (value === 0n) return NO_BYTES
  const digits = value.toString(16)
  return hexToBytes(digits.length % 2 === 0 ? `0x${digits}` : `0x0${digits}`)
}

/** True if both hold the same bytes. Not constant-time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** One array holding all parts in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const part of parts) size += part.length
  const all = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
