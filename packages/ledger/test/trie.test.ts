import { bytesToHex, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRlp, type RlpItem, rlpItemEnd, rlpScalar } from '../src/rlp.ts'
import {
  EMPTY_ROOT,
  getTrie,
  type NewNode,
  NO_NODES,
  type NodeSource,
  openTrie,
  rootOfList,
  type Trie,
  type TrieChange,
  type TrieUpdate,
  takeNewNodes,
  trieEntries,
  updateTrie,
} from '../src/trie.ts'
import { decodeRecord, encodeNode } from '../src/trie-node.ts'
import { encodePath, nibblesOf } from '../src/trie-path.ts'

const empty = (): Trie => openTrie(EMPTY_ROOT, NO_NODES)

/** Appendix D of the yellow paper word for word: builds the whole trie anew from its entries. */
function slowRoot(entries: ReadonlyMap<string, Uint8Array>): Hash {
  const pairs = [...entries].map(([key, value]) => [nibblesOf(hexToBytes(key)), value] as const)
  if (pairs.length === 0) return EMPTY_ROOT
  return bytesToHex(keccak256(encodeRlp(slowNode(pairs, 0))))
}

type SlowPair = readonly [key: Uint8Array, value: Uint8Array]

function slowNode(pairs: readonly SlowPair[], depth: number): RlpItem {
  const [first] = pairs
  if (pairs.length === 1) return [encodePath(first![0].subarray(depth), true), first![1]]
  let common = depth
  const isShared = (at: number): boolean =>
    pairs.every(([key]) => at < key.length && key[at] === first![0][at])
  while (isShared(common)) common += 1
  if (common > depth) {
    const path = encodePath(first![0].subarray(depth, common), false)
    return [path, slowRef(slowNode(pairs, common))]
  }
  const items: RlpItem[] = []
  for (let nibble = 0; nibble < 16; nibble++) {
    const below = pairs.filter(([key]) => key.length > depth && key[depth] === nibble)
    items.push(below.length === 0 ? new Uint8Array(0) : slowRef(slowNode(below, depth + 1)))
  }
  items.push(pairs.find(([key]) => key.length === depth)?.[1] ?? new Uint8Array(0))
  return items
}

function slowRef(node: RlpItem): RlpItem {
  const encoded = encodeRlp(node)
  return encoded.length < 32 ? node : keccak256(encoded)
}

/** Nodes by path and hash, kept as a store does: written ones added, replaced ones dropped. */
function createNodeStore() {
  const nodes = new Map<string, Uint8Array>()
  const place = (path: Uint8Array, hash: Uint8Array): string =>
    `${bytesToHex(path)} ${bytesToHex(hash)}`
  const source: NodeSource = { node: (path, hash) => nodes.get(place(path, hash)) }
  return {
    nodes,
    source,
    apply(change: TrieChange, written: readonly NewNode[]): void {
      for (const { path, hash } of change.replaced) {
        expect(nodes.delete(place(path, hash)), 'a replaced node was stored').toBe(true)
      }
      for (const { path, hash, record } of written) {
        const encoded = record.subarray(0, rlpItemEnd(record, 0))
        expect(bytesToHex(keccak256(encoded))).toBe(bytesToHex(hash))
        // As a database gives it: a Buffer, whose slice is no copy.
        nodes.set(place(path, hash), Buffer.from(record))
      }
    },
  }
}

// Short keys over few nibbles collide, share prefixes and embed nodes; long ones are as in states.
const tinyKey = fc
  .array(fc.constantFrom(0x00, 0x01, 0x10, 0x11, 0x12, 0xf0), { minLength: 0, maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes))
const wideKey = fc.nat({ max: 40 }).map((i) => keccak256(Uint8Array.of(i)))
const smallValue = fc.uint8Array({ minLength: 1, maxLength: 3 })
const largeValue = fc.uint8Array({ minLength: 30, maxLength: 70 })

function batchesOf(key: fc.Arbitrary<Uint8Array>) {
  const value = fc.option(fc.oneof(smallValue, largeValue), { nil: undefined, freq: 2 })
  const update = fc.record({ key, value })
  const batch = fc.uniqueArray(update, { maxLength: 12, selector: (u) => bytesToHex(u.key) })
  return fc.array(batch, { minLength: 1, maxLength: 8 })
}

