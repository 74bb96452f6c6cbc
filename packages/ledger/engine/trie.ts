/**
 * The tries of the head in linear memory: nodes, search, batch update, hashing, and what is written
 * of them. Keys have 32 bytes, so that a branch never has a value. Driven by `src/trie-heap.ts`,
 * whose docstrings say what each function is for; nodes and records are those of `src/trie-node.ts`.
 *
 * Versions. An update makes new nodes and leaves the old ones as they are: the head stays readable
 * while a block that may follow it is prepared. There is the head and at most one candidate. What
 * the candidate created and what it replaced hang in two lists through the nodes themselves;
 * `commit` frees the replaced ones, `drop` the created ones.
 *
 * A node that is not in memory is a child of 0 beside a hash. Leaves and embedded nodes come with
 * their parent and stay as long as it does: they have no record to be loaded from.
 */

import { digest } from '../../evm/engine/keccak'

/** The record of a node is placed at `inputAt`; its size is returned. Throws if there is none. */
// @ts-ignore: decorator
@external('host', 'load')
declare function hostLoad(key: usize, depth: u32, hash: usize): u32
/** A node to be written. */
// @ts-ignore: decorator
@external('host', 'store')
declare function hostStore(path: usize, depth: u32, hash: usize, record: usize, size: u32): void
/** A stored node that the candidate does not refer to. */
// @ts-ignore: decorator
@external('host', 'replaced')
declare function hostReplaced(key: usize, depth: u32, hash: usize): void
/** Throws: 0 the bytes are no node of such a trie, 1 memory is full. */
// @ts-ignore: decorator
@external('host', 'fail')
declare function hostFail(reason: u32): void

const DAMAGED: u32 = 0
const FULL: u32 = 1

// Kinds.
const BRANCH: u8 = 1
const LEAF: u8 = 2
const EXTENSION: u8 = 3

// Flags.
/** It is on disk, or was handed out to be written there, and so is all below it. */
const STORED: u8 = 1
/** It belongs to the candidate alone. */
const FRESH: u8 = 2

// Fields of all nodes.
const KIND: usize = 0
const FLAGS: usize = 1
const NEXT_CREATED: usize = 8
const NEXT_REPLACED: usize = 12
// Of a branch. Masks have a bit a nibble.
const MASK: usize = 2
/** Children that have no hash yet; 1 for an extension. */
const DIRTY: usize = 4
/** Children whose slot holds their whole encoding; 1 for an extension. */
const EMBEDDED: usize = 6
/** The branch (or extension) of the candidate that has its children; 0 if there is none. */
const SUCCESSOR: usize = 16
const CHILDREN: usize = 20
/** Sixteen of 32 bytes: a hash, or an encoding that is shorter. */
const SLOTS: usize = 88
const BRANCH_BYTES: usize = SLOTS + 16 * 32
// Of a leaf and an extension. Paths have a nibble a byte.
const PATH_SIZE: usize = 2
const PATH: usize = 16
const VALUE_SIZE: usize = 4
const ONLY_CHILD: usize = 80
const ONLY_SUCCESSOR: usize = 84
/** Of an extension's child, as in a branch. */
const ONLY_SLOT: usize = 88
const VALUE: usize = 88
const VALUE_SMALL: u32 = 40
const VALUE_MAX: u32 = 128
const SHORT_BYTES: usize = VALUE + VALUE_SMALL
const LONG_BYTES: usize = VALUE + VALUE_MAX

const HASH_BYTES: u32 = 32
const KEY_NIBBLES: u32 = 64

// An update as it is staged: a key, the size of its value (0 deletes), the value.
const STAGED_SIZE: usize = 32
const STAGED_VALUE: usize = 40
const STAGED_BYTES: usize = STAGED_VALUE + VALUE_MAX
const STAGED_MAX: u32 = 2048

const RECORD_MAX: usize = 8192
const BASE: usize = (__heap_base + 15) & ~15
/** A record that was loaded. */
const INPUT: usize = BASE
/** What is being encoded. */
const OUTPUT: usize = INPUT + RECORD_MAX
/** Key of a search. */
const KEY: usize = OUTPUT + RECORD_MAX
/** Key of a node that no update leads to. */
const SIDE_KEY: usize = KEY + 32
/** Hash of a trie's root. */
const ROOT: usize = SIDE_KEY + 32
/** Nibbles on the way to a node. */
const NIBBLES: usize = ROOT + 32
const STAGED: usize = NIBBLES + 64
/** The staged updates in ascending order of their keys. */
const ORDER: usize = STAGED + STAGED_BYTES * STAGED_MAX
const ARENA: usize = (ORDER + 4 * STAGED_MAX + 15) & ~15

