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
  type StateOptions,
  updateTrie,
  verifyAccountProof,
  verifyState,
  verifyStorageProof,
} from '../src/index.ts'
import { heightKey, KIND } from '../src/store.ts'

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

function open(disk: KeyValue, options: Partial<Omit<StateOptions, 'store'>> = {}): State {
  return createState({
    store: createStore(disk, crc32),
    height: 0,
    root: EMPTY_ROOT,
    retainedBlocks: undefined,
    ...options,
  })
}

interface Then {
  readonly height: number
  readonly root: Hash
  readonly model: Model
}

const copyOf = (model: Model): Model =>
  new Map([...model].map(([name, each]) => [name, { ...each, slots: new Map(each.slots) }]))

function assertSame(state: State, { height, root, model }: Then): void {
  const view = state.at(height, root)
  for (let n = 0; n <= 12; n++) {
    const expected = model.get(address(n))
    expect(view.account(address(n))?.balance).toBe(expected?.balance)
    expect(view.reader.hasStorage(address(n))).toBe((expected?.slots.size ?? 0) > 0)
    for (let key = 0; key <= 9; key++) {
      expect(view.storage(address(n), slot(key))).toBe(expected?.slots.get(slot(key)) ?? 0n)
    }
  }
}

/** Blocks one after another, some followed by a flush, some by a crash (opened again from disk). */
const lives = (minLength: number, maxLength: number) =>
  fc.array(
    fc.record({
      block: edits,
      next: fc.constantFrom('go on', 'go on', 'flush', 'flush behind', 'crash'),
    }),
    {
      minLength,
      maxLength,
    },
  )

async function live(
  disk: KeyValue,
  steps: readonly { readonly block: readonly Edit[]; readonly next: string }[],
  options: Pick<Partial<StateOptions>, 'retainedBlocks' | 'trieHeapBytesMax'> = {},
): Promise<{ state: State; history: Then[] }> {
  let state = open(disk, options)
  await state.flush()
  const model: Model = new Map()
  const history: Then[] = []
  for (const [i, { block, next }] of steps.entries()) {
    const height = i + 1
    const prepared = state.prepare(apply(model, block), height)
    expect(prepared.root).toBe(rootOf(model))
    await disk.batch(prepared.writes)
    state.commit(prepared)
    history.push({ height, root: prepared.root, model: copyOf(model) })
    if (next === 'flush') await state.flush()
    if (next === 'flush behind') await state.flushBehind()
    if (next === 'crash') state = open(disk, { ...options, height, root: prepared.root })
  }
  return { state, history }
}

const refusedAsDamage = expect.objectContaining({ code: 'LEDGER_STORE_DAMAGED' })

