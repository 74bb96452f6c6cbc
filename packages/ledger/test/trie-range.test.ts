import { existsSync, readFileSync } from 'node:fs'
import { bytesToHex, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRlp } from '../src/rlp.ts'
import {
  EMPTY_ROOT,
  getTrie,
  type NewNode,
  NO_NODES,
  type NodeSource,
  openTrie,
  proveTrie,
  type Trie,
  takeNewNodes,
  trieEntries,
  updateTrie,
} from '../src/trie.ts'
import { type RangeEntry, readRange, type TrieRange, verifyRange } from '../src/trie-range.ts'

function trieOf(entries: readonly RangeEntry[]): Trie {
  const updates = entries.map(([key, value]) => ({ key, value }))
  return updateTrie(openTrie(EMPTY_ROOT, NO_NODES), updates).trie
}

const placeOf = (path: Uint8Array, hash: Uint8Array): string =>
  `${bytesToHex(path)} ${bytesToHex(hash)}`

/** All that is written of a trie that was built at once. */
function nodesOf(trie: Trie): Map<string, NewNode> {
  const copy = trieOf([...trieEntries(trie)])
  return new Map(takeNewNodes(copy).map((node) => [placeOf(node.path, node.hash), node]))
}

function sourceOf(nodes: ReadonlyMap<string, NewNode>): NodeSource {
  return { node: (path, hash) => nodes.get(placeOf(path, hash))?.record }
}

const NO_BOUNDS = { bytesMax: 1e9, entriesMax: 1e9 }

/** Two bytes, so near one another that branches, extensions and leaves of all lengths come up. */
const key = fc
  .tuple(fc.constantFrom(0x00, 0x01, 0x10, 0x11, 0xff), fc.constantFrom(0x00, 0x0f, 0xf0, 0xff, 1))
  .map((bytes) => Uint8Array.from(bytes))
/** Some nodes are embedded in their parents, some are not. */
const value = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3 }),
  fc.uint8Array({ minLength: 33, maxLength: 40 }),
)
const entries = fc
  .uniqueArray(fc.tuple(key, value), { maxLength: 20, selector: ([k]) => bytesToHex(k) })
  .map((all) => all.sort(([a], [b]) => Buffer.compare(a, b)))
const ends = fc.tuple(key, key).map((pair) => pair.sort((a, b) => Buffer.compare(a, b)))

const within = (all: readonly RangeEntry[], from: Uint8Array, to: Uint8Array): RangeEntry[] =>
  all.filter(([k]) => Buffer.compare(k, from) >= 0 && Buffer.compare(k, to) <= 0)