export function inputAt(): usize {
  return INPUT
}
export function keyAt(): usize {
  return KEY
}
export function rootAt(): usize {
  return ROOT
}
export function nibblesAt(): usize {
  return NIBBLES
}
export function outputAt(): usize {
  return OUTPUT
}
export function stagedAt(): usize {
  return STAGED
}
export function stagedMax(): u32 {
  return STAGED_MAX
}

// Memory.

let top: usize = ARENA
let used: usize = 0
let freeBranches: usize = 0
let freeShort: usize = 0
let freeLong: usize = 0

/** Bytes of all nodes. */
export function bytesUsed(): usize {
  return used
}

function bump(size: usize): usize {
  const at = top
  const end = at + size
  const room = <usize>memory.size() << 16
  if (end > room && memory.grow(<i32>(((end - room + 0xffff) >> 16) + 63)) < 0) hostFail(FULL)
  top = end
  return at
}

/** A node with its kind and flags; created by the candidate if it is fresh. */
function allocate(kind: u8, flags: u8, size: usize): usize {
  let at: usize
  if (size == BRANCH_BYTES) {
    at = freeBranches
    if (at != 0) freeBranches = load<u32>(at, NEXT_CREATED)
  } else if (size == SHORT_BYTES) {
    at = freeShort
    if (at != 0) freeShort = load<u32>(at, NEXT_CREATED)
  } else {
    at = freeLong
    if (at != 0) freeLong = load<u32>(at, NEXT_CREATED)
  }
  if (at == 0) at = bump(size)
  used += size
  store<u8>(at, kind, KIND)
  store<u8>(at, flags, FLAGS)
  if ((flags & FRESH) != 0) {
    store<u32>(at, <u32>created, NEXT_CREATED)
    created = at
  }
  return at
}

function sizeOf(node: usize): usize {
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) return BRANCH_BYTES
  return kind == LEAF && load<u16>(node, VALUE_SIZE) > VALUE_SMALL ? LONG_BYTES : SHORT_BYTES
}

function free(node: usize): void {
  const size = sizeOf(node)
  used -= size
  if (size == BRANCH_BYTES) {
    store<u32>(node, <u32>freeBranches, NEXT_CREATED)
    freeBranches = node
  } else if (size == SHORT_BYTES) {
    store<u32>(node, <u32>freeShort, NEXT_CREATED)
    freeShort = node
  } else {
    store<u32>(node, <u32>freeLong, NEXT_CREATED)
    freeLong = node
  }
}

/** Frees a node and all below it. */
export function release(node: usize): void {
  if (node == 0) return
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) {
    for (let n: u32 = 0; n < 16; n++) release(childAt(node, n))
  } else if (kind == EXTENSION) {
    release(load<u32>(node, ONLY_CHILD))
  }
  free(node)
}

// The candidate.

/** Newest first. */
let created: usize = 0
/** Oldest first, as a branch that was replaced twice hands on what was loaded below it. */
let replaced: usize = 0
let lastReplaced: usize = 0
let tracks: bool = false

/** Whether `host.replaced` is told of stored nodes that go. */
export function track(tracking: bool): void {
  tracks = tracking
}

export function commit(): void {
  for (let node = created; node != 0; node = load<u32>(node, NEXT_CREATED)) {
    store<u8>(node, load<u8>(node, FLAGS) & ~FRESH, FLAGS)
  }
  for (let node = replaced; node != 0; ) {
    const next = load<u32>(node, NEXT_REPLACED)
    handOn(node)
    free(node)
    node = next
  }
  forget()
}

export function drop(): void {
  for (let node = created; node != 0; ) {
    const next = load<u32>(node, NEXT_CREATED)
    free(node)
    node = next
  }
  forget()
}

function forget(): void {
  created = 0
  replaced = 0
  lastReplaced = 0
}

/** What was loaded below a node since it was replaced goes to the one in its place. */
function handOn(node: usize): void {
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) handOnChildren(node)
  if (kind != EXTENSION) return
  const successor: usize = load<u32>(node, ONLY_SUCCESSOR)
  if (successor == 0 || load<u32>(successor, ONLY_CHILD) != 0) return
  store<u32>(successor, load<u32>(node, ONLY_CHILD), ONLY_CHILD)
}

