/**
 * Validators under load for long: as many blocks as there should be, memory and descriptors that do not
 * grow; then without one of them, without two, and with all again. Goal R15.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createDrillWorld, type DrillWorld } from './drill-world.ts'
import { openFiles, residentMebibytes, slopeOf } from './measure.ts'
import { atLeast, atMost, type Finding, type Part, type PartContext, told } from './part.ts'
import { lastWords, type NetworkProcess } from './running-network.ts'

export const soak: Part<'seconds'> = {
  about: 'load for long, then without one validator, without two, and with all again',
  sizes: { seconds: { about: 'with all of them', full: 600, short: 20 } },
  run: runSoak,
}

const VALIDATORS = 4
const PERIOD_MS = 1_000
/** Of the time with all of them: what comes before counts as warming up. */
const WARM_PART = 0.3
/** Of the time with all of them: for so long one is away, then two. */
const AWAY_PART = 0.2
const SAMPLE_MS = 1_000
/** Descriptors may come and go: of databases that tidy up, of clients. */
const FILES_MORE_MAX = 32
/** A trend of memory says something from this long on. */
const TREND_SECONDS_MIN = 3_600
const MEBIBYTES_PER_HOUR_MAX = 1
const RECOVERY_MS_MAX = 10 * PERIOD_MS
const SETTLE_MS = 2_000

interface Sample {
  readonly hours: number
  readonly resident: number
  readonly files: number
}

async function runSoak({
  directory,
  sizes: { seconds },
  progress,
}: PartContext<'seconds'>): ReturnType<Part['run']> {
  const world = await createDrillWorld({
    directory: join(directory, 'soak'),
    validators: VALIDATORS,
    followers: 0,
    blockPeriodMs: PERIOD_MS,
    requestTimeout: 1,
  })
  try {
    await world.waitAbove(1)
    const samples = new Map(world.nodes.map((node) => [node, [] as Sample[]]))
    const all = await blocksIn(world, seconds, (elapsed) => {
      if (elapsed >= seconds * WARM_PART) sample(samples, elapsed)
      if (elapsed % 30 === 0) progress(`${elapsed} of ${seconds} s`)
    })
    const awaySeconds = Math.ceil(seconds * AWAY_PART)
    const [one, two] = world.nodes as [NetworkProcess, NetworkProcess]
    await one.end('SIGKILL')
    progress('one is away')
    const withoutOne = await blocksIn(world, awaySeconds)
    await two.end('SIGKILL')
    progress('two are away')
    await delay(SETTLE_MS)
    const withoutTwo = await blocksIn(world, awaySeconds)
    await Promise.all([one.start(), two.start()])
    const recoveryMs = await world.waitAbove(await world.height())
    const { lost, forks } = await world.compareAll()
    return [
      atLeast(`blocks in ${seconds} s, of those expected`, 100 * all, 99, '%'),
      atLeast('the same without one of four', 100 * withoutOne, 50, '%'),
      atMost('the same without two', 100 * withoutTwo, 0, '%'),
      atMost('from their return to the next block', recoveryMs, RECOVERY_MS_MAX, 'ms'),
      ...trends(samples, seconds),
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

/** @returns blocks that came, as a part of those that should have */
async function blocksIn(
  world: DrillWorld,
  seconds: number,
  tick: (elapsed: number) => void = () => {},
): Promise<number> {
  const before = await world.height()
  const startedAt = performance.now()
  for (let elapsed = 1; elapsed <= seconds; elapsed++) {
    await delay(Math.max(0, startedAt + elapsed * SAMPLE_MS - performance.now()))
    tick(elapsed)
  }
  // Where the time begins and ends between two blocks, one of them is missing.
  const expected = (performance.now() - startedAt) / PERIOD_MS - 1
  return ((await world.height()) - before) / expected
}

function sample(samples: ReadonlyMap<NetworkProcess, Sample[]>, elapsed: number): void {
  for (const [{ pid }, list] of samples) {
    list.push({ hours: elapsed / 3_600, resident: residentMebibytes(pid), files: openFiles(pid) })
  }
}

function trends(samples: ReadonlyMap<NetworkProcess, Sample[]>, seconds: number): Finding[] {
  const lists = [...samples.values()]
  const slopes = lists.map((list) =>
    slopeOf(list.map(({ hours, resident }) => ({ x: hours, y: resident }))),
  )
  const slope = Math.max(...slopes)
  const resident = Math.max(...lists.flat().map((each) => each.resident))
  const more = Math.max(
    ...lists.map((list) => Math.max(...list.map(({ files }) => files)) - list[0]!.files),
  )
  return [
    told('most memory of a process', `${resident.toFixed(0)} MiB`),
    seconds < TREND_SECONDS_MIN
      ? told('its rise, too short to tell', `${slope.toFixed(0)} MiB/h`)
      : atMost('its rise', slope, MEBIBYTES_PER_HOUR_MAX, 'MiB/h'),
    atMost('descriptors more than at first', more, FILES_MORE_MAX),
  ]
}
