/** Four validators in processes of their own, under load. `pnpm drill` does more of it, for longer. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDrillWorld, type DrillWorld } from '../drill/drill-world.ts'
import { type Drill, killOne, killTwo, restartAll } from '../drill/incidents.ts'
import { temporaryDirectory } from './running-node.ts'

const directory = temporaryDirectory()
let world: DrillWorld

beforeAll(async () => {
  world = await createDrillWorld({
    directory: join(directory, 'network'),
    validators: 4,
    followers: 0,
  })
  await world.waitAbove(0)
})

afterAll(async () => {
  await world.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('a network of four validators under load', () => {
  it('goes on without one, which catches up when it is back', () => drill(killOne(0)))

  it('stops when two are gone, and goes on when they are back', () => drill(killTwo(1, 3)))

  it('goes on after all were killed at once', () => drill(restartAll))

  it('gives every client what it asks for at any node', async () => {
    const [receipt] = world.load.seen.values()
    const found = await Promise.all(
      world.nodes.map((node) => node.call('eth_getTransactionReceipt', receipt!.transactionHash)),
    )
    expect(found[0]).toMatchObject({ blockHash: receipt!.blockHash, status: '0x1' })
    for (const each of found) expect(each).toEqual(found[0])
  })
})

async function drill({ run }: Drill): Promise<void> {
  const before = world.load.seen.size
  const { violation } = await run(world)
  expect(violation).toBeUndefined()
  expect(await world.compare()).toEqual({ lost: 0, forks: 0 })
  // It was under load, or nothing was shown.
  expect(world.load.seen.size).toBeGreaterThan(before)
}
