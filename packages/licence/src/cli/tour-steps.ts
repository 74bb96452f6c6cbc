/** Steps of a story, each told with its time when it is done. */

export interface StepPorts {
  readonly print: (line: string) => void
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
}

export interface Told<Value> {
  readonly value: Value
  /** Without the step's name and time. */
  readonly lines: readonly string[]
}

export interface Steps {
  step<Value>(name: string, run: () => Promise<Told<Value>>): Promise<Value>
  /** Since the first step. */
  seconds(): string
}

const NAME_WIDTH = 9

export function createSteps({ print, nowMs }: StepPorts): Steps {
  const startedAt = nowMs()
  const secondsSince = (from: number): string => ((nowMs() - from) / 1_000).toFixed(1)
  return {
    step: async (name, run) => {
      const from = nowMs()
      const { value, lines } = await run()
      const heads = [`${secondsSince(from).padStart(5)} s  ${name.padEnd(NAME_WIDTH)}`]
      for (const [i, line] of lines.entries()) {
        print(`${heads[i] ?? ' '.repeat(9 + NAME_WIDTH)} ${line}`)
      }
      return value
    },
    seconds: () => secondsSince(startedAt),
  }
}
