/** Many worlds of several chains on all cores: as many schedules of faults, and nothing lost or doubled. */

import { availableParallelism } from 'node:os'
import { drawPegScenario } from '../peg/draw.ts'
import type { PegOutcome } from '../peg/world.ts'
import { isPegAsExpected } from './peg-report.ts'
import type { PegResult, PegTask } from './peg-worker.ts'
import { quantile } from './report.ts'
import { runOnThreads } from './run-many.ts'
import { loadPegScenario } from './scenario-source.ts'
import type { SweepOptions, SweepPorts } from './sweep.ts'

/** One world in so many is run twice, on another thread, and must give the same transcript. */
const REPEATED_EACH = 20
/** Failing worlds printed at the end. */
const FAILURES_MAX = 20

export interface PegSweepOptions extends SweepOptions {
  /** In place of what is drawn from each seed: this one, with another chance each time. */
  readonly scenario?: string | undefined
}

/** @returns true if every world was as it should be, and every repetition the same */
export async function sweepPeg(options: PegSweepOptions, ports: SweepPorts): Promise<boolean> {
  const { from, seeds, workers } = options
  const { print, progress, now } = ports
  const one = options.scenario === undefined ? undefined : loadPegScenario(options.scenario)
  const what = one?.name ?? 'main and side chains, all faults mixed'
  print(`seeds ${from} to ${from + seeds - 1}, ${what}`)
  const tasks = Array.from({ length: seeds }, (_, id): PegTask => {
    const seed = `${from + id}`
    return { id, scenario: one ?? drawPegScenario(seed), seed }
  })
  const isFailure = (result: PegResult): boolean =>
    result.outcome === undefined || !isPegAsExpected(tasks[result.id]!.scenario, result.outcome)
  const threads = Math.max(1, workers ?? availableParallelism())
  const began = now()
  const results: PegResult[] = []
  await runOnThreads<PegTask, PegResult>('peg-worker', tasks, threads, (result) => {
    results.push(result)
    if (isFailure(result)) print(`seed ${tasks[result.id]!.seed}: ${failureOf(result)}`)
    progress(`${results.length} of ${seeds} worlds, ${results.filter(isFailure).length} failed`)
  })
  const digests = new Map(results.map(({ id, outcome }) => [id, outcome?.digest]))
  const repeated = tasks.filter((_, i) => i % REPEATED_EACH === 0).reverse()
  const unequal: PegTask[] = []
  await runOnThreads<PegTask, PegResult>('peg-worker', repeated, threads, ({ id, outcome }) => {
    if (outcome?.digest !== digests.get(id)) unequal.push(tasks[id]!)
  })
  const failures = results.filter(isFailure).sort((a, b) => a.id - b.id)
  describeAll(
    results.flatMap(({ outcome }) => outcome ?? []),
    print,
  )
  print(`${((now() - began) / 1_000).toFixed(0)} s`)
  print(`${repeated.length} worlds run twice, ${unequal.length} of them differ`)
  for (const { id } of failures.slice(0, FAILURES_MAX)) {
    const { seed } = tasks[id]!
    const again =
      one === undefined ? `replay ${seed} --peg` : `run ${options.scenario} --seed ${seed}`
    print(`  failed: pnpm simulate ${again}`)
  }
  for (const { seed } of unequal.slice(0, FAILURES_MAX)) print(`  two transcripts: ${seed}`)
  const violations = results.reduce(
    (sum, { outcome }) => sum + (outcome?.violations.length ?? 1),
    0,
  )
  print(`${results.length} worlds, ${violations} violations`)
  return failures.length === 0 && unequal.length === 0
}

/** A table: one row for each kind of number. */
function describeAll(outcomes: readonly PegOutcome[], print: (line: string) => void): void {
  const sum = (of: (outcome: PegOutcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0)
  const latencies = outcomes.flatMap((each) => each.latencies).sort((a, b) => a - b)
  const settled = outcomes.flatMap(({ settledMs }) => settledMs ?? []).sort((a, b) => a - b)
  const seconds = (sorted: readonly number[], part: number): string =>
    ((quantile(sorted, part) ?? 0) / 1_000).toFixed(1)
  const rows: readonly (readonly [string, string])[] = [
    ['blocks', `${sum(({ heights }) => heights.reduce((a, b) => a + b, 0))}`],
    ['acts of people', `${sum(({ operations }) => operations)}`],
    ['messages sent', `${sum(({ sent }) => sent)}`],
    ['  delivered', `${sum(({ delivered }) => delivered)}`],
    ['  failed, undone', `${sum(({ failed }) => failed)}`],
    ['  expired, undone', `${sum(({ expired }) => expired)}`],
    ['  forged by a liar', `${sum(({ forged }) => forged)}`],
    ['licences moved', `${sum(({ arrivals }) => arrivals)}`],
    ['relayed transactions', `${sum(({ relayed }) => relayed)}`],
    ['deaths of relayers', `${sum(({ relayerDeaths }) => relayerDeaths)}`],
    ['kills, power cuts', `${sum(({ kills }) => kills)}, ${sum(({ powerCuts }) => powerCuts)}`],
    ['clients frozen', `${sum(({ frozen }) => frozen.length)}`],
    [
      'sent to acknowledged, s',
      `p50 ${seconds(latencies, 0.5)}, p99 ${seconds(latencies, 0.99)}, max ${seconds(latencies, 1)}`,
    ],
    [
      'healed to settled, s',
      `p50 ${seconds(settled, 0.5)}, p99 ${seconds(settled, 0.99)}, max ${seconds(settled, 1)}`,
    ],
    ['virtual hours', (sum(({ virtualSeconds }) => virtualSeconds) / 3_600).toFixed(1)],
  ]
  for (const [name, value] of rows) print(`${name.padEnd(26)}${value}`)
}

function failureOf({ outcome, crash }: PegResult): string {
  if (outcome === undefined) return `crashed: ${crash}`
  const [first] = outcome.violations
  if (first === undefined) return 'not as expected'
  return `${outcome.violations.length} violations; first ${first.rule}: ${first.text}`
}