function handOnChildren(branch: usize): void {
  const successor: usize = load<u32>(branch, SUCCESSOR)
  if (successor == 0) return
  const shared = load<u16>(branch, MASK) & load<u16>(successor, MASK)
  const kept = shared & ~load<u16>(successor, DIRTY)
  for (let bits: u32 = kept; bits != 0; bits &= bits - 1) {
    const n = ctz(bits)
    const child = childAt(branch, n)
    if (child == 0 || childAt(successor, n) != 0) continue
    if (sameBytes(slotAt(branch, n), slotAt(successor, n), HASH_BYTES)) setChild(successor, n, child)
  }
}

function replace(node: usize, key: usize, depth: u32, hash: usize): void {
  store<u32>(node, 0, NEXT_REPLACED)
  if (lastReplaced == 0) replaced = node
  else store<u32>(lastReplaced, <u32>node, NEXT_REPLACED)
  lastReplaced = node
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) store<u32>(node, 0, SUCCESSOR)
  else if (kind == EXTENSION) store<u32>(node, 0, ONLY_SUCCESSOR)
  if (!tracks || hash == 0 || (load<u8>(node, FLAGS) & STORED) == 0) return
  if (kind != LEAF || depth == 0) hostReplaced(key, depth, hash)
}

/** A node of the candidate that it does not need after all. */
function discard(node: usize): void {
  replace(node, 0, 0, 0)
}

// Fields.

// @ts-ignore: decorator
@inline
function childAt(branch: usize, n: u32): usize {
  return load<u32>(branch + (<usize>n << 2), CHILDREN)
}

// @ts-ignore: decorator
@inline
function setChild(branch: usize, n: u32, child: usize): void {
  store<u32>(branch + (<usize>n << 2), <u32>child, CHILDREN)
}

// @ts-ignore: decorator
@inline
function slotAt(branch: usize, n: u32): usize {
  return branch + SLOTS + (<usize>n << 5)
}

// @ts-ignore: decorator
@inline
function nibbleOf(key: usize, depth: u32): u32 {
  const byte = load<u8>(key + (depth >> 1))
  return (depth & 1) == 0 ? byte >> 4 : byte & 15
}

// @ts-ignore: decorator
@inline
function hasBit(mask: u32, n: u32): bool {
  return ((mask >> n) & 1) != 0
}

function sameBytes(a: usize, b: usize, size: u32): bool {
  for (let i: u32 = 0; i < size; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false
  return true
}

/** Nibbles that the path of a leaf or extension shares with a key from `depth` on. */
function commonWithKey(node: usize, key: usize, depth: u32): u32 {
  const size: u32 = load<u16>(node, PATH_SIZE)
  let i: u32 = 0
  while (i < size && load<u8>(node + PATH + i) == nibbleOf(key, depth + i)) i++
  return i
}

/** True if the rest of the key is the leaf's path. All keys have one length. */
function isLeafOf(leaf: usize, key: usize, depth: u32): bool {
  return commonWithKey(leaf, key, depth) == load<u16>(leaf, PATH_SIZE)
}

// Loading.

/** Flags of the nodes being decoded: those below a fresh node go when it is dropped. */
let decodedFlags: u8 = STORED

function loadNode(parent: usize, key: usize, depth: u32, hash: usize): usize {
  decodedFlags = parent != 0 && (load<u8>(parent, FLAGS) & FRESH) != 0 ? STORED | FRESH : STORED
  return decodeRecord(hostLoad(key, depth, hash))
}

/** The root whose hash is at `rootAt`. */
export function openRoot(): usize {
  return loadNode(0, KEY, 0, ROOT)
}

/** The child towards a nibble, loaded and kept; 0 if there is none. */
function loadChild(branch: usize, n: u32, key: usize, depth: u32): usize {
  if (!hasBit(load<u16>(branch, MASK), n)) return 0
  let child = childAt(branch, n)
  if (child == 0) {
    child = loadNode(branch, key, depth + 1, slotAt(branch, n))
    setChild(branch, n, child)
  }
  return child
}

/** The child of an extension at path length `depth`, loaded and kept. */
function loadOnly(extension: usize, key: usize, depth: u32): usize {
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

// @ts-ignore: decorator
@inline
function copyHash(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from))
  store<u64>(to, load<u64>(from, 8), 8)
  store<u64>(to, load<u64>(from, 16), 16)
  store<u64>(to, load<u64>(from, 24), 24)
}

// Search.

let foundSize: u32 = 0

