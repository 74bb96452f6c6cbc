/**
 * A binary Merkle tree over a storage array of one contract, whose root stands in the vanity of every
 * header: docs/protocol/status-tree.md. All nodes are in memory, about 64 bytes for a leaf.
 */

import {
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  keccak256,
  keccak256Hex,
  type WorldChanges,
} from '@vellum/evm'

/** Levels above the leaves: 2^32 leaves at most. */
export const STATUS_TREE_DEPTH = 32
const NODE_BYTES = 32
const LEAVES_MAX = 2n ** BigInt(STATUS_TREE_DEPTH)
const FIRST_CAPACITY = 64

/** Where the leaves of a chain are. */
export interface StatusTreePlace {
  readonly contract: Address
  /** Slot of a `bytes32[]`. */
  readonly slot: bigint
}

export interface StatusProof {
  readonly index: number
  /** 32 bytes; zero: an empty leaf. */
  readonly leaf: Uint8Array
  /** Bit k: the node beside the path at level k is not zero, and is in `siblings`. */
  readonly mask: number
  /** From below. */
  readonly siblings: readonly Uint8Array[]
}

/** Leaves by index: what a block writes to the array. */
export type StatusChanges = ReadonlyMap<number, Uint8Array>

export interface StatusTree {
  /** One more than the index of the last leaf that was ever set. */
  size(): number
  root(): Uint8Array
  /** The root that the tree would have with these leaves. */
  rootWith(changes: StatusChanges): Uint8Array
  set(changes: StatusChanges): void
  /** @param index 0 to 2^32 - 1 */
  prove(index: number): StatusProof
  /** 32 bytes. */
  leaf(index: number): Uint8Array
}

export function createStatusTree(): StatusTree {
  /** Nodes of each level, one after another. */
  const levels: Uint8Array[] = [new Uint8Array(FIRST_CAPACITY * NODE_BYTES)]
  let size = 0

  function node(level: number, index: number): Uint8Array {
    const nodes = levels[level]
    const at = index * NODE_BYTES
    if (nodes === undefined || at >= nodes.length) return ZERO
    return nodes.subarray(at, at + NODE_BYTES)
  }

  function put(level: number, index: number, value: Uint8Array): void {
    const end = (index + 1) * NODE_BYTES
    let nodes = levels[level] ?? new Uint8Array(FIRST_CAPACITY * NODE_BYTES)
    if (end > nodes.length) {
      const larger = new Uint8Array(Math.max(end, nodes.length * 2))
      larger.set(nodes)
      nodes = larger
    }
    nodes.set(value, end - NODE_BYTES)
    levels[level] = nodes
  }

  /** Nodes that differ from the tree's when these leaves are set, level by level up to the root. */
  function* changed(changes: StatusChanges): Generator<ReadonlyMap<number, Uint8Array>> {
    let below = changes
    yield below
    for (let level = 0; level < STATUS_TREE_DEPTH; level++) {
      const above = new Map<number, Uint8Array>()
      for (const index of below.keys()) {
        const parent = Math.floor(index / 2)
        if (above.has(parent)) continue
        const left = below.get(2 * parent) ?? node(level, 2 * parent)
        const right = below.get(2 * parent + 1) ?? node(level, 2 * parent + 1)
        above.set(parent, parentOf(left, right))
      }
      below = above
      yield below
    }
  }

  return {
    size: () => size,
    root: () => node(STATUS_TREE_DEPTH, 0).slice(),
    rootWith: (changes) => {
      let top: ReadonlyMap<number, Uint8Array> = new Map()
      for (const level of changed(changes)) top = level
      return (top.get(0) ?? node(STATUS_TREE_DEPTH, 0)).slice()
    },
    set: (changes) => {
      let level = 0
      for (const nodes of changed(changes)) {
        // Only once the level above is known may this one change.
        for (const [index, value] of nodes) put(level, index, value)
        level += 1
      }
      for (const index of changes.keys()) size = Math.max(size, index + 1)
    },
    prove: (index) => {
      const siblings: Uint8Array[] = []
      let mask = 0
      let own = index
      for (let level = 0; level < STATUS_TREE_DEPTH; level++) {
        const sibling = node(level, own % 2 === 0 ? own + 1 : own - 1)
        if (!isZero(sibling)) {
          mask |= 1 << level
          siblings.push(sibling.slice())
        }
        own = Math.floor(own / 2)
      }
      return { index, leaf: node(0, index).slice(), mask: mask >>> 0, siblings }
    },
    leaf: (index) => node(0, index).slice(),
  }
}

/** The root that a proof leads to; undefined if it has too many or too few nodes. */
export function rootOfStatusProof(proof: StatusProof): Uint8Array | undefined {
  let current = proof.leaf
  let index = proof.index
  let used = 0
  for (let level = 0; level < STATUS_TREE_DEPTH; level++) {
    const isThere = ((proof.mask >>> level) & 1) === 1
    const sibling = isThere ? proof.siblings[used++] : ZERO
    // A zero that is named would let one leaf have two proofs.
    if (sibling === undefined || (isThere && isZero(sibling))) return undefined
    current = index % 2 === 0 ? parentOf(current, sibling) : parentOf(sibling, current)
    index = Math.floor(index / 2)
  }
  return used === proof.siblings.length ? current : undefined
}

/**
 * What the vanity of a header says of a tree: it names chain and contract, as two chains may have the
 * same validators. Zero for the empty tree.
 * @param root 32 bytes
 */
export function statusCommitment(chainId: bigint, contract: Address, root: Uint8Array): Uint8Array {
  if (isZero(root)) return new Uint8Array(NODE_BYTES)
  return keccak256(
    concatBytes(
      bigIntToBytes(chainId, 32),
      bigIntToBytes(bytesToBigInt(hexToBytes(contract)), 32),
      root,
    ),
  )
}

/** The leaves that a block has written. */
export function statusChanges(changes: WorldChanges, place: StatusTreePlace): StatusChanges {
  const found = new Map<number, Uint8Array>()
  const first = firstSlot(place)
  for (const { address, slots } of changes.accounts) {
    if (address !== place.contract) continue
    for (const [slot, value] of slots) {
      const index = (bytesToBigInt(hexToBytes(slot)) - first) & SLOT_MASK
      if (index < LEAVES_MAX) found.set(Number(index), bigIntToBytes(value, NODE_BYTES))
    }
  }
  return found
}

/** Slot of a leaf. */
export function statusSlot(place: StatusTreePlace, index: number): Hash {
  return bytesToHex(bigIntToBytes((firstSlot(place) + BigInt(index)) & SLOT_MASK, 32))
}

function firstSlot({ slot }: StatusTreePlace): bigint {
  return BigInt(keccak256Hex(bigIntToBytes(slot, 32)))
}

function parentOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (isZero(left) && isZero(right)) return ZERO
  pair.set(left)
  pair.set(right, NODE_BYTES)
  return keccak256(pair)
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false
  return true
}

const ZERO = new Uint8Array(NODE_BYTES)
const pair = new Uint8Array(2 * NODE_BYTES)
const SLOT_MASK = 2n ** 256n - 1n
