/**
 * The module behind `keccak256`: one page of memory, in which a caller places up to `CHUNK` bytes at
 * `input()`. Longer messages are absorbed chunk by chunk by the caller through `absorb`.
 */

import { absorbBlocks, digest, finish, reset } from './keccak'

const INPUT: usize = 4096

export function input(): usize {
  return INPUT
}

export function hash(size: usize): usize {
  return digest(INPUT, size)
}

export function start(): void {
  reset()
}

/** Absorbs a whole number of 136-byte blocks. */
export function absorb(size: usize): void {
  absorbBlocks(INPUT, size)
}

export function end(size: usize): usize {
  return finish(INPUT, size)
}
