/** Many worlds on all cores: as many schedules of faults, and no violation. */

import { availableParallelism } from 'node:os'
import type { BehaviourName } from '../byzantine/catalogue.ts'
import { BEHAVIOUR_NAMES } from '../byzantine/catalogue.ts'
import { catalogueScenario } from '../catalogue-scenario.ts'
import { drawScenario } from '../draw-scenario.ts'
import type { Outcome } from '../world.ts'
import { quantile } from './report.ts'
import { runMany } from './run-many.ts'
import type { WorldResult, WorldTask } from './world-worker.ts'

export interface SweepOptions {
  readonly from: number
  readonly seeds: number
  /** Threads; undefined: one for each core. */
  readonly workers?: number | undefined
}

export interface SweepPorts {
  readonly print: (line: string) => void
  /** How far it is; called every few seconds. */
  readonly progress: (line: string) => void
  /** Milliseconds. */
  readonly now: () => number
}

/** Block periods from the healing to the next block (reliability.md, R2). */
const RECOVERY_P50_MAX = 3
const RECOVERY_P99_MAX = 10
/** The goal for the slowest: one round at its longest, and some periods. Liars may take a round each. */
const RECOVERY_SECONDS_MAX = 60
const RECOVERY_EXTRA_PERIODS = 5
/** One world in so many is run twice, on another thread, and must give the same transcript. */
const REPEATED_EACH = 100
/** Failing worlds printed at the end. */
const FAILURES_MAX = 20

/**
 * Worlds with all faults mixed, drawn from their seeds.
 * @returns true if nothing was violated, every repetition was the same, and recovery was in time
 */
export async function sweep(options: SweepOptions, ports: SweepPorts): Promise<boolean> {
  const { from, seeds } = options
  ports.print(`seeds ${from} to ${from + seeds - 1}, all faults mixed`)
  const tasks = Array.from({ length: seeds }, (_, id) => {
    const seed = `${from + id}`
    return { id, scenario: drawScenario(seed), seed }
  })
  const { isPassed, isTimely } = await runTasks(
    tasks,
    options,
    ports,
    ({ seed }) => `pnpm simulate replay ${seed}`,
  )
  return isPassed && isTimely
}

/** Sizes at which the catalogue is run: one, two and three liars. */
const CATALOGUE_SIZES = [4, 7, 10]
/** Those who contradict themselves, which honest nodes must be able to prove. */
const EQUIVOCATORS: readonly BehaviourName[] = ['double voter', 'equivocating proposer']

/**
 * Each behaviour alone, by as many adversaries as are tolerated. Where they propose one after
 * another, recovery takes as many rounds: here its bound is that of each world, not of the quantiles.
 * @returns true if nothing was violated, every repetition was the same, and equivocation was proven
 */
export async function sweepCatalogue(options: SweepOptions, ports: SweepPorts): Promise<boolean> {
  const { from, seeds } = options
  ports.print(
    `${BEHAVIOUR_NAMES.length} behaviours, ${CATALOGUE_SIZES} validators, seeds ${from} to ${from + seeds - 1}`,
  )
  const kinds = BEHAVIOUR_NAMES.flatMap((behaviour) =>
    CATALOGUE_SIZES.map((size) => ({ behaviour, size })),
  )
  const tasks = kinds.flatMap(({ behaviour, size }, kind) =>
    Array.from({ length: seeds }, (_, i) => {
      const seed = `${from + i}`
      const scenario = catalogueScenario(behaviour, size, seed)
      return { id: kind * seeds + i, scenario, seed }
    }),
  )
  const proofs = new Map<BehaviourName, number>()
  const { isPassed } = await runTasks(
    tasks,
    options,
    ports,
    ({ scenario, seed }) => `${scenario.name}, seed ${seed}`,
    ({ id, outcome }) => {
      const { behaviour } = kinds[Math.floor(id / seeds)]!
      proofs.set(behaviour, (proofs.get(behaviour) ?? 0) + (outcome?.evidence ?? 0))
    },
  )
  const unproven = EQUIVOCATORS.filter((behaviour) => !proofs.get(behaviour))
  for (const behaviour of unproven) ports.print(`nobody has proof against: ${behaviour}`)
  return isPassed && unproven.length === 0
}

