/**
 * Nodes out of records and back: RLP of a node and, for a branch, of the leaves right below it, as
 * `src/trie-node.ts` has it.
 *
 * A node that is not in memory is a child of 0 beside a hash. Leaves and embedded nodes come with
 * their parent and stay as long as it does: they have no record to be loaded from.
 */

import {
  BRANCH,
  BRANCH_BYTES,
  childAt,
  copyHash,
  DAMAGED,
  DIRTY,
  EMBEDDED,
  EXTENSION,
  FLAGS,
  FRESH,
  hasBit,
  HASH_BYTES,
  INPUT,
  KEY_NIBBLES,
  KIND,
  LEAF,
  LONG_BYTES,
  MASK,
  nibbleOf,
  ONLY_CHILD,
  ONLY_SLOT,
  OUTPUT,
  PATH,
  PATH_SIZE,
  setChild,
  SHORT_BYTES,
  slotAt,
  STORED,
  SUCCESSOR,
  VALUE,
  VALUE_MAX,
  VALUE_SIZE,
  VALUE_SMALL,
} from './trie-layout'
import { allocate, hostFail } from './trie-memory'

/** The record of a node is placed at `inputAt`; its size is returned. Throws if there is none. */
// @ts-ignore: decorator
@external('host', 'load')
declare function hostLoad(key: usize, depth: u32, hash: usize): u32

/** Flags of the nodes being decoded: those below a fresh node go when it is dropped. */
let decodedFlags: u8 = STORED

export function loadNode(parent: usize, key: usize, depth: u32, hash: usize): usize {
  decodedFlags = parent != 0 && (load<u8>(parent, FLAGS) & FRESH) != 0 ? STORED | FRESH : STORED
  return decodeRecord(hostLoad(key, depth, hash))
}

/** The child towards a nibble, loaded and kept; 0 if there is none. */
export function loadChild(branch: usize, n: u32, key: usize, depth: u32): usize {
  if (!hasBit(load<u16>(branch, MASK), n)) return 0
  let child = childAt(branch, n)
  if (child == 0) {
    child = loadNode(branch, key, depth + 1, slotAt(branch, n))
    setChild(branch, n, child)
  }
  return child
}

/** The child of an extension at path length `depth`, loaded and kept. */
export function loadOnly(extension: usize, key: usize, depth: u32): usize {
  let child: usize = load<u32>(extension, ONLY_CHILD)
  if (child == 0) {
    child = loadNode(extension, key, depth, extension + ONLY_SLOT)
    store<u32>(extension, <u32>child, ONLY_CHILD)
  }
  return child
}

function decodeRecord(size: u32): usize {
  const limit = INPUT + size
  const node = decodeNode(INPUT, limit)
  let at = itemEnd(INPUT, limit)
  if (at == limit) return node
  if (load<u8>(node, KIND) != BRANCH || at + 2 > limit) hostFail(DAMAGED)
  const leaves: u32 = (<u32>load<u8>(limit - 2) << 8) | load<u8>(limit - 1)
  const hashes: u32 = load<u16>(node, MASK) & ~(<u32>load<u16>(node, EMBEDDED))
  if ((leaves & ~hashes) != 0) hostFail(DAMAGED)
  for (let bits = leaves; bits != 0; bits &= bits - 1) {
    const leaf = decodeNode(at, limit - 2)
    if (load<u8>(leaf, KIND) != LEAF) hostFail(DAMAGED)
    setChild(node, ctz(bits), leaf)
    at = itemEnd(at, limit - 2)
  }
  if (at != limit - 2) hostFail(DAMAGED)
  return node
}

/** Where the RLP item at `at` ends. */
function itemEnd(at: usize, limit: usize): usize {
  const end = payloadAt(at) + payloadSize(at)
  if (at >= limit || end > limit) hostFail(DAMAGED)
  return end
}

function payloadAt(at: usize): usize {
  const head: u32 = load<u8>(at)
  if (head < 0x80) return at
  if (head < 0xb8) return at + 1
  if (head < 0xc0) return at + 1 + (head - 0xb7)
  return head < 0xf8 ? at + 1 : at + 1 + (head - 0xf7)
}

function payloadSize(at: usize): usize {
  const head: u32 = load<u8>(at)
  if (head < 0x80) return 1
  if (head < 0xb8) return head - 0x80
  if (head >= 0xc0 && head < 0xf8) return head - 0xc0
  const bytes = head < 0xc0 ? head - 0xb7 : head - 0xf7
  // No record is so long that its size takes more than two bytes.
  if (bytes > 2) hostFail(DAMAGED)
  return bytes == 1 ? load<u8>(at + 1) : (<usize>load<u8>(at + 1) << 8) | load<u8>(at + 2)
}