describe('updateTrie', () => {
  for (const [name, key] of [
    ['short keys of different lengths', tinyKey],
    ['hashed keys', wideKey],
  ] as const) {
    test(`equals the slow trie after random batches with deletions: ${name}`, () => {
      const property = fc.property(batchesOf(key), fc.boolean(), (batches, isKept) => {
        const store = createNodeStore()
        const expected = new Map<string, Uint8Array>()
        let kept = openTrie(EMPTY_ROOT, store.source)
        for (const batch of batches) {
          const before = kept.root
          const cold = updateTrie(openTrie(before, store.source), batch)
          const change = updateTrie(kept, batch)
          for (const { key, value } of batch) {
            if (value === undefined) expected.delete(bytesToHex(key))
            else expected.set(bytesToHex(key), value)
          }
          expect(change.trie.root).toBe(slowRoot(expected))
          // What is in memory must not matter to what is written.
          const written = takeNewNodes(change.trie)
          expect(takeNewNodes(cold.trie)).toEqual(written)
          expect(takeNewNodes(change.trie), 'each node is handed out once').toEqual([])
          expect(cold.replaced).toEqual(change.replaced)
          expect(kept.root).toBe(before)
          store.apply(change, written)
          kept = isKept ? change.trie : openTrie(change.trie.root, store.source)
          // Reading loads a part again.
          for (const { key } of batch.slice(0, 2)) getTrie(kept, key)
        }
        const stored = openTrie(kept.root, store.source)
        const entries = [...trieEntries(stored)].map(([k, v]) => [bytesToHex(k), v])
        const order = [...expected].sort(([a], [b]) => (a < b ? -1 : 1))
        expect(entries).toEqual(order)
        for (const [key, value] of expected) {
          expect(getTrie(kept, hexToBytes(key))).toEqual(value)
        }
        // Exactly the nodes of the last version are left, and as they were written.
        const rebuilt = updateTrie(
          empty(),
          order.map(([key, value]) => ({ key: hexToBytes(key), value })),
        )
        const fresh = createNodeStore()
        fresh.apply(rebuilt, takeNewNodes(rebuilt.trie))
        expect(store.nodes).toEqual(fresh.nodes)
      })
      fc.assert(property, { seed: 7, numRuns: 300 })
    })
  }

  test('gives back the same trie and writes nothing when nothing changes', () => {
    const key = keccak256(Uint8Array.of(1))
    const { trie } = updateTrie(empty(), [{ key, value: Uint8Array.of(1) }])
    takeNewNodes(trie)
    const absent = { key: keccak256(Uint8Array.of(2)), value: undefined }
    const change = updateTrie(trie, [{ key, value: Uint8Array.of(1) }, absent])
    expect(change.trie).toBe(trie)
    expect(takeNewNodes(change.trie)).toEqual([])
    expect(change.replaced).toEqual([])
  })

  test('leaves older versions readable', () => {
    const keys = Array.from({ length: 200 }, (_, i) => keccak256(Uint8Array.of(i)))
    const versions: Trie[] = [empty()]
    for (const key of keys) {
      versions.push(updateTrie(versions.at(-1)!, [{ key, value: key }]).trie)
    }
    versions.push(
      updateTrie(
        versions.at(-1)!,
        keys.map((key) => ({ key, value: undefined })),
      ).trie,
    )
    expect(versions.at(-1)!.root).toBe(EMPTY_ROOT)
    versions.slice(0, -1).forEach((trie, count) => {
      const found = keys.filter((key) => getTrie(trie, key) !== undefined)
      expect(found).toEqual(keys.slice(0, count))
    })
  })

  test('takes an empty value for a deletion', () => {
    const key = Uint8Array.of(1)
    const { trie } = updateTrie(empty(), [{ key, value: Uint8Array.of(1) }])
    expect(updateTrie(trie, [{ key, value: new Uint8Array(0) }]).trie.root).toBe(EMPTY_ROOT)
  })

  test('refuses two updates of one key', () => {
    const update: TrieUpdate = { key: Uint8Array.of(1), value: Uint8Array.of(1) }
    expect(() => updateTrie(empty(), [update, update])).toThrow('assertion')
  })

  test('names the path and hash of a node that is missing', () => {
    const updates = Array.from({ length: 64 }, (_, i) => {
      const key = keccak256(Uint8Array.of(i))
      return { key, value: key }
    })
    const store = createNodeStore()
    const change = updateTrie(openTrie(EMPTY_ROOT, store.source), updates)
    const written = takeNewNodes(change.trie)
    store.apply(change, written)
    const lost = written[0]!
    store.nodes.delete(`${bytesToHex(lost.path)} ${bytesToHex(lost.hash)}`)
    const read = () => [...trieEntries(openTrie(change.trie.root, store.source))]
    expect(read).toThrowError(
      expect.objectContaining({
        code: 'LEDGER_TRIE_NODE_MISSING',
        details: {
          path: Array.from(lost.path, (n) => n.toString(16)).join(''),
          hash: bytesToHex(lost.hash),
        },
      }),
    )
  })
})

