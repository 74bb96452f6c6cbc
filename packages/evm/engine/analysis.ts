/**
 * Analysis of code, once before it runs: valid jump targets, the static gas and the stack that each
 * basic block needs, and a copy of the code made for speed.
 *
 * A block runs whole or fails, so its gas is taken and its stack checked where it begins. A block ends
 * after every opcode that shows or limits by the gas left (GAS, SSTORE, calls, creations), so that what
 * programs see is exact. If a block cannot be paid, or its stack is wrong, the loop goes opcode by
 * opcode from there, to halt for the right reason.
 */

import { OPS } from './layout'

/** In the first half of a block's entry: the block begins with JUMPDEST. */
export const JUMPDEST_FLAG: u32 = 0x80000000
export const GAS_MASK: u32 = 0x7fffffff
/** Zero bytes that must follow the code: a PUSH32 may end beyond it. */
export const PADDING: usize = 40

const OP_JUMPDEST: u32 = 0x5b
const OP_PUSH1: u32 = 0x60
const OP_PUSH32: u32 = 0x7f
const OP_INVALID: u32 = 0xfe

let blockGas: u64 = 0
let needed: i32 = 0
let height: i32 = 0
let highest: i32 = 0

/** Bytes that `analyse` uses for code of this size: raw copy, fast copy, block entries. */
export function analysisBytes(size: usize): usize {
  return (((size + PADDING) * 2 + 15) & ~15) + (size + PADDING) * 8 + 16
}

// @ts-ignore: decorator
@inline
export function fastOf(raw: usize, size: usize): usize {
  return raw + size + PADDING
}

// @ts-ignore: decorator
@inline
export function infoOf(raw: usize, size: usize): usize {
  return raw + (((size + PADDING) * 2 + 15) & ~15)
}

/**
 * Entry of a block: gas and flag (u32), stack bytes it needs (u16) and by which it grows at most (u16).
 * What no program can satisfy is written as more than a stack holds.
 */
function writeBlock(entry: usize, flag: u32): void {
  const impossible = blockGas > u64(GAS_MASK) || needed > 1024 || highest > 1024
  store<u32>(entry, (impossible ? GAS_MASK : u32(blockGas)) | flag)
  store<u16>(entry, u16((impossible ? 1025 : needed) << 5), 4)
  store<u16>(entry, u16((impossible ? 1025 : highest) << 5), 6)
  blockGas = 0
  needed = 0
  height = 0
  highest = 0
}

/** The code lies at `raw`; room for `analysisBytes(size)` is there. */
export function analyse(raw: usize, size: usize): void {
  const fast = fastOf(raw, size)
  const info = infoOf(raw, size)
  memory.fill(raw + size, 0, PADDING)
  memory.copy(fast, raw, size + PADDING)
  memory.fill(info, 0, (size + PADDING) * 8)
  blockGas = 0
  needed = 0
  height = 0
  highest = 0
  let start: usize = 0
  let flag: u32 = 0
  let pc: usize = 0
  while (pc < size) {
    const op = u32(load<u8>(raw + pc))
    if (op == OP_JUMPDEST) {
      if (pc != start) {
        writeBlock(info + start * 8, flag)
        start = pc
      }
      flag = JUMPDEST_FLAG
    }
    const row = OPS + (op << 3)
    const pops = i32(load<u8>(row, 4))
    if (pops - height > needed) needed = pops - height
    height += i32(load<u8>(row, 5)) - pops
    if (height > highest) highest = height
    blockGas += u64(load<u32>(row))
    const at = pc
    pc++
    if (op >= OP_PUSH1 && op <= OP_PUSH32) {
      const count = usize(op - OP_PUSH1 + 1)
      // Immediates of the fast copy are least significant byte first.
      for (let i: usize = 0; i < count; i++) {
        store<u8>(fast + pc + i, load<u8>(raw + pc + count - 1 - i))
      }
      pc += count
    } else if (load<u8>(row, 6) == 0) {
      store<u8>(fast + at, OP_INVALID)
    }
    if (load<u8>(row, 7) != 0) {
      writeBlock(info + start * 8, flag)
      start = pc
      flag = 0
    }
  }
  if (start < size) writeBlock(info + start * 8, flag)
  // A truncated PUSH wrote its zero padding, reversed, over the end: what follows must be STOP.
  if (pc > size) memory.fill(fast + pc, 0, size + PADDING - pc)
}
