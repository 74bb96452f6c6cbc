import { crc32 } from 'node:zlib'
import { type Address, bigIntToBytes, bytesToHex, type Hash, keccak256 } from '@vellum/evm'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { encodeBody } from '../src/block.ts'
import {
  bloomOfLogs,
  createLogMatcher,
  createMemoryKeyValue,
  encodeReceipt,
  encodeRlp,
  type KeyValue,
  type Log,
  type LogCriteria,
  type Receipt,
} from '../src/index.ts'
import { type LogIndex, openLogIndex } from '../src/log-index.ts'
import { addressKey, addressKeyAt, type LogKey, topicKey, topicKeyAt } from '../src/log-key.ts'
import { type BlockLogs, type LogSearchLimits, searchLogs } from '../src/log-search.ts'
import { createLogSection, offsetsIn, recordIndex, SECTION_ENTRIES } from '../src/log-section.ts'
import { createStore, heightKey, KIND, type Store } from '../src/store.ts'
import { findLogs, findLogsInRecord, keysOfReceipts, keysOfRecord } from '../src/stored-logs.ts'

const hashOf = (n: number): Hash => bytesToHex(keccak256(bigIntToBytes(BigInt(n), 4)))
const addressOf = (n: number): Address => hashOf(1_000 + n).slice(0, 42) as Address
const log = (address: number, ...topics: readonly number[]): Log => ({
  address: addressOf(address),
  topics: topics.map(hashOf),
  data: new Uint8Array(3),
})

const WIDE: LogSearchLimits = { blocksMax: 1e9, lookupsMax: 1e9, readsMax: 1e9 }
const EVERYTHING: LogCriteria = { addresses: [], topics: [] }

function receiptOf(logs: readonly Log[]): Receipt {
  return { type: 2, status: 1, cumulativeGasUsed: 1n, logsBloom: bloomOfLogs(logs), logs }
}

/** Blocks that are nothing but their receipts: `blocks[height]` are those, each a list of logs. */
interface World {
  readonly disk: KeyValue
  readonly store: Store
  readonly blocks: Log[][][]
  index: LogIndex
  first: number
  readonly sectionEntries: number
}

/** @param sectionEntries small, so that few blocks fill many sections */
async function openWorld(sectionEntries = 20_000): Promise<World> {
  const disk = createMemoryKeyValue()
  const store = createStore(disk, crc32)
  const world = { disk, store, blocks: [], first: 0, sectionEntries } as unknown as World
  await reopen(world)
  await grow(world, [])
  return world
}

async function reopen(world: World): Promise<void> {
  const { store, sectionEntries } = world
  const head = (): number => world.blocks.length - 1
  world.index = await openLogIndex({ store, first: world.first, head, sectionEntries })
}

/** Appends a block as the chain does. */
async function grow(world: World, receipts: Log[][]): Promise<void> {
  const { store, disk, blocks, index } = world
  const height = blocks.length
  const made = receipts.map(receiptOf)
  const riders = index.riders()
  const body = encodeBody({ transactions: [], ommers: [], withdrawals: undefined })
  await disk.batch([
    store.write(heightKey(KIND.receipts, height), encodeRlp(made.map(encodeReceipt))),
    store.write(heightKey(KIND.body, height), body),
    ...riders.writes,
  ])
  blocks.push(receipts)
  index.added(height, made, riders)
}

async function catchUp({ index }: World): Promise<void> {
  while (index.hasWork()) await index.step()
}

interface Hit {
  readonly number: number
  readonly logIndex: number
}

function search(
  { index, store, blocks, first }: World,
  criteria: LogCriteria,
  range: { from: number; to: number },
  limits: LogSearchLimits = WIDE,
): { hits: Hit[]; read: number } {
  let read = 0
  const logsOf = (number: number, matcher: ReturnType<typeof createLogMatcher>) => {
    read += 1
    const found = findLogsInRecord(
      store.mustRead(heightKey(KIND.receipts, number), 'receipts'),
      matcher,
    )
    const logs = found.map((each) => ({ ...each, transactionHash: hashOf(0) }))
    return logs.length === 0 ? undefined : { number, hash: hashOf(number), timestamp: 0, logs }
  }
  const found: BlockLogs[] = []
  const bloom = (number: number): Uint8Array => bloomOfLogs(blocks[number]!.flat())
  const ports = { index, first: () => first, bloom, logsOf }
  for (const step of searchLogs(ports, { ...range, criteria, limits })) {
    if (step !== undefined) found.push(step)
  }
  const hits = found.flatMap(({ number, logs }) =>
    logs.map(({ logIndex }) => ({ number, logIndex })),
  )
  return { hits, read }
}

