import { crc32 } from 'node:zlib'
import { bytesToHex } from '@vellum/evm'
import {
  createMemoryKeyValue,
  createStore,
  decodeExtraData,
  decodeHeader,
  encodeExtraData,
  encodeHeader,
  type KeyValue,
  readProgress,
  verifyState,
} from '@vellum/ledger'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  decodeEncodedItems,
  decodeRanges,
  decodeSnapshotAnswer,
  decodeSnapshotQuestion,
  encodeEncodedItems,
  encodeRanges,
} from '../src/snapshot-wire.ts'
import { decodeStatus, encodeStatus } from '../src/wire.ts'
import {
  copyOf,
  createOrigin,
  createWorld,
  type Origin,
  type Tamper,
  type World,
  type WorldNode,
  type WorldNodeOptions,
  worldGenesis,
} from './snapshot-world.ts'

const BLOCKS = 1_500
const RETAINED = 64
/** The multiple of 16 that is 8 blocks or more below. */
const PIVOT = 1_488

let origin: Origin
beforeAll(async () => {
  origin = await createOrigin(worldGenesis({ accounts: 3_000, contracts: 120, slots: 9_000 }))
  await origin.grow(BLOCKS)
})

async function serve(world: World, name: number, options: Partial<WorldNodeOptions> = {}) {
  const disk = await copyOf(origin.disk)
  return world.start({ name, genesis: origin.genesis, disk, retainedBlocks: RETAINED, ...options })
}

function follow(world: World, disk: KeyValue, options: Partial<WorldNodeOptions> = {}) {
  const { genesis } = origin
  return world.start({ name: 9, genesis, disk, retainedBlocks: RETAINED, ...options })
}

const headOf = ({ node }: WorldNode): number => node.chain.head().header.number

async function expectWhole({ node }: WorldNode, disk: KeyValue): Promise<void> {
  expect(node.chain.head().hash).toBe(origin.chain.hashAt(headOf({ node } as WorldNode)))
  await node.chain.flush()
  const { stateRoot } = node.chain.head().header
  const count = verifyState(createStore(disk, crc32), stateRoot)
  expect(count.accounts).toBeGreaterThan(3_100)
  expect(count.slots).toBeGreaterThan(9_500)
  expect(readProgress(createStore(disk, crc32))).toBeUndefined()
}

/** Alters answers of one kind of the snapshot's questions. */
function tampering(
  kind: ReturnType<typeof decodeSnapshotQuestion>['kind'],
  alter: (answer: Uint8Array) => Uint8Array | undefined,
): Tamper {
  return (question, body, answer) =>
    question === 'snapshot' && decodeSnapshotQuestion(body).kind === kind ? alter(answer) : answer
}

const contentOf = (answer: Uint8Array): Uint8Array => decodeSnapshotAnswer(answer).content

