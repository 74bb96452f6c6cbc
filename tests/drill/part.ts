/** What a part of the drill is made of: sizes that can be chosen, and figures that must be met. */

export interface Size {
  readonly about: string
  /** What the goals ask for before anything lands. */
  readonly full: number
  /** A sample, for `--short`. */
  readonly short: number
}

export interface PartContext<Name extends string> {
  /** Nothing is there yet. */
  readonly directory: string
  readonly sizes: Readonly<Record<Name, number>>
  /** Checkout of another version to start with, for a part that may. */
  readonly from?: string | undefined
  progress(line: string): void
}

/** One figure of a part beside its goal. */
export interface Finding {
  readonly what: string
  readonly found: string
  readonly goal: string
  readonly isMet: boolean
}

export interface Part<Name extends string = string> {
  readonly about: string
  readonly sizes: Readonly<Record<Name, Size>>
  /** What `--from DIR` does; undefined: nothing, it is refused. */
  readonly aboutFrom?: string
  readonly run: (context: PartContext<Name>) => Promise<readonly Finding[]>
}

/** @param most what is still good */
export function atMost(what: string, found: number, most: number, unit = ''): Finding {
  const [foundText, goal] = [found, most].map((value) => withUnit(value, unit)) as [string, string]
  return { what, found: foundText, goal: most === 0 ? 'none' : `<= ${goal}`, isMet: found <= most }
}

export function atLeast(what: string, found: number, least: number, unit = ''): Finding {
  return {
    what,
    found: withUnit(found, unit),
    goal: `>= ${withUnit(least, unit)}`,
    isMet: found >= least,
  }
}

/** For the reader: nothing is asked of it. */
export function told(what: string, found: string): Finding {
  return { what, found, goal: '', isMet: true }
}

function withUnit(value: number, unit: string): string {
  const digits = Number.isInteger(value) || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)}${unit === '' || unit === '%' ? unit : ` ${unit}`}`
}
