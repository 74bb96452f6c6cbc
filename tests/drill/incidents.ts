/** What can happen to a network, one after another, each with what must hold while it does. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Address } from '@vellum/evm'
import { createDrillWorld, type DrillWorld } from './drill-world.ts'
import { atMost, type Finding, type Part, type PartContext, told } from './part.ts'
import { lastWords, type NetworkProcess } from './running-network.ts'

export interface DrillResult {
  /** Milliseconds from the last thing that was done until the next block. */
  readonly nextBlockMs: number
  readonly remark?: string
  /** What should not have happened, beside lost receipts and forks, which are looked for anyway. */
  readonly violation?: string
}

export interface Drill {
  readonly name: string
  readonly run: (world: DrillWorld) => Promise<DrillResult>
}

export const incidents: Part<'seconds'> = {
  about: 'one thing after another: killed, paused, cut off, wiped, misled about the time, replaced',
  sizes: { seconds: { about: 'of the longest pause', full: 30, short: 5 } },
  run: async (context) => {
    const longMs = context.sizes.seconds * 1_000
    const four = await inWorld(context, 'four', 0, [
      ...Array.from({ length: VALIDATORS }, (_, i) => killOne(i)),
      killTwo(0, 2),
      pauseOne(1, longMs),
      cutOff(2, longMs / 3),
      cutInHalves(longMs / 3),
      wipeOne(3),
      loseVotes(1),
      skewClock(0, 10_000, longMs / 3),
      skewClock(0, -10_000, longMs / 3),
      restartAll,
    ])
    return [...four, ...(await inWorld(context, 'eight', VALIDATORS, [replaceAll]))]
  },
}

const VALIDATORS = 4
/** Milliseconds for which the network is watched before it is said to stand still. */
const STANDSTILL_MS = 3_000
const SETTLE_MS = 500
const VOTE_MS_MAX = 120_000
const ABSTENTION_MS_MAX = 30_000

export function killOne(index: number): Drill {
  return {
    name: `kill -9 node ${index + 1}, start it again`,
    run: async (world) => {
      const node = world.nodes[index]!
      const before = await world.height()
      await node.end('SIGKILL')
      const nextBlockMs = await world.waitAbove(before + 1)
      await node.start()
      const caughtUpMs = await world.waitCaughtUp(node)
      return { nextBlockMs, remark: `caught up ${format(caughtUpMs)} after its start` }
    },
  }
}

export function killTwo(first: number, second: number): Drill {
  return {
    name: `kill -9 nodes ${first + 1} and ${second + 1} at once, start them again`,
    run: async (world) => {
      const both = [world.nodes[first]!, world.nodes[second]!]
      await Promise.all(both.map((node) => node.end('SIGKILL')))
      // What was under way may still be finished.
      await delay(SETTLE_MS)
      const standing = await world.height()
      await delay(STANDSTILL_MS)
      const later = await world.height()
      const startedAt = performance.now()
      await Promise.all(both.map((node) => node.start()))
      const upMs = performance.now() - startedAt
      const nextBlockMs = await world.waitAbove(later)
      for (const node of both) await world.waitCaughtUp(node)
      return {
        nextBlockMs,
        remark: `counted from their return (${format(upMs)}); before it, no block for ${format(STANDSTILL_MS)}`,
        ...(later > standing && { violation: 'a block was made by two of four' }),
      }
    },
  }
}

export function pauseOne(index: number, pauseMs: number): Drill {
  return {
    name: `SIGSTOP node ${index + 1} for ${format(pauseMs)}`,
    run: async (world) => {
      const node = world.nodes[index]!
      const before = await world.height()
      node.pause()
      const nextBlockMs = await world.waitAbove(before + 1)
      await delay(Math.max(0, pauseMs - nextBlockMs))
      node.resume()
      const caughtUpMs = await world.waitCaughtUp(node)
      return { nextBlockMs, remark: `caught up ${format(caughtUpMs)} after SIGCONT` }
    },
  }
}

