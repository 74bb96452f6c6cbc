/**
 * `pnpm drill [--short]`: real validators on this machine, under load, and everything that may happen
 * to them. Prints how long the next block took; ends with `N drills, V violations`. Exit code 1 if
 * there was one: a lost receipt, a fork, a block that should not be, or none that should.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createDrillWorld, type DrillWorld } from './drill-world.ts'
import {
  cutInHalves,
  cutOff,
  type Drill,
  format,
  killOne,
  killTwo,
  loseVotes,
  pauseOne,
  replaceAll,
  restartAll,
  skewClock,
  wipeOne,
} from './drills.ts'
import type { NetworkProcess } from './running-network.ts'

const { values } = parseArgs({
  options: {
    /** Shorter pauses. */
    short: { type: 'boolean', default: false },
    /** Only drills whose name holds one of these, with commas between them. */
    filter: { type: 'string', default: '' },
  },
})
const wanted = values.filter.split(',')
const longMs = values.short ? 5_000 : 30_000
const VALIDATORS = 4

const DRILLS: readonly Drill[] = [
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
]

const directory = mkdtempSync(join(tmpdir(), 'vellum-drill-'))
let drills = 0
let violations = 0

function heading(): void {
  console.log(row('drill', 'next block', 'lost', 'forks', ''))
  console.log(row('-'.repeat(58), '-'.repeat(10), '----', '-----', '-'))
}

function row(name: string, next: string, lost: string, forks: string, remark: string): string {
  const cells = [name.padEnd(58), next.padStart(10), lost.padStart(4), forks.padStart(5), remark]
  return `| ${cells.join(' | ')} |`
}

async function runAll(world: DrillWorld, list: readonly Drill[]): Promise<void> {
  for (const { name, run } of list) {
    drills += 1
    try {
      const { nextBlockMs, remark = '', violation } = await run(world)
      const { lost, forks } = await world.compare()
      if (lost > 0 || forks > 0 || violation !== undefined) violations += 1
      const remarks = violation === undefined ? remark : `${remark}; VIOLATION: ${violation}`
      console.log(row(name, format(nextBlockMs), String(lost), String(forks), remarks))
    } catch (error) {
      violations += 1
      console.log(row(name, '?', '?', '?', `VIOLATION: ${(error as Error).message}`))
      for (const node of world.nodes) console.error(await lastWords(node))
      return
    }
  }
}

/** Why a node makes no block, if it says so, and the end of its log. */
async function lastWords(node: NetworkProcess): Promise<string> {
  const status = await node
    .call<object>('vellum_consensusStatus')
    .catch((error: unknown) => ({ unanswered: (error as Error).message }))
  const log = node.output().split('\n').slice(-15).join('\n')
  return `--- ${node.name}\n${JSON.stringify(status)}\n${log}`
}

async function inWorld(place: string, followers: number, all: readonly Drill[]): Promise<void> {
  const list = all.filter(({ name }) => wanted.some((each) => name.includes(each)))
  if (list.length === 0) return
  const options = { directory: join(directory, place), validators: VALIDATORS, followers }
  const world = await createDrillWorld(options)
  try {
    await world.waitAbove(0)
    await runAll(world, list)
    console.log(`${world.load.seen.size} receipts were seen by clients`)
  } finally {
    await world.stop()
  }
}

try {
  heading()
  await inWorld('four', 0, DRILLS)
  await inWorld('eight', VALIDATORS, [replaceAll])
} finally {
  rmSync(directory, { recursive: true, force: true })
}
console.log(`${drills} drills, ${violations} violations`)
process.exitCode = violations === 0 ? 0 : 1
