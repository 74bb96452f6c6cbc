/**
 * Numbers for monitoring, in the text format of Prometheus (version 0.0.4). Counting is an addition
 * to a number; the text is put together when somebody asks for it.
 *
 * Label values are bounded: beyond `LABEL_VALUES_MAX` of a metric they are counted as `other`.
 */

export interface Counter {
  /** @param by 1 unless said; never negative */
  add(by?: number): void
}

export interface Histogram {
  /** @param value in the metric's unit */
  observe(value: number): void
}

export type Labelled<T> = (value: string) => T

/** Values with their label; undefined where there is none just now. */
export type Readings = Iterable<readonly [label: string, value: number | undefined]>

export interface Metrics {
  counter(name: string, help: string): Counter
  counters(name: string, help: string, label: string): Labelled<Counter>
  /** Read when asked for; undefined: not shown. `kind`: counter for what only grows. */
  gauge(
    name: string,
    help: string,
    read: () => number | undefined,
    kind?: 'gauge' | 'counter',
  ): void
  gauges(name: string, help: string, label: string, read: () => Readings): void
  /** @param buckets upper bounds, ascending */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram
  histograms(
    name: string,
    help: string,
    options: { readonly label: string; readonly buckets: readonly number[] },
  ): Labelled<Histogram>
  /** Everything, as text. */
  text(): string
}

/** Validators of a chain are at most 128, and methods of the facade some 60. */
export const LABEL_VALUES_MAX = 160

/** Seconds, from a message on one machine to a round at its longest. */
export const STEP_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]

/** One metric: its lines, apart from the two that explain it. */
interface Family {
  readonly name: string
  readonly head: string
  lines(): Iterable<string>
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>()

  function add(name: string, help: string, kind: string, lines: Family['lines']): void {
    if (families.has(name)) throw new Error(`the metric ${name} is there already`)
    const head = `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`
    families.set(name, { name, head, lines })
  }

  return {
    counter: (name, help) => {
      const cell = { value: 0 }
      add(name, help, 'counter', () => [`${name} ${cell.value}\n`])
      return counterOf(cell)
    },
    counters: (name, help, label) => {
      const cells = createCells(() => ({ value: 0 }))
      add(name, help, 'counter', function* () {
        for (const [value, cell] of cells.all)
          yield `${name}{${pair(label, value)}} ${cell.value}\n`
      })
      const counters = new Map<Cell, Counter>()
      return (value) => {
        const cell = cells.of(value)
        const known = counters.get(cell) ?? counterOf(cell)
        counters.set(cell, known)
        return known
      }
    },
    gauge: (name, help, read, kind = 'gauge') =>
      add(name, help, kind, () => {
        const value = read()
        return value === undefined ? [] : [`${name} ${shown(value)}\n`]
      }),
    gauges: (name, help, label, read) =>
      add(name, help, 'gauge', function* () {
        let count = 0
        for (const [value, reading] of read()) {
          if (reading === undefined) continue
          if (count++ >= LABEL_VALUES_MAX) return
          yield `${name}{${pair(label, value)}} ${shown(reading)}\n`
        }
      }),
    histogram: (name, help, buckets) => {
      const cell = distribution(buckets)
      add(name, help, 'histogram', () => [distributionLines(name, '', cell)])
      return cell
    },
    histograms: (name, help, { label, buckets }) => {
      const cells = createCells(() => distribution(buckets))
      add(name, help, 'histogram', function* () {
        for (const [value, cell] of cells.all) {
          yield distributionLines(name, pair(label, value), cell)
        }
      })
      return cells.of
    },
    text: () => {
      let text = ''
      for (const { head, lines } of families.values()) {
        text += head
        for (const line of lines()) text += line
      }
      return text
    },
  }
}

interface Cell {
  value: number
}

function counterOf(cell: Cell): Counter {
  return {
    add: (by = 1) => {
      cell.value += by
    },
  }
}

interface Cells<T> {
  readonly all: ReadonlyMap<string, T>
  of(value: string): T
}

function createCells<T>(make: () => T): Cells<T> {
  const all = new Map<string, T>()
  return {
    all,
    of: (value) => {
      const known = all.get(value)
      if (known !== undefined) return known
      const key = all.size < LABEL_VALUES_MAX ? value : 'other'
      const cell = all.get(key) ?? make()
      all.set(key, cell)
      return cell
    },
  }
}

interface Distribution extends Histogram {
  readonly buckets: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
  readonly count: number
}

function distribution(buckets: readonly number[]): Distribution {
  const counts = new Array<number>(buckets.length).fill(0)
  const cell = {
    buckets,
    counts,
    sum: 0,
    count: 0,
    observe: (value: number) => {
      cell.sum += value
      cell.count += 1
      for (let i = 0; i < buckets.length; i++) {
        if (value <= buckets[i]!) {
          counts[i]! += 1
          return
        }
      }
    },
  }
  return cell
}

function distributionLines(name: string, label: string, cell: Distribution): string {
  const { buckets, counts, sum, count } = cell
  const comma = label === '' ? '' : `${label},`
  let text = ''
  let below = 0
  for (let i = 0; i < buckets.length; i++) {
    below += counts[i]!
    text += `${name}_bucket{${comma}le="${buckets[i]}"} ${below}\n`
  }
  const braces = label === '' ? '' : `{${label}}`
  return `${text}${name}_bucket{${comma}le="+Inf"} ${count}\n${name}_sum${braces} ${shown(sum)}\n${name}_count${braces} ${count}\n`
}

function pair(label: string, value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `${label}="${escaped}"`
}

/** The format has no exponent problem, but its own words for what is no number. */
function shown(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
