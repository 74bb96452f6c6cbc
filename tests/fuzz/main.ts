/**
 * `pnpm fuzz TARGET [--runs N] [--seed S] [--fork NAME]`: generated input for one part of the node.
 *
 * - `evm`: programs on our machine and on an independent one; `--fork` keeps to one rule set.
 * - `rpc`: damaged requests through the JSON-RPC facade, some over HTTP and WebSocket.
 * - `consensus`: a lying validator among four.
 * - `network`: damaged messages and streams at a listening host.
 * - `peg`: damaged headers, proofs and messages of another chain; ends with `N mutated, M accepted`.
 *
 * Prints each difference with the smallest input found. Exit code 1 if any.
 */

import { parseArgs } from 'node:util'
import { FORKS, type Fork } from '@vellum/evm'

interface Options {
  readonly runs: number
  readonly seed: number
  readonly fork: Fork | undefined
}

interface Report {
  readonly passed: number
  readonly failed: readonly {
    readonly seed: number
    readonly scenario: string
    readonly difference: string
  }[]
}

type Target = (options: Options, progress: (done: number) => void) => Promise<Report>

/** What a target says last. */
let closing: string | undefined

const TARGETS: Readonly<Record<string, Target>> = {
  evm: async (options, progress) => (await import('./evm.ts')).fuzzEvm(options, progress),
  consensus: (options, progress) => CONSENSUS(options, progress),
  network: async (options, progress) => {
    const { fuzzTransport, NETWORK_HEAP_GROWTH_MAX } = await import('./network.ts')
    const report = await fuzzTransport(options, progress)
    const { early, late } = report.heap
    const kinds = [...report.cases].sort().map(([kind, count]) => `${kind}: ${count}`)
    console.log(`attacks: ${kinds.join(', ')}`)
    console.log(`delivered ${report.delivered}, connections ended ${report.ended}`)
    console.log(
      `live heap after a tenth of the runs ${mebibytes(early)}, after all ${mebibytes(late)}`,
    )
    if (late - early <= NETWORK_HEAP_GROWTH_MAX) return report
    const growth = { seed: options.seed, scenario: 'all runs', difference: 'the live heap grew' }
    return { passed: report.passed, failed: [...report.failed, growth] }
  },
  peg: async (options, progress) => {
    const { fuzzPeg, VERDICT_GAS_MAX, VERDICT_MS_MAX } = await import('./peg.ts')
    const report = await fuzzPeg(options, progress)
    const { valid, refused, kinds, msMax, gasMax, mutated, accepted } = report
    console.log(`${kinds.size} kinds of damage, each at least ${Math.min(...kinds.values())} times`)
    console.log(`${valid} whole ones, ${refused} refused`)
    console.log(`the dearest verdict took ${msMax.toFixed(1)} ms, and ${gasMax} gas`)
    closing = `${mutated} mutated, ${accepted} accepted`
    if (msMax <= VERDICT_MS_MAX && gasMax <= VERDICT_GAS_MAX) return report
    const slow = { seed: options.seed, scenario: 'all runs', difference: 'a verdict is too dear' }
    return { passed: report.passed, failed: [...report.failed, slow] }
  },
  rpc: async (options, progress) => {
    const { fuzzRpc, HEAP_GROWTH_MAX, RESIDENT_GROWTH_MAX } = await import('./rpc.ts')
    const report = await fuzzRpc(options, progress)
    const { early, late } = report.heap
    const kinds = [...report.answers].sort().map(([kind, count]) => `${kind}: ${count}`)
    const ways = [...report.ways].sort().map(([way, count]) => `${way}: ${count}`)
    console.log(`answers by error code: ${kinds.join(', ')}`)
    console.log(`requests by way, beside the dispatcher: ${ways.join(', ')}`)
    console.log(
      `live heap after a tenth of the runs ${mebibytes(early)}, after all ${mebibytes(late)}`,
    )
    const { resident } = report
    console.log(
      `resident after half of the runs ${mebibytes(resident.early)}, after all ${mebibytes(resident.late)}`,
    )
    const isFlat =
      late - early <= HEAP_GROWTH_MAX && resident.late - resident.early <= RESIDENT_GROWTH_MAX
    if (isFlat) return report
    const growth = { seed: options.seed, scenario: 'all runs', difference: 'memory grew' }
    return { passed: report.passed, failed: [...report.failed, growth] }
  },
}

const CONSENSUS: Target = async (options, progress) => {
  const { fuzzConsensus } = await import('./consensus.ts')
  const report = await fuzzConsensus(options, progress)
  const kinds = [...report.outcomes].sort().map(([kind, count]) => `${kind}: ${count}`)
  console.log(`what became of them: ${kinds.join(', ')}`)
  console.log(`most messages held by one engine: ${report.heldMax}`)
  return report
}

const PROGRESS_MS = 5_000

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    fork: { type: 'string' },
  },
})
const runs = Number(values.runs)
const seed = Number(values.seed)
const fork = FORKS.find((each) => each === values.fork)
const [name = ''] = positionals
const target = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined

if (positionals.length !== 1 || target === undefined) {
  usage(`the target is one of: ${Object.keys(TARGETS).join(' ')}`)
} else if (!Number.isSafeInteger(runs) || runs < 1) {
  usage('--runs must be a whole number above 0')
} else if (!Number.isSafeInteger(seed) || seed < 0) {
  usage('--seed must be a whole number')
} else if (values.fork !== undefined && fork === undefined) {
  usage(`--fork: one of ${FORKS.join(' ')}`)
} else {
  process.exitCode = await fuzz(target)
}

async function fuzz(run: Target): Promise<number> {
  let shownAt = Date.now()
  const { passed, failed } = await run({ runs, seed, fork }, (done) => {
    if (Date.now() - shownAt < PROGRESS_MS) return
    shownAt = Date.now()
    process.stderr.write(`${name}: ${done} of ${runs}\n`)
  })
  for (const failure of failed) {
    console.log(`FAILED seed ${failure.seed}\n${failure.scenario}\n${failure.difference}\n`)
  }
  console.log(`${passed} passed, ${failed.length} failed`)
  if (closing !== undefined) console.log(closing)
  return failed.length === 0 ? 0 : 1
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`
}

function usage(message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = 2
}
