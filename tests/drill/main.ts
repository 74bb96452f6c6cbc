/**
 * `pnpm drill [PART] [--short] [--SIZE N] [--from DIR]`: real validators on this machine, under load, and everything
 * that may happen to them. Without a part, all of them one after another.
 *
 * Prints each figure beside its goal, and `N passed, N failed` at the end. Exit code 1 if one failed.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { changes } from './changes.ts'
import { flood } from './flood.ts'
import { incidents } from './incidents.ts'
import { kills } from './kills.ts'
import type { Finding, Part } from './part.ts'
import { restarts } from './restarts.ts'
import { soak } from './soak.ts'

const PARTS: Readonly<Record<string, Part>> = { incidents, kills, flood, changes, restarts, soak }

const flags = new Set(Object.values(PARTS).flatMap(({ sizes }) => Object.keys(sizes)))
const { positionals, values } = parse()
const [name] = positionals
const chosen = name === undefined ? Object.keys(PARTS) : [name]

if (values.help === true) {
  process.stdout.write(usage())
} else if (positionals.length > 1 || !chosen.every((each) => Object.hasOwn(PARTS, each))) {
  refuse(`the part is one of: ${Object.keys(PARTS).join(' ')}`)
} else {
  const wrong = Object.keys(values).find(
    (flag) => flags.has(flag) && !(name !== undefined && isSize(PARTS[name]!, flag)),
  )
  if (values.from !== undefined && PARTS[name ?? '']?.aboutFrom === undefined) {
    refuse('--from is for a part that has it')
  } else if (wrong === undefined) process.exitCode = (await drillAll(chosen)) === 0 ? 0 : 1
  else refuse(`--${wrong} must be a whole number of a part that has it`)
}

function parse(): {
  positionals: string[]
  values: Record<string, string | boolean | undefined>
} {
  const sizes = Object.fromEntries([...flags].map((flag) => [flag, { type: 'string' as const }]))
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ...sizes,
        from: { type: 'string' },
        short: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    refuse((error as Error).message)
    process.exit()
  }
}

/** Whether a part has a size, and what was given for it is one. */
function isSize({ sizes }: Part, flag: string): boolean {
  return Object.hasOwn(sizes, flag) && /^[1-9]\d{0,8}$/.test(String(values[flag]))
}

/** @returns figures that missed their goals */
async function drillAll(names: readonly string[]): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-drill-'))
  let [passed, failed] = [0, 0]
  try {
    for (const each of names) {
      const findings = await drill(each, directory)
      failed += findings.filter(({ isMet }) => !isMet).length
      passed += findings.filter(({ isMet, goal }) => isMet && goal !== '').length
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed
}

async function drill(part: string, directory: string): Promise<readonly Finding[]> {
  const { sizes, run } = PARTS[part]!
  const chosenSizes = Object.fromEntries(
    Object.entries(sizes).map(([size, { full, short }]) => {
      const given = values[size]
      return [size, given === undefined ? (values.short === true ? short : full) : Number(given)]
    }),
  )
  const text = Object.entries(chosenSizes).map(([size, value]) => `--${size} ${value}`)
  console.log(`\n${part} ${text.join(' ')}`)
  const startedAt = performance.now()
  const progress = (line: string): void => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
    process.stderr.write(`${part} ${seconds.padStart(4)} s: ${line}\n`)
  }
  let findings: readonly Finding[]
  try {
    const from = values.from === undefined ? undefined : resolve(String(values.from))
    findings = await run({ directory, sizes: chosenSizes, from, progress })
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`)
    const found = (error as Error).message.split('\n', 1)[0]!
    findings = [{ what: 'went to its end', found, goal: 'no error', isMet: false }]
  }
  print(findings)
  return findings
}

function print(findings: readonly Finding[]): void {
  const rows = [
    ['figure', 'found', 'goal', ''],
    ...findings.map(({ what, found, goal, isMet }) => [what, found, goal, isMet ? '' : 'MISSED']),
  ]
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]!.length)))
  rows.splice(
    1,
    0,
    widths.map((width) => '-'.repeat(width)),
  )
  for (const row of rows) {
    console.log(`| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`)
  }
}

function usage(): string {
  const lines = Object.entries(PARTS).flatMap(([part, { about, sizes, aboutFrom }]) => [
    `  ${part.padEnd(10)} ${about}`,
    ...Object.entries(sizes).map(
      ([size, { about: of, full, short }]) =>
        `    --${`${size} N`.padEnd(14)} ${of} (${full}; with --short ${short})`,
    ),
    ...(aboutFrom === undefined ? [] : [`    --${'from DIR'.padEnd(14)} ${aboutFrom}`]),
  ])
  return `usage: pnpm drill [PART] [--short] [--SIZE N] [--from DIR]\n\n${lines.join('\n')}\n\nResults are in docs/guides/drills.md.\n`
}

function refuse(message: string): void {
  process.stderr.write(`${message}\n${usage()}`)
  process.exitCode = 2
}