describe('state', () => {
  test('roots and values equal those of tries built from nothing, at the head and behind it', async () => {
    await fc.assert(
      fc.asyncProperty(lives(1, 8), async (steps) => {
        const disk = createMemoryKeyValue()
        const { state, history } = await live(disk, steps)
        for (const then of history) assertSame(state, then)
        // Once more from disk alone.
        const last = history.at(-1)!
        const reopened = open(disk, last)
        for (const then of history) assertSame(reopened, then)
        // And once rows and tries are written.
        await reopened.flush()
        for (const then of history) assertSame(open(disk, last), then)
      }),
      { numRuns: 80 },
    )
  })

  test('with memory for a few nodes: reads drop some, also while a block is prepared', async () => {
    await fc.assert(
      fc.asyncProperty(lives(2, 6), edits, async (steps, block) => {
        const disk = createMemoryKeyValue()
        const { state, history } = await live(disk, steps, { trieHeapBytesMax: 2_000 })
        const last = history.at(-1)!
        assertSame(state, last)
        const model = copyOf(last.model)
        const prepared = state.prepare(apply(model, block), last.height + 1)
        assertSame(state, last)
        await disk.batch(prepared.writes)
        state.commit(prepared)
        expect(prepared.root).toBe(rootOf(model))
        assertSame(state, { height: last.height + 1, root: prepared.root, model })
        await state.flush()
        assertSame(state, { height: last.height + 1, root: prepared.root, model })
      }),
      { numRuns: 60 },
    )
  })

  test('a block that another one was prepared after is committed all the same', async () => {
    await fc.assert(
      fc.asyncProperty(lives(1, 4), edits, edits, async (steps, decided, lost) => {
        const disk = createMemoryKeyValue()
        const { state, history } = await live(disk, steps)
        const before = history.at(-1)!
        const height = before.height + 1
        const model = copyOf(before.model)
        const first = state.prepare(apply(model, decided), height)
        state.prepare(apply(copyOf(before.model), lost), height)
        state.head().rootAfter(apply(copyOf(before.model), lost))
        assertSame(state, before)
        await disk.batch(first.writes)
        state.commit(first)
        expect(first.root).toBe(rootOf(model))
        assertSame(state, { height, root: first.root, model })
        await state.flush()
        expect(verifyState(createStore(disk, crc32), first.root).accounts).toBe(model.size)
      }),
      { numRuns: 60 },
    )
  })

  test('the whole state recomputes from disk after a flush', async () => {
    await fc.assert(
      fc.asyncProperty(lives(1, 6), async (steps) => {
        const disk = createMemoryKeyValue()
        const { state, history } = await live(disk, steps)
        await state.flush()
        const count = verifyState(createStore(disk, crc32), history.at(-1)!.root)
        expect(count.accounts).toBe(history.at(-1)!.model.size)
      }),
      { numRuns: 40 },
    )
  })

  test('a lost diff is damage, not another state', async () => {
    const disk = createMemoryKeyValue()
    const set = (account: number): Edit => ({ account, kind: 'set', balance: 5n, slots: [] })
    const steps = [1, 2, 3].map((account) => ({ block: [set(account)], next: 'go on' }))
    const { history } = await live(disk, steps)
    const key = heightKey(KIND.diff, 2)
    const kept = disk.get(key)
    await disk.batch([{ key, value: undefined }])
    expect(() => open(disk, history.at(-1)!)).toThrow(refusedAsDamage)
    // Another block's diff in its place, checksum and all.
    const store = createStore(disk, crc32)
    await disk.batch([store.write(key, store.read(heightKey(KIND.diff, 3)))])
    expect(() => open(disk, history.at(-1)!)).toThrow(refusedAsDamage)
    await disk.batch([{ key, value: kept }])
    assertSame(open(disk, history.at(-1)!), history.at(-1)!)
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
    const { state } = await live(disk, [])
    const block = (balance: bigint): Edit[] => [
      { account: 1, kind: 'set', balance, slots: [[1, balance]] },
    ]
    for (const balance of [5n, 6n]) {
      const before = state.head().account(address(1))?.balance
      const prepared = state.prepare(apply(new Map(), block(balance)), Number(balance))
      await disk.batch(prepared.writes)
      expect(state.head().account(address(1))?.balance).toBe(before)
      state.commit(prepared)
      expect(state.head().account(address(1))?.balance).toBe(balance)
      const flushed = state.flush()
      expect(state.head().storage(address(1), slot(1))).toBe(balance)
      await flushed
      expect(state.head().storage(address(1), slot(1))).toBe(balance)
    }
  })

  test('a node that the disk lost is damage, of the account trie and of a storage trie', async () => {
    const disk = createMemoryKeyValue()
    const { state } = await live(disk, [])
    const prepared = state.prepare(
      apply(new Map(), [{ account: 1, kind: 'set', balance: 5n, slots: [[3, 7n]] }]),
      1,
    )
    await disk.batch(prepared.writes)
    state.commit(prepared)
    await state.flush()
    const last = { height: 1, root: prepared.root }
    for (const kind of [KIND.node, KIND.storageNode]) {
      const range = { from: Uint8Array.of(kind), to: Uint8Array.of(kind + 1) }
      for await (const [key, value] of disk.iterate(range)) {
        await disk.batch([{ key, value: undefined }])
        expect(() => open(disk, last).head().storage(address(1), slot(3))).toThrow(
          expect.objectContaining({ code: 'LEDGER_TRIE_NODE_MISSING' }),
        )
        await disk.batch([{ key, value }])
      }
    }
    expect(open(disk, last).head().storage(address(1), slot(3))).toBe(7n)
    expect(open(disk, last).head().account(address(2))).toBeUndefined()
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
    const { root } = prepared
    const before = state.head()
    await state.flush()
    const reopened = open(disk, { height: 1, root })
    for (const view of [before, state.head(), reopened.head(), reopened.at(1, root)]) {
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

  test('pruning keeps every retained state whole', async () => {
    await fc.assert(
      fc.asyncProperty(lives(4, 12), fc.nat(4), async (steps, retained) => {
        const disk = createMemoryKeyValue()
        const { state, history } = await live(disk, steps, { retainedBlocks: retained })
        const kept = history.slice(-retained - 1)
        for (const then of kept) assertSame(state, then)
        const reopened = open(disk, { ...kept.at(-1)!, retainedBlocks: retained })
        for (const then of kept) assertSame(reopened, then)
        await reopened.flush()
        for (const then of kept) assertSame(reopened, then)
        verifyState(createStore(disk, crc32), kept.at(-1)!.root)
      }),
      { numRuns: 80 },
    )
  })

  test('pruning a chain of overwrites does not let the disk grow', async () => {
    const disk = createMemoryKeyValue()
    const state = open(disk, { retainedBlocks: 2 })
    await state.flush()
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
      await disk.batch(prepared.writes)
      state.commit(prepared)
      if (height % 3 === 0) await state.flush()
      if (height === 21) early = await count()
    }
    expect(await count()).toBeLessThanOrEqual(early)
  })
})
