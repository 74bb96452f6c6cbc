/**
 * 0x09 BLAKE2F: the compression function of BLAKE2b with any number of rounds. EIP-152, RFC 7693.
 *
 * Input, 213 bytes: rounds (4, big-endian), h (64), m (128), t (16), final (1: 0 or 1); all but the
 * rounds little-endian. Output: the 64 bytes of the new h. Runs in WebAssembly, which has integers of 64
 * bits and two of them in a register; the source is `engine/blake2b.ts`. A round
 * costs 1 gas and takes some 16 ns.
 */

import { WASM_BASE64 } from '../blake2b.generated.ts'
import { compileModule, instantiate, type WasmMemory } from '../webassembly.ts'
import type { Precompile } from './precompile.ts'

interface Blake2bModule {
  readonly memory: WasmMemory
  /** Where h, m and t are placed. */
  input(): number
  /** The address of the new h. */
  compress(rounds: number, isFinal: number): number
}

const INPUT_BYTES = 213
const ROUNDS_BYTES = 4
const OUTPUT_BYTES = 64

let loaded: Blake2bModule | undefined

export const blake2f: Precompile = {
  gas: (input) => (input.length === INPUT_BYTES ? BigInt(roundsOf(input)) : 0n),
  run(input) {
    const final = input[INPUT_BYTES - 1]
    if (input.length !== INPUT_BYTES || (final !== 0 && final !== 1)) return undefined
    loaded ??= instantiate<Blake2bModule>(compileModule(WASM_BASE64), {})
    const memory = new Uint8Array(loaded.memory.buffer)
    memory.set(input.subarray(ROUNDS_BYTES, INPUT_BYTES - 1), loaded.input())
    const at = loaded.compress(roundsOf(input), final)
    return memory.slice(at, at + OUTPUT_BYTES)
  },
}

function roundsOf(input: Uint8Array): number {
  return new DataView(input.buffer, input.byteOffset, 4).getUint32(0)
}
