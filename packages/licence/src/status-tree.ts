/**
 * The status tree: leaf i says what licence number i is. Binary, 32 levels, empty where no licence is.
 *
 *   leaf = keccak256 of nine words: number, identifier, status, version, holder, content,
 *          validFrom, validUntil, statusTime (`LicenceRegistry.leafData`)
 *   node = keccak256(left | right); 32 zero bytes where both are zero
 *   commitment = keccak256 of three words: chain id, address of the registry, root of the tree;
 *          32 zero bytes while there is no licence
 *
 * The commitment is the vanity of the block's header, so a quorum seals it. It names the chain, as
 * two chains may have the same validators. A leaf has nine words and a node two: neither passes for
 * the other. Spec: docs/protocol/status-tree.md.
 */

import { AbiCoder, getBytes, keccak256 } from 'ethers'
import { joinBytes } from './bytes.ts'

/** Statuses of the contract; 1 to 7 are the national codes. */
export const LICENCE_STATUSES = [
  'None',
  'InForce',
  'Suspended',
  'Rescinded',
  'Cancelled',
  'Lapsed',
  'TransferredOut',
  'Revoked',
  'Offered',
  'Declined',
] as const

export type LicenceStatus = (typeof LICENCE_STATUSES)[number]

/** What a leaf says. As the contract keeps it: a licence in force lapses by time without a change. */
export interface StatusLeaf {
  /** 0 to 2^32 - 1. */
  readonly number: number
  /** keccak256 of the identifier's text. */
  readonly identifier: string
  readonly status: LicenceStatus
  readonly version: number
  /** Name of the holder's identity. */
  readonly holder: string
  /** Content digest of the credential. */
  readonly content: string
  /** Seconds since 1970, as the next two. */
  readonly validFrom: number
  readonly validUntil: number
  /** When the status began. */
  readonly statusTime: number
}

/** The way from a leaf up. */
export interface StatusPath {
  /** Siblings from the bottom, 32 bytes each; undefined: empty. Missing ones at the end are empty. */
  readonly siblings: readonly (Uint8Array | undefined)[]
}

export const TREE_DEPTH = 32
export const ZERO_NODE: Uint8Array = new Uint8Array(32)

const LEAF_TYPES = [
  'uint256',
  'bytes32',
  'uint8',
  'uint32',
  'address',
  'bytes32',
  'uint64',
  'uint64',
  'uint64',
]

export function leafHash(leaf: StatusLeaf): Uint8Array {
  const words = AbiCoder.defaultAbiCoder().encode(LEAF_TYPES, [
    leaf.number,
    leaf.identifier,
    LICENCE_STATUSES.indexOf(leaf.status),
    leaf.version,
    leaf.holder,
    leaf.content,
    leaf.validFrom,
    leaf.validUntil,
    leaf.statusTime,
  ])
  return getBytes(keccak256(words))
}

/** Root of the tree that has a leaf at the end of a path. */
export function rootOf(leaf: StatusLeaf, path: StatusPath): Uint8Array {
  let node = leafHash(leaf)
  for (let level = 0; level < TREE_DEPTH; level++) {
    const sibling = path.siblings[level] ?? ZERO_NODE
    const isRight = Math.floor(leaf.number / 2 ** level) % 2 === 1
    node = isRight ? nodeHash(sibling, node) : nodeHash(node, sibling)
  }
  return node
}

/** Path of one of some leaves: for tests, and for a holder who has them all. */
export function pathIn(leaves: readonly StatusLeaf[], number: number): StatusPath {
  let level = new Map(leaves.map((leaf) => [leaf.number, leafHash(leaf)]))
  const siblings: (Uint8Array | undefined)[] = []
  let at = number
  for (let depth = 0; depth < TREE_DEPTH; depth++) {
    siblings.push(level.get(at % 2 === 0 ? at + 1 : at - 1))
    const above = new Map<number, Uint8Array>()
    for (const index of level.keys()) {
      const parent = Math.floor(index / 2)
      const [left, right] = [level.get(parent * 2), level.get(parent * 2 + 1)]
      above.set(parent, nodeHash(left ?? ZERO_NODE, right ?? ZERO_NODE))
    }
    level = above
    at = Math.floor(at / 2)
  }
  return { siblings }
}

/** What the vanity of a header says of a tree. */
export function commitmentOfRoot(tree: {
  readonly chainId: bigint
  /** Address of the `LicenceRegistry`. */
  readonly registry: string
  readonly root: Uint8Array
}): Uint8Array {
  const { chainId, registry, root } = tree
  if (root.every((byte) => byte === 0)) return ZERO_NODE
  const words = AbiCoder.defaultAbiCoder().encode(
    ['uint256', 'address', 'bytes32'],
    [chainId, registry, root],
  )
  return getBytes(keccak256(words))
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const isEmpty = (node: Uint8Array): boolean => node.every((byte) => byte === 0)
  if (isEmpty(left) && isEmpty(right)) return ZERO_NODE
  return getBytes(keccak256(joinBytes([left, right])))
}
