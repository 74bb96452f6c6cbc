/** What surrounds the loop: memory of frames, what a call returned, and the passage between frames. */

import { fastOf, infoOf } from './analysis'
import {
  F_ADDRESS, F_BASE, F_CODE_SIZE, F_FAST, F_GAS, F_INFO, F_IP, F_LACK, F_MEMORY, F_MEMORY_SIZE, F_OUT,
  F_OUT_SIZE, F_RAW, F_SP, FRAME_BYTES, FRAMES,
} from './layout'
import { copy, setSmall } from './word'

/** The program's memory would pass what a module can address. Throws. */
@external('host', 'memoryLimit')
declare function memoryLimit(): void

/** Output of the last call of the running frame, in place. */
export let returned: usize = 0
export let returnedSize: usize = 0

/** Where the last RETURN or REVERT left its output. */
export let output: usize = 0
export let outputSize: usize = 0

/** What `expand` answers if the gas does not suffice: more than any. */
export const UNPAYABLE: u64 = u64.MAX_VALUE

const PAGES_MAX: usize = 16384

export function frameOf(depth: i32): usize {
  return FRAMES + usize(depth) * FRAME_BYTES
}

export function setOutput(at: usize, size: usize): void {
  output = at
  outputSize = size
}

export function outputAt(): usize {
  return output
}

export function outputBytes(): usize {
  return outputSize
}

export function returnedAt(): usize {
  return returned
}

export function returnedBytes(): usize {
  return returnedSize
}

/** Makes linear memory reach `end`, with a quarter to spare. */
export function reserve(end: u64): void {
  const have = u64(memory.size()) << 16
  if (end <= have) return
  if (end > u64(PAGES_MAX) << 16) {
    memoryLimit()
    unreachable()
  }
  let pages = i32((end + 0xffff) >> 16)
  const roomy = i32(min<u64>(u64(pages) + u64(pages >> 2), PAGES_MAX))
  pages -= memory.size()
  if (memory.grow(roomy - memory.size()) < 0 && memory.grow(pages) < 0) {
    memoryLimit()
    unreachable()
  }
}

/**
 * Grows a frame's memory to hold `size` bytes at `offset`, if `gas` pays for it.
 * @returns the cost (0 if it was large enough), or UNPAYABLE
 */
export function expand(frame: usize, offset: u64, size: u64, gas: u64): u64 {
  if (size == 0) return 0
  const old = u64(load<u32>(frame, F_MEMORY_SIZE))
  // 2^31 words cost over 2^53 gas and cannot be had: a stand-in for all that is larger.
  let words: u64 = 0x80000000
  if ((offset | size) >> 35 == 0) {
    const end = offset + size
    if (end <= old) return 0
    words = min<u64>((end + 31) >> 5, words)
  }
  const had = old >> 5
  const cost = words * 3 + ((words * words) >> 9) - (had * 3 + ((had * had) >> 9))
  if (cost > gas) {
    store<u64>(frame, cost, F_LACK)
    return UNPAYABLE
  }
  const start = u64(load<u32>(frame, F_MEMORY))
  const oldTop = start + old
  const newTop = start + (words << 5)
  reserve(newTop + 64)
  if (returnedSize > 0 && newTop > u64(returned)) {
    // Output of the last call lies where this memory grows: move it well away.
    const to = newTop + max<u64>(words << 5, 65536)
    reserve(to + u64(returnedSize) + 64)
    memory.copy(usize(to), returned, returnedSize)
    returned = usize(to)
  }
  memory.fill(usize(oldTop), 0, usize(newTop - oldTop))
  store<u32>(frame, u32(words << 5), F_MEMORY_SIZE)
  return cost
}

/**
 * Copies `size` bytes at `from` + `offset` of a source of `limit` bytes; past its end there are zeros.
 */
export function copyPadded(to: usize, from: usize, limit: usize, offset: u64, size: usize): void {
  let have: usize = 0
  if (offset < u64(limit)) {
    have = min<usize>(size, limit - usize(offset))
    memory.copy(to, from + usize(offset), have)
  }
  if (have < size) memory.fill(to + have, 0, size - have)
}

/**
 * Ends a call in its caller's frame: gas comes back, the output is copied where the call wanted it, and
 * 1 or 0 is pushed.
 * @param at output of the callee, which stays there for RETURNDATACOPY
 */
export function finishCall(depth: i32, success: i32, at: usize, size: usize): void {
  const frame = frameOf(depth)
  const child = frame + FRAME_BYTES
  store<u64>(frame, load<u64>(frame, F_GAS) + load<u64>(child, F_GAS), F_GAS)
  const wanted = min<usize>(load<u32>(child, F_OUT_SIZE), size)
  if (wanted > 0) memory.copy(load<u32>(child, F_OUT), at, wanted)
  returned = at
  returnedSize = size
  const sp = load<u32>(frame, F_SP) - 32
  store<u32>(frame, sp, F_SP)
  setSmall(sp, u64(success))
}

/** Ends a creation: as a call, but pushes the new address, or 0, and copies no output. */
export function finishCreate(depth: i32, success: i32, at: usize, size: usize): void {
  const frame = frameOf(depth)
  const child = frame + FRAME_BYTES
  store<u64>(frame, load<u64>(frame, F_GAS) + load<u64>(child, F_GAS), F_GAS)
  returned = at
  returnedSize = size
  const sp = load<u32>(frame, F_SP) - 32
  store<u32>(frame, sp, F_SP)
  if (success) copy(sp, child + F_ADDRESS)
  else setSmall(sp, 0)
}

/** `reserve` for callers without 64-bit integers. */
export function ensure(end: u32): void {
  reserve(u64(end))
}

/**
 * Fills the record of a frame about to start with code analysed at `raw`; gas, input, addresses and value
 * are there already.
 * @param sp top of its parent's stack, below which its own begins
 * @param at where its memory begins, a multiple of 32
 */
export function openFrame(depth: i32, sp: usize, raw: usize, size: usize, at: usize): void {
  const frame = frameOf(depth)
  const fast = fastOf(raw, size)
  store<u32>(frame, u32(fast), F_IP)
  store<u32>(frame, u32(sp), F_SP)
  store<u32>(frame, u32(sp), F_BASE)
  store<u32>(frame, u32(at), F_MEMORY)
  store<u32>(frame, 0, F_MEMORY_SIZE)
  store<u32>(frame, u32(raw), F_RAW)
  store<u32>(frame, u32(size), F_CODE_SIZE)
  store<u32>(frame, u32(fast), F_FAST)
  store<u32>(frame, u32(infoOf(raw, size)), F_INFO)
  returned = 0
  returnedSize = 0
}

/** Takes gas from a frame outside the loop; false, and all its gas gone, if it has less. */
export function charge(depth: i32, cost: u32): i32 {
  const frame = frameOf(depth)
  const gas = load<u64>(frame, F_GAS)
  if (gas < u64(cost)) {
    store<u64>(frame, 0, F_GAS)
    return 0
  }
  store<u64>(frame, gas - u64(cost), F_GAS)
  return 1
}
