/** Many drawn worlds on all cores: as many schedules of faults, and no violation. */

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { quantile } from './report.ts'
import type { SweepResult } from './sweep-worker.ts'

export interface SweepOptions {
  readonly from: number
  readonly seeds: number
  /** Threads; undefined: one for each core. */
  readonly workers: number | undefined
}

export interface SweepPorts {
  readonly print: (line: string) => void
  /** Progress, one line at a time, overwritten. */
  readonly progress: (line: string) => void
  /** Milliseconds. */
  readonly now: () => number
}

/** Block periods from the healing to the next block (reliability.md, R2). */
const RECOVERY_P50_MAX = 3
const RECOVERY_P99_MAX = 10
/** One seed in so many is run twice, on another thread, and must give the same transcript. */
const REPEATED_EACH = 100
const PROGRESS_MS = 2_000
/** Failing seeds printed. */
const FAILURES_MAX = 20

/** @returns true if nothing was violated, every repetition was the same, and recovery is in time */
export async function sweep(options: SweepOptions, ports: SweepPorts): Promise<boolean> {
  const { from, seeds } = options
  const { print, progress, now } = ports
  const workers = Math.max(1, Math.min(options.workers ?? availableParallelism(), seeds))
  const began = now()
  let toldAt = began
  const results: SweepResult[] = []
  const all = Array.from({ length: seeds }, (_, i) => from + i)
  print(`seeds ${from} to ${from + seeds - 1} on ${workers} threads`)

  await runSeeds(all, workers, (result) => {
    results.push(result)
    if (isFailure(result)) print(`seed ${result.seed}: ${failureOf(result)}`)
    if (now() - toldAt < PROGRESS_MS) return
    toldAt = now()
    const failed = results.filter(isFailure).length
    const rate = results.length / ((now() - began) / 1_000)
    progress(`${results.length} of ${seeds} schedules, ${failed} failed, ${rate.toFixed(1)}/s`)
  })

  // On threads that have run nothing else yet.
  const repeated = all.filter((seed) => seed % REPEATED_EACH === 0 || seed === from)
  const unequal: number[] = []
  const digests = new Map(results.map(({ seed, outcome }) => [seed, outcome?.digest]))
  await runSeeds(repeated, workers, ({ seed, outcome }) => {
    if (outcome?.digest !== digests.get(seed)) unequal.push(seed)
  })

  return conclude({ results, repeated, unequal, seconds: (now() - began) / 1_000 }, print)
}

interface Gathered {
  readonly results: readonly SweepResult[]
  readonly repeated: readonly number[]
  readonly unequal: readonly number[]
  readonly seconds: number
}

function conclude(
  { results, repeated, unequal, seconds }: Gathered,
  print: (line: string) => void,
): boolean {
  const failures = results.filter(isFailure).sort((a, b) => a.seed - b.seed)
  const sum = (of: (result: SweepResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  const recoveries = results
    .flatMap(({ outcome }) => outcome?.recoveryPeriods ?? [])
    .sort((a, b) => a - b)
  const [p50, p99, max] = [
    quantile(recoveries, 0.5) ?? 0,
    quantile(recoveries, 0.99) ?? 0,
    recoveries.at(-1) ?? 0,
  ]
  print(
    `${sum(({ outcome }) => outcome?.height ?? 0)} blocks decided, ` +
      `${sum(({ outcome }) => outcome?.roundsLost ?? 0)} rounds failed, ` +
      `${sum(({ outcome }) => outcome?.evidence ?? 0)} proofs of lies, ${seconds.toFixed(0)} s`,
  )
  print(
    `recovery in block periods: p50 ${p50.toFixed(2)} (at most ${RECOVERY_P50_MAX}), ` +
      `p99 ${p99.toFixed(2)} (at most ${RECOVERY_P99_MAX}), max ${max.toFixed(2)}`,
  )
  print(`${repeated.length} schedules run twice, ${unequal.length} of them differ`)
  const violations = sum(({ outcome }) => outcome?.violations.length ?? 1)
  print(`${results.length} schedules, ${violations} violations`)
  for (const { seed } of failures.slice(0, FAILURES_MAX)) {
    print(
      `  seed ${seed} failed; once more: pnpm simulate replay ${seed} --trace trace-${seed}.txt`,
    )
  }
  for (const seed of unequal.slice(0, FAILURES_MAX)) {
    print(`  seed ${seed} gave two transcripts: pnpm simulate replay ${seed} --trace FILE, twice`)
  }
  return (
    failures.length === 0 &&
    unequal.length === 0 &&
    p50 <= RECOVERY_P50_MAX &&
    p99 <= RECOVERY_P99_MAX
  )
}

function isFailure({ outcome }: SweepResult): boolean {
  return outcome === undefined || outcome.violations.length > 0
}

function failureOf({ outcome, crash }: SweepResult): string {
  if (outcome === undefined) return `crashed: ${crash}`
  const [first] = outcome.violations
  return `${outcome.violations.length} violations; first ${first?.rule}: ${first?.text}`
}

/** Hands out seeds to threads of their own, each the next as soon as it is free. */
async function runSeeds(
  seeds: readonly number[],
  workers: number,
  onResult: (result: SweepResult) => void,
): Promise<void> {
  const waiting = [...seeds]
  const threads = Array.from({ length: Math.min(workers, seeds.length) }, () =>
    runThread(waiting, onResult),
  )
  await Promise.all(threads)
}

function runThread(waiting: number[], onResult: (result: SweepResult) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const isSource = import.meta.url.endsWith('.ts')
  const url = new URL(`./sweep-worker${isSource ? '.ts' : '.js'}`, import.meta.url)
  // From sources, the packages beside this one are found as sources too.
  const worker = new Worker(url, { execArgv: isSource ? ['--conditions=source'] : [] })
  const next = (): void => {
    const seed = waiting.shift()
    if (seed === undefined) void worker.terminate().then(() => resolve())
    else worker.postMessage(seed)
  }
  worker.on('message', (result: SweepResult) => {
    onResult(result)
    next()
  })
  worker.on('error', reject)
  next()
  return promise
}
