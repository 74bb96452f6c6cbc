import { crc32 } from 'node:zlib'
import {
  type Address,
  bigIntToBytes,
  bigIntToMinimalBytes,
  bytesToHex,
  type Hash,
  hexToBytes,
  keccak256,
  type WorldChanges,
} from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createMemoryKeyValue,
  createState,
  createStore,
  EMPTY_CODE_HASH,
  EMPTY_ROOT,
  encodeAccount,
  encodeRlp,
  type KeyValue,
  NO_NODES,
  openTrie,
  type State,
  updateTrie,
  verifyAccountProof,
  verifyStorageProof,
} from '../src/index.ts'
import { KIND, keyOf } from '../src/store.ts'

const address = (n: number): Address => bytesToHex(bigIntToBytes(BigInt(n) + 1n, 20))
const slot = (n: number): Hash => bytesToHex(bigIntToBytes(BigInt(n), 32))

interface ModelAccount {
  nonce: bigint
  balance: bigint
  slots: Map<Hash, bigint>
}
type Model = Map<Address, ModelAccount>

/** The root by the definition: every trie built from nothing. */
function rootOf(model: Model): Hash {
  const updates = [...model].map(([name, { nonce, balance, slots }]) => {
    const storage = [...slots].map(([key, value]) => ({
      key: keccak256(hexToBytes(key)),
      value: encodeRlp(bigIntToMinimalBytes(value)),
    }))
    const storageRoot = updateTrie(openTrie(EMPTY_ROOT, NO_NODES), storage).trie.root
    return {
      key: keccak256(hexToBytes(name)),
      value: encodeAccount({ nonce, balance, codeHash: EMPTY_CODE_HASH, storageRoot }),
    }
  })
  return updateTrie(openTrie(EMPTY_ROOT, NO_NODES), updates).trie.root
}

/** Changes of one block: accounts to values, to new storage, or to nothing. */
interface Edit {
  readonly account: number
  readonly kind: 'set' | 'delete' | 'clear'
  readonly balance: bigint
  readonly slots: readonly (readonly [number, bigint])[]
}

function apply(model: Model, edits: readonly Edit[]): WorldChanges {
  const accounts = edits.map(({ account: n, kind, balance, slots }) => {
    const name = address(n)
    const before = model.get(name)
    if (kind === 'delete') {
      model.delete(name)
      return { address: name, account: undefined, storageCleared: true, slots: new Map() }
    }
    const after: ModelAccount = {
      nonce: (before?.nonce ?? 0n) + 1n,
      balance,
      slots: new Map(kind === 'clear' ? [] : before?.slots),
    }
    const changed = new Map(slots.map(([key, value]) => [slot(key), value]))
    for (const [key, value] of changed) {
      if (value === 0n) after.slots.delete(key)
      else after.slots.set(key, value)
    }
    model.set(name, after)
    return {
      address: name,
      account: { nonce: after.nonce, balance, codeHash: EMPTY_CODE_HASH },
      storageCleared: kind === 'clear',
      slots: changed,
    }
  })
  return { accounts, codes: new Map() }
}

const edits = fc.uniqueArray(
  fc.record({
    account: fc.nat(12),
    kind: fc.constantFrom('set', 'set', 'set', 'delete', 'clear'),
    balance: fc.bigInt(0n, 2n ** 70n),
    slots: fc.uniqueArray(fc.tuple(fc.nat(9), fc.bigInt(0n, 3n)), { selector: ([key]) => key }),
  }),
  { selector: ({ account }) => account, maxLength: 8 },
)

function open(disk: KeyValue, root: Hash = EMPTY_ROOT, recordsObsolete = false): State {
  return createState({ store: createStore(disk, crc32), root, recordsObsolete })
}

function assertSame(state: State, model: Model, root: Hash): void {
  const view = state.at(root)
  for (let n = 0; n <= 12; n++) {
    const expected = model.get(address(n))
    expect(view.account(address(n))?.balance).toBe(expected?.balance)
    expect(view.reader.hasStorage(address(n))).toBe((expected?.slots.size ?? 0) > 0)
    for (let key = 0; key <= 9; key++) {
      expect(view.storage(address(n), slot(key))).toBe(expected?.slots.get(slot(key)) ?? 0n)
    }
  }
}

