/** How many virtual blocks a core makes a second, by the number of validators. */

import { writeFileSync } from 'node:fs'
import { runWorld } from './run-world.ts'
import { loadScenario } from './scenario-source.ts'

export interface CurveOptions {
  readonly sizes: readonly number[]
  /** File of the plot; undefined: none. */
  readonly svg: string | undefined
}

interface Point {
  readonly validators: number
  readonly blocks: number
  readonly cpuSeconds: number
  readonly messages: number
}

/** Links of all validators times blocks: about the same work for each size. */
const WORK = 80_000
const BLOCKS = [10, 5_000] as const
/** Blocks of four validators before anything is measured: a second of compiling is not a world's rate. */
const WARM_UP_BLOCKS = 1_000

export async function curve(options: CurveOptions, print: (line: string) => void): Promise<void> {
  print(`after ${WARM_UP_BLOCKS} blocks that are not counted`)
  print('validators  blocks  CPU s  blocks/CPU s  messages/block  messages/CPU s')
  const points: Point[] = []
  await measure(4, WARM_UP_BLOCKS)
  for (const validators of options.sizes) {
    const blocks = Math.round(WORK / validators ** 2)
    const point = await measure(validators, Math.min(Math.max(blocks, BLOCKS[0]), BLOCKS[1]))
    points.push(point)
    print(
      [
        `${validators}`.padStart(10),
        `${point.blocks}`.padStart(7),
        point.cpuSeconds.toFixed(2).padStart(6),
        rate(point)
          .toFixed(rate(point) < 10 ? 2 : 0)
          .padStart(13),
        (point.messages / point.blocks).toFixed(0).padStart(15),
        (point.messages / point.cpuSeconds).toFixed(0).padStart(15),
      ].join(' '),
    )
  }
  if (options.svg === undefined) return
  writeFileSync(options.svg, plot(points))
  print(`plot: ${options.svg}`)
}

function rate({ blocks, cpuSeconds }: Point): number {
  return blocks / cpuSeconds
}

async function measure(validators: number, blocks: number): Promise<Point> {
  const scenario = {
    ...loadScenario('calm'),
    validators,
    transactionsPerSecond: 0,
    healAfterSeconds: blocks,
    blocksAfterHealing: 0,
    expect: { violations: 'none', blocksBeforeHealing: 0, recoveryPeriodsMax: 10 },
  } as const
  const before = process.cpuUsage()
  const outcome = await runWorld(scenario, `curve ${validators}`)
  const { user, system } = process.cpuUsage(before)
  if (outcome.violations.length > 0) throw new Error(outcome.violations[0]!.text)
  return {
    validators,
    blocks: outcome.height,
    cpuSeconds: (user + system) / 1e6,
    messages: outcome.messages,
  }
}

const WIDTH = 640
const HEIGHT = 400
const MARGIN = 60

/** Both axes logarithmic. */
function plot(points: readonly Point[]): string {
  const xs = points.map(({ validators }) => Math.log10(validators))
  const ys = points.map((point) => Math.log10(rate(point)))
  const [left, right] = [Math.min(...xs), Math.max(...xs)]
  const [bottom, top] = [Math.floor(Math.min(...ys)), Math.ceil(Math.max(...ys))]
  const x = (log: number): number =>
    MARGIN + ((WIDTH - 2 * MARGIN) * (log - left)) / Math.max(right - left, 0.1)
  const y = (log: number): number =>
    HEIGHT - MARGIN - ((HEIGHT - 2 * MARGIN) * (log - bottom)) / Math.max(top - bottom, 1)
  const text = (at: readonly [number, number], anchor: string, content: string): string =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}">${content}</text>`
  const grid = Array.from({ length: top - bottom + 1 }, (_, i) => bottom + i).map((log) =>
    [
      `<line x1="${MARGIN}" y1="${y(log).toFixed(1)}" x2="${WIDTH - MARGIN}" y2="${y(log).toFixed(1)}" stroke="#ddd"/>`,
      text([MARGIN - 8, y(log) + 4], 'end', `${10 ** log}`),
    ].join('\n'),
  )
  const path = points.map((_, i) => `${x(xs[i]!).toFixed(1)},${y(ys[i]!).toFixed(1)}`).join(' ')
  const marks = points.map((point, i) =>
    [
      `<circle cx="${x(xs[i]!).toFixed(1)}" cy="${y(ys[i]!).toFixed(1)}" r="4" fill="#1f5fa8"/>`,
      text([x(xs[i]!), HEIGHT - MARGIN + 20], 'middle', `${point.validators}`),
      text([x(xs[i]!), y(ys[i]!) - 10], 'middle', rate(point).toPrecision(3)),
    ].join('\n'),
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>
${text([WIDTH / 2, 24], 'middle', 'Virtual blocks per second of CPU')}
${text([WIDTH / 2, HEIGHT - 14], 'middle', 'validators')}
${grid.join('\n')}
<polyline points="${path}" fill="none" stroke="#1f5fa8" stroke-width="2"/>
${marks.join('\n')}
</svg>
`
}