describe('trieEntries', () => {
  test('starts at a key, whether or not it is there', () => {
    const property = fc.property(
      fc.uniqueArray(tinyKey, { selector: bytesToHex, maxLength: 20 }),
      tinyKey,
      (keys, from) => {
        const { trie } = updateTrie(
          empty(),
          keys.map((key) => ({ key, value: Uint8Array.of(7) })),
        )
        const found = [...trieEntries(trie, from)].map(([key]) => bytesToHex(key))
        const expected = keys
          .map((key) => bytesToHex(key))
          .sort()
          .filter((key) => key >= bytesToHex(from))
        expect(found).toEqual(expected)
      },
    )
    fc.assert(property, { seed: 8, numRuns: 500 })
  })
})

describe('records', () => {
  const updates = Array.from({ length: 40 }, (_, i) => {
    const key = keccak256(rlpScalar(i + 1))
    return { key, value: key }
  })

  test('hold a branch with its leaves', () => {
    const { trie } = updateTrie(empty(), updates)
    const written = takeNewNodes(trie)
    const branches = new Set(updates.map(({ key }) => bytesToHex(key).slice(2, 3)))
    expect(written.length).toBeLessThan(updates.length)
    expect(written.length).toBeLessThanOrEqual(1 + branches.size + updates.length / 2)
    const root = written.at(-1)!
    const node = decodeRecord(root.record, root.hash)
    expect(encodeNode(node)).toEqual(root.record.subarray(0, rlpItemEnd(root.record, 0)))
  })

  test('of a trie with one entry hold its leaf', () => {
    const { trie } = updateTrie(empty(), updates.slice(0, 1))
    const [only, ...others] = takeNewNodes(trie)
    expect(others).toEqual([])
    expect(decodeRecord(only!.record, only!.hash).kind).toBe('leaf')
  })

  test('are refused with bytes that no branch has behind it', () => {
    const { trie } = updateTrie(empty(), updates)
    const { record, hash } = takeNewNodes(trie).at(-1)!
    const encoded = record.subarray(0, rlpItemEnd(record, 0))
    const leaf = updateTrie(empty(), updates.slice(0, 1))
    const single = takeNewNodes(leaf.trie)[0]!
    for (const bytes of [
      new Uint8Array([...encoded, 0]),
      new Uint8Array([...encoded, 0, 1]),
      new Uint8Array([...single.record, 0xc0, 0, 1]),
    ]) {
      expect(() => decodeRecord(bytes, hash)).toThrowError(
        expect.objectContaining({ code: 'LEDGER_TRIE_NODE_INVALID' }),
      )
    }
  })
})

describe('rootOfList', () => {
  test('is the root of the trie from RLP of the index to the value', () => {
    for (const count of [0, 1, 2, 3, 16, 127, 128, 129, 255, 256, 257, 700]) {
      const values = Array.from({ length: count }, (_, i) =>
        keccak256(rlpScalar(i)).subarray(i % 30),
      )
      const entries = new Map(
        values.map((value, i) => [bytesToHex(encodeRlp(rlpScalar(i))), value]),
      )
      expect(rootOfList(values), `${count} values`).toBe(slowRoot(entries))
    }
  })
})
