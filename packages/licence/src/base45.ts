/** Base45 (RFC 9285): bytes in the characters that QR codes hold most densely. Read strictly. */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'

export function toBase45(bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; i += 2) {
    const isPair = i + 1 < bytes.length
    const value = isPair ? bytes[i]! * 256 + bytes[i + 1]! : bytes[i]!
    out += ALPHABET[value % 45]! + ALPHABET[Math.floor(value / 45) % 45]!
    if (isPair) out += ALPHABET[Math.floor(value / 2025)]!
  }
  return out
}

/** Bytes of base45; undefined where the text is not what `toBase45` writes for any bytes. */
export function fromBase45(text: string): Uint8Array | undefined {
  if (text.length % 3 === 1) return undefined
  const digits = Array.from(text, (each) => ALPHABET.indexOf(each))
  if (digits.length !== text.length || digits.includes(-1)) return undefined
  const out = new Uint8Array(Math.floor(text.length / 3) * 2 + (text.length % 3 === 2 ? 1 : 0))
  let at = 0
  for (let i = 0; i < digits.length; i += 3) {
    const isTriple = i + 2 < digits.length
    const value = digits[i]! + digits[i + 1]! * 45 + (isTriple ? digits[i + 2]! * 2025 : 0)
    if (value > (isTriple ? 0xffff : 0xff)) return undefined
    if (isTriple) out[at++] = value >> 8
    out[at++] = value & 0xff
  }
  return out
}