/** Where the value of the key at `keyAt` is; 0 if there is none. */
export function find(root: usize): usize {
  let node = root
  let depth: u32 = 0
  while (node != 0) {
    const kind = load<u8>(node, KIND)
    if (kind == BRANCH) {
      node = loadChild(node, nibbleOf(KEY, depth), KEY, depth)
      depth += 1
    } else if (kind == LEAF) {
      if (!isLeafOf(node, KEY, depth)) return 0
      foundSize = load<u16>(node, VALUE_SIZE)
      return node + VALUE
    } else {
      const size: u32 = load<u16>(node, PATH_SIZE)
      if (commonWithKey(node, KEY, depth) < size) return 0
      depth += size
      node = loadOnly(node, KEY, depth)
    }
  }
  return 0
}

/** Bytes of what `find` found. */
export function foundBytes(): u32 {
  return foundSize
}

/** Replaces the key at `keyAt` by its hash. */
export function hashKey(): void {
  copyHash(KEY, digest(KEY, 32))
}

// Updates.

/**
 * Makes updates of staged slots: the key is replaced by its hash, and the value, a word with its
 * least significant byte first, by the RLP of its shortest form.
 */
export function stageWords(count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const at = STAGED + STAGED_BYTES * i
    copyHash(at, digest(at, 32))
    const word = at + STAGED_VALUE
    let size: u32 = 32
    while (size > 0 && load<u8>(word + size - 1) == 0) size--
    if (size == 1 && load<u8>(word) < 0x80) {
      store<u32>(at, 1, STAGED_SIZE)
      continue
    }
    store<u32>(at, size == 0 ? 0 : size + 1, STAGED_SIZE)
    // Turned round where it lies, then moved behind the head.
    for (let low: u32 = 0, high = size; low + 1 < high; low++) {
      high--
      const byte = load<u8>(word + low)
      store<u8>(word + low, load<u8>(word + high))
      store<u8>(word + high, byte)
    }
    memory.copy(word + 1, word, size)
    store<u8>(word, <u8>(0x80 + size))
  }
}

/** Root of the trie after the staged updates, not hashed yet; 0 if nothing is left. */
export function update(root: usize, count: u32): usize {
  sortStaged(count)
  return change(root, ROOT, 0, 0, count)
}

/** Leaves the root's hash at `rootAt`. */
export function sealRoot(root: usize): void {
  seal(root, ROOT, true)
}

// @ts-ignore: decorator
@inline
function keyOf(i: u32): usize {
  return load<u32>(ORDER + (<usize>i << 2))
}

// @ts-ignore: decorator
@inline
function isDeletion(i: u32): bool {
  return load<u32>(keyOf(i), STAGED_SIZE) == 0
}

function isBelow(a: usize, b: usize): bool {
  for (let i: usize = 0; i < 32; i += 8) {
    const x = bswap(load<u64>(a + i))
    const y = bswap(load<u64>(b + i))
    if (x != y) return x < y
  }
  return false
}

/** Heap sort: no input makes it slow, and it needs no room. */
function sortStaged(count: u32): void {
  let sorted = true
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(ORDER + (<usize>i << 2), <u32>(STAGED + STAGED_BYTES * i))
    if (i > 0 && !isBelow(keyOf(i - 1), keyOf(i))) sorted = false
  }
  if (sorted) return
  for (let i = count >> 1; i > 0; i--) sink(i - 1, count)
  for (let end = count - 1; end > 0; end--) {
    const largest = keyOf(0)
    store<u32>(ORDER, <u32>keyOf(end))
    store<u32>(ORDER + (<usize>end << 2), <u32>largest)
    sink(0, end)
  }
}

function sink(from: u32, count: u32): void {
  const key = keyOf(from)
  let at = from
  for (;;) {
    let child: u32 = 2 * at + 1
    if (child >= count) break
    if (child + 1 < count && isBelow(keyOf(child), keyOf(child + 1))) child++
    if (!isBelow(key, keyOf(child))) break
    store<u32>(ORDER + (<usize>at << 2), <u32>keyOf(child))
    at = child
  }
  store<u32>(ORDER + (<usize>at << 2), <u32>key)
}

/** One past the last update from `from` on whose key has the same nibble at `depth`. */
function groupEnd(from: u32, hi: u32, depth: u32): u32 {
  const nibble = nibbleOf(keyOf(from), depth)
  let to = from + 1
  while (to < hi && nibbleOf(keyOf(to), depth) == nibble) to++
  return to
}

/**
 * Applies the updates `lo` to `hi` (exclusive), whose keys share their first `depth` nibbles, to the
 * node at that path. The very same node comes back if nothing changed.
 * @param hash of the node; 0 if it is embedded
 */
