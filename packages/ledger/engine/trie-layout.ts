/**
 * Where things are: fields of nodes, and places outside of them. A branch has fixed room for sixteen
 * children and their hashes, so that a child is hashed right into its parent.
 */

export const DAMAGED: u32 = 0
export const FULL: u32 = 1

// Kinds.
export const BRANCH: u8 = 1
export const LEAF: u8 = 2
export const EXTENSION: u8 = 3

// Flags.
/** It is on disk, or was handed out to be written there, and so is all below it. */
export const STORED: u8 = 1
/** It belongs to the candidate alone. */
export const FRESH: u8 = 2

// Fields of all nodes.
export const KIND: usize = 0
export const FLAGS: usize = 1
export const NEXT_CREATED: usize = 8
export const NEXT_REPLACED: usize = 12
// Of a branch. Masks have a bit a nibble.
export const MASK: usize = 2
/** Children that have no hash yet; 1 for an extension. */
export const DIRTY: usize = 4
/** Children whose slot holds their whole encoding; 1 for an extension. */
export const EMBEDDED: usize = 6
/** The branch (or extension) of the candidate that has its children; 0 if there is none. */
export const SUCCESSOR: usize = 16
export const CHILDREN: usize = 20
/** Sixteen of 32 bytes: a hash, or an encoding that is shorter. */
const SLOTS: usize = 88
export const BRANCH_BYTES: usize = SLOTS + 16 * 32
// Of a leaf and an extension. Paths have a nibble a byte.
export const PATH_SIZE: usize = 2
export const PATH: usize = 16
export const VALUE_SIZE: usize = 4
export const ONLY_CHILD: usize = 80
export const ONLY_SUCCESSOR: usize = 84
/** Of an extension's child, as in a branch. */
export const ONLY_SLOT: usize = 88
export const VALUE: usize = 88
export const VALUE_SMALL: u32 = 40
export const VALUE_MAX: u32 = 128
export const SHORT_BYTES: usize = VALUE + VALUE_SMALL
export const LONG_BYTES: usize = VALUE + VALUE_MAX

export const HASH_BYTES: u32 = 32
export const KEY_NIBBLES: u32 = 64

// An update as it is staged: a key, the size of its value (0 deletes), the value.
export const STAGED_SIZE: usize = 32
export const STAGED_VALUE: usize = 40
export const STAGED_BYTES: usize = STAGED_VALUE + VALUE_MAX
export const STAGED_MAX: u32 = 2048

const RECORD_MAX: usize = 8192
const BASE: usize = (__heap_base + 15) & ~15
/** A record that was loaded. */
export const INPUT: usize = BASE
/** What is being encoded. */
export const OUTPUT: usize = INPUT + RECORD_MAX
/** Key of a search. */
export const KEY: usize = OUTPUT + RECORD_MAX
/** Key of a node that no update leads to. */
export const SIDE_KEY: usize = KEY + 32
/** Hash of a trie's root. */
export const ROOT: usize = SIDE_KEY + 32
/** Nibbles on the way to a node. */
export const NIBBLES: usize = ROOT + 32
export const STAGED: usize = NIBBLES + 64
/** The staged updates in ascending order of their keys. */
export const ORDER: usize = STAGED + STAGED_BYTES * STAGED_MAX
export const ARENA: usize = (ORDER + 4 * STAGED_MAX + 15) & ~15

// Fields.

// @ts-ignore: decorator
@inline
export function childAt(branch: usize, n: u32): usize {
  return load<u32>(branch + (<usize>n << 2), CHILDREN)
}

// @ts-ignore: decorator
@inline
export function setChild(branch: usize, n: u32, child: usize): void {
  store<u32>(branch + (<usize>n << 2), <u32>child, CHILDREN)
}

// @ts-ignore: decorator
@inline
export function slotAt(branch: usize, n: u32): usize {
  return branch + SLOTS + (<usize>n << 5)
}

// @ts-ignore: decorator
@inline
export function nibbleOf(key: usize, depth: u32): u32 {
  const byte = load<u8>(key + (depth >> 1))
  return (depth & 1) == 0 ? byte >> 4 : byte & 15
}

// @ts-ignore: decorator
@inline
export function hasBit(mask: u32, n: u32): bool {
  return ((mask >> n) & 1) != 0
}

export function sameBytes(a: usize, b: usize, size: u32): bool {
  for (let i: u32 = 0; i < size; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false
  return true
}

/** Nibbles that the path of a leaf or extension shares with a key from `depth` on. */
export function commonWithKey(node: usize, key: usize, depth: u32): u32 {
  const size: u32 = load<u16>(node, PATH_SIZE)
  let i: u32 = 0
  while (i < size && load<u8>(node + PATH + i) == nibbleOf(key, depth + i)) i++
  return i
}

/** True if the rest of the key is the leaf's path. All keys have one length. */
export function isLeafOf(leaf: usize, key: usize, depth: u32): bool {
  return commonWithKey(leaf, key, depth) == load<u16>(leaf, PATH_SIZE)
}

// @ts-ignore: decorator
@inline
export function copyHash(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from))
  store<u64>(to, load<u64>(from, 8), 8)
  store<u64>(to, load<u64>(from, 16), 16)
  store<u64>(to, load<u64>(from, 24), 24)
}
