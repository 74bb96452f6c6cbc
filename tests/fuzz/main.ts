/**
 * `pnpm fuzz evm [--runs N] [--seed S] [--fork NAME]`: generated programs on our machine and on an
 * independent one. Prints each difference with the smallest program found. Exit code 1 if any.
 */

import { parseArgs } from 'node:util'
import { FORKS, type Fork } from '@vellum/evm'
import { fuzzEvm } from './evm.ts'

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

if (positionals.length !== 1 || positionals[0] !== 'evm') usage('the target is: evm')
else if (!Number.isSafeInteger(runs) || runs < 1) usage('--runs must be a whole number above 0')
else if (!Number.isSafeInteger(seed) || seed < 0) usage('--seed must be a whole number')
else if (values.fork !== undefined && fork === undefined) usage(`--fork: one of ${FORKS.join(' ')}`)
else process.exitCode = await fuzz(fork)

async function fuzz(only: Fork | undefined): Promise<number> {
  let shownAt = Date.now()
  const { passed, failed } = await fuzzEvm({ runs, seed, fork: only }, (done) => {
    if (Date.now() - shownAt < PROGRESS_MS) return
    shownAt = Date.now()
    process.stderr.write(`evm: ${done} of ${runs}\n`)
  })
  for (const failure of failed) {
    console.log(`FAILED seed ${failure.seed}\n${failure.scenario}\n${failure.difference}\n`)
  }
  console.log(`${passed} passed, ${failed.length} failed`)
  return failed.length === 0 ? 0 : 1
}

function usage(message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = 2
}