export function cutOff(index: number, cutMs: number): Drill {
  return {
    name: `cut all links of node ${index + 1} for ${format(cutMs)}`,
    run: async (world) => {
      const node = world.nodes[index]!
      const before = await world.height()
      world.cut(node)
      const nextBlockMs = await world.waitAbove(before + 1)
      await delay(Math.max(0, cutMs - nextBlockMs))
      world.heal()
      const caughtUpMs = await world.waitCaughtUp(node)
      return { nextBlockMs, remark: `caught up ${format(caughtUpMs)} after healing` }
    },
  }
}

export function cutInHalves(cutMs: number): Drill {
  return {
    name: `cut the network in two halves for ${format(cutMs)}`,
    run: async (world) => {
      const [a, b, ...others] = world.nodes.slice(0, world.validators) as [
        NetworkProcess,
        NetworkProcess,
        ...NetworkProcess[],
      ]
      const rest = [...others, ...world.nodes.slice(world.validators)]
      world.cut(a, rest)
      world.cut(b, rest)
      await delay(SETTLE_MS)
      const standing = await world.height()
      await delay(cutMs)
      const later = await world.height()
      world.heal()
      const nextBlockMs = await world.waitAbove(later)
      return {
        nextBlockMs,
        remark: 'counted from healing',
        ...(later > standing && { violation: 'a block was made by half of the validators' }),
      }
    },
  }
}

export function wipeOne(index: number): Drill {
  return {
    name: `wipe the chain of node ${index + 1}, let it come back`,
    run: async (world) => {
      const node = world.nodes[index]!
      const before = await world.height()
      await node.end('SIGKILL')
      node.wipe()
      const nextBlockMs = await world.waitAbove(before + 1)
      await node.start()
      const caughtUpMs = await world.waitCaughtUp(node)
      return {
        nextBlockMs,
        remark: `${await world.height()} blocks executed again within ${format(caughtUpMs)}`,
      }
    },
  }
}

export function loseVotes(index: number): Drill {
  return {
    name: `node ${index + 1} loses what it has voted`,
    run: async (world) => {
      const node = world.nodes[index]!
      await node.end('SIGKILL')
      node.loseVotes()
      await node.start()
      const hasSaidSo = /abstains/.test(node.output())
      const nextBlockMs = await world.waitAbove(await world.height())
      await world.waitCaughtUp(node)
      const abstainedMs = await votesAgain(node)
      // Without it and one more there is no quorum: it votes, or the chain stands.
      const other = world.nodes[(index + 1) % world.validators]!
      await other.end('SIGKILL')
      await world.waitAbove((await world.height()) + 1)
      await other.start()
      await world.waitCaughtUp(other)
      return {
        nextBlockMs,
        remark: `it voted again ${format(abstainedMs)} after it had caught up`,
        ...(!hasSaidSo && { violation: 'it did not say that it abstains' }),
      }
    },
  }
}

export function skewClock(index: number, offsetMs: number, watchMs: number): Drill {
  return {
    name: `node ${index + 1} with a clock ${format(Math.abs(offsetMs))} ${offsetMs > 0 ? 'fast' : 'slow'}`,
    run: async (world) => {
      const node = world.nodes[index]!
      await node.end('SIGTERM')
      node.configure((config) => {
        config.test = { clockOffsetMs: offsetMs }
      })
      await node.start()
      await world.waitCaughtUp(node)
      const before = await world.height()
      const startedAt = performance.now()
      let longestMs = 0
      while (performance.now() - startedAt < watchMs) {
        longestMs = Math.max(longestMs, await world.waitAbove(await world.height()))
      }
      const blocks = (await world.height()) - before
      await node.end('SIGTERM')
      node.configure((config) => {
        config.test = { clockOffsetMs: 0 }
      })
      const nextBlockMs = await world.waitAbove(await world.height())
      await node.start()
      await world.waitCaughtUp(node)
      return {
        nextBlockMs,
        remark: `${blocks} blocks in ${format(watchMs)}, ${format(longestMs)} between two at most`,
      }
    },
  }
}

export const restartAll: Drill = {
  name: 'kill -9 all at once, start all',
  run: async (world) => {
    const before = await world.height()
    await Promise.all(world.nodes.map((node) => node.end('SIGKILL')))
    const startedAt = performance.now()
    await Promise.all(world.nodes.map((node) => node.start()))
    const upMs = performance.now() - startedAt
    const nextBlockMs = await world.waitAbove(before)
    return { nextBlockMs, remark: `counted from their return (${format(upMs)})` }
  },
}