function change(node: usize, hash: usize, depth: u32, lo: u32, hi: u32): usize {
  if (node == 0) return build(0, 0, depth, lo, hi)
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) return changeBranch(node, hash, depth, lo, hi)
  if (kind == LEAF) return changeLeaf(node, hash, depth, lo, hi)
  return changeExtension(node, hash, depth, lo, hi)
}

function changeLeaf(leaf: usize, hash: usize, depth: u32, lo: u32, hi: u32): usize {
  let additions: u32 = 0
  let own: usize = 0
  for (let i = lo; i < hi; i++) {
    if (isLeafOf(leaf, keyOf(i), depth)) own = keyOf(i)
    else if (!isDeletion(i)) additions++
  }
  if (additions == 0) {
    if (own == 0) return leaf
    const size = load<u32>(own, STAGED_SIZE)
    const isSame =
      size == load<u16>(leaf, VALUE_SIZE) && sameBytes(own + STAGED_VALUE, leaf + VALUE, size)
    if (isSame) return leaf
  }
  replace(leaf, keyOf(lo), depth, hash)
  return own == 0 ? build(leaf, depth, depth, lo, hi) : build(0, 0, depth, lo, hi)
}

function changeExtension(node: usize, hash: usize, depth: u32, from: u32, to: u32): usize {
  const size: u32 = load<u16>(node, PATH_SIZE)
  let lo = from
  let hi = to
  // Deletions of what is not there must not split the extension.
  while (lo < hi && isDeletion(lo) && commonWithKey(node, keyOf(lo), depth) < size) lo++
  while (lo < hi && isDeletion(hi - 1) && commonWithKey(node, keyOf(hi - 1), depth) < size) hi--
  if (lo == hi) return node
  // In sorted keys the first and the last share the least.
  const common = min(
    commonWithKey(node, keyOf(lo), depth),
    commonWithKey(node, keyOf(hi - 1), depth),
  )
  const below = depth + size
  // The path to the child is the extension's own, where no update leads through it.
  memory.copy(SIDE_KEY, keyOf(lo), 32)
  for (let i: u32 = 0; i < size; i++) setNibble(SIDE_KEY, depth + i, load<u8>(node + PATH + i))
  const child = loadOnly(node, SIDE_KEY, below)
  const isEmbedded = load<u16>(node, EMBEDDED) != 0
  if (common == size) {
    const next = change(child, isEmbedded ? 0 : node + ONLY_SLOT, below, lo, hi)
    if (next == child) return node
    replace(node, keyOf(lo), depth, hash)
    return extend(node + PATH, size, next)
  }
  replace(node, keyOf(lo), depth, hash)
  const branch = newBranch()
  const n: u32 = load<u8>(node + PATH + common)
  const bit = <u16>(1 << <u16>n)
  const isDirty = load<u16>(node, DIRTY) != 0
  store<u16>(branch, bit, MASK)
  if (common + 1 == size) {
    setChild(branch, n, child)
    copyHash(slotAt(branch, n), node + ONLY_SLOT)
    if (isDirty) store<u16>(branch, bit, DIRTY)
    else if (isEmbedded) store<u16>(branch, bit, EMBEDDED)
  } else {
    const rest = newExtension(node + PATH + common + 1, size - common - 1, child)
    if (!isDirty) takeSlot(rest, node + ONLY_SLOT, isEmbedded)
    setChild(branch, n, rest)
    store<u16>(branch, bit, DIRTY)
  }
  const next = changeBranch(branch, 0, depth + common, lo, hi)
  return extend(node + PATH, common, next)
}

function changeBranch(node: usize, hash: usize, depth: u32, lo: u32, hi: u32): usize {
  let next: usize = 0
  for (let from = lo; from < hi; ) {
    const to = groupEnd(from, hi, depth)
    const key = keyOf(from)
    const n = nibbleOf(key, depth)
    const child = loadChild(node, n, key, depth)
    const hashOfChild: usize = hasBit(load<u16>(node, EMBEDDED), n) ? 0 : slotAt(node, n)
    const after = change(child, hashOfChild, depth + 1, from, to)
    if (after != child) {
      if (next == 0) next = copyBranch(node)
      const bit: u32 = 1 << n
      const mask: u32 = load<u16>(next, MASK)
      const dirty: u32 = load<u16>(next, DIRTY)
      setChild(next, n, after)
      store<u16>(next, <u16>(after == 0 ? mask & ~bit : mask | bit), MASK)
      store<u16>(next, <u16>(after == 0 ? dirty & ~bit : dirty | bit), DIRTY)
      store<u16>(next, load<u16>(next, EMBEDDED) & ~(<u16>bit), EMBEDDED)
    }
    from = to
  }
  if (next == 0) return node
  replace(node, keyOf(lo), depth, hash)
  const mask: u32 = load<u16>(next, MASK)
  if ((mask & (mask - 1)) != 0) {
    store<u32>(node, <u32>next, SUCCESSOR)
    return next
  }
  const last: usize = mask == 0 ? 0 : collapse(node, next, ctz(mask), keyOf(lo), depth)
  discard(next)
  return last
}

