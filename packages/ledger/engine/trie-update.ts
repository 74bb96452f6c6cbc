/** What a batch of updates makes of a trie: new nodes first, then their hashes, from the bottom up. */

import { digest } from '../../evm/engine/keccak'
import {
  BRANCH,
  BRANCH_BYTES,
  childAt,
  CHILDREN,
  commonWithKey,
  copyHash,
  DIRTY,
  EMBEDDED,
  EXTENSION,
  FRESH,
  hasBit,
  HASH_BYTES,
  isLeafOf,
  KEY_NIBBLES,
  KIND,
  LEAF,
  LONG_BYTES,
  MASK,
  nibbleOf,
  NIBBLES,
  ONLY_CHILD,
  ONLY_SLOT,
  ONLY_SUCCESSOR,
  ORDER,
  OUTPUT,
  PATH,
  PATH_SIZE,
  ROOT,
  sameBytes,
  setChild,
  SHORT_BYTES,
  SIDE_KEY,
  slotAt,
  STAGED,
  STAGED_BYTES,
  STAGED_SIZE,
  STAGED_VALUE,
  SUCCESSOR,
  VALUE,
  VALUE_SIZE,
  VALUE_SMALL,
} from './trie-layout'
import { allocate, discard, replace, sizeOf } from './trie-memory'
import { encode, loadChild, loadOnly } from './trie-codec'

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

// Hashing.

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
