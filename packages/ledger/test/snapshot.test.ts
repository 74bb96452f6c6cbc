import { crc32 } from 'node:zlib'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  type Hash,
  hexToBytes,
  keccak256,
  NO_BYTES,
} from '@vellum/evm'
import { beforeAll, describe, expect, test } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import {
  type Chain,
  codeWrite,
  createMemoryKeyValue,
  createPool,
  createStore,
  decodeAccount,
  EMPTY_ROOT,
  type Genesis,
  headerWrites,
  type KeyValue,
  keyAfter,
  newPivot,
  openChain,
  progressWrite,
  type RangeBounds,
  rangeWrites,
  readProgress,
  type SnapshotSource,
  segmentBounds,
  signTransaction,
  type TrieRange,
  verifyRange,
  verifyState,
} from '../src/index.ts'
import { storedNodes } from '../src/state-trie.ts'
import { createOneSigner, oneSignerGenesis } from './one-signer.ts'

const crypto = createSecp256k1()
const KEY = new Uint8Array(32).fill(1)
const SENDER = addressOfPublicKey(crypto.publicKey(KEY))
const sealer = createOneSigner(SENDER, KEY, crypto)
/** Stores the second word of its call data under the first. */
const STORE_CODE = '0x6020355f35555f355f5fa100'
const CONTRACT: Address = `0x${'cc'.repeat(20)}`
const SLOTS = 200
const RETAINED = 64
const BLOCKS = 30
const PIVOT = 25

const word = (n: number): Hash => bytesToHex(bigIntToBytes(BigInt(n), 32))

const GENESIS: Genesis = oneSignerGenesis({
  validator: SENDER,
  alloc: {
    [SENDER]: { balance: '0x1000000' },
    [CONTRACT]: {
      balance: '0x0',
      code: STORE_CODE,
      storage: Object.fromEntries(Array.from({ length: SLOTS }, (_, i) => [word(i), word(i + 1)])),
    },
    ...Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        bytesToHex(bigIntToBytes(BigInt(i + 1_000), 20)),
        { balance: '0x1' },
      ]),
    ),
  },
})

function open(disk: KeyValue, retainedBlocks: number | undefined = RETAINED): Promise<Chain> {
  return openChain({ genesis: GENESIS, disk, crc32, scheme: sealer, crypto, retainedBlocks })
}

/** A block with a transfer to an account of its own, and a slot of the contract set. */
async function grow(chain: Chain): Promise<void> {
  const parent = chain.head().header
  const pool = createPool({
    state: () => chain.state(),
    next: () => ({
      rules: chain.rulesAt(parent.number + 1, parent.timestamp),
      gasLimit: parent.gasLimit,
    }),
  })
  const nonce = chain.state().account(SENDER)!.nonce
  const n = parent.number
  const calls: [Address, Uint8Array, bigint][] = [
    [bytesToHex(keccak256(hexToBytes(word(n))).subarray(12)), NO_BYTES, 1n],
    // Some slots are changed, some deleted, some new.
    [CONTRACT, hexToBytes(`${word(n * 20)}${word((n % 3) * 7).slice(2)}`), 0n],
  ]
  calls.forEach(([to, data, value], i) => {
    const signed = signTransaction(
      {
        type: 2,
        chainId: 7n,
        nonce: nonce + BigInt(i),
        gasLimit: 100_000n,
        maxFeePerGas: 0n,
        maxPriorityFeePerGas: 0n,
        to,
        value,
        data,
        accessList: [],
        maxFeePerBlobGas: 0n,
        blobVersionedHashes: [],
        authorizationList: [],
      },
      KEY,
      crypto,
    )
    pool.add(signed)
  })
  const built = chain.build(pool, {
    timestamp: parent.timestamp + 1,
    fields: sealer.fields,
    gasLimitTarget: parent.gasLimit,
  })
  await chain.append(chain.sealed(built, sealer.seal(built.block.header)))
}

