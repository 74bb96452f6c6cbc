/**
 * What a conformance suite is, and how one is run.
 *
 * A suite finds third-party cases under a folder and gives each a function that throws if we
 * disagree with it. Cases are produced lazily, so that folders of any size can be walked.
 */

export interface SuiteOptions {
  /** The folder to look in: the collection, an upstream checkout, or a part of either. */
  readonly path: string
  /** Only cases of this rule set, by our name or upstream's; all that we have if undefined. */
  readonly fork: string | undefined
  /** Only cases of this chain, by its folder's name; all that there are if undefined. */
  readonly chain?: string | undefined
}

/** Nothing for a pass, or why the case does not apply. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a pass.
export type CaseOutcome = void | { readonly skip: string }

export interface Case {
  readonly name: string
  /** Throws if we disagree with the case. */
  run(): CaseOutcome | Promise<CaseOutcome>
}

export interface Suite {
  readonly name: string
  /** How many cases the ordinary tests take of it, spread evenly. */
  readonly sample: number
  cases(options: SuiteOptions): Iterable<Case>
  /** Called after the last case: stops what the cases have started. */
  end?(): Promise<void>
}

export interface RunOptions extends SuiteOptions {
  /** Take this many cases, spread evenly over all; all if undefined. */
  readonly sample: number | undefined
  /** Take only cases whose names contain this. */
  readonly filter: string | undefined
}

export interface CaseReport {
  readonly name: string
  readonly reason: string
}

export interface SuiteReport {
  readonly passed: number
  readonly failed: readonly CaseReport[]
  readonly skipped: readonly CaseReport[]
}

/** Runs the chosen cases of a suite, one after another. `onProgress` is told after each. */
export async function runSuite(
  suite: Suite,
  options: RunOptions,
  onProgress: (done: number) => void = () => {},
): Promise<SuiteReport> {
  const failed: CaseReport[] = []
  const skipped: CaseReport[] = []
  let passed = 0
  let done = 0
  try {
    for (const { name, run } of chosenCases(suite, options)) {
      try {
        const outcome = await run()
        if (outcome === undefined) passed += 1
        else skipped.push({ name, reason: outcome.skip })
      } catch (error) {
        failed.push({ name, reason: error instanceof Error ? error.message : String(error) })
      }
      done += 1
      onProgress(done)
    }
  } finally {
    await suite.end?.()
  }
  return { passed, failed, skipped }
}

function* chosenCases(suite: Suite, options: RunOptions): Iterable<Case> {
  const { sample } = options
  if (sample === undefined) {
    yield* filteredCases(suite, options)
    return
  }
  // Counted in a first walk, so that no case has to be kept.
  let count = 0
  for (const _ of filteredCases(suite, options)) count += 1
  const taken = Math.min(sample, count)
  const before = (index: number): number => Math.floor((index * taken) / count)
  let index = 0
  for (const found of filteredCases(suite, options)) {
    if (before(index + 1) > before(index)) yield found
    index += 1
  }
}

function* filteredCases(suite: Suite, options: RunOptions): Iterable<Case> {
  const { filter } = options
  for (const found of suite.cases(options)) {
    if (filter === undefined || found.name.includes(filter)) yield found
  }
}