describe('verifyRange', () => {
  test('accepts every range of every trie, and shows no node that the trie has not', () => {
    const property = fc.property(entries, ends, (all, [from, to]) => {
      const trie = trieOf(all)
      const range = readRange(trie, { from: from!, to: to!, ...NO_BOUNDS })
      expect(range.end).toEqual(to)
      expect(range.entries).toEqual(within(all, from!, to!))
      const verdict = verifyRange(trie.root, from!, range)
      if (!verdict.ok) throw new Error(verdict.reason)
      expect(verdict.trie.root).toBe(trie.root)
      for (const { path, hash } of takeNewNodes(verdict.trie)) {
        expect(nodesOf(trie).get(placeOf(path, hash))).toBeDefined()
      }
    })
    fc.assert(property, { seed: 1, numRuns: 3_000 })
  })

  test('ranges that follow one another show every node of the trie', () => {
    const property = fc.property(entries, fc.integer({ min: 1, max: 5 }), (all, entriesMax) => {
      const trie = trieOf(all)
      const nodes = new Map<string, NewNode>()
      const source = sourceOf(nodes)
      const found: RangeEntry[] = []
      let from: Uint8Array | undefined = Uint8Array.of(0, 0)
      const to = Uint8Array.of(255, 255)
      while (from !== undefined) {
        const range: TrieRange = readRange(trie, { from, to, bytesMax: 1e9, entriesMax })
        const verdict = verifyRange(trie.root, from, range, source)
        if (!verdict.ok) throw new Error(verdict.reason)
        for (const node of takeNewNodes(verdict.trie)) {
          nodes.set(placeOf(node.path, node.hash), node)
        }
        found.push(...range.entries)
        from = after(range.end)
      }
      expect(found).toEqual(all)
      expect(nodes).toEqual(nodesOf(trieOf(all)))
      expect([...trieEntries(openTrie(trie.root, source))]).toEqual(all)
    })
    fc.assert(property, { seed: 2, numRuns: 1_000 })
  })

  test('refuses a range with an entry missing, added, altered, moved or doubled', () => {
    const property = fc.property(entries, ends, key, value, (all, [from, to], k, v) => {
      const trie = trieOf(all)
      const range = readRange(trie, { from: from!, to: to!, ...NO_BOUNDS })
      const isRefused = (altered: readonly RangeEntry[]): void => {
        expect(verifyRange(trie.root, from!, { ...range, entries: altered }).ok).toBe(false)
      }
      range.entries.forEach((entry, i) => {
        isRefused(range.entries.toSpliced(i, 1))
        isRefused(range.entries.toSpliced(i, 0, entry))
        isRefused(range.entries.with(i, [entry[0], Uint8Array.of(...entry[1], 1)]))
        isRefused(range.entries.with(i, [entry[0], new Uint8Array(0)]))
        if (i > 0) isRefused(range.entries.with(i, range.entries[i - 1]!).with(i - 1, entry))
      })
      const added = [...range.entries.filter(([other]) => !same(other, k)), [k, v] as const]
      added.sort(([a], [b]) => Buffer.compare(a, b))
      const isTrue = range.entries.some(([other, held]) => same(other, k) && same(held, v))
      if (!isTrue) isRefused(added)
    })
    fc.assert(property, { seed: 3, numRuns: 1_000 })
  })

  test('refuses a proof with a byte altered, a node missing, doubled or foreign', () => {
    const property = fc.property(
      entries,
      ends,
      fc.integer({ min: 1, max: 255 }),
      (all, pair, x) => {
        const [from, to] = pair
        const trie = trieOf(all)
        const range = readRange(trie, { from: from!, to: to!, ...NO_BOUNDS })
        const isRefused = (proof: readonly Uint8Array[]): void => {
          expect(verifyRange(trie.root, from!, { ...range, proof }).ok).toBe(false)
        }
        range.proof.forEach((node, i) => {
          for (let at = 0; at < node.length; at++) {
            const altered = node.slice()
            altered[at]! ^= x
            isRefused(range.proof.with(i, altered))
          }
          isRefused(range.proof.toSpliced(i, 1))
          isRefused(range.proof.toSpliced(i, 0, node))
        })
        isRefused([...range.proof, encodeRlp([Uint8Array.of(0x20), Uint8Array.of(x)])])
      },
    )
    fc.assert(property, { seed: 4, numRuns: 200 })
  })

  test('read for other ends, a range is refused or says what is true of them', () => {
    const property = fc.property(entries, ends, ends, (all, [from, to], [otherFrom, otherTo]) => {
      const trie = trieOf(all)
      const range = readRange(trie, { from: from!, to: to!, ...NO_BOUNDS })
      const verdict = verifyRange(trie.root, otherFrom!, { ...range, end: otherTo! })
      if (verdict.ok) expect(range.entries).toEqual(within(all, otherFrom!, otherTo!))
    })
    fc.assert(property, { seed: 5, numRuns: 3_000 })
  })

  test('an entry left out anywhere, with the proof of a trie without it, is refused', () => {
    const property = fc.property(entries, ends, fc.nat(), (all, [from, to], pick) => {
      const trie = trieOf(all)
      const held = within(all, from!, to!)
      if (held.length === 0) return
      const left = all.filter((entry) => entry !== held[pick % held.length])
      const forged = readRange(trieOf(left), { from: from!, to: to!, ...NO_BOUNDS })
      expect(verifyRange(trie.root, from!, forged).ok).toBe(false)
    })
    fc.assert(property, { seed: 6, numRuns: 1_000 })
  })

  test('never throws, whatever the proof is', () => {
    const node = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constant(encodeRlp([[], []])))
    const property = fc.property(entries, ends, node, (all, [from, to], bytes) => {
      const root = bytesToHex(keccak256(bytes)) as Hash
      const range = { entries: within(all, from!, to!), end: to!, proof: [bytes] }
      expect(verifyRange(root, from!, range).ok).toBe(false)
    })
    fc.assert(property, { seed: 7, numRuns: 2_000 })
  })

  test('says why it refuses', () => {
    const all = Array.from({ length: 50 }, (_, i): RangeEntry => {
      const k = keccak256(Uint8Array.of(i))
      return [k, k]
    }).sort(([a], [b]) => Buffer.compare(a, b))
    const trie = trieOf(all)
    const from = all[10]![0]
    const range = readRange(trie, { from, to: all[20]![0], ...NO_BOUNDS })
    const reasonOf = (altered: Partial<TrieRange>, root: Hash = trie.root): string => {
      const verdict = verifyRange(root, from, { ...range, ...altered })
      return verdict.ok ? 'accepted' : verdict.reason
    }
    expect(reasonOf({})).toBe('accepted')
    expect(range.entries).toHaveLength(11)
    expect(reasonOf({ entries: range.entries.toReversed() })).toBe('entries invalid')
    expect(reasonOf({ end: all[19]![0] })).toBe('entries invalid')
    expect(reasonOf({ entries: range.entries.slice(1) })).toBe('entries differ')
    expect(reasonOf({ entries: range.entries.toSpliced(5, 1) })).toBe('entries differ')
    expect(reasonOf({ proof: range.proof.slice(1) })).toBe('node missing')
    expect(reasonOf({ proof: [...range.proof, range.proof[0]!] })).toBe('node unused')
    expect(reasonOf({}, EMPTY_ROOT)).toBe('entries differ')
    expect(reasonOf({}, `0x${'11'.repeat(32)}`)).toBe('node missing')
    const nothing = { entries: [], proof: [], end: all[20]![0] }
    expect(verifyRange(EMPTY_ROOT, from, nothing)).toMatchObject({ ok: true })
  })

  test('a whole trie, and the trie of one leaf, prove themselves', () => {
    for (const count of [1, 2, 300]) {
      const all = Array.from({ length: count }, (_, i): RangeEntry => {
        const k = keccak256(Uint8Array.of(i & 255, i >> 8))
        return [k, k]
      })
      const trie = trieOf(all)
      const from = new Uint8Array(32)
      const range = readRange(trie, { from, to: new Uint8Array(32).fill(255), ...NO_BOUNDS })
      expect(range.proof).toEqual([])
      expect(verifyRange(trie.root, from, range).ok).toBe(true)
      const [first, ...rest] = range.entries
      expect(verifyRange(trie.root, from, { ...range, entries: rest }).ok).toBe(false)
      expect(verifyRange(trie.root, from, { ...range, entries: [first!] }).ok).toBe(count === 1)
    }
  })

  test('takes the answers of a live network for ranges of one key', ({ skip }) => {
    const file = new URL(
      '../../../../shared/conformance/proofs/ropsten-proofs.json',
      import.meta.url,
    )
    if (!existsSync(file)) skip('no third-party cases')
    let count = 0
    for (const { result } of JSON.parse(readFileSync(file, 'utf8')).cases) {
      const proofs = [
        { name: result.address, nodes: result.accountProof },
        ...result.storageProof.map((each: { key: string; proof: string[] }) => ({
          name: `0x${each.key.slice(2).padStart(64, '0')}`,
          nodes: each.proof,
        })),
      ]
      for (const { name, nodes } of proofs) {
        const proof = nodes.map(hexToBytes) as Uint8Array[]
        if (proof.length === 0) continue
        const root = bytesToHex(keccak256(proof[0]!)) as Hash
        const place = keccak256(hexToBytes(name))
        const leaf = leafOf(proof, root, place)
        const held: RangeEntry[] = leaf === undefined ? [] : [[place, leaf]]
        const other: RangeEntry[] = leaf === undefined ? [[place, Uint8Array.of(1)]] : []
        expect(verifyRange(root, place, { entries: held, end: place, proof }).ok).toBe(true)
        expect(verifyRange(root, place, { entries: other, end: place, proof }).ok).toBe(false)
        count += 1
      }
    }
    expect(count).toBeGreaterThan(3)
  })
})