describe('snapshot sync', () => {
  test('a pruned node that begins takes over a state near the head, and follows from there', async () => {
    const world = createWorld()
    const server = await serve(world, 1)
    const disk = createMemoryKeyValue()
    const follower = await follow(world, disk)
    await world.until(() => headOf(follower) >= BLOCKS)
    expect(follower.node.chain.snapshotHeight()).toBe(PIVOT)
    await expectWhole(follower, disk)
    expect(world.faults).toEqual([])
    // It is known to be syncing no more, and goes on with the chain.
    await world.until(() => follower.node.backend.node.syncing() === undefined)
    await origin.grow(12)
    for (let number = BLOCKS + 1; number <= BLOCKS + 12; number++) {
      await server.take(origin.chain.block(number)!)
    }
    await world.until(() => headOf(follower) === BLOCKS + 12)
    await expectWhole(follower, disk)
    // What it has not is said, not invented.
    expect(follower.node.chain.header(700)?.hash).toBe(origin.chain.hashAt(700))
    expect(() => follower.node.backend.chain.block(700)).toThrow('below the snapshot')
    // It can be opened again, and serves those that come after it.
    await follower.node.stop()
    await server.node.stop()
    const again = await follow(world, disk, { name: 2 })
    expect(headOf(again)).toBe(BLOCKS + 12)
    const next = createMemoryKeyValue()
    const third = await follow(world, next, { name: 3 })
    await world.until(() => headOf(third) === BLOCKS + 12)
    await expectWhole(third, next)
  })

  test('killed at any time, it goes on where it was', async () => {
    const world = createWorld()
    await serve(world, 1)
    await serve(world, 2)
    const disk = createMemoryKeyValue()
    const phases = new Set<string>()
    let bytes = 0
    let kills = 0
    for (let lives = 4; ; lives += 2) {
      // The process is gone after so many batches: what it does then reaches nobody.
      let left = lives
      let isDead = false
      const mortal: KeyValue = {
        ...disk,
        batch: (writes) => {
          if (left-- > 0) return disk.batch(writes)
          isDead = true
          return new Promise(() => {})
        },
      }
      const follower = await follow(world, mortal)
      await world.until(() => isDead || headOf(follower) >= BLOCKS)
      if (!isDead) {
        await follower.node.stop()
        break
      }
      follower.leave()
      kills += 1
      const progress = readProgress(createStore(disk, crc32))
      phases.add(
        progress === undefined ? 'none' : progress.pivot === undefined ? 'headers' : 'state',
      )
      bytes = world.answered.get('snapshot') ?? 0
    }
    expect(kills).toBeGreaterThan(5)
    expect([...phases]).toEqual(expect.arrayContaining(['headers', 'state']))
    const again = await follow(world, disk)
    await expectWhole(again, disk)
    // What one undisturbed sync takes.
    const undisturbed = createWorld()
    await serve(undisturbed, 1)
    const other = await follow(undisturbed, createMemoryKeyValue())
    await undisturbed.until(() => headOf(other) >= BLOCKS)
    expect(bytes).toBeLessThan(2 * undisturbed.answered.get('snapshot')!)
  })

  const lies: readonly [string, Tamper, string | undefined][] = [
    [
      'alters an account',
      tampering('accounts', (answer) => {
        const [range] = decodeRanges(contentOf(answer), 1)
        const { entries } = range!
        const [key, leaf] = entries[3]!
        const altered = leaf.slice()
        altered[altered.length - 1]! ^= 1
        return encodeRanges([{ ...range!, entries: entries.with(3, [key, altered]) }])
      }),
      'a range: entries differ',
    ],
    [
      'leaves out an account',
      tampering('accounts', (answer) => {
        const [range] = decodeRanges(contentOf(answer), 1)
        return encodeRanges([{ ...range!, entries: range!.entries.toSpliced(5, 1) }])
      }),
      'a range: entries differ',
    ],
    [
      'alters a slot',
      tampering('storage', (answer) => {
        const ranges = decodeRanges(contentOf(answer), 96)
        const { entries } = ranges[0]!
        const first = [entries[0]![0], Uint8Array.of(0x7f)] as const
        return encodeRanges(ranges.with(0, { ...ranges[0]!, entries: entries.with(0, first) }))
      }),
      'a range: entries differ',
    ],
    [
      'sends another code',
      tampering('codes', (answer) => {
        const altered = answer.slice()
        altered[altered.length - 1]! ^= 1
        return altered
      }),
      'another code',
    ],
    [
      'forges a seal',
      tampering('headers', (answer) => {
        const headers = decodeEncodedItems(contentOf(answer), 512).map((bytes, i) => {
          if (i !== 20) return bytes
          const header = decodeHeader(bytes.slice())
          const extra = decodeExtraData(header.extraData)
          const seal = extra.seals[0]!.slice()
          seal[5]! ^= 1
          const extraData = encodeExtraData({ ...extra, seals: extra.seals.with(0, seal) })
          return encodeHeader({ ...header, extraData })
        })
        return encodeEncodedItems(headers)
      }),
      'seal of nobody in the set',
    ],
    [
      'sends headers with a state of its own',
      tampering('headers', (answer) => {
        const headers = decodeEncodedItems(contentOf(answer), 512).map((bytes) =>
          encodeHeader({ ...decodeHeader(bytes.slice()), stateRoot: `0x${'ab'.repeat(32)}` }),
        )
        return encodeEncodedItems(headers)
      }),
      'seal of nobody in the set',
    ],
    [
      'sends rubbish',
      (question, _, answer) => (question === 'snapshot' ? Uint8Array.of(1, 2, 3) : answer),
      '',
    ],
    [
      'never answers',
      (question, _, answer) => (question === 'snapshot' ? undefined : answer),
      undefined,
    ],
    [
      'claims a height that nobody has',
      (question, _, answer) =>
        question === 'status'
          ? encodeStatus({ ...decodeStatus(answer), height: 1_000_000_000 })
          : answer,
      undefined,
    ],
  ]
  test.for(lies)('a peer that %s is left, and the other is asked', async ([, tamper, reason]) => {
    const world = createWorld()
    const liar = await serve(world, 1, { tamper })
    if (reason === undefined) await serve(world, 2)
    const disk = createMemoryKeyValue()
    const follower = await follow(world, disk)
    const begun = world.time.elapsed()
    if (reason !== undefined) {
      // So that the liar is asked for everything before anybody else is there.
      await world.until(() => world.faults.length > 0)
      await serve(world, 2)
    }
    await world.until(() => follower.node.chain.snapshotHeight() > 0)
    // Whoever stalls costs one wait for an answer for each phase at most.
    expect(world.time.elapsed() - begun).toBeLessThan(40_000)
    await world.until(() => headOf(follower) >= BLOCKS)
    await expectWhole(follower, disk)
    if (reason === undefined) expect(world.faults).toEqual([])
    else {
      expect(follower.node.consensus?.sync?.failures).toBeGreaterThan(0)
      expect(new Set(world.faults.map(({ peer }) => peer))).toEqual(new Set([liar.address]))
      expect(world.faults[0]?.reason).toContain(reason)
    }
  })

  test('when no peer has the pivot any more, it takes another', async () => {
    const world = createWorld()
    const server = await serve(world, 1)
    const disk = createMemoryKeyValue()
    let isHeld = false
    // The disk is slow, and meanwhile the chain goes on beyond what the server retains.
    const slow: KeyValue = {
      ...disk,
      batch: async (writes) => {
        await disk.batch(writes)
        while (isHeld) await new Promise<void>((resolve) => void world.time.after(50, resolve))
      },
    }
    const follower = await follow(world, slow)
    const store = createStore(disk, crc32)
    await world.until(
      () => readProgress(store)?.pivot?.segments.some((s) => s.next === undefined) ?? false,
    )
    const first = readProgress(store)!.pivot!.height
    isHeld = true
    await origin.grow(RETAINED + 30)
    const target = origin.chain.head().header.number
    for (let number = headOf(server) + 1; number <= target; number++) {
      await server.take(origin.chain.block(number)!)
    }
    isHeld = false
    await world.until(() => headOf(follower) === target)
    expect(follower.node.chain.snapshotHeight()).toBeGreaterThan(first)
    expect(follower.log).toContain('a pivot is given up')
    expect(world.faults).toEqual([])
    await expectWhole(follower, disk)
    // Nothing of the first pivot is left.
    const fresh = createMemoryKeyValue()
    const other = await follow(world, fresh, { name: 4 })
    await world.until(() => headOf(other) === target)
    await other.node.chain.flush()
    expect(await nodesOf(disk)).toEqual(await nodesOf(fresh))
  })

  test('a state of a few accounts is brought, too', async () => {
    for (const accounts of [0, 3, 30]) {
      const small = await createOrigin(worldGenesis({ accounts, contracts: 2, slots: 3 }))
      await small.grow(100)
      const world = createWorld()
      const { genesis } = small
      await world.start({ name: 1, genesis, disk: small.disk, retainedBlocks: RETAINED })
      const disk = createMemoryKeyValue()
      const sync = { mode: undefined, snapshotDistance: 64 }
      const follower = await world.start({
        name: 9,
        genesis,
        disk,
        retainedBlocks: RETAINED,
        sync,
      })
      await world.until(() => headOf(follower) === 100)
      expect(follower.node.chain.snapshotHeight()).toBe(80)
      await follower.node.chain.flush()
      verifyState(createStore(disk, crc32), small.chain.head().header.stateRoot)
      expect(follower.log).not.toContain('a pivot is given up')
    }
  })

  test('a state that a crash has left with a hole is brought again', async () => {
    const world = createWorld()
    await serve(world, 1)
    const disk = createMemoryKeyValue()
    let lost = 0
    const leaky: KeyValue = {
      ...disk,
      batch: (writes) => {
        // One record of a storage trie is lost, the first time that there is one.
        const isPivot = readProgress(createStore(disk, crc32))?.pivot !== undefined
        const at = writes.findIndex(({ key }) => key[0] === 'N'.charCodeAt(0))
        if (!isPivot || at < 0 || lost > 0) return disk.batch(writes)
        lost += 1
        return disk.batch(writes.toSpliced(at, 1))
      },
    }
    const follower = await follow(world, leaky)
    await world.until(() => headOf(follower) >= BLOCKS)
    expect(lost).toBe(1)
    expect(follower.log).toContain('a pivot is given up')
    expect(world.faults).toEqual([])
    await expectWhole(follower, disk)
  })

  test('blocks are executed where a snapshot is not worth while, or not wanted', async () => {
    const young = await createOrigin(worldGenesis({ accounts: 20, contracts: 0, slots: 5 }))
    await young.grow(100)
    for (const [retainedBlocks, sync] of [
      [RETAINED, undefined],
      [RETAINED, { mode: 'full', snapshotDistance: 64 }],
      [undefined, { mode: undefined, snapshotDistance: 64 }],
    ] as const) {
      const world = createWorld()
      const { genesis } = young
      await world.start({
        name: 1,
        genesis,
        disk: await copyOf(young.disk),
        retainedBlocks: RETAINED,
      })
      const disk = createMemoryKeyValue()
      const follower = await world.start({
        name: 9,
        genesis,
        disk,
        retainedBlocks,
        ...(sync && { sync }),
      })
      await world.until(() => headOf(follower) === 100)
      expect(follower.node.chain.snapshotHeight()).toBe(0)
      expect(follower.node.chain.block(50)?.transactions).toEqual(
        young.chain.block(50)?.transactions,
      )
    }
    const world = createWorld()
    const { genesis } = young
    const archive = world.start({
      name: 9,
      genesis,
      disk: createMemoryKeyValue(),
      sync: { mode: 'snapshot', snapshotDistance: 64 },
    })
    await expect(archive).rejects.toThrow('archive')
  })
})

/** Keys of the trie nodes on a disk. */
async function nodesOf(disk: KeyValue): Promise<string[]> {
  const keys: string[] = []
  for (const kind of ['n', 'N']) {
    const code = kind.charCodeAt(0)
    for await (const [key] of disk.iterate({
      from: Uint8Array.of(code),
      to: Uint8Array.of(code + 1),
    })) {
      keys.push(bytesToHex(key))
    }
  }
  return keys
}
