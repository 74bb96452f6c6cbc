/**
 * The engine's memory as the machine reads and writes it. A class, as every host function goes through
 * it and V8 must see one shape.
 */

import type { AddressKey, WordKey } from './key.ts'
import type { WasmMemory } from './webassembly.ts'

export class LinearMemory {
  u8: Uint8Array
  u16: Uint16Array
  u32: Uint32Array
  u64: BigUint64Array
  private readonly memory: WasmMemory

  constructor(memory: WasmMemory) {
    this.memory = memory
    const { buffer } = memory
    this.u8 = new Uint8Array(buffer)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.u64 = new BigUint64Array(buffer)
  }

  /** Renews the views if memory grew: growth detaches them, and then they have no length. */
  fresh(): void {
    if (this.u8.length !== 0) return
    const { buffer } = this.memory
    this.u8 = new Uint8Array(buffer)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.u64 = new BigUint64Array(buffer)
  }

  /** Key of the word. */
  readKey(at: number): WordKey {
    const { u16 } = this
    const i = at >> 1
    return String.fromCharCode(
      u16[i]!,
      u16[i + 1]!,
      u16[i + 2]!,
      u16[i + 3]!,
      u16[i + 4]!,
      u16[i + 5]!,
      u16[i + 6]!,
      u16[i + 7]!,
      u16[i + 8]!,
      u16[i + 9]!,
      u16[i + 10]!,
      u16[i + 11]!,
      u16[i + 12]!,
      u16[i + 13]!,
      u16[i + 14]!,
      u16[i + 15]!,
    )
  }

  /** Key of the address in the low 20 bytes of the word. */
  readAddressKey(at: number): AddressKey {
    const { u16 } = this
    const i = at >> 1
    return String.fromCharCode(
      u16[i]!,
      u16[i + 1]!,
      u16[i + 2]!,
      u16[i + 3]!,
      u16[i + 4]!,
      u16[i + 5]!,
      u16[i + 6]!,
      u16[i + 7]!,
      u16[i + 8]!,
      u16[i + 9]!,
    )
  }

  /** Writes the key of an address or a word, with zeros above an address. */
  writeKey(at: number, key: AddressKey | WordKey): void {
    const { u16 } = this
    const i = at >> 1
    const units = key.length
    for (let j = 0; j < units; j++) u16[i + j] = key.charCodeAt(j)
    for (let j = units; j < 16; j++) u16[i + j] = 0
  }

  /** Word as an integer. */
  readWord(at: number): bigint {
    const { u32, u64 } = this
    const i = at >> 2
    const high = u32[i + 2]! | u32[i + 3]! | u32[i + 4]! | u32[i + 5]! | u32[i + 6]! | u32[i + 7]!
    if (high === 0) return u32[i + 1] === 0 ? BigInt(u32[i]!) : u64[at >> 3]!
    const j = at >> 3
    return (u64[j + 3]! << 192n) | (u64[j + 2]! << 128n) | (u64[j + 1]! << 64n) | u64[j]!
  }

  /** @param value 0 to 2^256 - 1; assignment to a 64-bit element keeps its low bits */
  writeWord(at: number, value: bigint): void {
    const i = at >> 3
    this.u64[i] = value
    const high = value >> 64n
    if (high === 0n) {
      this.u8.fill(0, at + 8, at + 32)
      return
    }
    this.u64[i + 1] = high
    this.u64[i + 2] = high >> 64n
    this.u64[i + 3] = high >> 128n
  }

  /** @param value below 2^32 */
  writeSmall(at: number, value: number): void {
    this.u8.fill(0, at, at + 32)
    this.u32[at >> 2] = value
  }
}
