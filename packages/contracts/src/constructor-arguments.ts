/** The arguments of our constructors in the Solidity ABI: words, bytes, and lists of words or of tuples of words. */

/** A word, bytes, or a list whose elements have one or more words each. */
export type Argument = bigint | Uint8Array | readonly (readonly bigint[])[]

const WORD_BYTES = 32

/** Heads first; a list and bytes stand behind them, and their heads say where. */
export function encodeArguments(values: readonly Argument[]): Uint8Array {
  const heads: bigint[] = []
  const tails: bigint[] = []
  for (const value of values) {
    if (typeof value === 'bigint') {
      heads.push(value)
      continue
    }
    heads.push(BigInt((values.length + tails.length) * WORD_BYTES))
    tails.push(
      BigInt(value.length),
      ...(value instanceof Uint8Array ? wordsOf(value) : value.flat()),
    )
  }
  const words = [...heads, ...tails]
  const bytes = new Uint8Array(words.length * WORD_BYTES)
  for (const [i, word] of words.entries()) {
    bytes.set(bytesOfHex(word.toString(16).padStart(WORD_BYTES * 2, '0')), i * WORD_BYTES)
  }
  return bytes
}

/** Zeros behind the last byte. */
function wordsOf(bytes: Uint8Array): bigint[] {
  const words: bigint[] = []
  for (let start = 0; start < bytes.length; start += WORD_BYTES) {
    let word = 0n
    for (let i = start; i < start + WORD_BYTES; i++) word = (word << 8n) | BigInt(bytes[i] ?? 0)
    words.push(word)
  }
  return words
}

/** @param bytes at most 32; they stand at the left */
export function wordOfBytes(bytes: Uint8Array): bigint {
  return wordsOf(bytes)[0] ?? 0n
}

/** @param hex an even number of digits, without 0x */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

/** The first four bytes of a word, as an argument of type `bytes4`. @param selector hex, 4 bytes with 0x */
export function wordOfSelector(selector: string): bigint {
  return BigInt(selector) << 224n
}

/** ASCII at the left of a word, as the contracts keep codes. @param text at most 32 characters */
export function wordOfText(text: string): bigint {
  let word = 0n
  for (let i = 0; i < WORD_BYTES; i++) {
    word = (word << 8n) | BigInt(i < text.length ? text.charCodeAt(i) : 0)
  }
  return word
}
