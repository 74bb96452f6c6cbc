/**
 * `kill -9` of validators under load, again and again: one, two or all at once, at any moment of a block,
 * some of them while they are still catching up. Goal R3.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { faultsTolerated } from '@vellum/consensus'
import { createSeededRandom, type SeededRandom } from '../seeded-random.ts'
import { createDrillWorld, type DrillWorld } from './drill-world.ts'
import { createHeardVotes, type HeardVotes } from './heard-votes.ts'
import { atLeast, atMost, type Part, type PartContext } from './part.ts'
import { lastWords, type NetworkProcess } from './running-network.ts'

type Sizes = 'count' | 'validators' | 'seed'

export const kills: Part<Sizes> = {
  about: 'kill -9 of validators under load: nothing acknowledged is lost, nobody votes twice',
  sizes: {
    count: { about: 'processes killed', full: 200, short: 8 },
    validators: { about: 'validators, 4 to 7', full: 4, short: 4 },
    seed: { about: 'of the choice of victims and moments', full: 1, short: 1 },
  },
  run: runKills,
}

/** Time from a start to the first vote, beside that of catching up. */
const VOTING_MS_MAX = 10_000
/** The longest round and five periods: what goal R2 gives a chain that had stopped. */
const OUTAGE_MS_MAX = 65_000
/** Longest rest between a return and the next kill. */
const REST_MS_MAX = 1_200
/** Of ten falls so many take two at once, and so many all. */
const PAIRS_IN_TEN = 2
const ALL_IN_TEN = 1
/** Of ten starts so many are killed again before they have caught up. */
const AGAIN_IN_TEN = 2
/** Falls between two comparisons of the nodes. */
const COMPARED_EVERY = 10
const POLL_MS = 100
/** Milliseconds after which a vote is not waited for any more. */
const WAIT_MS_MAX = 60_000

interface Drilled {
  readonly world: DrillWorld
  readonly votes: HeardVotes
  readonly random: SeededRandom
  killed: number
  /** Milliseconds from starts to votes, catching up not counted. */
  readonly votingMs: number[]
  /** The same where too few were left for a block: each waits for the others as well. */
  readonly outageMs: number[]
  readonly shortened: string[]
}

async function runKills({
  directory,
  sizes,
  progress,
}: PartContext<Sizes>): ReturnType<Part['run']> {
  const { count, validators, seed } = sizes
  const world = await createDrillWorld({
    directory: join(directory, 'kills'),
    validators,
    followers: 0,
  })
  const drilled: Drilled = {
    world,
    votes: createHeardVotes(),
    random: createSeededRandom(seed),
    killed: 0,
    votingMs: [],
    outageMs: [],
    shortened: [],
  }
  let [lost, forks, falls] = [0, 0, 0]
  try {
    await world.waitAbove(0)
    while (drilled.killed < count) {
      await fall(drilled, Math.min(victimCount(drilled), count - drilled.killed))
      falls += 1
      if (falls % COMPARED_EVERY !== 0) continue
      const found = await world.compare()
      lost += found.lost
      forks += found.forks
      progress(`${drilled.killed} of ${count} killed, ${world.load.seen.size} receipts seen`)
    }
    const all = await world.compareAll()
    for (const node of world.nodes) drilled.votes.read(node)
    const proofs = await Promise.all(
      world.nodes.map((node) => node.call<{ evidence: number }>('vellum_consensusStatus')),
    )
    const { votes, votingMs, outageMs, shortened } = drilled
    return [
      atLeast(`kills, in ${falls} falls of ${validators} validators`, drilled.killed, count),
      atLeast('receipts seen by clients', world.load.seen.size, count),
      atMost('of them lost at a node', lost + all.lost, 0),
      atMost('heights with two blocks', forks + all.forks, 0),
      atMost('nodes that came back with less', shortened.length, 0),
      atLeast('votes read from vote files', votes.count, count),
      atMost('contradictions among them', votes.contradictions.length, 0),
      atMost('proofs of lies held by nodes', Math.max(...proofs.map((each) => each.evidence)), 0),
      atMost('start to vote, without catching up', Math.max(0, ...votingMs), VOTING_MS_MAX, 'ms'),
      atMost('the same after a fall of too many', Math.max(0, ...outageMs), OUTAGE_MS_MAX, 'ms'),
    ]
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await lastWords(world.nodes)}`, {
      cause: error,
    })
  } finally {
    await world.stop()
  }
}

function victimCount({ random, world }: Drilled): number {
  const draw = random.whole(10)
  if (draw < ALL_IN_TEN) return world.nodes.length
  return draw < ALL_IN_TEN + PAIRS_IN_TEN ? 2 : 1
}

/** Kills some at once, and waits until each of them votes again. */
async function fall(drilled: Drilled, count: number): Promise<void> {
  const { world, random } = drilled
  await delay(random.whole(REST_MS_MAX))
  const left = [...world.nodes]
  const victims = Array.from({ length: count }, () => {
    const victim = random.pick(left)
    left.splice(left.indexOf(victim), 1)
    return { victim, isKilledAgain: random.whole(10) < AGAIN_IN_TEN }
  })
  const before = await Promise.all(victims.map(({ victim }) => headOf(victim)))
  await Promise.all(victims.map(({ victim }) => victim.end('SIGKILL')))
  drilled.killed += victims.length
  await Promise.all(
    victims.map(async ({ victim, isKilledAgain }, i) => {
      const isWhole = drilled.votes.read(victim) !== undefined
      if (!isWhole) drilled.shortened.push(`${victim.name} has lost its votes`)
      if (isKilledAgain) {
        await victim.start()
        await victim.end('SIGKILL')
        drilled.votes.read(victim)
        drilled.killed += 1
      }
      const isOutage = victims.length > faultsTolerated(world.nodes.length)
      const ms = await comeBack(drilled, victim, before[i]!)
      if (isOutage) drilled.outageMs.push(ms)
      else drilled.votingMs.push(ms)
    }),
  )
}

/** @returns milliseconds from its start to its first vote, without those in which it caught up */
async function comeBack(
  { world, votes, shortened }: Drilled,
  node: NetworkProcess,
  before: number,
): Promise<number> {
  const startedAt = performance.now()
  await node.start()
  const upAt = performance.now()
  const found = await headOf(node)
  if (found < before) shortened.push(`${node.name} had ${before}, has ${found}`)
  await world.waitCaughtUp(node)
  const caughtUpAt = performance.now()
  // All that it had said before was read when it was killed.
  while ((votes.read(node) ?? []).length === 0) {
    if (performance.now() - caughtUpAt > WAIT_MS_MAX) throw new Error(`${node.name} does not vote`)
    await delay(POLL_MS)
  }
  return performance.now() - startedAt - (caughtUpAt - upAt)
}

async function headOf(node: NetworkProcess): Promise<number> {
  return Number(await node.call<string>('eth_blockNumber'))
}
