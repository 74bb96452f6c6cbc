import type { VoteRecord } from '@vellum/consensus'
import { describe, expect, test } from 'vitest'
import { createPrng } from '../src/prng.ts'
import { createVirtualProcess, type VirtualProcess } from '../src/process-gate.ts'
import { createVirtualDisk, type DiskConditions, GOOD_DISK } from '../src/virtual-disk.ts'
import { createVirtualTime } from '../src/virtual-time.ts'

const key = (text: string): Uint8Array => new TextEncoder().encode(text)
const vote = (height: number, round = 0): VoteRecord => ({ kind: 'round', height, round })

function createStage(conditions: Partial<DiskConditions> = {}, seed = 'disk') {
  const time = createVirtualTime()
  const disk = createVirtualDisk(time, createPrng(seed))
  disk.setConditions({ ...GOOD_DISK, ...conditions })
  const process = (): VirtualProcess => createVirtualProcess((later) => void time.after(0, later))
  const finish = async (): Promise<void> => {
    for (;;) {
      await new Promise(setImmediate)
      if (!time.step()) return
    }
  }
  return { time, disk, process, finish }
}

describe('the database of a virtual disk', () => {
  test('shows a batch when it is durable, and not before', async () => {
    const { time, disk, process, finish } = createStage()
    const view = disk.open(process()).disk
    const done = view.batch([{ key: key('a'), value: key('1') }])
    expect(view.get(key('a'))).toBeUndefined()
    const before = time.now()
    await finish()
    await done
    expect(time.now()).toBeGreaterThan(before)
    expect(view.get(key('a'))).toEqual(key('1'))
  })

  test('keeps what was confirmed when the power goes, and of the rest a beginning', async () => {
    const kept = new Set<number>()
    for (let seed = 0; seed < 40; seed++) {
      const { disk, process, finish } = createStage({}, `power ${seed}`)
      const first = process()
      const view = disk.open(first).disk
      void view.batch([{ key: key('confirmed'), value: key('1') }])
      await finish()
      for (let i = 0; i < 4; i++) void view.batch([{ key: key(`later ${i}`), value: key('1') }])
      first.kill()
      disk.losePower()
      const after = disk.open(process()).disk
      expect(after.get(key('confirmed'))).toEqual(key('1'))
      const there = [0, 1, 2, 3].map((i) => after.get(key(`later ${i}`)) !== undefined)
      expect(there).toEqual([...there].sort().reverse())
      kept.add(there.filter(Boolean).length)
      await finish()
      expect([0, 1, 2, 3].map((i) => after.get(key(`later ${i}`)) !== undefined)).toEqual(there)
    }
    expect(kept).toEqual(new Set([0, 1, 2, 3, 4]))
  })

  test('keeps everything when only the process dies', () => {
    const { disk, process } = createStage()
    const first = process()
    void disk.open(first).disk.batch([{ key: key('a'), value: key('1') }])
    first.kill()
    disk.settleAll()
    expect(disk.open(process()).disk.get(key('a'))).toEqual(key('1'))
  })

  test('iterates in the order of bytes, both ways, and freezes snapshots', async () => {
    const { disk, process, finish } = createStage()
    const view = disk.open(process()).disk
    const write = async (name: Uint8Array, value: Uint8Array | undefined): Promise<void> => {
      void view.batch([{ key: name, value }])
      await finish()
    }
    for (const byte of [200, 3, 127, 128]) await write(Uint8Array.of(byte), Uint8Array.of(byte))
    const range = { from: Uint8Array.of(3), to: Uint8Array.of(200) }
    const names = async (reverse: boolean): Promise<number[]> => {
      const found: number[] = []
      for await (const [name] of view.iterate({ ...range, reverse, limit: 5 })) found.push(name[0]!)
      return found
    }
    expect(await names(false)).toEqual([3, 127, 128])
    expect(await names(true)).toEqual([128, 127, 3])
    const snapshot = view.snapshot()
    await write(Uint8Array.of(3), undefined)
    expect(view.get(Uint8Array.of(3))).toBeUndefined()
    expect(snapshot.get(Uint8Array.of(3))).toEqual(Uint8Array.of(3))
  })

  test('fails writes where it is told to, and remembers that it has', async () => {
    const { disk, process, finish } = createStage({ writeErrors: 1 })
    const failed = disk.open(process()).disk.batch([{ key: key('a'), value: key('1') }])
    const outcome = failed.then(
      () => 'written',
      (error: Error) => error.message,
    )
    await finish()
    expect(await outcome).toContain('ENOSPC')
    expect(disk.hasFailed).toBe(true)
  })

  test('gives back damaged values, the same from then on', async () => {
    const { disk, process, finish } = createStage()
    const view = disk.open(process()).disk
    void view.batch([{ key: key('a'), value: key('whole') }])
    await finish()
    disk.setConditions({ ...GOOD_DISK, readDamage: 1 })
    const damaged = view.get(key('a'))
    expect(damaged).not.toEqual(key('whole'))
    disk.setConditions(GOOD_DISK)
    expect(view.get(key('a'))).toEqual(damaged)
  })
})

describe('the vote log of a virtual disk', () => {
  test('finds what was appended, and forgets what was released', async () => {
    const { disk, process, finish } = createStage()
    const votes = disk.open(process()).votes
    void votes.append([vote(1), vote(1, 1)])
    await finish()
    votes.release(1)
    void votes.append([vote(2)])
    await finish()
    expect(disk.open(process()).votes.found).toEqual([vote(2)])
  })

  test('is lost when it is lost, until something is written again', async () => {
    const { disk, process, finish } = createStage()
    void disk.open(process()).votes.append([vote(1)])
    await finish()
    disk.loseVotes()
    const opened = disk.open(process()).votes
    expect(opened.found).toBe('lost')
    void opened.append([vote(9)])
    await finish()
    expect(disk.open(process()).votes.found).toEqual([vote(9)])
  })
})

test('an append of votes that is torn by a power cut leaves some of its first records', async () => {
  const found = new Set<number>()
  for (let seed = 0; seed < 40; seed++) {
    const { disk, process, finish } = createStage({}, `torn ${seed}`)
    const first = process()
    const votes = disk.open(first).votes
    void votes.append([vote(1)])
    await finish()
    void votes.append([vote(1, 1), vote(1, 2)])
    first.kill()
    disk.losePower()
    const opened = disk.open(process()).votes.found as readonly VoteRecord[]
    expect([vote(1), vote(1, 1), vote(1, 2)].slice(0, opened.length)).toEqual(opened)
    found.add(opened.length)
  }
  expect([...found].sort()).toEqual([1, 2, 3])
})

describe('the noted head of a virtual disk', () => {
  test('survives the process, and after a loss of power is never ahead', () => {
    const { disk, process } = createStage()
    const heads = disk.open(process()).heads
    for (let height = 1; height <= 5; height++) heads.write({ height, hash: '0x' })
    expect(disk.open(process()).heads.found).toEqual({ height: 5, hash: '0x' })
    disk.losePower()
    const { found } = disk.open(process()).heads
    expect((found as { height: number }).height).toBeLessThanOrEqual(5)
  })
})