describe('readRange', () => {
  test('ends where bytes, entries or time are used up, after one entry at the earliest', () => {
    const all = Array.from(
      { length: 100 },
      (_, i): RangeEntry => [Uint8Array.of(i, 0), new Uint8Array(38).fill(i + 1)],
    )
    const trie = trieOf(all)
    const from = Uint8Array.of(0, 0)
    const to = Uint8Array.of(255, 255)
    const read = (bounds: object): TrieRange =>
      readRange(trie, { from, to, ...NO_BOUNDS, ...bounds })
    expect(read({}).entries).toHaveLength(100)
    expect(read({ bytesMax: 0 }).entries).toHaveLength(1)
    expect(read({ bytesMax: 400 }).entries).toHaveLength(10)
    expect(read({ entriesMax: 7 })).toMatchObject({ end: Uint8Array.of(6, 0) })
    expect(read({ isLate: () => true }).entries.length).toBeLessThan(50)
    for (const bounds of [{ bytesMax: 0 }, { bytesMax: 400 }, { entriesMax: 7 }]) {
      expect(verifyRange(trie.root, from, read(bounds)).ok).toBe(true)
    }
  })
})

/** The key after this one; undefined after the last. */
function after(k: Uint8Array): Uint8Array | undefined {
  const next = k.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = next[i]! + 1
    if (next[i] !== 0) return next
  }
  return undefined
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** What a proof's own trie has at a key, read by other code than the one under test. */
function leafOf(proof: readonly Uint8Array[], root: Hash, place: Uint8Array) {
  const nodes = new Map(proof.map((node) => [bytesToHex(keccak256(node)), node]))
  const trie = openTrie(root, { node: (_, hash) => nodes.get(bytesToHex(hash)) })
  expect(proveTrie(trie, place)).toEqual(proof)
  return getTrie(trie, place)
}