async function runTasks(
  tasks: readonly WorldTask[],
  options: SweepOptions,
  { print, progress, now }: SweepPorts,
  nameOf: (task: WorldTask) => string,
  onResult: (result: WorldResult) => void = () => {},
): Promise<{ readonly isPassed: boolean; readonly isTimely: boolean }> {
  const threads = Math.max(1, options.workers ?? availableParallelism())
  const began = now()
  const results: WorldResult[] = []
  await runMany(tasks, threads, (result) => {
    results.push(result)
    onResult(result)
    const failed = results.filter(isFailure).length
    if (isFailure(result) && failed <= FAILURES_MAX) {
      print(`${nameOf(tasks[result.id]!)}: ${failureOf(result)}`)
    }
    const rate = results.length / ((now() - began) / 1_000)
    progress(
      `${results.length} of ${tasks.length} schedules, ${failed} failed, ${rate.toFixed(1)}/s`,
    )
  })
  // On threads that have run nothing else yet, and in the opposite order.
  const repeated = tasks.filter((_, i) => i % REPEATED_EACH === 0).reverse()
  const digests = new Map(results.map(({ id, outcome }) => [id, outcome?.digest]))
  const unequal: WorldTask[] = []
  await runMany(repeated, threads, ({ id, outcome }) => {
    if (outcome?.digest !== digests.get(id)) unequal.push(tasks[id]!)
  })
  const failures = results.filter(isFailure).sort((a, b) => a.id - b.id)
  const isTimely = summarise(results, (now() - began) / 1_000, print)
  print(`${repeated.length} schedules run twice, ${unequal.length} of them differ`)
  const violations = results.reduce(
    (sum, { outcome }) => sum + (outcome?.violations.length ?? 1),
    0,
  )
  print(`${results.length} schedules, ${violations} violations`)
  for (const { id } of failures.slice(0, FAILURES_MAX)) print(`  failed: ${nameOf(tasks[id]!)}`)
  for (const task of unequal.slice(0, FAILURES_MAX)) print(`  two transcripts: ${nameOf(task)}`)
  return { isPassed: failures.length === 0 && unequal.length === 0, isTimely }
}

/** @returns true if recovery was in time */
function summarise(
  results: readonly WorldResult[],
  seconds: number,
  print: (line: string) => void,
): boolean {
  const sum = (of: (outcome: Outcome) => number): number =>
    results.reduce((total, { outcome }) => total + (outcome ? of(outcome) : 0), 0)
  const recoveries = results
    .flatMap(({ outcome }) => outcome?.recoveryPeriods ?? [])
    .sort((a, b) => a - b)
  const p50 = quantile(recoveries, 0.5) ?? 0
  const p99 = quantile(recoveries, 0.99) ?? 0
  const max = recoveries.at(-1) ?? 0
  const late = sum(({ recoveryMs, recoveryPeriods }) =>
    recoveryMs !== undefined && recoveryPeriods !== undefined && isLate(recoveryMs, recoveryPeriods)
      ? 1
      : 0,
  )
  print(
    `${sum(({ height }) => height)} blocks, ${sum(({ roundsLost }) => roundsLost)} rounds failed, ` +
      `${sum(({ carriedOver }) => carriedOver)} blocks carried over, ` +
      `${sum(({ kills }) => kills)} kills, ${sum(({ powerCuts }) => powerCuts)} power cuts, ` +
      `${sum(({ evidence }) => evidence)} proofs of lies, ` +
      `${(sum(({ virtualSeconds }) => virtualSeconds) / 3_600).toFixed(1)} virtual hours, ` +
      `${seconds.toFixed(0)} s`,
  )
  print(
    `recovery in block periods: p50 ${p50.toFixed(2)} (goal ${RECOVERY_P50_MAX}), ` +
      `p99 ${p99.toFixed(2)} (goal ${RECOVERY_P99_MAX}), max ${max.toFixed(2)}; ` +
      `${late} took over ${RECOVERY_SECONDS_MAX} s and ${RECOVERY_EXTRA_PERIODS} periods`,
  )
  return p50 <= RECOVERY_P50_MAX && p99 <= RECOVERY_P99_MAX
}

function isLate(recoveryMs: number, recoveryPeriods: number): boolean {
  const periodMs = recoveryMs / Math.max(recoveryPeriods, Number.MIN_VALUE)
  return recoveryMs > 1_000 * RECOVERY_SECONDS_MAX + RECOVERY_EXTRA_PERIODS * periodMs
}

function isFailure({ outcome }: WorldResult): boolean {
  return outcome === undefined || outcome.violations.length > 0
}

function failureOf({ outcome, crash }: WorldResult): string {
  if (outcome === undefined) return `crashed: ${crash}`
  const [first] = outcome.violations
  return `${outcome.violations.length} violations; first ${first?.rule}: ${first?.text}`
}
