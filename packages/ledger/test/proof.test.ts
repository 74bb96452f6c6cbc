import { bytesToHex, type Hash, keccak256, keccak256Hex } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verifyAccountProof, verifyProof, verifyStorageProof } from '../src/proof.ts'
import { encodeRlp, rlpScalar } from '../src/rlp.ts'
import { EMPTY_ROOT, NO_NODES, openTrie, proveTrie, type Trie, updateTrie } from '../src/trie.ts'

function trieOf(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Trie {
  const updates = entries.map(([key, value]) => ({ key, value }))
  return updateTrie(openTrie(EMPTY_ROOT, NO_NODES), updates).trie
}

const key = fc
  .array(fc.constantFrom(0x00, 0x01, 0x10, 0x11, 0xf0), { minLength: 0, maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes))
const entries = fc.uniqueArray(fc.tuple(key, fc.uint8Array({ minLength: 1, maxLength: 40 })), {
  maxLength: 20,
  selector: ([k]) => bytesToHex(k),
})

describe('verifyProof', () => {
  test('proves every key, there or not, and nothing else', () => {
    const property = fc.property(entries, key, key, (all, asked, other) => {
      const trie = trieOf(all)
      const value = all.find(([k]) => bytesToHex(k) === bytesToHex(asked))?.[1]
      const proof = proveTrie(trie, asked)
      expect(verifyProof(trie.root, asked, proof)).toEqual({ ok: true, value })
      // Read for another key, a proof is refused or says what is true of that key.
      const verdict = verifyProof(trie.root, other, proof)
      if (verdict.ok) {
        const held = all.find(([k]) => bytesToHex(k) === bytesToHex(other))?.[1]
        expect(verdict.value).toEqual(held)
      }
    })
    fc.assert(property, { seed: 1, numRuns: 1_000 })
  })

  test('refuses a proof with any byte altered, a node missing, doubled or moved', () => {
    const property = fc.property(
      entries,
      key,
      fc.integer({ min: 1, max: 255 }),
      (all, asked, x) => {
        const trie = trieOf(all)
        const proof = proveTrie(trie, asked)
        const isRefused = (altered: readonly Uint8Array[]): void => {
          expect(verifyProof(trie.root, asked, altered).ok).toBe(false)
        }
        proof.forEach((node, i) => {
          for (let at = 0; at < node.length; at++) {
            const altered = node.slice()
            altered[at]! ^= x
            isRefused(proof.with(i, altered))
          }
          isRefused(proof.toSpliced(i, 1))
          isRefused(proof.toSpliced(i, 0, node))
          isRefused([...proof, node])
        })
        if (proof.length > 1) isRefused(proof.toReversed())
      },
    )
    fc.assert(property, { seed: 2, numRuns: 100 })
  })

  test('says why it refuses', () => {
    const all = Array.from({ length: 50 }, (_, i) => {
      const k = keccak256(Uint8Array.of(i))
      return [k, k] as const
    })
    const trie = trieOf(all)
    const asked = all[0]![0]
    const proof = proveTrie(trie, asked)
    const reasonOf = (altered: readonly Uint8Array[]): string => {
      const verdict = verifyProof(trie.root, asked, altered)
      return verdict.ok ? 'accepted' : verdict.reason
    }
    expect(proof.length).toBeGreaterThan(1)
    expect(reasonOf(proof.slice(0, -1))).toBe('node missing')
    expect(reasonOf([...proof, proof[0]!])).toBe('node unused')
    expect(reasonOf(proof.slice(1))).toBe('hash mismatch')
    const notANode = Uint8Array.of(0xc1, 0x80)
    const verdict = verifyProof(keccak256Hex(notANode), asked, [notANode])
    expect(verdict).toEqual({ ok: false, reason: 'node invalid' })
  })

  test('takes no nodes, or the empty node, for the empty trie', () => {
    const asked = Uint8Array.of(1)
    expect(verifyProof(EMPTY_ROOT, asked, [])).toEqual({ ok: true, value: undefined })
    const emptyNode = Uint8Array.of(0x80)
    expect(verifyProof(EMPTY_ROOT, asked, [emptyNode])).toEqual({ ok: true, value: undefined })
    expect(verifyProof(EMPTY_ROOT, asked, [emptyNode, emptyNode]).ok).toBe(false)
    expect(verifyProof(EMPTY_ROOT, asked, [Uint8Array.of(0xc0)]).ok).toBe(false)
  })
})

describe('verifyAccountProof and verifyStorageProof', () => {
  const address = `0x${'ab'.repeat(20)}` as const
  const slot = `0x${'00'.repeat(31)}05` as Hash

  test('decode what is proven, and take an absent slot for zero', () => {
    const value = 2n ** 200n
    const place = keccak256(Uint8Array.from([...new Uint8Array(31), 5]))
    const storage = trieOf([[place, encodeRlp(rlpScalar(value))]])
    expect(verifyStorageProof(storage.root, slot, proveTrie(storage, place))).toEqual({
      ok: true,
      value,
    })
    expect(verifyStorageProof(EMPTY_ROOT, slot, [])).toEqual({ ok: true, value: 0n })
  })

  test('refuse proven bytes that are not an account or a storage value', () => {
    const state = trieOf([[keccak256(new Uint8Array(20).fill(0xab)), Uint8Array.of(1)]])
    const proof = proveTrie(state, keccak256(new Uint8Array(20).fill(0xab)))
    expect(verifyAccountProof(state.root, address, proof)).toEqual({
      ok: false,
      reason: 'value invalid',
    })
    const place = keccak256(Uint8Array.from([...new Uint8Array(31), 5]))
    for (const bytes of [Uint8Array.of(0x80), Uint8Array.of(0xc0), Uint8Array.of(0x82, 0, 1)]) {
      const storage = trieOf([[place, bytes]])
      const verdict = verifyStorageProof(storage.root, slot, proveTrie(storage, place))
      expect(verdict).toEqual({ ok: false, reason: 'value invalid' })
    }
  })
})
