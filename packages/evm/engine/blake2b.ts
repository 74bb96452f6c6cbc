/**
 * The module behind the BLAKE2F precompile: the compression function of BLAKE2b with any number of
 * rounds (RFC 7693 section 3.2, EIP-152).
 *
 * The four rows of the working vector lie in two registers of two words each, so that the four columns
 * of a half round are mixed together; between the halves the rows turn against each other and the
 * diagonals become columns. What the ten kinds of rounds take of the message is laid out before, in the
 * order of use. Four times as fast as one word after the other.
 */

/** h (64 bytes), m (128) and t (16) as EIP-152 has them, then room for h afterwards. */
const INPUT: usize = memory.data(208, 16)
const M: usize = INPUT + 64
const T: usize = INPUT + 192
const OUTPUT: usize = memory.data(64, 16)
/** Of ten rounds, the 16 words that each takes. */
const TAKEN: usize = memory.data(1280, 16)
const TAKEN_END: usize = TAKEN + 1280

// prettier-ignore
const IV: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
])

/** RFC 7693 section 2.7. */
// prettier-ignore
const SIGMA: usize = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
  11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
  7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
  9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
  2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
  12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
  13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
  6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
  10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
])

export function input(): usize {
  return INPUT
}

/** Compresses the input; the address of the 64 bytes of the new h. */
export function compress(rounds: u32, isFinal: bool): usize {
  layOut()
  const a = v128.load(INPUT)
  const b = v128.load(INPUT, 16)
  const c = v128.load(INPUT, 32)
  const d = v128.load(INPUT, 48)
  let row1 = a
  let row1b = b
  let row2 = c
  let row2b = d
  let row3 = v128.load(IV)
  let row3b = v128.load(IV, 16)
  let row4 = v128.xor(v128.load(IV, 32), v128.load(T))
  let row4b = v128.load(IV, 48)
  if (isFinal) row4b = v128.xor(row4b, v128(-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0))

  let at = TAKEN
  for (let round: u32 = 0; round < rounds; round++) {
    row1 = sum(sum(row1, row2), v128.load(at))
    row1b = sum(sum(row1b, row2b), v128.load(at, 16))
    row4 = turn32(v128.xor(row4, row1))
    row4b = turn32(v128.xor(row4b, row1b))
    row3 = sum(row3, row4)
    row3b = sum(row3b, row4b)
    row2 = turn24(v128.xor(row2, row3))
    row2b = turn24(v128.xor(row2b, row3b))
    row1 = sum(sum(row1, row2), v128.load(at, 32))
    row1b = sum(sum(row1b, row2b), v128.load(at, 48))
    row4 = turn16(v128.xor(row4, row1))
    row4b = turn16(v128.xor(row4b, row1b))
    row3 = sum(row3, row4)
    row3b = sum(row3b, row4b)
    row2 = turn63(v128.xor(row2, row3))
    row2b = turn63(v128.xor(row2b, row3b))

    // Row 2 by one word to the left, row 3 by two, row 4 by three. Row 3 goes by its names below.
    let next = v128.shuffle<u64>(row2, row2b, 1, 2)
    row2b = v128.shuffle<u64>(row2b, row2, 1, 2)
    row2 = next
    next = v128.shuffle<u64>(row4b, row4, 1, 2)
    row4b = v128.shuffle<u64>(row4, row4b, 1, 2)
    row4 = next

    row1 = sum(sum(row1, row2), v128.load(at, 64))
    row1b = sum(sum(row1b, row2b), v128.load(at, 80))
    row4 = turn32(v128.xor(row4, row1))
    row4b = turn32(v128.xor(row4b, row1b))
    row3b = sum(row3b, row4)
    row3 = sum(row3, row4b)
    row2 = turn24(v128.xor(row2, row3b))
    row2b = turn24(v128.xor(row2b, row3))
    row1 = sum(sum(row1, row2), v128.load(at, 96))
    row1b = sum(sum(row1b, row2b), v128.load(at, 112))
    row4 = turn16(v128.xor(row4, row1))
    row4b = turn16(v128.xor(row4b, row1b))
    row3b = sum(row3b, row4)
    row3 = sum(row3, row4b)
    row2 = turn63(v128.xor(row2, row3b))
    row2b = turn63(v128.xor(row2b, row3))

    next = v128.shuffle<u64>(row2b, row2, 1, 2)
    row2b = v128.shuffle<u64>(row2, row2b, 1, 2)
    row2 = next
    next = v128.shuffle<u64>(row4, row4b, 1, 2)
    row4b = v128.shuffle<u64>(row4b, row4, 1, 2)
    row4 = next

    at += 128
    if (at == TAKEN_END) at = TAKEN
  }

  v128.store(OUTPUT, v128.xor(v128.xor(a, row1), row3))
  v128.store(OUTPUT, v128.xor(v128.xor(b, row1b), row3b), 16)
  v128.store(OUTPUT, v128.xor(v128.xor(c, row2), row4), 32)
  v128.store(OUTPUT, v128.xor(v128.xor(d, row2b), row4b), 48)
  return OUTPUT
}

/** Each half round takes four words for its columns, then four more: SIGMA names them in pairs. */
function layOut(): void {
  for (let i: usize = 0; i < 160; i++) {
    const half = i & ~7
    const from = half + ((i & 3) << 1) + ((i >> 2) & 1)
    store<u64>(TAKEN + (i << 3), load<u64>(M + ((<usize>load<u8>(SIGMA + from)) << 3)))
  }
}

// @ts-ignore: decorator
@inline
function sum(a: v128, b: v128): v128 {
  return i64x2.add(a, b)
}

// Both words turned right by so many bits.

// @ts-ignore: decorator
@inline
function turn32(a: v128): v128 {
  return v128.shuffle<u32>(a, a, 1, 0, 3, 2)
}

// @ts-ignore: decorator
@inline
function turn24(a: v128): v128 {
  return v128.shuffle<u8>(a, a, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10)
}

// @ts-ignore: decorator
@inline
function turn16(a: v128): v128 {
  return v128.shuffle<u16>(a, a, 1, 2, 3, 0, 5, 6, 7, 4)
}

// @ts-ignore: decorator
@inline
function turn63(a: v128): v128 {
  return v128.or(i64x2.add(a, a), i64x2.shr_u(a, 63))
}
