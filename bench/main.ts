/**
 * `pnpm bench NAME [--json]`: runs one comparison with our peers and prints its table. Exit code 1 if a
 * goal was missed.
 */

import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { formatReport, isMet, machineLine, type Report, type RunOptions } from './table.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const name = positionals[0] ?? ''
const file = new URL(`./${name}.ts`, import.meta.url)

if (!/^[a-z-]+$/.test(name) || positionals.length !== 1 || !existsSync(file)) {
  process.stderr.write('usage: pnpm bench NAME [--json]\n')
  process.exitCode = 2
} else {
  const { run } = (await import(file.href)) as { run(options: RunOptions): Promise<Report> }
  const report = await run({ progress: (line) => process.stderr.write(`${line}\n`) })
  if (values.json) console.log(JSON.stringify({ machine: machineLine(), ...report }, undefined, 2))
  else console.log(formatReport(report))
  process.exitCode = report.rows.every(isMet) ? 0 : 1
}
