/** How every benchmark reports: one table, the machine, the goals met. */

import { cpus, totalmem } from 'node:os'

export interface RunOptions {
  /** Told what is being done, for those who wait. */
  progress(line: string): void
}

export interface Row {
  readonly case: string
  readonly unit: string
  readonly ours: number
  /** The same of the peer in this run; undefined if there is none. */
  readonly peer?: number
  /** How many times better than the peer we are; below 1 is worse. */
  readonly ratio?: number
  /** What we aim at: the least ratio, or what `goalFor` says. */
  readonly goal?: number | undefined
  /** `ratio` unless given. `ours`: our own figure must reach the goal. `ours at most`: not exceed it. */
  readonly goalFor?: 'ratio' | 'ours' | 'ours at most'
}

export interface Report {
  readonly name: string
  /** What was compared with what, and how. */
  readonly compared: readonly string[]
  readonly rows: readonly Row[]
  /** Findings below the table, such as where the time goes. */
  readonly notes?: readonly string[]
}

/** True where there is no goal. */
export function isMet({ ours, ratio, goal, goalFor = 'ratio' }: Row): boolean {
  if (goal === undefined) return true
  if (goalFor === 'ours at most') return ours <= goal
  return (goalFor === 'ours' ? ours : (ratio ?? Number.NaN)) >= goal
}

export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  return `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
}

/** The table as Markdown; ends with `N of M goals met`. */
export function formatReport({ name, compared, rows, notes = [] }: Report): string {
  const table = [
    ['case', 'ours', 'peer', 'unit', 'ratio', 'goal', 'met?'],
    ...rows.map((row) => [
      row.case,
      format(row.ours),
      row.peer === undefined ? '' : format(row.peer),
      row.unit,
      row.ratio === undefined ? '' : `${format(row.ratio)}×`,
      goalText(row),
      row.goal === undefined ? '' : isMet(row) ? 'yes' : 'NO',
    ]),
  ]
  const widths = table[0]!.map((_, i) => Math.max(...table.map((line) => line[i]!.length)))
  const lines = table.map(
    (line) => `| ${line.map((cell, i) => pad(cell, i, widths[i]!)).join(' | ')} |`,
  )
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`)
  const goals = rows.filter(({ goal }) => goal !== undefined)
  return [
    `${name}, on ${machineLine()}`,
    ...compared,
    '',
    ...lines,
    '',
    ...notes.map((note) => `- ${note}`),
    ...(notes.length > 0 ? [''] : []),
    `${goals.filter(isMet).length} of ${goals.length} goals met`,
  ].join('\n')
}

function pad(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

function goalText({ goal, goalFor = 'ratio' }: Row): string {
  if (goal === undefined) return ''
  if (goalFor === 'ours at most') return `≤ ${format(goal)}`
  return `≥ ${format(goal)}${goalFor === 'ratio' ? '×' : ''}`
}

function format(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
