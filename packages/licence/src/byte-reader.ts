/** Reading and writing of the parts of binary forms: numbers in groups of seven bits, and bytes. */

/** Reads from the front; gives undefined once the bytes are over or a number has a second spelling. */
export interface ByteReader {
  readonly left: number
  bytes(size: number): Uint8Array | undefined
  /** At most 2^53 - 1. */
  number(): number | undefined
}

export function createByteReader(input: Uint8Array): ByteReader {
  let at = 0
  return {
    get left(): number {
      return input.length - at
    },
    bytes: (size) => {
      if (at + size > input.length) return undefined
      at += size
      return input.slice(at - size, at)
    },
    number: () => {
      let value = 0
      for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
        const byte = input[at++]
        if (byte === undefined) return undefined
        value += (byte & 0x7f) * scale
        if (byte >= 0x80) continue
        // A last group of zero would be a longer spelling of the same number.
        if (byte === 0 && scale > 1) return undefined
        return Number.isSafeInteger(value) ? value : undefined
      }
      return undefined
    },
  }
}

/** A number of at most 2^53 - 1 in groups of seven bits, the lowest first; all but the last have bit 7. */
export function numberBytes(value: number): Uint8Array {
  const out: number[] = []
  let rest = value
  while (rest >= 128) {
    out.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
  return Uint8Array.from(out)
}
