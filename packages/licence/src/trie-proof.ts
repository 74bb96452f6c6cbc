/**
 * Values proven by nodes of a Merkle Patricia trie, as `eth_getProof` gives them. Inclusion only.
 *
 * Spec: Ethereum Yellow Paper, appendix D.
 */

import { decodeRlp, getBytes, hexlify, keccak256, type RlpStructuredData, toBeHex } from 'ethers'
import { LICENCE_LIMITS } from './config.ts'

/** Nodes of a proof, from the root down, in RLP. */
export type TrieProof = readonly Uint8Array[]

/**
 * @param root 32 bytes in lower-case hex
 * @param key is hashed
 * @returns the value that stands there; undefined if the proof does not show one
 */
export function provenValue(root: string, key: string, proof: TrieProof): string | undefined {
  if (proof.length > LICENCE_LIMITS.trieNodesMax) return undefined
  const path = keccak256(key).slice(2)
  let at = 0
  let used = 0
  let child: RlpStructuredData = root
  for (;;) {
    let node: RlpStructuredData | undefined
    if (typeof child === 'string') {
      const bytes = proof[used++]
      // An empty child is no hash of anything.
      if (bytes === undefined || keccak256(bytes) !== child) return undefined
      node = decoded(bytes)
    } else {
      // Shorter than a hash, so it stands in its parent.
      node = child
    }
    if (!Array.isArray(node)) return undefined
    let value: RlpStructuredData | undefined
    if (node.length === 17) {
      value = node[at === path.length ? 16 : Number.parseInt(path[at]!, 16)]
      if (at < path.length) {
        at++
        if (value === undefined) return undefined
        child = value
        continue
      }
    } else {
      const part = node.length === 2 ? partOf(node[0]) : undefined
      if (part === undefined || !path.startsWith(part.nibbles, at)) return undefined
      at += part.nibbles.length
      value = node[1]
      if (!part.isLeaf) {
        if (value === undefined || part.nibbles === '') return undefined
        child = value
        continue
      }
    }
    const isWhole = at === path.length && used === proof.length
    return isWhole && typeof value === 'string' && value !== '0x' ? value : undefined
  }
}

/** The root of an account's storage, in lower-case hex; undefined if it is not proven. */
export function provenStorageRoot(
  stateRoot: string,
  account: string,
  proof: TrieProof,
): string | undefined {
  const value = provenValue(stateRoot, account, proof)
  const items = value === undefined ? undefined : decoded(getBytes(value))
  const root = Array.isArray(items) && items.length === 4 ? items[2] : undefined
  return typeof root === 'string' && root.length === 66 ? root : undefined
}

/** A word of storage; undefined if it is not proven. Words of zero are not in a trie. */
export function provenWord(root: string, slot: bigint, proof: TrieProof): bigint | undefined {
  const value = provenValue(root, toBeHex(slot, 32), proof)
  const word = value === undefined ? undefined : decoded(getBytes(value))
  if (typeof word !== 'string' || word.length > 66 || word.startsWith('0x00')) return undefined
  return word === '0x' ? undefined : BigInt(word)
}

/** Of a leaf or extension: hex-prefix encoding. */
function partOf(
  item: RlpStructuredData | undefined,
): { nibbles: string; isLeaf: boolean } | undefined {
  if (typeof item !== 'string' || item.length < 4) return undefined
  const flag = Number.parseInt(item[2]!, 16)
  const isOdd = flag % 2 === 1
  if (flag > 3 || (!isOdd && item[3] !== '0')) return undefined
  return { nibbles: item.slice(isOdd ? 3 : 4), isLeaf: flag >= 2 }
}

function decoded(bytes: Uint8Array): RlpStructuredData | undefined {
  try {
    return decodeRlp(hexlify(bytes))
  } catch {
    return undefined
  }
}
