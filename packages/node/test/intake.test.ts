import { describe, expect, it } from 'vitest'
import type { SignerRecovery } from '../src/ports.ts'
import { createVirtualNode, crypto } from './virtual-node.ts'

/** Threads as they should be, counting what they are given. */
function createThreads(): SignerRecovery & { readonly batches: number[] } {
  const batches: number[] = []
  return {
    batches,
    recover: (batch) => {
      batches.push(batch.length)
      return Promise.resolve(
        batch.map(({ hash, rs, yParity }) => crypto.recoverBytes(hash, rs, yParity)),
      )
    },
  }
}

describe('the intake', () => {
  it('answers at once while little comes, without a thread', async () => {
    const recovery = createThreads()
    const { node, time, transfer } = await createVirtualNode({ recovery })
    for (let i = 0; i < 5; i++) {
      const tx = transfer()
      expect(node.backend.pool.submit(tx.encoded)).toBe(tx.hash)
      await time.advance(20)
    }
    expect(recovery.batches).toEqual([])
    expect(node.pool.size).toBe(5)
  })

  it('leaves a burst to the threads, and answers each with its hash', async () => {
    const recovery = createThreads()
    const { node, time, transfer } = await createVirtualNode({ recovery })
    const burst = Array.from({ length: 60 }, (_, i) => transfer(i % 8))
    const answers = burst.map((tx) => node.backend.pool.submit(tx.encoded))
    await time.advance(0)
    expect(await Promise.all(answers)).toEqual(burst.map((tx) => tx.hash))
    expect(node.pool.size).toBe(60)
    expect(recovery.batches).toEqual([50])
  })

  it('refuses one of a burst without harm to the others', async () => {
    const { node, time, transfer } = await createVirtualNode({ recovery: createThreads() })
    const burst = Array.from({ length: 40 }, (_, i) => transfer(i % 8))
    const answers = burst.map((tx) => node.backend.pool.submit(tx.encoded))
    const again = Promise.resolve(node.backend.pool.submit(burst[39]!.encoded))
    const refused = expect(again).rejects.toMatchObject({ code: 'LEDGER_ALREADY_KNOWN' })
    await time.advance(0)
    await refused
    expect(await Promise.all(answers)).toHaveLength(40)
  })

  it('refuses what waits already before anything is recovered', async () => {
    const { node, transfer } = await createVirtualNode({ recovery: createThreads() })
    const tx = transfer()
    await node.backend.pool.submit(tx.encoded)
    expect(() => node.backend.pool.submit(tx.encoded)).toThrow(/waiting already/)
  })

  it('does the threads’ work where they cannot', async () => {
    const recovery: SignerRecovery = { recover: () => Promise.reject(new Error('busy')) }
    const { node, time, transfer } = await createVirtualNode({ recovery })
    const burst = Array.from({ length: 30 }, (_, i) => transfer(i % 8))
    const answers = burst.map((tx) => node.backend.pool.submit(tx.encoded))
    await time.advance(0)
    expect(await Promise.all(answers)).toEqual(burst.map((tx) => tx.hash))
  })
})