/** The slow and obvious way. */
function scan({ blocks }: World, criteria: LogCriteria, from: number, to: number): Hit[] {
  const { matches } = createLogMatcher(criteria)
  const hits: Hit[] = []
  for (let number = from; number <= to; number++) {
    blocks[number]!.flat().forEach((each, logIndex) => {
      if (matches(each)) hits.push({ number, logIndex })
    })
  }
  return hits
}

function expectWhole(world: World, criteria: LogCriteria): void {
  const to = world.blocks.length - 1
  const { hits } = search(world, criteria, { from: world.first, to })
  expect(hits).toEqual(scan(world, criteria, world.first, to))
}

/** Blocks with so many distinct topics that a section is full after some. */
async function fillSections(world: World, count: number): Promise<void> {
  let topic = 100
  for (let sections = 0; sections < count; ) {
    const before = world.index.state().sections
    const logs = Array.from({ length: 500 }, () => log(topic % 7, topic++, topic++, topic++))
    await grow(world, [logs, [log(1, 5)]])
    sections += world.index.state().sections - before
  }
}

describe('log keys', () => {
  test('bytes and text of one address or topic have one key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), fc.nat(3), (bytes, position) => {
        const address = bytesToHex(bytes.subarray(4, 24)) as Address
        const topic = bytesToHex(bytes.subarray(3, 35))
        expect(addressKeyAt(bytes, 4)).toBe(addressKey(address))
        expect(topicKeyAt(bytes, 3, position)).toBe(topicKey(topic, position))
      }),
    )
  })

  test('positions tell topics apart', () => {
    const keys = [0, 1, 2, 3].map((position) => topicKey(hashOf(1), position))
    expect(new Set(keys).size).toBe(4)
  })

  test('keys are the same in every version of the program that reads the records', () => {
    expect([addressKey(addressOf(1)), topicKey(hashOf(1), 0), topicKey(hashOf(1), 3)]).toEqual([
      249173532228715, 253842359260015, 120163145117425,
    ])
  })

  test('receipts and their record give the same keys', () => {
    const receipts = [receiptOf([log(1, 2, 3), log(4)]), receiptOf([]), receiptOf([log(1, 9)])]
    const [ours, theirs]: [LogKey[], LogKey[]] = [[], []]
    keysOfReceipts(receipts, (key) => ours.push(key))
    keysOfRecord(encodeRlp(receipts.map(encodeReceipt)), (key) => theirs.push(key))
    expect(theirs).toEqual(ours)
    expect(ours).toHaveLength(7)
  })
})

describe('logs of a block', () => {
  test('are the same out of receipts and out of their record', () => {
    const receipts = [
      receiptOf([log(1, 2, 3), log(4)]),
      receiptOf([]),
      { ...receiptOf([log(1, 9), log(1, 2)]), type: 0 as const },
    ]
    const record = encodeRlp(receipts.map(encodeReceipt))
    for (const criteria of [
      EVERYTHING,
      { addresses: [addressOf(1)], topics: [] },
      { addresses: [], topics: [[hashOf(2)]] },
      { addresses: [addressOf(7)], topics: [] },
    ]) {
      const matcher = createLogMatcher(criteria)
      expect(findLogs(receipts, matcher)).toEqual(findLogsInRecord(record, matcher))
    }
    const places = findLogs(receipts, createLogMatcher({ addresses: [], topics: [[hashOf(2)]] }))
    expect(places.map(({ transactionIndex, logIndex }) => [transactionIndex, logIndex])).toEqual([
      [0, 0],
      [2, 3],
    ])
  })
})

describe('sections', () => {
  test('records answer as the memory they were made of', () => {
    const block = fc.array(fc.nat(40), { maxLength: 6 })
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 300 }), (blocks) => {
        const section = createLogSection(10)
        const expected = new Map<LogKey, Set<number>>()
        blocks.forEach((topics, offset) => {
          for (const topic of topics) {
            const key = topicKey(hashOf(topic), 0)
            section.add(key)
            const known = expected.get(key) ?? new Set()
            expected.set(key, known.add(offset))
          }
          section.endBlock()
        })
        for (const bits of [section.bits(), 3]) {
          for (const [key, offsets] of expected) {
            const record = section.record(recordIndex(key, bits), bits)
            expect(offsetsIn(record, key)).toEqual([...offsets])
            expect(section.offsets(key)).toEqual([...offsets])
          }
        }
      }),
    )
  })

  test('a key in every block takes some bytes, whatever their number', () => {
    const section = createLogSection(0)
    const key = topicKey(hashOf(1), 0)
    for (let i = 0; i < 30_000; i++) {
      section.add(key)
      section.endBlock()
    }
    const record = section.record(0, 0)
    expect(record.length).toBeLessThan(12)
    expect(offsetsIn(record, key)).toHaveLength(30_000)
  })

  test('crafted keys of one slot cost no more time, and none is lost', () => {
    const section = createLogSection(0)
    for (let round = 0; round < 3; round++) {
      for (let tag = 1; tag <= 100_000; tag++) section.add(tag)
    }
    section.endBlock()
    expect(section.offsets(77_777)).toEqual([0])
    expect(offsetsIn(section.record(0, 0), 77_777)).toEqual([0])
  }, 20_000)
})

