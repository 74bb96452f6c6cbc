/**
 * keccak256, the hash of everything Ethereum. Runs in WebAssembly, which has the 64-bit integers that
 * the permutation is made of; the source is `engine/keccak.ts`.
 */

import type { Address, Hash, Hex } from './bytes.ts'
import { hexAt, writeHex } from './bytes.ts'
import { WASM_BASE64 } from './hash.generated.ts'
import { compileModule, instantiate, type WasmMemory } from './webassembly.ts'

interface HashModule {
  readonly memory: WasmMemory
  /** Where input is placed. */
  input(): number
  /** Digest of that many bytes of input; the address of its 32 bytes. */
  hash(size: number): number
  start(): void
  /** Absorbs input of a multiple of 136 bytes. */
  absorb(size: number): void
  /** Absorbs the last, fewer than 136 bytes, and returns the address of the digest. */
  end(size: number): number
}

const wasm = instantiate<HashModule>(compileModule(WASM_BASE64), {})
const memory = new Uint8Array(wasm.memory.buffer)
const INPUT_AT = wasm.input()
/** Longest input that fits the module's memory at once: 136 * 400 bytes. */
const CHUNK_BYTES = 54_400
/** Up to here a plain loop copies faster than `set`. */
const LOOP_BYTES_MAX = 40

/** Where a caller may put together what `keccak256OfInput` hashes. Every other hash uses it, too. */
export const keccakInput: Uint8Array = memory.subarray(INPUT_AT, INPUT_AT + CHUNK_BYTES)

/** keccak256 of the first bytes of `keccakInput`: 32 new bytes. */
export function keccak256OfInput(size: number): Uint8Array {
  const at = wasm.hash(size)
  return memory.slice(at, at + 32)
}

/** The same, written to `out` at `to`. */
export function hashInputInto(size: number, out: Uint8Array, to: number): void {
  copyDigest(wasm.hash(size), out, to)
}

/** keccak256 of the bytes: 32 new bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  const at = digest(bytes)
  return memory.slice(at, at + 32)
}

/** keccak256 of the bytes, as the hex text used for keys and comparison. */
export function keccak256Hex(bytes: Uint8Array): Hash {
  const at = digest(bytes)
  return hexAt(memory, at, 32)
}

/** The last 20 bytes of keccak256 of the bytes: how addresses come from keys and creations. */
export function keccak256Address(bytes: Uint8Array): Address {
  const at = digest(bytes)
  return hexAt(memory, at + 12, 20)
}

/** keccak256 of the at most 54,400 bytes that the hex text stands for: 32 bytes, written at a place. */
export function hashHexInto(text: Hex, out: Uint8Array, to: number): void {
  writeHex(text, keccakInput, 0)
  copyDigest(wasm.hash((text.length >> 1) - 1), out, to)
}

function copyDigest(at: number, out: Uint8Array, to: number): void {
  for (let i = 0; i < 32; i++) out[to + i] = memory[at + i]!
}

function digest(bytes: Uint8Array): number {
  const size = bytes.length
  if (size > CHUNK_BYTES) return digestLong(bytes)
  if (size <= LOOP_BYTES_MAX) for (let i = 0; i < size; i++) memory[INPUT_AT + i] = bytes[i]!
  else memory.set(bytes, INPUT_AT)
  return wasm.hash(size)
}

function digestLong(bytes: Uint8Array): number {
  wasm.start()
  let from = 0
  for (; from + CHUNK_BYTES <= bytes.length; from += CHUNK_BYTES) {
    memory.set(bytes.subarray(from, from + CHUNK_BYTES), INPUT_AT)
    wasm.absorb(CHUNK_BYTES)
  }
  const rest = bytes.length - from
  const whole = rest - (rest % 136)
  memory.set(bytes.subarray(from), INPUT_AT)
  if (whole > 0) wasm.absorb(whole)
  memory.copyWithin(INPUT_AT, INPUT_AT + whole, INPUT_AT + rest)
  return wasm.end(rest - whole)
}
