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

/** Codes of the two digits of each byte. */
const DIGITS = new Uint8Array(512)
/** Value of each digit's code; NOT_A_DIGIT for all others. */
const NIBBLES = new Uint8Array(256).fill(255)
const NOT_A_DIGIT = 255
for (let i = 0; i < 256; i++) {
  DIGITS[2 * i] = '0123456789abcdef'.charCodeAt(i >> 4)
  DIGITS[2 * i + 1] = '0123456789abcdef'.charCodeAt(i & 15)
}
for (let i = 0; i < 16; i++) {
  NIBBLES['0123456789abcdef'.charCodeAt(i)] = i
  NIBBLES['0123456789ABCDEF'.charCodeAt(i)] = i
}
/** Up to here the codes of a text are put together in an array that is used again. */
const SHORT_BYTES = 64
/** Such arrays by the number of bytes: `0x` and room for the digits. */
const shortCodes: number[][] = []
/** Bytes converted by one call: its arguments lie on the stack. */
const CHUNK_BYTES = 2_048

export const ZERO_HASH: Hash = bytesToHex(new Uint8Array(32))
export const ZERO_ADDRESS: Address = bytesToHex(new Uint8Array(20))
export const NO_BYTES: Uint8Array = new Uint8Array(0)

/** `0x` and two lower-case digits a byte; `0x` for no bytes. */
export function bytesToHex(bytes: Uint8Array): Hex {
  const { length } = bytes
  // Hashes and addresses: one string at once, of codes in an array that is used again.
  if (length <= SHORT_BYTES) return hexAt(bytes, 0, length)
  let text = '0x'
  for (let from = 0; from < length; from += CHUNK_BYTES) {
    const size = Math.min(CHUNK_BYTES, length - from)
    text += hexOf(new Array<number>(2 * size), 0, bytes, from, size)
  }
  return text as Hex
}

/** `bytesToHex` of `size` bytes from a position on, without a view of them. */
export function hexAt(bytes: Uint8Array, from: number, size: number): Hex {
  if (size > SHORT_BYTES) return bytesToHex(bytes.subarray(from, from + size))
  shortCodes[size] ??= [48, 120, ...new Array<number>(2 * size).fill(48)]
  return hexOf(shortCodes[size], 2, bytes, from, size) as Hex
}

/** Text of the codes, of which those from `at` on are the digits of `size` bytes. */
function hexOf(codes: number[], at: number, bytes: Uint8Array, from: number, size: number): string {
  for (let i = 0; i < size; i++) {
    const byte = bytes[from + i]!
    codes[at + 2 * i] = DIGITS[2 * byte]!
    codes[at + 2 * i + 1] = DIGITS[2 * byte + 1]!
  }
  // Joining digit by digit takes twice as long, and again as a map's key.
  return String.fromCharCode.apply(null, codes)
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
  let seen = 0
  for (let i = 0; i < bytes.length; i++) {
    const high = NIBBLES[text.charCodeAt(2 * i + 2)] ?? NOT_A_DIGIT
    const low = NIBBLES[text.charCodeAt(2 * i + 3)] ?? NOT_A_DIGIT
    seen |= high | low
    bytes[i] = (high << 4) | low
  }
  if (seen > 15) throw new RangeError('hex text must hold only the digits 0-9 and a-f')
  return bytes
}

/** Writes the bytes of well-formed hex text, as `Hash` and `Address` are, at a place. */
export function writeHex(text: Hex, out: Uint8Array, at: number): void {
  const size = (text.length >> 1) - 1
  for (let i = 0; i < size; i++) {
    out[at + i] = (NIBBLES[text.charCodeAt(2 * i + 2)]! << 4) | NIBBLES[text.charCodeAt(2 * i + 3)]!
  }
}

/** Unsigned big-endian integer of any number of bytes; 0n for none. */
export function bytesToBigInt(bytes: Uint8Array): bigint {
  if (bytes.length > 6) return BigInt(bytesToHex(bytes))
  let value = 0
  for (let i = 0; i < bytes.length; i++) value = value * 256 + bytes[i]!
  return BigInt(value)
}

/**
 * Big-endian bytes of an unsigned integer, left-padded with zeros.
 * @param size in bytes
 * @throws RangeError if the value is negative or needs more than `size` bytes
 */
export function bigIntToBytes(value: bigint, size: number): Uint8Array {
  if (value >= 0n && value < UINT64_LIMIT && size >= 8) {
    const bytes = new Uint8Array(size)
    writeUint64(bytes, size, value)
    return bytes
  }
  const digits = value.toString(16)
  if (value < 0n || digits.length > size * 2) throw new RangeError(`value needs over ${size} bytes`)
  return hexToBytes(`0x${digits.padStart(size * 2, '0')}`)
}

/** Shortest big-endian bytes of an unsigned integer: none for 0. The form RLP and tries use. */
export function bigIntToMinimalBytes(value: bigint): Uint8Array {
  if (value === 0n) return NO_BYTES
  if (value > 0n && value < UINT64_LIMIT) {
    const bytes = new Uint8Array(8)
    writeUint64(bytes, 8, value)
    let zeros = 0
    while (bytes[zeros] === 0) zeros++
    return zeros === 0 ? bytes : bytes.slice(zeros)
  }
  const digits = value.toString(16)
  return hexToBytes(digits.length % 2 === 0 ? `0x${digits}` : `0x0${digits}`)
}

const UINT64_LIMIT = 1n << 64n

/** Writes the eight bytes before `end`. Halves are numbers: arithmetic on them allocates nothing. */
function writeUint64(bytes: Uint8Array, end: number, value: bigint): void {
  let low = Number(value & 0xffff_ffffn)
  let high = Number(value >> 32n)
  for (let i = end - 1; i >= end - 4; i--) {
    bytes[i] = low
    low >>>= 8
  }
  for (let i = end - 5; i >= end - 8; i--) {
    bytes[i] = high
    high >>>= 8
  }
}

/** True if both hold the same bytes. Not constant-time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** True if these bytes stand there. Not constant-time. */
export function hasBytesAt(all: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let i = 0; i < part.length; i++) if (all[at + i] !== part[i]) return false
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
