/**
 * 0x09 BLAKE2F: the compression function of BLAKE2b with any number of rounds. EIP-152, RFC 7693.
 *
 * Input, 213 bytes: rounds (4, big-endian), h (64), m (128), t (16), final (1: 0 or 1); all but the
 * rounds little-endian. Output: the 64 bytes of the new h.
 */

import type { Precompile } from './precompile.ts'

const INPUT_BYTES = 213

/** Each 64-bit word as its low and high half: RFC 7693 section 2.6. */
const IV = Uint32Array.of(
  0xf3bcc908,
  0x6a09e667,
  0x84caa73b,
  0xbb67ae85,
  0xfe94f82b,
  0x3c6ef372,
  0x5f1d36f1,
  0xa54ff53a,
  0xade682d1,
  0x510e527f,
  0x2b3e6c1f,
  0x9b05688c,
  0xfb41bd6b,
  0x1f83d9ab,
  0x137e2179,
  0x5be0cd19,
)

/** Order in which the ten kinds of rounds take the words of m: RFC 7693 section 2.7. */
const SIGMA: readonly string[] = [
  '0123456789abcdef',
  'ea489fd61c02b753',
  'b8c052fdae367194',
  '7931dcbe265a40f8',
  '905724afe1bc683d',
  '2c6a0b834d75fe19',
  'c51fed4a0763928b',
  'db7ec13950f4862a',
  '6fe9b308c2d714a5',
  'a2847615fb9e3cd0',
]

/** The halves of m in the order of use: 10 rounds of 16 words, as positions of their low halves. */
const SCHEDULE = Uint8Array.from(SIGMA.join(''), (digit) => Number.parseInt(digit, 16) * 2)

export const blake2f: Precompile = {
  gas: (input) => (input.length === INPUT_BYTES ? BigInt(roundsOf(input)) : 0n),
  run(input) {
    const final = input[INPUT_BYTES - 1]
    if (input.length !== INPUT_BYTES || (final !== 0 && final !== 1)) return undefined
    const view = new DataView(input.buffer, input.byteOffset, input.length)
    const h = new Uint32Array(16)
    const m = new Uint32Array(32)
    for (let i = 0; i < 16; i++) h[i] = view.getUint32(4 + 4 * i, true)
    for (let i = 0; i < 32; i++) m[i] = view.getUint32(68 + 4 * i, true)
    const v = new Uint32Array(32)
    v.set(h)
    v.set(IV, 16)
    for (let i = 0; i < 4; i++) v[24 + i]! ^= view.getUint32(196 + 4 * i, true)
    if (final === 1) {
      v[28] = ~v[28]!
      v[29] = ~v[29]!
    }
    mixRounds(v, m, roundsOf(input))
    const output = new Uint8Array(64)
    const words = new DataView(output.buffer)
    for (let i = 0; i < 16; i++) words.setUint32(4 * i, h[i]! ^ v[i]! ^ v[i + 16]!, true)
    return output
  },
}

function roundsOf(input: Uint8Array): number {
  return new DataView(input.buffer, input.byteOffset, 4).getUint32(0)
}

function mixRounds(v: Uint32Array, m: Uint32Array, rounds: number): void {
  let at = 0
  for (let round = 0; round < rounds; round++) {
    mix(v, m, 0, 8, 16, 24, SCHEDULE[at]!, SCHEDULE[at + 1]!)
    mix(v, m, 2, 10, 18, 26, SCHEDULE[at + 2]!, SCHEDULE[at + 3]!)
    mix(v, m, 4, 12, 20, 28, SCHEDULE[at + 4]!, SCHEDULE[at + 5]!)
    mix(v, m, 6, 14, 22, 30, SCHEDULE[at + 6]!, SCHEDULE[at + 7]!)
    mix(v, m, 0, 10, 20, 30, SCHEDULE[at + 8]!, SCHEDULE[at + 9]!)
    mix(v, m, 2, 12, 22, 24, SCHEDULE[at + 10]!, SCHEDULE[at + 11]!)
    mix(v, m, 4, 14, 16, 26, SCHEDULE[at + 12]!, SCHEDULE[at + 13]!)
    mix(v, m, 6, 8, 18, 28, SCHEDULE[at + 14]!, SCHEDULE[at + 15]!)
    at = at === 144 ? 0 : at + 16
  }
}

/**
 * The function G of RFC 7693 section 3.1 on words of 64 bits, each held as two of 32: there is no
 * faster form of them in JavaScript. Arguments are positions of low halves.
 */
function mix(
  v: Uint32Array,
  m: Uint32Array,
  a: number,
  b: number,
  c: number,
  d: number,
  x: number,
  y: number,
): void {
  let aLow = v[a]!
  let aHigh = v[a + 1]!
  let bLow = v[b]!
  let bHigh = v[b + 1]!
  let cLow = v[c]!
  let cHigh = v[c + 1]!
  let dLow = v[d]!
  let dHigh = v[d + 1]!

  let sum = aLow + bLow + m[x]!
  aHigh = (aHigh + bHigh + m[x + 1]! + carry(sum)) | 0
  aLow = sum | 0
  // d = (d ^ a) >>> 32
  let swap = dLow ^ aLow
  dLow = dHigh ^ aHigh
  dHigh = swap
  sum = (cLow >>> 0) + (dLow >>> 0)
  cHigh = (cHigh + dHigh + carry(sum)) | 0
  cLow = sum | 0
  // b = (b ^ c) >>> 24
  let low = bLow ^ cLow
  let high = bHigh ^ cHigh
  bLow = (low >>> 24) | (high << 8)
  bHigh = (high >>> 24) | (low << 8)

  sum = (aLow >>> 0) + (bLow >>> 0) + m[y]!
  aHigh = (aHigh + bHigh + m[y + 1]! + carry(sum)) | 0
  aLow = sum | 0
  // d = (d ^ a) >>> 16
  low = dLow ^ aLow
  high = dHigh ^ aHigh
  dLow = (low >>> 16) | (high << 16)
  dHigh = (high >>> 16) | (low << 16)
  sum = (cLow >>> 0) + (dLow >>> 0)
  cHigh = (cHigh + dHigh + carry(sum)) | 0
  cLow = sum | 0
  // b = (b ^ c) >>> 63
  low = bLow ^ cLow
  high = bHigh ^ cHigh
  swap = (low << 1) | (high >>> 31)
  bHigh = (high << 1) | (low >>> 31)
  bLow = swap

  v[a] = aLow
  v[a + 1] = aHigh
  v[b] = bLow
  v[b + 1] = bHigh
  v[c] = cLow
  v[c + 1] = cHigh
  v[d] = dLow
  v[d + 1] = dHigh
}

/** What a sum of low halves (each below 2^32) carries into the high half: 0, 1 or 2. */
function carry(sum: number): number {
  return (sum / 0x1_0000_0000) | 0
}