describe('index of logs', () => {
  let world: World

  beforeEach(async () => {
    world = await openWorld()
  })

  test('answers as a look at every block does, for any chain, any criteria, after any restart', async () => {
    const topic = fc.nat(5)
    const anyLog = fc
      .tuple(fc.nat(3), fc.array(topic, { maxLength: 4 }))
      .map(([address, topics]) => log(address, ...topics))
    const blocks = fc.array(fc.array(fc.array(anyLog, { maxLength: 3 }), { maxLength: 3 }), {
      minLength: 1,
      maxLength: 40,
    })
    const criteria = fc.record({
      addresses: fc.array(fc.nat(4).map(addressOf), { maxLength: 2 }),
      topics: fc.array(fc.array(topic.map(hashOf), { maxLength: 2 }), { maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(
        blocks,
        fc.array(criteria, { minLength: 1, maxLength: 5 }),
        fc.nat(40),
        fc.tuple(fc.nat(40), fc.nat(40)),
        fc.constantFrom(1, 7, 30, 1_000),
        async (chain, wanted, restartAt, [one, two], sectionEntries) => {
          const world = await openWorld(sectionEntries)
          for (const [i, block] of chain.entries()) {
            if (i === restartAt) await reopen(world)
            if (i === restartAt + 3) await catchUp(world)
            await grow(world, block)
          }
          const last = world.blocks.length - 1
          const [from, to] = [Math.min(one, two, last), Math.min(Math.max(one, two), last)]
          for (const each of wanted) {
            expect(search(world, each, { from, to }).hits).toEqual(scan(world, each, from, to))
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  test('full sections go to disk with the blocks that follow, and everything is still found', async () => {
    await fillSections(world, 2)
    expect(world.index.hasWork()).toBe(false)
    for (const criteria of [
      EVERYTHING,
      { addresses: [addressOf(1)], topics: [[hashOf(5)]] },
      { addresses: [], topics: [[], [hashOf(101)]] },
      { addresses: [addressOf(3)], topics: [[], [], [hashOf(5_002), hashOf(15_002)]] },
    ]) {
      expectWhole(world, criteria)
      await reopen(world)
      expectWhole(world, criteria)
      await catchUp(world)
      expectWhole(world, criteria)
    }
  })

  test('a query for something rare reads the block that has it, and hardly another', async () => {
    await fillSections(world, 1)
    const rare = { addresses: [], topics: [[], [hashOf(101)]] }
    const { hits, read } = search(world, rare, { from: 0, to: world.blocks.length - 1 })
    expect(hits).toHaveLength(1)
    expect(read).toBeLessThan(3)
    const none = { addresses: [addressOf(900)], topics: [] }
    expect(search(world, none, { from: 0, to: world.blocks.length - 1 }).read).toBeLessThan(2)
  })

  test('a restart at any block makes the same records, byte for byte', async () => {
    await fillSections(world, 1)
    const records = async (): Promise<[string, string][]> => {
      const all: [string, string][] = []
      for (const kind of [KIND.logSection, KIND.logRecord]) {
        const range = { from: Uint8Array.of(kind), to: Uint8Array.of(kind + 1) }
        for await (const [key, value] of world.disk.iterate(range)) {
          all.push([bytesToHex(key), bytesToHex(value)])
        }
      }
      return all
    }
    const before = await records()
    expect(before.length).toBeGreaterThan(30)
    const deletions = before.map(([key]) => ({ key: Buffer.from(key.slice(2), 'hex') }))
    await world.disk.batch(deletions.map(({ key }) => ({ key, value: undefined })))
    await reopen(world)
    await catchUp(world)
    expect(await records()).toEqual(before)
  })

  test.for(['record', 'lost record', 'head', 'lost head'] as const)(
    'a damaged section (%s) is noticed, answered block by block, and made again',
    async (what) => {
      await fillSections(world, 2)
      const kind = what.endsWith('head') ? KIND.logSection : KIND.logRecord
      const range = { from: Uint8Array.of(kind), to: Uint8Array.of(kind + 1) }
      const damage = []
      for await (const [key, value] of world.disk.iterate(range)) {
        const broken = value.slice()
        broken[Math.floor(broken.length / 2)]! ^= 4
        damage.push({ key, value: what.startsWith('lost') ? undefined : broken })
        // Every record of a section, or the head of the first one.
        if (kind === KIND.logSection) break
      }
      await world.disk.batch(damage)
      if (kind === KIND.logSection) await reopen(world)
      let told = 0
      world.index.onWork(() => told++)
      const criteria = { addresses: [addressOf(1)], topics: [[hashOf(5)]] }
      expectWhole(world, criteria)
      expect(world.index.hasWork()).toBe(true)
      if (kind === KIND.logRecord) expect(told).toBe(2)
      await catchUp(world)
      expect(world.index.state()).toMatchObject({ missing: 0, sections: 2 })
      const to = world.blocks.length - 1
      expectWhole(world, criteria)
      expect(search(world, { addresses: [addressOf(900)], topics: [] }, { from: 0, to }).read).toBe(
        0,
      )
    },
  )

  test('a search that rests while its section is made again finds everything', async () => {
    await fillSections(world, 1)
    const { index, store } = world
    const keys = Array.from({ length: 33 }, (_, i) => topicKey(hashOf(100 + i), 1))
    const before = index.rangeAt(0).section!
    before.offsets(keys[0]!)
    before.lose()
    expect(() => before.offsets(keys[1]!)).toThrow(/made again/)
    await catchUp(world)
    // What the old one says is no more about the new one.
    before.lose()
    expect(index.rangeAt(0).section).toBeDefined()
    expect(store.read(heightKey(KIND.logSection, 0))).toBeDefined()
    expectWhole(world, { addresses: [], topics: [[], [hashOf(101)]] })
  })

  test('a section of another layout is made again', async () => {
    await fillSections(world, 1)
    await world.disk.batch([
      world.store.write(heightKey(KIND.logSection, 0), new Uint8Array(8).fill(9)),
    ])
    await reopen(world)
    expect(world.index.state()).toMatchObject({ sections: 0, missing: world.blocks.length })
    await catchUp(world)
    expect(world.index.state()).toMatchObject({ sections: 1, missing: 0 })
  })

  test('a chain that began with a snapshot is indexed from there on', async () => {
    for (let i = 0; i < 10; i++) await grow(world, [[log(i % 2, i)]])
    world.first = 6
    world.index.restart(6)
    expect(world.index.state().missing).toBe(5)
    await catchUp(world)
    expect(world.index.state().missing).toBe(0)
    expectWhole(world, { addresses: [addressOf(1)], topics: [] })
    const below = { from: 2, to: 8 }
    const narrow = { ...WIDE, blocksMax: 2 }
    const wanted = { addresses: [addressOf(1)], topics: [] }
    expect(() => search(world, wanted, below, narrow)).toThrow(/below 6 are not held/)
    await reopen(world)
    await catchUp(world)
    expectWhole(world, wanted)
  })

  test.for([
    ['blocks without an index', { ...WIDE, blocksMax: 5 }, true],
    ['questions to the index', { ...WIDE, lookupsMax: 0 }, false],
    ['blocks that may fit', { ...WIDE, readsMax: 3 }, false],
  ] as const)('looks at no more %s than it may', async ([words, limits, isUnindexed]) => {
    for (let i = 0; i < 10; i++) await grow(world, [[log(1)]])
    if (isUnindexed) await reopen(world)
    const query = { addresses: [addressOf(1)], topics: [] }
    expect(() => search(world, query, { from: 0, to: 10 }, limits)).toThrow(
      expect.objectContaining({
        code: 'LEDGER_LOG_QUERY_LIMIT',
        message: expect.stringContaining(words),
      }),
    )
  })

  test('no block carries more of a full section than its share', async () => {
    world = await openWorld(SECTION_ENTRIES)
    let largest = 0
    for (let i = 0, topic = 0; i < 400; i++) {
      const logs = Array.from({ length: 700 }, () => log(1, topic++, topic++))
      await grow(world, [logs])
      const bytes = world.index
        .riders()
        .writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
      // What was taken here is missing from the section: it is thrown away with this world.
      largest = Math.max(largest, bytes)
    }
    expect(largest).toBeGreaterThan(0)
    expect(largest).toBeLessThan(64 * 1024)
  })

  test('a block without logs costs nothing', async () => {
    for (let i = 0; i < 100; i++) await grow(world, [])
    expect(world.index.state()).toMatchObject({ entries: 0, missing: 0 })
    expect(search(world, EVERYTHING, { from: 0, to: 100 }).read).toBe(0)
  })
})