function decodeNode(at: usize, limit: usize): usize {
  const end = itemEnd(at, limit)
  if (load<u8>(at) < 0xc0) hostFail(DAMAGED)
  const first = payloadAt(at)
  let items: u32 = 0
  for (let next = first; next < end; items++) next = itemEnd(next, end)
  if (items == 17) return decodeBranch(first, end)
  if (items != 2) hostFail(DAMAGED)
  return decodeShort(first, end)
}

function decodeBranch(from: usize, end: usize): usize {
  const node = allocate(BRANCH, decodedFlags, BRANCH_BYTES)
  let mask: u32 = 0
  let embedded: u32 = 0
  let at = from
  for (let n: u32 = 0; n < 16; n++) {
    const head = load<u8>(at)
    const next = itemEnd(at, end)
    let child: usize = 0
    if (head == 0xa0) {
      mask |= 1 << n
      copyHash(slotAt(node, n), at + 1)
    } else if (head >= 0xc0 && next - at < HASH_BYTES) {
      mask |= 1 << n
      embedded |= 1 << n
      memory.copy(slotAt(node, n), at, next - at)
      child = decodeNode(at, next)
    } else if (head != 0x80) hostFail(DAMAGED)
    setChild(node, n, child)
    at = next
  }
  if (load<u8>(at) != 0x80) hostFail(DAMAGED)
  store<u16>(node, <u16>mask, MASK)
  store<u16>(node, 0, DIRTY)
  store<u16>(node, <u16>embedded, EMBEDDED)
  store<u32>(node, 0, SUCCESSOR)
  return node
}

function decodeShort(first: usize, end: usize): usize {
  const second = itemEnd(first, end)
  const packed = payloadAt(first)
  const packedSize = <u32>payloadSize(first)
  if (load<u8>(first) >= 0xc0 || packedSize == 0 || packedSize > 33) hostFail(DAMAGED)
  const prefix: u32 = load<u8>(packed)
  if (prefix > 0x3f) hostFail(DAMAGED)
  const isLeaf = (prefix & 0x20) != 0
  const odd: u32 = (prefix >> 4) & 1
  const size = packedSize * 2 - 2 + odd
  if (size > KEY_NIBBLES || load<u8>(second) >= 0xc0 && isLeaf) hostFail(DAMAGED)
  const valueSize = <u32>payloadSize(second)
  if (isLeaf && (valueSize == 0 || valueSize > VALUE_MAX)) hostFail(DAMAGED)
  const isLong = isLeaf && valueSize > VALUE_SMALL
  const node = allocate(isLeaf ? LEAF : EXTENSION, decodedFlags, isLong ? LONG_BYTES : SHORT_BYTES)
  store<u16>(node, <u16>size, PATH_SIZE)
  // The nibble at i of the path is the one at i + 2 - odd of the bytes.
  for (let i: u32 = 0; i < size; i++) {
    store<u8>(node + PATH + i, <u8>nibbleOf(packed, i + 2 - odd))
  }
  if (isLeaf) {
    store<u16>(node, <u16>valueSize, VALUE_SIZE)
    memory.copy(node + VALUE, payloadAt(second), valueSize)
    return node
  }
  const head = load<u8>(second)
  const isEmbedded = head >= 0xc0
  if (size == 0 || (!isEmbedded && head != 0xa0) || (isEmbedded && end - second >= HASH_BYTES)) {
    hostFail(DAMAGED)
  }
  store<u16>(node, 0, DIRTY)
  store<u16>(node, isEmbedded ? 1 : 0, EMBEDDED)
  if (isEmbedded) {
    memory.copy(node + ONLY_SLOT, second, end - second)
    store<u32>(node, <u32>decodeNode(second, end), ONLY_CHILD)
  } else {
    copyHash(node + ONLY_SLOT, second + 1)
    store<u32>(node, 0, ONLY_CHILD)
  }
  return node
}

// Encoding.

/** Writes the RLP of a node whose children have their slots; where it ends. */
export function encode(node: usize, to: usize): usize {
  return load<u8>(node, KIND) == BRANCH ? encodeBranch(node, to) : encodeShort(node, to)
}

