/**
 * One validator that floods the others with all that it may say and more, and strangers that knock, call
 * and send nonsense as fast as they can. Goal R8.
 *
 * The round is shorter than a period, so that the blocks of the validator that floods instead of
 * proposing are not late by their own rule.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createDrillWorld } from './drill-world.ts'
import { percentile, residentMebibytes, roundsOf, watchHeads } from './measure.ts'
import type { OutsidersTask } from './outsiders.ts'
import { atLeast, atMost, type Part, type PartContext, told } from './part.ts'
import { lastWords, type NetworkProcess } from './running-network.ts'
import type { TraitorTask } from './traitor.ts'

type Sizes = 'seconds' | 'outsiders'

export const flood: Part<Sizes> = {
  about: 'a validator and strangers that send as much as they can',
  sizes: {
    seconds: { about: 'of flood', full: 120, short: 15 },
    outsiders: { about: 'strangers', full: 50, short: 10 },
  },
  run: runFlood,
}

const VALIDATORS = 4
const PERIOD_MS = 2_000
const ROUND_SECONDS = 1
/** Load without flood, from which memory is counted. */
const BASELINE_MS = 20_000
const SAMPLE_MS = 1_000
const MEBIBYTES_MORE_MAX = 256
/** After the flood memory and rhythm are looked at once more. */
const REST_MS = 10_000
/** Those who flood have machines of their own; here they take what the nodes leave of this one. */
const NICENESS = 10

/** What those who flood say at the end: what they did, and how often. */
export type FloodReport = Readonly<Record<string, number>>

async function runFlood({
  directory,
  sizes: { seconds, outsiders },
  progress,
}: PartContext<Sizes>): ReturnType<Part['run']> {
  const world = await createDrillWorld({
    directory: join(directory, 'flood'),
    validators: VALIDATORS,
    followers: 0,
    blockPeriodMs: PERIOD_MS,
    requestTimeout: ROUND_SECONDS,
  })
  const traitor = world.nodes.at(-1)!
  const honest = world.nodes.slice(0, -1)
  const flooding: ChildProcess[] = []
  try {
    await world.waitAbove(1)
    await traitor.end('SIGTERM')
    const baseline = await mostMemory(honest, BASELINE_MS)
    progress(`${baseline.toFixed(0)} MiB before the flood`)
    const from = (await world.height()) + 1
    const { hash } = await honest[0]!.call<{ hash: `0x${string}` }>(
      'eth_getBlockByNumber',
      '0x0',
      false,
    )
    const targets = honest.map(({ peerPort, rpcPort }) => ({ peerPort, rpcPort }))
    const tasks: [string, TraitorTask | OutsidersTask][] = [
      ['traitor.ts', { folder: traitor.folder, genesis: hash, targets, careMs: 600 * seconds }],
      ['outsiders.ts', { genesis: hash, targets, count: outsiders }],
    ]
    const watch = watchHeads(world.height)
    for (const [file, task] of tasks) flooding.push(startFlooding(file, task))
    progress('the flood begins')
    const most = await mostMemory(honest, seconds * 1_000)
    const reports = await Promise.all(flooding.map(stopFlooding))
    await watch.stop()
    progress('the flood is over')
    const to = await world.height()
    const after = await mostMemory(honest, REST_MS)
    const nextBlockMs = await world.waitAbove(await world.height())
    const rounds = await roundsOf(honest[0]!, from, to)
    const { lost, forks } = await world.compareAll()
    return [
      ...reports
        .flatMap((report) => Object.entries(report))
        .map(([what, count]) => told(what, `${count}, ${(count / seconds).toFixed(0)}/s`)),
      told('most memory of a node before', `${baseline.toFixed(0)} MiB`),
      told('and afterwards', `${after.toFixed(0)} MiB`),
      atMost('more during the flood', most - baseline, MEBIBYTES_MORE_MAX, 'MiB'),
      told('time between blocks, middle', `${percentile(watch.intervals, 50).toFixed(0)} ms`),
      atMost('time between blocks, p99', percentile(watch.intervals, 99), 2 * PERIOD_MS, 'ms'),
      told(
        'rounds of the blocks',
        `${rounds.filter((round) => round > 0).length} of ${rounds.length} not in the first, at most ${Math.max(...rounds)}`,
      ),
      atMost('next block after it', nextBlockMs, 2 * PERIOD_MS, 'ms'),
      atLeast('receipts seen by clients', world.load.seen.size, seconds),
      atMost('of them lost at a node', lost, 0),
      atMost('heights with two blocks', forks, 0),
    ]
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await lastWords(honest)}`, { cause: error })
  } finally {
    for (const child of flooding) child.kill('SIGKILL')
    await world.stop()
  }
}

/** @returns MiB of the process that had most, at any time of so many milliseconds */
async function mostMemory(nodes: readonly NetworkProcess[], forMs: number): Promise<number> {
  let most = 0
  for (let left = forMs; left > 0; left -= SAMPLE_MS) {
    await delay(Math.min(left, SAMPLE_MS))
    most = Math.max(most, ...nodes.map(({ pid }) => residentMebibytes(pid)))
  }
  return most
}

function startFlooding(file: string, task: object): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(task)], {
    execArgv: ['--conditions=source'],
  })
  setPriority(child.pid!, NICENESS)
  return child
}

/** @throws Error if it has ended before */
async function stopFlooding(child: ChildProcess): Promise<FloodReport> {
  if (child.exitCode !== null) throw new Error(`who floods has ended with ${child.exitCode}`)
  const report = once(child, 'message') as Promise<[FloodReport]>
  child.send('stop')
  const [found] = await report
  child.kill('SIGKILL')
  return found
}