/** Four, seven, and four others. Needs as many followers as there are validators. */
export const replaceAll: Drill = {
  name: 'vote to 7 validators, and back to 4 of which none is an original one',
  run: async (world) => {
    const { nodes, validators } = world
    const [first, second] = [nodes.slice(0, validators), nodes.slice(validators)]
    const startedAt = performance.now()
    let changes = 0
    const change = async (node: NetworkProcess, isWanted: boolean): Promise<void> => {
      await vote(world, node.address, isWanted)
      changes += 1
    }
    for (const node of second.slice(0, 3)) await change(node, true)
    for (const node of first.slice(0, 3)) await change(node, false)
    for (const node of second.slice(3)) await change(node, true)
    for (const node of first.slice(3)) await change(node, false)
    const seconds = (performance.now() - startedAt) / 1_000
    const wanted = second.map(({ address }) => address).sort()
    const found = [...(await validatorsOf(second[0]!))].sort()
    const nextBlockMs = await world.waitAbove(await world.height())
    return {
      nextBlockMs,
      remark: `${changes} changes in ${seconds.toFixed(1)} s under load`,
      ...(wanted.join() !== found.join() && { violation: `the set is ${found.join(', ')}` }),
    }
  },
}

async function inWorld(
  { directory, progress }: PartContext<string>,
  place: string,
  followers: number,
  drills: readonly Drill[],
): Promise<Finding[]> {
  const options = { directory: join(directory, place), validators: VALIDATORS, followers }
  const world = await createDrillWorld(options)
  const findings: Finding[] = []
  try {
    await world.waitAbove(0)
    for (const { name, run } of drills) {
      progress(name)
      const { nextBlockMs, remark = '', violation } = await run(world)
      const { lost, forks } = await world.compare()
      const texts = [`next block ${format(nextBlockMs)}`, `${lost} lost`, `${forks} forks`]
      const found = [...texts, remark, violation ?? ''].filter((text) => text !== '').join(', ')
      const isMet = lost === 0 && forks === 0 && violation === undefined
      findings.push({ what: name, found, goal: 'no loss, no fork', isMet })
    }
    const { lost, forks } = await world.compareAll()
    return [
      ...findings,
      told('receipts seen by clients', String(world.load.seen.size)),
      atMost('of them lost in the end', lost, 0),
      atMost('heights with two blocks in the end', forks, 0),
    ]
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await lastWords(world.nodes)}`, {
      cause: error,
    })
  } finally {
    await world.stop()
  }
}

export async function vote(world: DrillWorld, subject: Address, isWanted: boolean): Promise<void> {
  const voters = await validatorsOf(world.nodes.at(-1)!)
  const asked = world.nodes.filter(({ address }) => voters.includes(address))
  for (const node of asked) {
    if (node.address !== subject) await node.call('qbft_proposeValidatorVote', subject, isWanted)
  }
  const deadline = performance.now() + VOTE_MS_MAX
  while ((await validatorsOf(world.nodes.at(-1)!)).includes(subject) !== isWanted) {
    if (performance.now() > deadline) throw new Error(`the vote on ${subject} does not end`)
    await delay(50)
  }
  for (const node of asked) {
    if (node.address !== subject) await node.call('qbft_discardValidatorVote', subject)
  }
}

/** @returns milliseconds until the abstention has ended */
async function votesAgain(node: NetworkProcess): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const { abstainsThrough } = await node.call<{ abstainsThrough: unknown }>(
      'vellum_consensusStatus',
    )
    const elapsedMs = performance.now() - startedAt
    if (abstainsThrough === null) return elapsedMs
    if (elapsedMs > ABSTENTION_MS_MAX) throw new Error(`${node.name} still abstains`)
    await delay(50)
  }
}

/** Of the next block. */
function validatorsOf(node: NetworkProcess): Promise<readonly Address[]> {
  return node.call<readonly Address[]>('qbft_getValidatorsByBlockNumber', 'pending')
}

export function format(timeMs: number): string {
  return timeMs < 1_000 ? `${Math.round(timeMs)} ms` : `${(timeMs / 1_000).toFixed(1)} s`
}