function writeListHead(to: usize, size: u32): usize {
  if (size < 56) {
    store<u8>(to, <u8>(0xc0 + size))
    return to + 1
  }
  if (size < 256) {
    store<u8>(to, 0xf8)
    store<u8>(to, <u8>size, 1)
    return to + 2
  }
  store<u8>(to, 0xf9)
  store<u8>(to, <u8>(size >> 8), 1)
  store<u8>(to, <u8>size, 2)
  return to + 3
}

/** Bytes of an encoding below 32 bytes: it is a list with a head of one. */
// @ts-ignore: decorator
@inline
function embeddedSize(slot: usize): u32 {
  return <u32>load<u8>(slot) - 0xc0 + 1
}

function encodeBranch(node: usize, to: usize): usize {
  const mask: u32 = load<u16>(node, MASK)
  const embedded: u32 = load<u16>(node, EMBEDDED)
  let size: u32 = 17 + HASH_BYTES * popcnt(mask)
  for (let bits = embedded; bits != 0; bits &= bits - 1) {
    size += embeddedSize(slotAt(node, ctz(bits))) - 1 - HASH_BYTES
  }
  let at = writeListHead(to, size)
  for (let n: u32 = 0; n < 16; n++) {
    if (!hasBit(mask, n)) {
      store<u8>(at, 0x80)
      at += 1
    } else if (hasBit(embedded, n)) {
      const bytes = embeddedSize(slotAt(node, n))
      memory.copy(at, slotAt(node, n), bytes)
      at += bytes
    } else {
      store<u8>(at, 0xa0)
      copyHash(at + 1, slotAt(node, n))
      at += 33
    }
  }
  store<u8>(at, 0x80)
  return at + 1
}

function encodeShort(node: usize, to: usize): usize {
  const isLeaf = load<u8>(node, KIND) == LEAF
  const nibbles: u32 = load<u16>(node, PATH_SIZE)
  const packed = (nibbles >> 1) + 1
  const valueSize: u32 = isLeaf ? load<u16>(node, VALUE_SIZE) : 0
  let tail: u32
  if (isLeaf) {
    const isByte = valueSize == 1 && load<u8>(node, VALUE) < 0x80
    tail = isByte ? 1 : valueSize + (valueSize < 56 ? 1 : 2)
  } else {
    tail = load<u16>(node, EMBEDDED) != 0 ? embeddedSize(node + ONLY_SLOT) : 1 + HASH_BYTES
  }
  let at = writeListHead(to, (packed > 1 ? 1 : 0) + packed + tail)
  if (packed > 1) {
    store<u8>(at, <u8>(0x80 + packed))
    at += 1
  }
  const odd: u32 = nibbles & 1
  const path = node + PATH
  store<u8>(at, (isLeaf ? 0x20 : 0) | (odd != 0 ? 0x10 | load<u8>(path) : 0))
  at += 1
  for (let i = odd; i < nibbles; i += 2) {
    store<u8>(at, (load<u8>(path + i) << 4) | load<u8>(path + i + 1))
    at += 1
  }
  if (!isLeaf) {
    if (tail < 1 + HASH_BYTES) memory.copy(at, node + ONLY_SLOT, tail)
    else {
      store<u8>(at, 0xa0)
      copyHash(at + 1, node + ONLY_SLOT)
    }
    return at + tail
  }
  if (tail > valueSize) {
    if (valueSize < 56) store<u8>(at, <u8>(0x80 + valueSize))
    else {
      store<u8>(at, 0xb8)
      store<u8>(at, <u8>valueSize, 1)
    }
    at += tail - valueSize
  }
  memory.copy(at, node + VALUE, valueSize)
  return at + valueSize
}

/** The record of a node: its RLP, and for a branch the leaves right below it and their mask. */
export function encodeRecord(node: usize): u32 {
  let at = encode(node, OUTPUT)
  if (load<u8>(node, KIND) != BRANCH) return <u32>(at - OUTPUT)
  let leaves: u32 = 0
  const hashes: u32 = load<u16>(node, MASK) & ~(<u32>load<u16>(node, EMBEDDED))
  for (let bits = hashes; bits != 0; bits &= bits - 1) {
    const n = ctz(bits)
    const child = childAt(node, n)
    if (child == 0 || load<u8>(child, KIND) != LEAF) continue
    leaves |= 1 << n
    at = encodeShort(child, at)
  }
  if (leaves == 0) return <u32>(at - OUTPUT)
  store<u8>(at, <u8>(leaves >> 8))
  store<u8>(at, <u8>leaves, 1)
  return <u32>(at + 2 - OUTPUT)
}