/** What becomes of a branch whose only child is the one at a nibble. */
function collapse(former: usize, branch: usize, n: u32, key: usize, depth: u32): usize {
  const isDirty = load<u16>(branch, DIRTY) != 0
  const isEmbedded = load<u16>(branch, EMBEDDED) != 0
  let child = childAt(branch, n)
  memory.copy(SIDE_KEY, key, 32)
  setNibble(SIDE_KEY, depth, <u8>n)
  // Through the former branch, which keeps it if the candidate is dropped.
  if (child == 0) child = loadChild(former, n, SIDE_KEY, depth)
  store<u8>(NIBBLES, <u8>n)
  if (load<u8>(child, KIND) == BRANCH) {
    const extension = newExtension(NIBBLES, 1, child)
    if (!isDirty) takeSlot(extension, slotAt(branch, n), isEmbedded)
    return extension
  }
  // A leaf or extension takes the nibble into its own path and so becomes another node.
  const isOld = !isDirty && !isEmbedded
  replace(child, SIDE_KEY, depth + 1, isOld ? slotAt(branch, n) : 0)
  return joined(NIBBLES, 1, child)
}

/** The node of the candidate with more nibbles in front of it; none of no node. */
function extend(path: usize, size: u32, node: usize): usize {
  if (node == 0 || size == 0) return node
  if (load<u8>(node, KIND) == BRANCH) return newExtension(path, size, node)
  discard(node)
  return joined(path, size, node)
}

/**
 * The node of the additions among the updates `lo` to `hi`, which share their first `depth` nibbles,
 * and of a leaf that was at `leafDepth` (0: none of it) and goes on below here.
 */
function build(leaf: usize, leafDepth: u32, depth: u32, lo: u32, hi: u32): usize {
  let first = lo
  let end = hi
  while (first < end && isDeletion(first)) first++
  while (first < end && isDeletion(end - 1)) end--
  if (first == end) return leaf == 0 ? 0 : tailOf(leaf, depth - leafDepth)
  if (leaf == 0 && first + 1 == end) return newLeaf(keyOf(first), depth)
  const firstKey = keyOf(first)
  const lastKey = keyOf(end - 1)
  const own = leaf + PATH - leafDepth
  let split = depth
  while (split < KEY_NIBBLES) {
    const nibble = nibbleOf(firstKey, split)
    if (nibble != nibbleOf(lastKey, split)) break
    if (leaf != 0 && load<u8>(own + split) != nibble) break
    split++
  }
  const branch = newBranch()
  let mask: u32 = 0
  let rest = leaf
  for (let from = first; from < end; ) {
    const to = groupEnd(from, end, split)
    const n = nibbleOf(keyOf(from), split)
    const isOwn = leaf != 0 && load<u8>(own + split) == n
    const child = isOwn
      ? build(leaf, leafDepth, split + 1, from, to)
      : build(0, 0, split + 1, from, to)
    if (isOwn) rest = 0
    if (child != 0) {
      mask |= 1 << n
      setChild(branch, n, child)
    }
    from = to
  }
  if (rest != 0) {
    const n: u32 = load<u8>(own + split)
    mask |= 1 << n
    setChild(branch, n, tailOf(leaf, split + 1 - leafDepth))
  }
  store<u16>(branch, <u16>mask, MASK)
  store<u16>(branch, <u16>mask, DIRTY)
  if (split == depth) return branch
  for (let i = depth; i < split; i++) store<u8>(NIBBLES + i, <u8>nibbleOf(firstKey, i))
  return newExtension(NIBBLES + depth, split - depth, branch)
}

function setNibble(key: usize, depth: u32, nibble: u8): void {
  const at = key + (depth >> 1)
  const byte = load<u8>(at)
  store<u8>(at, (depth & 1) == 0 ? (nibble << 4) | (byte & 15) : (byte & 0xf0) | nibble)
}

// New nodes. A child's slot counts once it is sealed or taken.

function newBranch(): usize {
  const node = allocate(BRANCH, FRESH, BRANCH_BYTES)
  store<u16>(node, 0, MASK)
  store<u16>(node, 0, DIRTY)
  store<u16>(node, 0, EMBEDDED)
  store<u32>(node, 0, SUCCESSOR)
  memory.fill(node + CHILDREN, 0, 64)
  return node
}

