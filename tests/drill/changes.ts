/** Validators voted in and out under load, a change every few blocks. Goal R10. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Address } from '@vellum/evm'
import { createDrillWorld } from './drill-world.ts'
import { createHeardVotes } from './heard-votes.ts'
import { vote } from './incidents.ts'
import { percentile, watchHeads } from './measure.ts'
import { atLeast, atMost, type Part, type PartContext, told } from './part.ts'
import { lastWords, type NetworkProcess } from './running-network.ts'

export const changes: Part<'count'> = {
  about: 'validators voted in and out, a change every 5 blocks',
  sizes: { count: { about: 'changes of the set', full: 50, short: 4 } },
  run: runChanges,
}

const VALIDATORS = 4
const PERIOD_MS = 500
const BLOCKS_BETWEEN = 5
/** Blocks that a newcomer may miss before it votes. */
const MISSED_MAX = 2
const VOTE_MS_MAX = 60_000
const POLL_MS = 50

async function runChanges({
  directory,
  sizes: { count },
  progress,
}: PartContext<'count'>): ReturnType<Part['run']> {
  const world = await createDrillWorld({
    directory: join(directory, 'changes'),
    validators: VALIDATORS,
    followers: VALIDATORS,
    blockPeriodMs: PERIOD_MS,
  })
  const votes = createHeardVotes()
  // In the order in which they came, so that who has been there longest goes.
  const members = world.nodes.slice(0, VALIDATORS)
  const others = world.nodes.slice(VALIDATORS)
  const missed: number[] = []
  try {
    await world.waitAbove(0)
    const watch = watchHeads(world.height)
    const before = await world.height()
    for (let change = 0; change < count; change++) {
      const height = await world.height()
      const isNewcomer = change % 2 === 0
      const node = (isNewcomer ? others : members).shift()!
      await vote(world, node.address, isNewcomer)
      if (isNewcomer) {
        members.push(node)
        missed.push(await blocksMissed(node, votes, height))
      } else {
        others.push(node)
      }
      await world.waitAbove(height + BLOCKS_BETWEEN - 1)
      progress(`${change + 1} of ${count} changes, ${world.load.seen.size} receipts seen`)
    }
    await watch.stop()
    const blocks = (await world.height()) - before
    const { lost, forks } = await world.compareAll()
    return [
      told('changes', `${count} in ${blocks} blocks`),
      atLeast('receipts seen by clients', world.load.seen.size, count),
      atMost('of them lost at a node', lost, 0),
      atMost('heights with two blocks', forks, 0),
      atMost('contradictory votes of newcomers', votes.contradictions.length, 0),
      told('time between blocks, middle', `${percentile(watch.intervals, 50).toFixed(0)} ms`),
      atMost('time between blocks, p99', percentile(watch.intervals, 99), 3 * PERIOD_MS, 'ms'),
      atMost('blocks until a newcomer votes', Math.max(...missed), MISSED_MAX),
    ]
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await lastWords(world.nodes)}`, {
      cause: error,
    })
  } finally {
    await world.stop()
  }
}

/** From the first block that a newcomer is to vote on to the first one that it has voted on. */
async function blocksMissed(
  node: NetworkProcess,
  votes: ReturnType<typeof createHeardVotes>,
  above: number,
): Promise<number> {
  const until = performance.now() + VOTE_MS_MAX
  for (;;) {
    const first = votes.read(node)?.find((height) => height > above)
    if (first !== undefined) return first - (await firstOf(node, above, first))
    if (performance.now() > until) throw new Error(`${node.name} does not vote`)
    await delay(POLL_MS)
  }
}

/** The first block above a height whose set has a node, at most as high as a block that it voted on. */
async function firstOf(node: NetworkProcess, above: number, voted: number): Promise<number> {
  for (let height = above + 1; height < voted; height++) {
    const set = await node.call<readonly Address[]>(
      'qbft_getValidatorsByBlockNumber',
      `0x${height.toString(16)}`,
    )
    if (set.includes(node.address)) return height
  }
  return voted
}
