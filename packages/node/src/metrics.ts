/**
 * Numbers for monitoring, in the text format of Prometheus (version 0.0.4). Counting is an addition
 * to a number; the text is put together when somebody asks for it.
 *
 * Metrics of one chain among several carry its name: `scope`.
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

/** Where metrics are registered. */
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
}

/** Metrics of one of several things of a kind: all their lines carry its label. */
export interface MetricsScope extends Metrics {
  /** Its lines are shown no more. */
  end(): void
}

/** All metrics of a process. */
export interface MetricsRegistry extends Metrics {
  /** @throws Error if there is one for this value already */
  scope(label: string, value: string): MetricsScope
  /** Everything, as text. */
  text(): string
}

/** Validators of a chain are at most 128, and methods of the facade some 60. */
export const LABEL_VALUES_MAX = 160

/** Seconds, from a message on one machine to a round at its longest. */
export const STEP_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]

/** One metric: what explains it, and the lines of each scope. */
interface Family {
  readonly head: string
  readonly lines: Map<string, () => Iterable<Line>>
}

/** The end of a name, labels of its own, and the number. */
type Line = readonly [ending: string, labels: string, value: number]

/** The scope of what belongs to the process as a whole. */
const WHOLE = ''

export function createMetrics(): MetricsRegistry {
  const families = new Map<string, Family>()
  const scopes = new Set<string>()

  function add(
    scope: string,
    explained: { readonly name: string; readonly help: string; readonly kind: string },
    lines: () => Iterable<Line>,
  ): void {
    const { name, help, kind } = explained
    const head = `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`
    const family = families.get(name) ?? { head, lines: new Map() }
    if (family.lines.has(scope)) throw new Error(`the metric ${name} is there already`)
    if (family.head !== head) throw new Error(`the metric ${name} is another one already`)
    families.set(name, family)
    family.lines.set(scope, lines)
  }

  function registryOf(scope: string): Metrics {
    return {
      counter: (name, help) => {
        const cell = { value: 0 }
        add(scope, { name, help, kind: 'counter' }, () => [['', '', cell.value]])
        return counterOf(cell)
      },
      counters: (name, help, label) => {
        const cells = createCells(() => ({ value: 0 }))
        add(scope, { name, help, kind: 'counter' }, function* () {
          for (const [value, cell] of cells.all) yield ['', pair(label, value), cell.value]
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
        add(scope, { name, help, kind }, () => {
          const value = read()
          return value === undefined ? [] : [['', '', value]]
        }),
      gauges: (name, help, label, read) =>
        add(scope, { name, help, kind: 'gauge' }, function* () {
          let count = 0
          for (const [value, reading] of read()) {
            if (reading === undefined) continue
            if (count++ >= LABEL_VALUES_MAX) return
            yield ['', pair(label, value), reading]
          }
        }),
      histogram: (name, help, buckets) => {
        const cell = distribution(buckets)
        add(scope, { name, help, kind: 'histogram' }, () => distributionLines('', cell))
        return cell
      },
      histograms: (name, help, { label, buckets }) => {
        const cells = createCells(() => distribution(buckets))
        add(scope, { name, help, kind: 'histogram' }, function* () {
          for (const [value, cell] of cells.all) yield* distributionLines(pair(label, value), cell)
        })
        return cells.of
      },
    }
  }

  return {
    ...registryOf(WHOLE),
    scope: (label, value) => {
      const scope = pair(label, value)
      if (scopes.has(scope)) throw new Error(`there are metrics of ${scope} already`)
      scopes.add(scope)
      return {
        ...registryOf(scope),
        end: () => {
          scopes.delete(scope)
          for (const [name, { lines }] of families) {
            lines.delete(scope)
            if (lines.size === 0) families.delete(name)
          }
        },
      }
    },
    text: () => {
      let text = ''
      for (const [name, { head, lines }] of families) {
        text += head
        for (const [scope, linesOf] of lines) {
          for (const [ending, own, value] of linesOf()) {
            const labels = [scope, own].filter((each) => each !== '').join(',')
            text += `${name}${ending}${labels === '' ? '' : `{${labels}}`} ${shown(value)}\n`
          }
        }
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

function* distributionLines(labels: string, cell: Distribution): Iterable<Line> {
  const { buckets, counts, sum, count } = cell
  const comma = labels === '' ? '' : `${labels},`
  let below = 0
  for (let i = 0; i < buckets.length; i++) {
    below += counts[i]!
    yield ['_bucket', `${comma}le="${buckets[i]}"`, below]
  }
  yield ['_bucket', `${comma}le="+Inf"`, count]
  yield ['_sum', labels, sum]
  yield ['_count', labels, count]
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
