import { createMemoryKeyValue, type LogIndexState } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { createLogIndexing } from '../src/log-indexing.ts'
import type { Logger } from '../src/ports.ts'
import { createVirtualNode } from './virtual-node.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

/** An index that lacks so many pieces, each of which takes some milliseconds. */
function createWork(time: VirtualTime, pieces: number, stepMs: number) {
  const listeners = new Set<() => void>()
  const lines: string[] = []
  const failures: unknown[] = []
  const log: Logger = {
    error: () => {},
    warn: () => {},
    debug: () => {},
    info: (message) => lines.push(message),
    child: () => log,
  }
  const work = { left: pieces, failing: false, underWay: 0, mostUnderWay: 0, spentMs: 0 }
  const clock = { now: time.now, elapsed: () => time.elapsed() + work.spentMs }
  const indexing = createLogIndexing({
    chain: {
      head: () => ({ header: { number: 9 } }) as never,
      logIndex: {
        state: (): LogIndexState => ({ missing: work.left, sections: 0, entries: 0 }),
        hasWork: () => work.left > 0,
        step: async () => {
          work.underWay += 1
          work.mostUnderWay = Math.max(work.mostUnderWay, work.underWay)
          await Promise.resolve()
          work.spentMs += stepMs
          work.underWay -= 1
          if (work.failing) throw new Error('the disk is gone')
          work.left -= 1
        },
        onWork: (listener) => {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
    },
    clock,
    timers: time,
    log,
    onFailure: (error) => failures.push(error),
  })
  const lose = (count: number): void => {
    work.left += count
    for (const listener of listeners) listener()
  }
  return { work, indexing, lines, failures, lose }
}

describe('indexing of logs', () => {
  test('does what is missing, piece by piece, and says when it is done', async () => {
    const time = createVirtualTime()
    const { work, indexing, lines } = createWork(time, 30, 2)
    indexing.start()
    expect(work.left).toBe(30)
    await time.advance(1)
    expect(work.left).toBeGreaterThan(20)
    await time.advance(1_000)
    expect(work.left).toBe(0)
    expect(lines).toEqual(['indexing logs', 'logs indexed'])
  })

  test('rests as long as it works', async () => {
    const time = createVirtualTime()
    const { work, indexing } = createWork(time, 1_000, 10)
    indexing.start()
    await time.advance(500)
    expect(1_000 - work.left).toBeGreaterThan(40)
    expect(1_000 - work.left).toBeLessThan(60)
  })

  test('does nothing where nothing is missing', async () => {
    const time = createVirtualTime()
    const { indexing, lines } = createWork(time, 0, 1)
    indexing.start()
    await time.advance(1_000)
    expect(lines).toEqual([])
  })

  test('begins again when a part turns out to be damaged, and never twice at a time', async () => {
    const time = createVirtualTime()
    const { work, indexing, lines, lose } = createWork(time, 3, 1)
    indexing.start()
    lose(1)
    await time.advance(100)
    expect(work.left).toBe(0)
    lose(5)
    lose(5)
    await time.advance(100)
    expect(work).toMatchObject({ left: 0, mostUnderWay: 1 })
    expect(lines).toContain('a part of the index of logs is damaged')
  })

  test('stops between steps', async () => {
    const time = createVirtualTime()
    const { work, indexing, lose } = createWork(time, 100, 10)
    indexing.start()
    await time.advance(50)
    await indexing.stop()
    const { left } = work
    expect(left).toBeGreaterThan(0)
    lose(1)
    await time.advance(1_000)
    expect(work.left).toBe(left + 1)
  })

  test('a failure is told once, and nothing goes on', async () => {
    const time = createVirtualTime()
    const { work, indexing, failures } = createWork(time, 5, 1)
    work.failing = true
    indexing.start()
    await time.advance(1_000)
    expect(failures).toHaveLength(1)
    expect(work.left).toBe(5)
  })

  test('a node that starts with many blocks indexes them while it runs, and those that come meanwhile', async () => {
    const disk = createMemoryKeyValue()
    const first = await createVirtualNode({ disk })
    await first.node.start()
    for (let i = 0; i < 100; i++) {
      await first.node.backend.pool.submit(first.transfer().encoded)
      await first.time.advance(1_000)
    }
    expect(first.node.chain.head().header.number).toBe(100)
    expect(first.node.chain.logIndex.state().missing).toBe(0)
    await first.node.stop()

    const { node, time } = await createVirtualNode({ disk })
    const { chain } = node
    expect(chain.logIndex.state().missing).toBe(101)
    await node.start()
    expect(chain.logIndex.state().missing).toBe(101)
    await node.backend.pool.submit(first.transfer().encoded)
    await time.advance(1_000)
    expect(chain.head().header.number).toBe(101)
    expect(chain.logIndex.state().missing).toBe(0)
    expect(chain.logIndex.hasWork()).toBe(false)
    await node.stop()
  })
})