function opened(chain: Chain, number: number): SnapshotSource {
  const steps = chain.openSnapshot(number)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Brings the headers up to a block and its state, in small ranges, verified as from a stranger. */
async function bring(from: Chain, disk: KeyValue, pivot: number): Promise<void> {
  const store = createStore(disk, crc32)
  for (let number = 1; number <= pivot; number++) {
    const { header, hash } = from.header(number)!
    await disk.batch(headerWrites(store, header, hash))
  }
  const source = opened(from, pivot)
  const bringTrie = async (
    owner: Uint8Array,
    root: Hash,
    { from: first, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
    read: (bounds: RangeBounds) => TrieRange,
  ): Promise<TrieRange['entries']> => {
    const entries: TrieRange['entries'][number][] = []
    let next: Uint8Array | undefined = first
    while (next !== undefined && Buffer.compare(next, to) <= 0) {
      const range: TrieRange = read({ from: next, to, bytesMax: 1_000, entriesMax: 1_000 })
      const verdict = verifyRange(root, next, range, storedNodes(store, owner))
      if (!verdict.ok) throw new Error(verdict.reason)
      await disk.batch(rangeWrites(store, owner, verdict.trie, pivot))
      entries.push(...range.entries)
      next = keyAfter(range.end)
    }
    return entries
  }
  for (let segment = 0; segment < 16; segment++) {
    const bounds = segmentBounds(segment)
    for (const [owner, leaf] of await bringTrie(NO_BYTES, source.root, bounds, source.accounts)) {
      const { storageRoot, codeHash } = decodeAccount(leaf)
      const code = from.code(codeHash)
      if (code !== undefined) await disk.batch([codeWrite(store, codeHash, code)])
      if (storageRoot === EMPTY_ROOT) continue
      const whole = { from: new Uint8Array(32), to: new Uint8Array(32).fill(255) }
      await bringTrie(owner, storageRoot, whole, (each) => source.storage(owner, each)!)
    }
  }
}

const refused = (code: string) => expect.objectContaining({ code })
const kinds = async (disk: KeyValue, kind: string): Promise<number> => {
  let count = 0
  const from = Uint8Array.of(kind.charCodeAt(0))
  const to = Uint8Array.of(kind.charCodeAt(0) + 1)
  for await (const _ of disk.iterate({ from, to })) count += 1
  return count
}

describe('snapshot', () => {
  let origin: Chain
  beforeAll(async () => {
    origin = await open(createMemoryKeyValue())
    for (let i = 0; i < BLOCKS; i++) await grow(origin)
  })

  async function follower(): Promise<{ disk: KeyValue; chain: Chain }> {
    const disk = createMemoryKeyValue()
    const chain = await open(disk)
    await bring(origin, disk, PIVOT)
    return { disk, chain }
  }

  test('a state is served as it was, from a flush and from the diffs behind it', async () => {
    for (const number of [0, 1, PIVOT, BLOCKS]) {
      const source = opened(origin, number)
      expect(source.root).toBe(origin.header(number)?.header.stateRoot)
      const view = origin.stateAt(number)
      const bounds = { entriesMax: 1e6, bytesMax: 1e9 }
      const from = new Uint8Array(32)
      const to = new Uint8Array(32).fill(255)
      const accounts = source.accounts({ from, to, ...bounds })
      expect(verifyRange(source.root, from, accounts).ok).toBe(true)
      const owner = keccak256(hexToBytes(CONTRACT))
      const storage = source.storage(owner, { from, to, ...bounds })!
      const { storageRoot } = view.account(CONTRACT)!
      expect(verifyRange(storageRoot, from, storage).ok).toBe(true)
      expect(storage.entries.length).toBeGreaterThan(SLOTS / 2)
      const sender = keccak256(hexToBytes(SENDER))
      expect(source.storage(sender, { from, to, ...bounds })).toBeUndefined()
      expect(source.storage(new Uint8Array(32), { from, to, ...bounds })).toBeUndefined()
    }
    expect(() => origin.openSnapshot(BLOCKS + 1)).toThrow('held')
  })

  test('a chain goes on from a block whose headers and state were brought', async () => {
    const { disk, chain } = await follower()
    const block = origin.block(PIVOT)!
    const heads: number[] = []
    chain.onHead(({ header, block: whole, receipts }) => {
      heads.push(header.number, whole.transactions.length, receipts.length)
    })
    await chain.startFrom(block, origin.receipts(PIVOT)!)
    expect(heads).toEqual([PIVOT, 2, 2])
    for (const each of [chain, await open(disk)]) {
      expect(each.head()).toEqual(origin.header(PIVOT))
      expect(each.snapshotHeight()).toBe(PIVOT)
      expect(each.transactionCount()).toBe(2)
      expect(each.state().root).toBe(block.header.stateRoot)
      expect(each.receipts(PIVOT)).toEqual(origin.receipts(PIVOT))
      expect(each.hashAt(3)).toBe(origin.hashAt(3))
      expect(each.numberOf(origin.hashAt(3)!)).toBe(3)
      expect(each.block(0)?.transactions).toEqual([])
      for (const read of [each.block, each.receipts, each.encodedBlock]) {
        expect(() => read(PIVOT - 1)).toThrow(refused('LEDGER_BLOCK_PRUNED'))
      }
      expect(() => each.stateAt(PIVOT - 1)).toThrow(refused('LEDGER_STATE_PRUNED'))
      expect(() => each.stateAt(0)).toThrow(refused('LEDGER_STATE_PRUNED'))
      expect(each.isStateHeld(0)).toBe(false)
    }
    for (let number = PIVOT + 1; number <= BLOCKS; number++) {
      const verdict = chain.execute(origin.block(number)!)
      expect(verdict).toMatchObject({ ok: true })
      await chain.append(verdict.executed!)
    }
    await chain.flush()
    expect(chain.head().hash).toBe(origin.head().hash)
    const count = verifyState(createStore(disk, crc32), origin.head().header.stateRoot)
    expect(count.accounts).toBeGreaterThan(300)
    expect(chain.stateAt(PIVOT).root).toBe(block.header.stateRoot)
    const again = await open(disk)
    expect(again.head().hash).toBe(origin.head().hash)
    // Logs are indexed from the snapshot on; below it nobody says that there are none.
    const all = logsOf(origin, PIVOT)
    expect(all.length).toBeGreaterThan(BLOCKS - PIVOT)
    for (const each of [chain, again]) {
      expect(each.logIndex.state()).toMatchObject({ missing: 0 })
      expect(logsOf(each, PIVOT)).toEqual(all)
      expect(() => logsOf(each, 1)).toThrow(refused('LEDGER_BLOCK_PRUNED'))
    }
  })

  test('nothing of the genesis state or of a former pivot is left', async () => {
    const { disk, chain } = await follower()
    // A pivot that was given up, and then another one.
    await bring(origin, disk, PIVOT + 2)
    await chain.startFrom(origin.block(PIVOT + 2)!, origin.receipts(PIVOT + 2)!)
    const fresh = createMemoryKeyValue()
    await bring(origin, fresh, PIVOT + 2)
    for (const kind of ['n', 'N']) expect(await kinds(disk, kind)).toBe(await kinds(fresh, kind))
    expect(await kinds(disk, 'k')).toBe(1)
    verifyState(createStore(disk, crc32), chain.head().header.stateRoot)
  })

  test('cut short while old nodes are removed, it goes on at the next opening', async () => {
    const { disk, chain } = await follower()
    let batches = 0
    const batch = disk.batch
    Object.assign(disk, {
      batch: (writes: Parameters<typeof batch>[0]) => {
        batches += 1
        return batches === 2 ? Promise.reject(new Error('power is gone')) : batch(writes)
      },
    })
    const starting = chain.startFrom(origin.block(PIVOT)!, origin.receipts(PIVOT)!)
    await expect(starting).rejects.toThrow('power is gone')
    const fresh = createMemoryKeyValue()
    await bring(origin, fresh, PIVOT)
    expect(await kinds(disk, 'n')).toBeGreaterThan(await kinds(fresh, 'n'))
    const again = await open(disk)
    expect(again.head().header.number).toBe(PIVOT)
    expect(await kinds(disk, 'n')).toBe(await kinds(fresh, 'n'))
  })

  test('body and receipts must be those of the header, and the chain at its beginning', async () => {
    const { chain } = await follower()
    const block = origin.block(PIVOT)!
    const receipts = origin.receipts(PIVOT)!
    for (const [altered, held] of [
      [{ ...block, transactions: [] }, receipts],
      [block, receipts.slice(1)],
      [{ ...block, header: { ...block.header, gasUsed: 1n } }, receipts],
    ] as const) {
      await expect(chain.startFrom(altered, held)).rejects.toThrow(refused('LEDGER_BLOCK_INVALID'))
    }
    await chain.startFrom(block, receipts)
    await expect(chain.startFrom(block, receipts)).rejects.toThrow('genesis')
    const archive = await openChain({
      genesis: GENESIS,
      disk: createMemoryKeyValue(),
      crc32,
      scheme: sealer,
      crypto,
      retainedBlocks: undefined,
    })
    await expect(archive.startFrom(block, receipts)).rejects.toThrow('pruned')
  })
})

describe('snapshot: progress', () => {
  test('is read as it was written', async () => {
    const store = createStore(createMemoryKeyValue(), crc32)
    expect(readProgress(store)).toBeUndefined()
    const pivot = newPivot(9, word(3))
    const segments = pivot.segments.with(2, {
      next: undefined,
      owner: keccak256(NO_BYTES),
      slot: keccak256(Uint8Array.of(1)),
    })
    for (const progress of [
      { headers: 12, pivot: undefined },
      { headers: 500, pivot },
      { headers: 500, pivot: { ...pivot, segments } },
    ]) {
      await store.disk.batch([progressWrite(store, progress)])
      expect(readProgress(store)).toEqual(progress)
    }
    await store.disk.batch([progressWrite(store, undefined)])
    expect(readProgress(store)).toBeUndefined()
  })

  test('the keys after one another end', () => {
    expect(keyAfter(Uint8Array.of(0, 255))).toEqual(Uint8Array.of(1, 0))
    expect(keyAfter(Uint8Array.of(255, 255))).toBeUndefined()
    expect(segmentBounds(15).to).toEqual(new Uint8Array(32).fill(255))
    expect(segmentBounds(10).from[0]).toBe(0xa0)
  })
})

/** Where the contract emitted what, from a block up to the head. */
function logsOf(chain: Chain, from: number): string[] {
  const found = chain.searchLogs({
    from,
    to: chain.head().header.number,
    criteria: { addresses: [CONTRACT], topics: [] },
    limits: { blocksMax: 100, lookupsMax: 100, readsMax: 100 },
  })
  return [...found].flatMap((block) =>
    (block?.logs ?? []).map(({ log, logIndex }) => `${block?.hash} ${logIndex} ${log.topics[0]}`),
  )
}
