/**
 * `pnpm bench NAME [--json]`: runs one comparison with our peers and prints its table. Exit code 1 if a
 * goal was missed.
 */

import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { formatReport, isMet, machineLine, type Report, type RunOptions } from './table.ts'

/** A file each, named like the benchmark. */
const BENCHMARKS: Readonly<Record<string, string>> = {
  evm: 'programs on the machine, against @ethereumjs/evm and revm',
  ledger: 'blocks of 500 transactions from their bytes to the disk, against bare recovery',
  logs: 'log queries over 1,000,000 blocks, against a scan of blooms',
  memory: 'what a node with 1,000,000 accounts needs',
  licence: 'identities, licences and verifications a second on four validators',
  network: 'four validators on this machine: final transactions a second, latency',
  node: 'transactions and reads through HTTP, against anvil',
  peg: 'messages between two chains of four validators: a second, and latency',
  rpc: 'methods over HTTP and WebSocket, single and batched, against anvil',
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
})
const name = positionals[0] ?? ''

if (!(name in BENCHMARKS) || positionals.length !== 1 || values.help === true) {
  const lines = Object.entries(BENCHMARKS)
    .filter(([each]) => existsSync(fileOf(each)))
    .map(([each, about]) => `  ${each.padEnd(8)} ${about}`)
  const usage = `usage: pnpm bench NAME [--json]\n\n${lines.join('\n')}\n\nThe last full tables are in docs/performance.md.\n`
  if (values.help === true) process.stdout.write(usage)
  else process.stderr.write(usage)
  process.exitCode = values.help === true ? 0 : 2
} else {
  const { run } = (await import(fileOf(name).href)) as { run(options: RunOptions): Promise<Report> }
  const report = await run({ progress: (line) => process.stderr.write(`${line}\n`) })
  if (values.json === true) {
    console.log(JSON.stringify({ machine: machineLine(), ...report }, undefined, 2))
  } else console.log(formatReport(report))
  process.exitCode = report.rows.every(isMet) ? 0 : 1
}

function fileOf(name: string): URL {
  return new URL(`./${name}.ts`, import.meta.url)
}
