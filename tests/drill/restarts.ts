/**
 * Every validator stopped and started again, one after another, as for an upgrade; from another
 * version if there is one, so that both are side by side meanwhile. Goal R16.
 */

import { join } from 'node:path'
import { createDrillWorld } from './drill-world.ts'
import { roundsOf } from './measure.ts'
import { atMost, type Part, type PartContext, told } from './part.ts'
import { lastWords } from './running-network.ts'

type Sizes = 'passes' | 'validators'

export const restarts: Part<Sizes> = {
  about: 'all validators restarted, one after another: no height needs a third round',
  sizes: {
    passes: { about: 'times round all validators', full: 1, short: 1 },
    validators: { about: 'validators', full: 4, short: 4 },
  },
  aboutFrom: 'start with the version in this folder, dependencies installed, and upgrade each',
  run: runRestarts,
}

/** Rounds 0 and 1: the one of the validator that is away, and the next. */
const ROUND_MAX = 1

async function runRestarts(context: PartContext<Sizes>): ReturnType<Part['run']> {
  const { passes, validators } = context.sizes
  const directory = join(context.directory, 'restarts')
  const { from } = context
  const world = await createDrillWorld({
    directory,
    validators,
    followers: 0,
    ...(from === undefined ? {} : { checkout: from }),
  })
  try {
    await world.waitAbove(0)
    const before = await world.height()
    for (let pass = 1; pass <= passes; pass++) {
      for (const node of world.nodes) {
        await node.end('SIGTERM')
        node.upgrade()
        await node.start()
        await world.waitCaughtUp(node)
        await world.waitAbove((await world.height()) + 1)
        context.progress(`${node.name} is back, pass ${pass} of ${passes}`)
      }
    }
    const height = await world.height()
    const { lost, forks } = await world.compareAll()
    const rounds = await roundsOf(world.nodes[0]!, before + 1, height)
    const late = rounds.filter((round) => round > 0).length
    return [
      told('blocks meanwhile', `${rounds.length}, of which ${late} not in the first round`),
      atMost('highest round of a block', Math.max(...rounds), ROUND_MAX),
      atMost(`of ${world.load.seen.size} receipts lost`, lost, 0),
      atMost('heights with two blocks', forks, 0),
    ]
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await lastWords(world.nodes)}`, {
      cause: error,
    })
  } finally {
    await world.stop()
  }
}
