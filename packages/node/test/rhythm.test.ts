import { createMemoryKeyValue } from '@vellum/ledger'
import { describe, expect, it } from 'vitest'
import { createVirtualNode } from './virtual-node.ts'

describe('the rhythm of a validator that is alone', () => {
  it('makes a block as soon as a transaction waits, and none before', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode()
    await node.start()
    await time.advance(10_000)
    expect(blocks()).toEqual([])
    node.pool.add(transfer())
    await time.advance(0)
    expect(blocks()).toMatchObject([{ transactions: 1 }])
    expect(node.pool.size).toBe(0)
    await node.stop()
  })

  it('takes the clock’s second as timestamp, and the parent’s in the same second', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode()
    await node.start()
    const second = Math.floor(time.now() / 1000)
    for (let i = 0; i < 2; i++) {
      node.pool.add(transfer())
      await time.advance(100)
    }
    expect(blocks().map(({ timestamp }) => timestamp)).toEqual([second, second])
    await time.advance(900)
    node.pool.add(transfer())
    await time.advance(0)
    expect(blocks().at(-1)!.timestamp).toBe(second + 1)
    await node.stop()
  })

  it('makes an empty block each heartbeat while idle, counted from the last block', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode({
      blocks: { heartbeatMs: 60_000 },
    })
    await node.start()
    await time.advance(59_999)
    expect(blocks()).toHaveLength(0)
    await time.advance(1)
    expect(blocks()).toMatchObject([{ transactions: 0 }])
    await time.advance(30_000)
    node.pool.add(transfer())
    await time.advance(59_999)
    expect(blocks().map(({ transactions }) => transactions)).toEqual([0, 1])
    await time.advance(1)
    expect(blocks().map(({ transactions }) => transactions)).toEqual([0, 1, 0])
    await node.stop()
  })

  it('takes what comes while an empty block is being written at once, not a heartbeat later', async () => {
    const disk = createMemoryKeyValue()
    let slow: Promise<void> | undefined
    const { node, time, transfer, blocks } = await createVirtualNode({
      blocks: { heartbeatMs: 60_000 },
      disk: {
        ...disk,
        batch: (writes) => (slow ?? Promise.resolve()).then(() => disk.batch(writes)),
      },
    })
    await node.start()
    let written = (): void => {}
    slow = new Promise((resolve) => {
      written = resolve
    })
    await time.advance(60_000)
    node.pool.add(transfer())
    await time.advance(1)
    expect(blocks()).toEqual([])
    written()
    await time.advance(1)
    expect(blocks().map(({ transactions }) => transactions)).toEqual([0, 1])
    await node.stop()
  })

  it('makes no empty block without a heartbeat', async () => {
    const { node, time, blocks } = await createVirtualNode({ blocks: { heartbeatMs: 0 } })
    await node.start()
    await time.advance(1e9)
    expect(blocks()).toEqual([])
    await node.stop()
  })

  it('lets transactions gather after a busy block, and hardly after one of a single transaction', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode({ blocks: { gatherMs: 300 } })
    await node.start()
    node.pool.add(transfer())
    await time.advance(0)
    node.pool.add(transfer())
    await time.advance(3)
    expect(blocks()).toHaveLength(2)

    await time.advance(1_000)
    for (let i = 0; i < 120; i++) node.pool.add(transfer(i % 4))
    await time.advance(0)
    expect(blocks().at(-1)!.transactions).toBe(120)
    node.pool.add(transfer())
    await time.advance(299)
    expect(blocks()).toHaveLength(3)
    node.pool.add(transfer())
    await time.advance(1)
    expect(blocks().at(-1)!.transactions).toBe(2)
    await node.stop()
  })

  it('keeps the period where one is set', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode({
      blocks: { periodMs: 2_000 },
    })
    await node.start()
    node.pool.add(transfer())
    await time.advance(0)
    node.pool.add(transfer())
    await time.advance(1_999)
    expect(blocks()).toHaveLength(1)
    await time.advance(1)
    expect(blocks()).toHaveLength(2)
    await node.stop()
  })

  it('waits for a gap to fill', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode()
    await node.start()
    const [first, second, third] = [transfer(), transfer(), transfer()]
    node.pool.add(second)
    node.pool.add(third)
    await time.advance(1_000)
    expect(blocks()).toEqual([])
    node.pool.add(first)
    await time.advance(0)
    expect(blocks()).toMatchObject([{ transactions: 3 }])
    await node.stop()
  })

  it('stops for ever when the disk fails, and says why', async () => {
    const disk = createMemoryKeyValue()
    const failure = new Error('no space left')
    let isBroken = false
    const { node, time, transfer } = await createVirtualNode({
      disk: {
        ...disk,
        batch: (writes) => (isBroken ? Promise.reject(failure) : disk.batch(writes)),
      },
    })
    await node.start()
    isBroken = true
    const tx = transfer()
    node.pool.add(tx)
    await time.advance(120_000)
    expect(await node.failed).toBe(failure)
    expect(node.chain.head().header.number).toBe(0)
    expect(node.chain.locate(tx.hash)).toBeUndefined()
  })

  it('makes nothing before it is started, and stops all the same', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode()
    node.pool.add(transfer())
    await time.advance(120_000)
    expect(blocks()).toEqual([])
    await node.stop()
  })

  it('makes nothing after it is stopped', async () => {
    const { node, time, transfer, blocks } = await createVirtualNode()
    await node.start()
    await node.stop()
    node.pool.add(transfer())
    await time.advance(120_000)
    expect(blocks()).toEqual([])
  })
})
