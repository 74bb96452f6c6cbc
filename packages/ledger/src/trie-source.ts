/** Reads the nodes of a trie that are not in memory. */

import { bytesToHex } from '@vellum/evm'
import { LedgerError } from './error.ts'
import {
  type BranchNode,
  childAt,
  decodeRecord,
  type ExtensionNode,
  type LoadedNode,
  type TrieNode,
} from './trie-node.ts'
import { formatPath } from './trie-path.ts'

/** Where nodes that are not in memory come from. */
export interface NodeSource {
  /**
   * The record of a node (see `trie-node.ts`), or undefined if it is not there. The trie trusts the
   * bytes: the store answers for their integrity.
   * @param path nibbles from the root to the node
   * @param hash 32 bytes
   */
  node(path: Uint8Array, hash: Uint8Array): Uint8Array | undefined
}

/** A source of nothing, for tries built from scratch. */
export const NO_NODES: NodeSource = { node: () => undefined }

/** The node itself, or what its stub stands for; `path` leads to it. */
export function load(source: NodeSource, node: TrieNode, path: Uint8Array): LoadedNode {
  if (node.kind !== 'stub') return node
  const bytes = source.node(path, node.ref)
  if (bytes === undefined) throw missingNode(path, node.ref)
  return decodeRecord(bytes, node.ref)
}

/** The child towards `key`, loaded and kept; the branch is at path length `depth`. */
export function loadChild(
  source: NodeSource,
  branch: BranchNode,
  key: Uint8Array,
  depth: number,
): LoadedNode | undefined {
  const nibble = key[depth]!
  const held = branch.children?.[nibble]
  if (held !== undefined && held.kind !== 'stub') return held
  const child = childAt(branch, nibble)
  if (child === undefined) return undefined
  const loaded = child.kind === 'stub' ? load(source, child, key.subarray(0, depth + 1)) : child
  branch.children ??= new Array(16)
  branch.children[nibble] = loaded
  return loaded
}

/** The child of an extension, loaded and kept; the child is at path length `depth`. */
export function loadOnly(
  source: NodeSource,
  extension: ExtensionNode,
  key: Uint8Array,
  depth: number,
): LoadedNode {
  const { child } = extension
  if (child.kind !== 'stub') return child
  const loaded = load(source, child, key.subarray(0, depth))
  extension.child = loaded
  return loaded
}

export function missingNode(path: Uint8Array, hash: Uint8Array): LedgerError {
  return new LedgerError('LEDGER_TRIE_NODE_MISSING', 'a trie node is not in the store', {
    path: formatPath(path),
    hash: bytesToHex(hash),
  })
}