describe('state', () => {
  test('roots and values equal those of tries built from nothing, at the head and behind it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edits, { minLength: 1, maxLength: 6 }), async (blocks) => {
        const disk = createMemoryKeyValue()
        let state = open(disk)
        const model: Model = new Map()
        const history: [Hash, Model][] = []
        for (const [height, block] of blocks.entries()) {
          const prepared = state.prepare(apply(model, block), height)
          expect(prepared.root).toBe(rootOf(model))
          await disk.batch(prepared.writes)
          state.commit(prepared)
          const copy = new Map(
            [...model].map(([name, each]) => [name, { ...each, slots: new Map(each.slots) }]),
          )
          history.push([prepared.root, copy])
        }
        for (const [root, then] of history) assertSame(state, then, root)
        state.close()
        // Once more from disk alone.
        state = open(disk, history.at(-1)![0])
        assertSame(state, model, history.at(-1)![0])
      }),
      { numRuns: 40 },
    )
  })

  test('what is prepared and never committed changes nothing', async () => {
    const disk = createMemoryKeyValue()
    const state = open(disk)
    const first = state.prepare(
      apply(new Map(), [{ account: 1, kind: 'set', balance: 5n, slots: [[1, 7n]] }]),
      1,
    )
    await disk.batch(first.writes)
    state.commit(first)
    state.prepare(apply(new Map(), [{ account: 1, kind: 'set', balance: 9n, slots: [[1, 8n]] }]), 2)
    expect(state.head().account(address(1))?.balance).toBe(5n)
    expect(state.head().storage(address(1), slot(1))).toBe(7n)
    expect(state.head().root).toBe(first.root)
  })

  test('reads see the head and not what a batch in flight has written', async () => {
    const disk = createMemoryKeyValue()
    const state = open(disk)
    const prepared = state.prepare(
      apply(new Map(), [{ account: 1, kind: 'set', balance: 5n, slots: [] }]),
      1,
    )
    await disk.batch(prepared.writes)
    expect(state.head().account(address(1))).toBeUndefined()
    state.commit(prepared)
    expect(state.head().account(address(1))?.balance).toBe(5n)
  })

  test('a row that the disk lost is damage, for accounts and for slots', async () => {
    const disk = createMemoryKeyValue()
    const state = open(disk)
    const prepared = state.prepare(
      apply(new Map(), [{ account: 1, kind: 'set', balance: 5n, slots: [[3, 7n]] }]),
      1,
    )
    await disk.batch(prepared.writes)
    state.close()
    const owner = keccak256(hexToBytes(address(1)))
    const rows = [
      keyOf(KIND.slot, owner, keccak256(hexToBytes(slot(3)))),
      keyOf(KIND.account, owner),
    ]
    for (const key of rows) {
      await disk.batch([{ key, value: undefined }])
      const reopened = open(disk, prepared.root)
      expect(() => reopened.head().storage(address(1), slot(3))).toThrow(
        expect.objectContaining({ code: 'LEDGER_STORE_DAMAGED' }),
      )
      // What never was is still just absent.
      expect(reopened.head().account(address(2))).toBeUndefined()
      reopened.close()
    }
  })

  test('proofs of accounts and slots, present and absent, verify against the root', async () => {
    const disk = createMemoryKeyValue()
    const state = open(disk)
    const model: Model = new Map()
    const block = Array.from({ length: 12 }, (_, account) => ({
      account,
      kind: 'set' as const,
      balance: BigInt(account),
      slots: [
        [1, 5n],
        [2, 6n],
      ] as const,
    }))
    const prepared = state.prepare(apply(model, block), 1)
    await disk.batch(prepared.writes)
    state.commit(prepared)
    for (const view of [state.head(), open(disk, prepared.root).at(prepared.root)]) {
      for (const n of [0, 7, 99]) {
        const proof = view.prove(address(n), [slot(1), slot(9)])
        const verdict = verifyAccountProof(prepared.root, address(n), proof.accountProof)
        expect(verdict.ok).toBe(true)
        expect(proof.account?.balance).toBe(model.get(address(n))?.balance)
        if (proof.account === undefined) continue
        for (const { slot: key, value, proof: nodes } of proof.storage) {
          const stored = verifyStorageProof(proof.account.storageRoot, key, nodes)
          expect(stored).toMatchObject({ ok: true })
          expect(value).toBe(key === slot(1) ? 5n : 0n)
        }
      }
    }
  })

  test('pruning keeps every retained state whole and frees what no state needs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edits, { minLength: 4, maxLength: 9 }), async (blocks) => {
        const retained = 2
        const disk = createMemoryKeyValue()
        const state = open(disk, EMPTY_ROOT, true)
        const model: Model = new Map()
        const history: [Hash, Model][] = []
        for (const [i, block] of blocks.entries()) {
          const height = i + 1
          const prepared = state.prepare(apply(model, block), height)
          const pruned = height > retained ? state.prune(height - retained) : []
          await disk.batch([...pruned, ...prepared.writes])
          state.commit(prepared)
          const copy = new Map(
            [...model].map(([name, each]) => [name, { ...each, slots: new Map(each.slots) }]),
          )
          history.push([prepared.root, copy])
        }
        const last = history.slice(-retained - 1)
        const reopened = open(disk, last.at(-1)![0], true)
        for (const [root, then] of last) assertSame(reopened, then, root)
      }),
      { numRuns: 60 },
    )
  })

  test('pruning a chain of overwrites does not let the disk grow', async () => {
    const disk = createMemoryKeyValue()
    const state = open(disk, EMPTY_ROOT, true)
    const model: Model = new Map()
    const count = async (): Promise<number> => {
      let entries = 0
      const range = { from: Uint8Array.of(0), to: Uint8Array.of(255) }
      for await (const _ of disk.iterate(range)) entries++
      return entries
    }
    let early = 0
    for (let height = 1; height <= 60; height++) {
      const block = Array.from({ length: 12 }, (_, account) => ({
        account,
        kind: 'set' as const,
        balance: BigInt(height * 100 + account),
        slots: [[height % 5, BigInt(height)]] as const,
      }))
      const prepared = state.prepare(apply(model, block), height)
      await disk.batch([...(height > 2 ? state.prune(height - 2) : []), ...prepared.writes])
      state.commit(prepared)
      if (height === 20) early = await count()
    }
    expect(await count()).toBeLessThanOrEqual(early)
  })
})