function copyBranch(from: usize): usize {
  const node = allocate(BRANCH, FRESH, BRANCH_BYTES)
  store<u16>(node, load<u16>(from, MASK), MASK)
  store<u32>(node, load<u32>(from, DIRTY), DIRTY)
  memory.copy(node + SUCCESSOR, from + SUCCESSOR, BRANCH_BYTES - SUCCESSOR)
  return node
}

function newLeaf(staged: usize, depth: u32): usize {
  const size = load<u32>(staged, STAGED_SIZE)
  const node = allocate(LEAF, FRESH, size > VALUE_SMALL ? LONG_BYTES : SHORT_BYTES)
  store<u16>(node, <u16>(KEY_NIBBLES - depth), PATH_SIZE)
  for (let i = depth; i < KEY_NIBBLES; i++) {
    store<u8>(node + PATH + (i - depth), <u8>nibbleOf(staged, i))
  }
  store<u16>(node, <u16>size, VALUE_SIZE)
  memory.copy(node + VALUE, staged + STAGED_VALUE, size)
  return node
}

function newExtension(path: usize, size: u32, child: usize): usize {
  const node = allocate(EXTENSION, FRESH, SHORT_BYTES)
  store<u16>(node, <u16>size, PATH_SIZE)
  memory.copy(node + PATH, path, size)
  store<u16>(node, 1, DIRTY)
  store<u16>(node, 0, EMBEDDED)
  store<u32>(node, <u32>child, ONLY_CHILD)
  return node
}

/** The extension's child has its hash, or encoding, already. */
function takeSlot(extension: usize, slot: usize, isEmbedded: bool): void {
  copyHash(extension + ONLY_SLOT, slot)
  store<u16>(extension, 0, DIRTY)
  store<u16>(extension, isEmbedded ? 1 : 0, EMBEDDED)
}

/** A leaf or extension, which was replaced, with nibbles in front of its path. */
function joined(path: usize, size: u32, from: usize): usize {
  const bytes = sizeOf(from)
  const node = allocate(load<u8>(from, KIND), FRESH, bytes)
  const own: u32 = load<u16>(from, PATH_SIZE)
  store<u16>(node, <u16>(size + own), PATH_SIZE)
  store<u32>(node, load<u32>(from, DIRTY), DIRTY)
  memory.copy(node + PATH, path, size)
  memory.copy(node + PATH + size, from + PATH, own)
  memory.copy(node + ONLY_CHILD, from + ONLY_CHILD, bytes - ONLY_CHILD)
  if (load<u8>(from, KIND) == EXTENSION) store<u32>(from, <u32>node, ONLY_SUCCESSOR)
  return node
}

/** A leaf without the first nibbles of its path. */
function tailOf(leaf: usize, skipped: u32): usize {
  const bytes = sizeOf(leaf)
  const node = allocate(LEAF, FRESH, bytes)
  const size: u32 = load<u16>(leaf, PATH_SIZE) - skipped
  store<u16>(node, <u16>size, PATH_SIZE)
  store<u16>(node, load<u16>(leaf, VALUE_SIZE), VALUE_SIZE)
  memory.copy(node + PATH, leaf + PATH + skipped, size)
  memory.copy(node + VALUE, leaf + VALUE, bytes - VALUE)
  return node
}

// Encoding and hashing.

/** Gives the node its slot, and before it all below that have none. True if it is embedded. */
function seal(node: usize, slot: usize, isRoot: bool): bool {
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) {
    let embedded: u32 = load<u16>(node, EMBEDDED)
    for (let bits: u32 = load<u16>(node, DIRTY); bits != 0; bits &= bits - 1) {
      const n = ctz(bits)
      if (seal(childAt(node, n), slotAt(node, n), false)) embedded |= 1 << n
      else embedded &= ~(1 << n)
    }
    store<u16>(node, 0, DIRTY)
    store<u16>(node, <u16>embedded, EMBEDDED)
  } else if (kind == EXTENSION && load<u16>(node, DIRTY) != 0) {
    const isEmbedded = seal(load<u32>(node, ONLY_CHILD), node + ONLY_SLOT, false)
    store<u16>(node, 0, DIRTY)
    store<u16>(node, isEmbedded ? 1 : 0, EMBEDDED)
  }
  const size = <u32>(encode(node, OUTPUT) - OUTPUT)
  if (size < HASH_BYTES && !isRoot) {
    memory.copy(slot, OUTPUT, size)
    return true
  }
  copyHash(slot, digest(OUTPUT, size))
  return false
}

