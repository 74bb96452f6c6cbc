/** ethereum/tests TrieTests, and hex-prefix paths of BasicTests. */

import { bytesToHex, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import {
  decodePath,
  EMPTY_ROOT,
  encodePath,
  getTrie,
  type NodeSource,
  openTrie,
  proveTrie,
  type Trie,
  type TrieUpdate,
  takeNewNodes,
  trieEntries,
  updateTrie,
  verifyProof,
} from '@vellum/ledger'
import { expectEqual } from './expect.ts'
import { isRecord, namedTests } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'trie', sample: 100, cases }

type Put = readonly [key: Uint8Array, value: Uint8Array | undefined]

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, name: test, test: body } of namedTests(path, 'TrieTests')) {
    const name = `${file} ${test}`
    if (!isRecord(body)) continue
    if (typeof body.root === 'string') {
      const { in: input, root } = body
      const isSecure = /secure/i.test(file)
      yield { name, run: () => runRoot(input, root as Hash, isSecure) }
    } else if (Array.isArray(body.tests) && Array.isArray(body.in)) {
      const { in: keys, tests } = body
      yield { name, run: () => runNeighbours(keys, tests) }
    }
  }
  for (const { path: file, name, test } of namedTests(path, 'BasicTests')) {
    if (!isRecord(test) || !Array.isArray(test.seq) || typeof test.out !== 'string') continue
    const { seq, term, out } = test
    yield { name: `${file} ${name}`, run: () => runPath(Uint8Array.from(seq), term === true, out) }
  }
}

/** One by one, in reverse where order must not matter, and all in one batch. */
function runRoot(input: unknown, root: Hash, isSecure: boolean): void {
  const puts = putsOf(input, isSecure)
  applyEach(puts, root)
  if (!Array.isArray(input)) applyEach(puts.toReversed(), root)
  const last = new Map(puts.map(([key, value]) => [bytesToHex(key), value]))
  const updates = [...last].map(([key, value]) => ({ key: hexToBytes(key), value }))
  const batch = updateTrie(openTrie(EMPTY_ROOT, { node: () => undefined }), updates)
  expectEqual(batch.trie.root, root, 'the root after one batch')
}

/** Applies puts one by one over a store of nodes that is read back for each. */
function applyEach(puts: readonly Put[], root: Hash): void {
  const store = new Map<string, Uint8Array>()
  const place = (path: Uint8Array, hash: Uint8Array): string => bytesToHex(path) + bytesToHex(hash)
  const source: NodeSource = { node: (path, hash) => store.get(place(path, hash)) }
  let trie: Trie = openTrie(EMPTY_ROOT, source)
  const expected = new Map<string, Uint8Array>()
  for (const [key, value] of puts) {
    const change = updateTrie(openTrie(trie.root, source), [{ key, value }])
    for (const { path, hash } of change.replaced) store.delete(place(path, hash))
    for (const { path, hash, record } of takeNewNodes(change.trie)) {
      store.set(place(path, hash), record)
    }
    trie = change.trie
    if (value === undefined) expected.delete(bytesToHex(key))
    else expected.set(bytesToHex(key), value)
  }
  expectEqual(trie.root, root, 'the root')
  const stored = openTrie(trie.root, source)
  for (const [key] of puts) {
    const value = expected.get(bytesToHex(key))
    expectEqual(getTrie(stored, key), value, `the value at ${bytesToHex(key)}`)
    const verdict = verifyProof(root, key, proveTrie(stored, key))
    expectEqual(verdict, { ok: true, value }, `the proof of ${bytesToHex(key)}`)
  }
  const found = [...trieEntries(stored)].map(([key]) => bytesToHex(key))
  expectEqual(found, [...expected.keys()].sort(), 'the keys in order')
}

/** `tests` are [key, the one before, the one after], empty text for none. */
function runNeighbours(keys: readonly unknown[], tests: readonly unknown[]): void {
  const updates: TrieUpdate[] = keys.map((key) => ({ key: textBytes(key), value: textBytes(key) }))
  const { trie } = updateTrie(openTrie(EMPTY_ROOT, { node: () => undefined }), updates)
  const all = [...trieEntries(trie)].map(([key]) => key)
  for (const test of tests) {
    if (!Array.isArray(test)) throw new Error('unknown kind of test')
    const [key, before, after] = test.map(textBytes)
    let next: Uint8Array | undefined
    for (const [found] of trieEntries(trie, key)) {
      if (bytesToHex(found) === bytesToHex(key!)) continue
      next = found
      break
    }
    const from = [...trieEntries(trie, key)].length
    const previous = all[all.length - from - 1]
    expectEqual(next ?? new Uint8Array(0), after, `the key after ${test[0]}`)
    expectEqual(previous ?? new Uint8Array(0), before, `the key before ${test[0]}`)
  }
}

function runPath(path: Uint8Array, isLeaf: boolean, out: string): void {
  expectEqual(bytesToHex(encodePath(path, isLeaf)), `0x${out}`, 'the encoded path')
  expectEqual(decodePath(hexToBytes(`0x${out}`)), { path, isLeaf }, 'the decoded path')
}

function putsOf(input: unknown, isSecure: boolean): Put[] {
  const pairs: unknown[] = Array.isArray(input) ? input : Object.entries(input as object)
  return pairs.map((pair) => {
    const [key, value] = pair as [string, string | null]
    const name = textBytes(key)
    return [isSecure ? keccak256(name) : name, value === null ? undefined : textBytes(value)]
  })
}

/** Hex if it starts with 0x, otherwise text. */
function textBytes(text: unknown): Uint8Array {
  if (typeof text !== 'string') throw new Error('text was expected')
  return text.startsWith('0x') ? hexToBytes(text) : new TextEncoder().encode(text)
}
