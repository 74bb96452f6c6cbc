/** 0x02 SHA2-256, 0x03 RIPEMD-160 and 0x04 IDENTITY. Yellow paper, appendix E.1. */

import { ripemd160 as ripemd160Of } from '@noble/hashes/legacy.js'
import { sha256 as sha256Of } from '@noble/hashes/sha2.js'
import type { Precompile } from './precompile.ts'
import { linearGas } from './precompile.ts'

export const sha256: Precompile = {
  gas: (input) => linearGas(input, 60, 12),
  run: (input) => sha256Of(input),
}

/** Output: the 20 bytes of the hash at the end of a word. */
export const ripemd160: Precompile = {
  gas: (input) => linearGas(input, 600, 120),
  run(input) {
    const output = new Uint8Array(32)
    output.set(ripemd160Of(input), 12)
    return output
  },
}

/** Output: a copy of the input, so that the caller's memory is not shared. */
export const identity: Precompile = {
  gas: (input) => linearGas(input, 15, 3),
  run: (input) => input.slice(),
}
