/** What validators have voted, and who may vote, with processes as operators run them. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConsensusStatus } from '@vellum/rpc'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createRunningNetwork,
  createTwin,
  type NetworkProcess,
  type RunningNetwork,
} from '../drill/running-network.ts'
import { temporaryDirectory } from './running-node.ts'

const VALIDATORS = 4
const POLL_MS = 50
const directory = temporaryDirectory()
let network: RunningNetwork
let validators: readonly NetworkProcess[]
let follower: NetworkProcess

beforeAll(async () => {
  network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: VALIDATORS,
    followers: 1,
    chainId: 20_261,
    requestTimeout: 1,
  })
  validators = network.nodes.slice(0, VALIDATORS)
  follower = network.nodes[VALIDATORS]!
  for (const node of network.nodes) {
    node.configure((config) => {
      config.blocks = { ...config.blocks, heartbeatMs: 500 }
    })
  }
  await Promise.all(network.nodes.map((node) => node.start()))
})

afterAll(async () => {
  await network.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('a node whose key is no validator’s', () => {
  it('follows, and says so', async () => {
    await until(async () => (await heightOf(follower)) >= 2)
    expect(await statusOf(follower)).toMatchObject({ role: 'follower', step: 'following' })
    expect((await statusOf(validators[0]!)).validators).toHaveLength(VALIDATORS)
  })
})

describe('the key of a validator', () => {
  it('votes in one process only: a second one ends, and harms nothing', async () => {
    const [first] = validators as [NetworkProcess]
    const start = createTwin(first).start('--data-dir', join(directory, 'twin'), '--port', '0')
    await expect(start).rejects.toThrow(/is in use by another process/)
    const height = await heightOf(first)
    await until(async () => (await heightOf(first)) > height + 1)
    expect(await statusOf(first)).toMatchObject({ role: 'validator', abstainsThrough: null })
  })
})

describe('validators that have all lost what they voted', () => {
  it('make no block and say why, until each is told to vote all the same', async () => {
    await Promise.all(validators.map((node) => node.end('SIGKILL')))
    for (const node of validators) node.loseVotes()
    await Promise.all(validators.map((node) => node.start()))
    // Each hears of the others within seconds that they abstain as well.
    await until(async () =>
      (await statusOf(validators[0]!)).validators.every(({ abstains }) => abstains),
    )
    const height = await heightOf(validators[0]!)
    const { step, remedy, quorum, unreachable } = await statusOf(validators[0]!)
    expect(step).toBe('abstaining')
    expect(remedy).toMatch(/--accept-vote-loss/)
    expect(quorum).toMatchObject({ live: 0, missing: 3 })
    expect(unreachable).toEqual([])
    // Three heartbeats, in which a chain that lives makes blocks.
    await delay(1_500)
    expect(await heightOf(validators[0]!)).toBe(height)

    await Promise.all(validators.map((node) => node.end('SIGTERM')))
    await Promise.all(validators.map((node) => node.start('--accept-vote-loss')))
    await until(async () => (await heightOf(follower)) > height + 2)
    const hashes = await Promise.all(
      network.nodes.map(async (node) => {
        await until(async () => (await heightOf(node)) > height)
        const block = await node.call<{ hash: string }>(
          'eth_getBlockByNumber',
          `0x${(height + 1).toString(16)}`,
          false,
        )
        return block.hash
      }),
    )
    expect(new Set(hashes).size).toBe(1)
  })
})

async function heightOf(node: NetworkProcess): Promise<number> {
  return Number(await node.call<string>('eth_blockNumber'))
}

function statusOf(node: NetworkProcess): Promise<ConsensusStatus> {
  return node.call('vellum_consensusStatus')
}

/** The test's own time limit ends a wait that is in vain. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(POLL_MS)
}
