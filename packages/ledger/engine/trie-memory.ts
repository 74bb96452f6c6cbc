/**
 * Memory of nodes, freed by hand, and the two versions that it holds.
 *
 * An update makes new nodes and leaves the old ones as they are: the head stays readable while a
 * block that may follow it is prepared. There is the head and at most one candidate. What the
 * candidate created and what it replaced hang in two lists through the nodes themselves; `commit`
 * frees the replaced ones, `drop` the created ones.
 */

import {
  ARENA,
  BRANCH,
  BRANCH_BYTES,
  childAt,
  DIRTY,
  EXTENSION,
  FLAGS,
  FRESH,
  FULL,
  HASH_BYTES,
  KIND,
  LEAF,
  LONG_BYTES,
  MASK,
  NEXT_CREATED,
  NEXT_REPLACED,
  ONLY_CHILD,
  ONLY_SUCCESSOR,
  sameBytes,
  setChild,
  SHORT_BYTES,
  slotAt,
  STORED,
  SUCCESSOR,
  VALUE_SIZE,
  VALUE_SMALL,
} from './trie-layout'

/** A stored node that the candidate does not refer to. */
// @ts-ignore: decorator
@external('host', 'replaced')
declare function hostReplaced(key: usize, depth: u32, hash: usize): void
/** Throws: 0 the bytes are no node of such a trie, 1 memory is full. */
// @ts-ignore: decorator
@external('host', 'fail')
export declare function hostFail(reason: u32): void

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
export function allocate(kind: u8, flags: u8, size: usize): usize {
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

export function sizeOf(node: usize): usize {
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

export function replace(node: usize, key: usize, depth: u32, hash: usize): void {
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
export function discard(node: usize): void {
  replace(node, 0, 0, 0)
}
