import { bigIntToBytes, bigIntToMinimalBytes, bytesToHex, hexToBytes, keccak256 } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRlp } from '../src/rlp.ts'
import {
  EMPTY_ROOT,
  getTrie,
  type NewNode,
  type NodeSource,
  openTrie,
  proveTrie,
  type TrieUpdate,
  takeNewNodes,
  updateTrie,
} from '../src/trie.ts'
import { createTrieHeap, type HeapTrie, type TrieHeap } from '../src/trie-heap.ts'

/** Nodes by path and hash, as a store keeps them. */
function createNodes() {
  const nodes = new Map<string, Uint8Array>()
  const place = (path: Uint8Array, hash: Uint8Array): string =>
    `${bytesToHex(path)} ${bytesToHex(hash)}`
  const source: NodeSource = { node: (path, hash) => nodes.get(place(path, hash)) }
  return {
    nodes,
    source,
    place,
    add: ({ path, hash, record }: NewNode): void =>
      void nodes.set(place(path, hash), record.slice()),
  }
}

/** Whole numbers below 2^23, the same for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return state >>> 8
  }
}

const copyOf = ({ path, hash, record }: NewNode): NewNode => ({
  path: path.slice(),
  hash: hash.slice(),
  record: record.slice(),
})

function taken(heap: TrieHeap, trie: HeapTrie): NewNode[] {
  const nodes: NewNode[] = []
  heap.takeNew(trie, (node) => nodes.push(copyOf(node)))
  return nodes
}

// Keys that share long prefixes make extensions, splits and embedded nodes; hashed ones are as in
// states.
const nearKey = fc
  .tuple(fc.nat(3), fc.nat(3), fc.nat(2), fc.nat(3))
  .map(([first, middle, deep, last]) => {
    const key = new Uint8Array(32)
    key[0] = first << 4
    key[1] = middle
    key[28] = deep
    key[31] = last
    return key
  })
const hashedKey = fc.nat({ max: 60 }).map((i) => keccak256(Uint8Array.of(i)))
const value = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3 }),
  fc.uint8Array({ minLength: 30, maxLength: 128 }),
)

function batchesOf(key: fc.Arbitrary<Uint8Array>) {
  const update = fc.record({ key, value: fc.option(value, { nil: undefined, freq: 2 }) })
  const batch = fc.uniqueArray(update, { maxLength: 14, selector: (u) => bytesToHex(u.key) })
  const next = fc.constantFrom(
    'commit',
    'commit',
    'commit and flush',
    'drop',
    'trim',
    'trim unstored',
    'release',
  )
  return fc.array(fc.record({ batch, next, read: fc.array(key, { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 12,
  })
}

describe('the heap of tries', () => {
  for (const [name, key] of [
    ['keys that share prefixes', nearKey],
    ['hashed keys', hashedKey],
  ] as const) {
    test(`equals the trie of objects through commits, drops, flushes and trims: ${name}`, () => {
      const property = fc.property(batchesOf(key), fc.nat(4), (steps, depth) => {
        const store = createNodes()
        const heapReplaced: string[] = []
        const heap = createTrieHeap({
          onReplaced: (_, { path, hash }) => heapReplaced.push(store.place(path, hash)),
        })
        let expected = openTrie(EMPTY_ROOT, store.source)
        let trie = heap.open(EMPTY_ROOT, store.source)
        for (const { batch, next, read } of steps) {
          heapReplaced.length = 0
          const after = updateTrie(expected, batch)
          const candidate = heap.update(trie, batch)
          expect(candidate.root).toBe(after.trie.root)
          // The head stays as it was, and may be read on.
          for (const each of read) expect(heap.value(trie, each)).toEqual(getTrie(expected, each))
          if (next === 'drop') {
            heap.drop()
            continue
          }
          const replacedPlaces = after.replaced.map(({ path, hash }) => store.place(path, hash))
          expect([...heapReplaced].sort()).toEqual(replacedPlaces.sort())
          heap.commit()
          expected = after.trie
          trie = candidate
          for (const each of read) expect(heap.value(trie, each)).toEqual(getTrie(expected, each))
          if (next === 'trim unstored') heap.trim(trie, depth)
          if (next === 'commit' || next === 'trim unstored') continue
          const written = taken(heap, trie)
          expect(written).toEqual(takeNewNodes(expected))
          expect(taken(heap, trie), 'each node is handed out once').toEqual([])
          for (const node of written) {
            store.add(node)
            expect(heap.record(trie, node.path, node.hash)).toEqual(node.record)
          }
          if (next === 'trim') heap.trim(trie, depth)
          if (next === 'release') {
            heap.release(trie)
            expect(heap.bytes).toBe(0)
          }
        }
        heap.release(trie)
        expect(heap.bytes, 'every node was freed').toBe(0)
      })
      fc.assert(property, { numRuns: 400 })
    })
  }

  test('what was trimmed is read again', () => {
    const updates = Array.from({ length: 2_000 }, (_, i) => {
      const key = keccak256(bigIntToBytes(BigInt(i + 1), 4))
      return { key, value: key }
    })
    const store = createNodes()
    let reads = 0
    const source: NodeSource = {
      node: (path, hash) => {
        reads += 1
        return store.source.node(path, hash)
      },
    }
    const heap = createTrieHeap()
    const trie = heap.update(heap.open(EMPTY_ROOT, source), updates)
    heap.commit()
    for (const node of taken(heap, trie)) store.add(node)
    const { key } = updates[0]!
    expect(heap.value(trie, key)).toEqual(key)
    expect(reads).toBe(0)
    heap.trim(trie, 1)
    expect(heap.value(trie, key)).toEqual(key)
    // The leaf lies in its branch's record, and two records stayed.
    const records = proveTrie(openTrie(trie.root, store.source), key).length - 1
    expect(reads).toBe(records - 2)
    // Read once, it stays; trimmed anew, it goes; a second trimming finds nothing to do.
    heap.value(trie, key)
    expect(reads).toBe(records - 2)
    heap.trim(trie, 1)
    const { bytes } = heap
    heap.trim(trie, 1)
    expect(heap.bytes).toBe(bytes)
    heap.value(trie, key)
    expect(reads).toBe(2 * (records - 2))
  })

  test('more updates than are staged at once: extensions are split before they have a hash', () => {
    const store = createNodes()
    const random = createRandom(7)
    const heap = createTrieHeap()
    let expected = openTrie(EMPTY_ROOT, store.source)
    let trie = heap.open(EMPTY_ROOT, store.source)
    for (let round = 0; round < 4; round++) {
      const updates = new Map<string, TrieUpdate>()
      for (let i = 0; i < 9_000; i++) {
        // Few starts and few ends: long common parts, which later updates cut.
        const key = keccak256(Uint8Array.of(random() % 40))
        key[3 + (random() % 24)] = random()
        key[31] = random() % 16
        const value = round > 0 && random() % 3 === 0 ? undefined : Uint8Array.of(1 + (i % 120))
        updates.set(bytesToHex(key), { key, value })
      }
      expected = updateTrie(expected, [...updates.values()]).trie
      trie = heap.update(trie, [...updates.values()])
      expect(trie.root).toBe(expected.root)
      heap.commit()
      // A node that was cut and put together again is handed out once more than needed.
      for (const node of taken(heap, trie)) store.add(node)
      for (const { path, hash, record } of takeNewNodes(expected)) {
        expect(store.source.node(path, hash)).toEqual(record)
      }
    }
    heap.release(trie)
    expect(heap.bytes).toBe(0)
  })

  test('slots: keys are hashed, values are the shortest RLP, zero deletes', () => {
    const word = fc.oneof(
      fc.bigInt(0n, 300n),
      fc.bigInt(0n, 2n ** 256n - 1n),
      fc.constantFrom(0x7fn, 0x80n, 2n ** 48n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 256n - 1n),
    )
    const batch = fc.uniqueArray(fc.tuple(fc.nat(30), word), { selector: ([n]) => n })
    fc.assert(
      fc.property(fc.array(batch, { minLength: 1, maxLength: 4 }), (batches) => {
        const store = createNodes()
        const heap = createTrieHeap()
        let trie = heap.open(EMPTY_ROOT, store.source)
        const model = new Map<`0x${string}`, bigint>()
        for (const entries of batches) {
          const slots = new Map(
            entries.map(([n, each]) => [bytesToHex(bigIntToBytes(BigInt(n), 32)), each]),
          )
          for (const [slot, each] of slots) model.set(slot, each)
          trie = heap.updateSlots(trie, slots)
          heap.commit()
        }
        for (const [slot, each] of model) expect(heap.slot(trie, slot)).toBe(each)
        const updates: TrieUpdate[] = [...model]
          .filter(([, each]) => each !== 0n)
          .map(([slot, each]) => ({
            key: keccak256(hexToBytes(slot)),
            value: encodeRlp(bigIntToMinimalBytes(each)),
          }))
        expect(trie.root).toBe(updateTrie(openTrie(EMPTY_ROOT, store.source), updates).trie.root)
      }),
      { numRuns: 200 },
    )
  })
})
