/**
 * `pnpm conformance <suite> [--path DIR] [--sample N] [--fork NAME] [--chain NAME] [--filter TEXT]`: runs
 * third-party cases against our code. `all` runs every suite. Exit code 1 if a case fails.
 */

import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type CaseReport, type RunOptions, runSuite, type Suite } from './suite.ts'
import { SUITES } from './suites.ts'

const FAILURES_SHOWN_MAX = 50
const PROGRESS_MS = 2_000

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    path: { type: 'string', default: '../shared/conformance' },
    sample: { type: 'string' },
    fork: { type: 'string' },
    chain: { type: 'string' },
    filter: { type: 'string' },
  },
})

const chosen =
  positionals[0] === 'all'
    ? SUITES
    : SUITES.filter(({ name }) => positionals.length === 1 && name === positionals[0])
const sample = values.sample === undefined ? undefined : Number(values.sample)

if (chosen.length === 0) {
  usage(`the suites are: all ${SUITES.map(({ name }) => name).join(' ')}`)
} else if (sample !== undefined && !(Number.isSafeInteger(sample) && sample > 0)) {
  usage('--sample must be a whole number above 0')
} else if (!existsSync(values.path)) {
  usage(`there is no folder ${values.path}`)
} else {
  const { path, fork, chain, filter } = values
  process.exitCode = await runAll(chosen, { path, fork, chain, filter, sample })
}

async function runAll(suites: readonly Suite[], options: RunOptions): Promise<number> {
  let passed = 0
  const failed: CaseReport[] = []
  const skipped: CaseReport[] = []
  for (const suite of suites) {
    let shownAt = Date.now()
    const report = await runSuite(suite, options, (done) => {
      if (Date.now() - shownAt < PROGRESS_MS) return
      shownAt = Date.now()
      process.stderr.write(`${suite.name}: ${done} cases done\n`)
    })
    if (suites.length > 1) {
      console.log(`${suite.name}: ${closing(report.passed, report.failed, report.skipped)}`)
    }
    passed += report.passed
    failed.push(...report.failed)
    skipped.push(...report.skipped)
  }
  for (const { name, reason } of failed.slice(0, FAILURES_SHOWN_MAX)) {
    console.log(`FAILED ${name}: ${reason}`)
  }
  if (failed.length > FAILURES_SHOWN_MAX) {
    console.log(`and ${failed.length - FAILURES_SHOWN_MAX} more failures`)
  }
  for (const [reason, names] of byReason(skipped)) {
    console.log(`skipped ${names.length}: ${reason}, as ${names.slice(0, 3).join(', ')}`)
  }
  console.log(closing(passed, failed, skipped))
  const total = passed + failed.length + skipped.length
  if (total === 0) process.stderr.write(`no cases found in ${options.path}\n`)
  return failed.length > 0 || total === 0 ? 1 : 0
}

function closing(
  passed: number,
  failed: readonly CaseReport[],
  skipped: readonly CaseReport[],
): string {
  return `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`
}

function byReason(reports: readonly CaseReport[]): ReadonlyMap<string, string[]> {
  const names = new Map<string, string[]>()
  for (const { name, reason } of reports) names.set(reason, [...(names.get(reason) ?? []), name])
  return names
}

function usage(problem: string): void {
  process.stderr.write(
    `${problem}\nusage: pnpm conformance <suite> [--path DIR] [--sample N] [--fork NAME] [--chain NAME] [--filter TEXT]\n`,
  )
  process.exitCode = 2
}