/** Writes the RLP of a node whose children have their slots; where it ends. */
function encode(node: usize, to: usize): usize {
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
function encodeRecord(node: usize): u32 {
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

// What is written and read of a whole trie.

/**
 * Hands out the nodes that are not stored, children before parents, and counts them as stored.
 * The root's hash is at `rootAt`.
 */
export function takeNew(root: usize): void {
  if (root != 0) take(root, ROOT, 0)
}

/** @param hash 0 for an embedded node: it is part of its parent */
function take(node: usize, hash: usize, depth: u32): void {
  const flags = load<u8>(node, FLAGS)
  if ((flags & STORED) != 0) return
  const kind = load<u8>(node, KIND)
  if (kind == BRANCH) {
    const embedded: u32 = load<u16>(node, EMBEDDED)
    for (let bits: u32 = load<u16>(node, MASK); bits != 0; bits &= bits - 1) {
      const n = ctz(bits)
      const child = childAt(node, n)
      if (child == 0) continue
      store<u8>(NIBBLES + depth, <u8>n)
      take(child, hasBit(embedded, n) ? 0 : slotAt(node, n), depth + 1)
    }
  } else if (kind == EXTENSION) {
    const size: u32 = load<u16>(node, PATH_SIZE)
    memory.copy(NIBBLES + depth, node + PATH, size)
    const child: usize = load<u32>(node, ONLY_CHILD)
    const isEmbedded = load<u16>(node, EMBEDDED) != 0
    if (child != 0) take(child, isEmbedded ? 0 : node + ONLY_SLOT, depth + size)
  }
  store<u8>(node, flags | STORED, FLAGS)
  if (hash == 0 || (kind == LEAF && depth > 0)) return
  hostStore(NIBBLES, depth, hash, OUTPUT, encodeRecord(node))
}

/**
 * Bytes, at `outputAt`, of the record of the node in memory at the path of `depth` nibbles at
 * `nibblesAt` with the hash at `keyAt`; 0 if there is none. The root's hash is at `rootAt`.
 */
export function recordAt(root: usize, depth: u32): u32 {
  let node = root
  let hash = ROOT
  let at: u32 = 0
  while (node != 0 && at < depth) {
    const kind = load<u8>(node, KIND)
    if (kind == LEAF) return 0
    if (kind == BRANCH) {
      const n: u32 = load<u8>(NIBBLES + at)
      if (!hasBit(load<u16>(node, MASK), n)) return 0
      hash = slotAt(node, n)
      node = childAt(node, n)
      at += 1
    } else {
      const size: u32 = load<u16>(node, PATH_SIZE)
      if (at + size > depth || !sameBytes(node + PATH, NIBBLES + at, size)) return 0
      hash = node + ONLY_SLOT
      node = load<u32>(node, ONLY_CHILD)
      at += size
    }
  }
  if (node == 0 || !sameBytes(hash, KEY, HASH_BYTES)) return 0
  return load<u8>(node, KIND) == LEAF && depth > 0 ? 0 : encodeRecord(node)
}

/**
 * Frees the stored nodes of the head's trie whose path is longer than `limit` nibbles. There must be
 * no candidate: it may share them.
 */
export function trim(root: usize, limit: u32): void {
  if (root != 0) trimBelow(root, 0, limit)
}

function trimBelow(node: usize, depth: u32, limit: u32): void {
  const kind = load<u8>(node, KIND)
  if (kind == EXTENSION) {
    const child: usize = load<u32>(node, ONLY_CHILD)
    if (child == 0 || load<u16>(node, EMBEDDED) != 0) return
    if (!mayGo(child, depth + load<u16>(node, PATH_SIZE), limit)) return
    store<u32>(node, 0, ONLY_CHILD)
  } else if (kind == BRANCH) {
    const hashes: u32 = load<u16>(node, MASK) & ~(<u32>load<u16>(node, EMBEDDED))
    for (let bits = hashes; bits != 0; bits &= bits - 1) {
      const n = ctz(bits)
      const child = childAt(node, n)
      if (child == 0 || load<u8>(child, KIND) == LEAF) continue
      if (mayGo(child, depth + 1, limit)) setChild(node, n, 0)
    }
  }
}

/** Frees a node that is stored and deep enough; else trims below it. True if it went. */
function mayGo(node: usize, depth: u32, limit: u32): bool {
  if (depth > limit && (load<u8>(node, FLAGS) & STORED) != 0) {
    release(node)
    return true
  }
  trimBelow(node, depth, limit)
  return false
}
