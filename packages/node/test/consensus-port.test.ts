import type { Address } from '@vellum/evm'
import { decodeExtraData } from '@vellum/ledger'
import { describe, expect, it } from 'vitest'
import { createVirtualNode } from './virtual-node.ts'

const STRANGER: Address = `0x${'7'.repeat(40)}`

describe('votes of a validator that is alone', () => {
  it('are refused if the new set could not decide', async () => {
    const { node } = await createVirtualNode()
    const consensus = node.backend.consensus!
    await node.start()
    const verdict = consensus.propose({ subject: STRANGER, kind: 'add', isForced: false })
    expect(verdict).toEqual({
      ok: false,
      reason: expect.stringContaining(`2 would be needed for a block, and 1 are live`),
    })
    expect(consensus.pending().size).toBe(0)
    await node.stop()
  })

  it('never empty the set', async () => {
    const { node } = await createVirtualNode()
    const consensus = node.backend.consensus!
    await node.start()
    const [self] = consensus.validatorsAfter(0)
    const verdict = consensus.propose({ subject: self!, kind: 'drop', isForced: true })
    expect(verdict).toMatchObject({ ok: false })
    await node.stop()
  })

  it('go into the next block if the operator insists, which the status then tells', async () => {
    const { node, time, transfer } = await createVirtualNode()
    const consensus = node.backend.consensus!
    await node.start()
    await time.advance(0)
    expect(consensus.status()).toMatchObject({
      step: 'waiting for work',
      role: 'validator',
      quorum: { validators: 1, needed: 1, live: 1, missing: 0 },
      remedy: null,
    })
    const [self] = consensus.validatorsAfter(0)
    expect(consensus.propose({ subject: STRANGER, kind: 'add', isForced: true })).toEqual({
      ok: true,
    })
    node.pool.add(transfer())
    await time.advance(0)
    const { header } = node.chain.head()
    expect(header.number).toBe(1)
    expect(decodeExtraData(header.extraData).vote).toEqual({ recipient: STRANGER, kind: 'add' })
    expect(consensus.validatorsAfter(1)).toEqual([self!, STRANGER].sort())
    expect(consensus.status()).toMatchObject({
      height: 2,
      votes: { [STRANGER]: true },
      unreachable: [STRANGER],
      quorum: { validators: 2, needed: 2, live: 1, missing: 1 },
      remedy: expect.stringContaining(`start or reconnect ${STRANGER}`),
    })
    expect(consensus.discard(STRANGER)).toBe(true)
    expect(consensus.discard(STRANGER)).toBe(false)
    await node.stop()
  })
})
