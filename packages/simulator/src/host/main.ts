/** The command line of the simulator. The one place that reads arguments and writes files. */

import { closeSync, openSync, writeSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { drawScenario } from '../draw-scenario.ts'
import { drawPegScenario } from '../peg/draw.ts'
import type { PegScenario } from '../peg/scenario.ts'
import type { Scenario } from '../scenario.ts'
import { ScenarioError } from '../scenario-reader.ts'
import type { Outcome } from '../world.ts'
import { control } from './control.ts'
import { curve } from './curve.ts'
import { describePegOutcome, isPegAsExpected } from './peg-report.ts'
import { type PegSweepOptions, sweepPeg } from './peg-sweep.ts'
import { describeOutcome, isAsExpected } from './report.ts'
import { runPeg, runWorld } from './run-world.ts'
import {
  isPegScenario,
  loadAnyScenario,
  loadScenario,
  shippedPegScenarios,
  shippedScenarios,
} from './scenario-source.ts'
import { type SweepOptions, sweep, sweepCatalogue } from './sweep.ts'

const print = (line: string): void => void process.stdout.write(`${line}\n`)
/** Milliseconds between lines of progress: where somebody looks on, and in a log. */
const PROGRESS_MS = { terminal: 500, log: 30_000 }
let toldAt = performance.now()
const progress = (line: string): void => {
  const { isTTY } = process.stderr
  if (performance.now() - toldAt < (isTTY ? PROGRESS_MS.terminal : PROGRESS_MS.log)) return
  toldAt = performance.now()
  process.stderr.write(isTTY ? `\r\x1b[K${line}` : `${line}\n`)
}
const sweepPorts = { print, progress, now: () => performance.now() }

const program = new Command('simulate')
  .description(
    'Runs real nodes in virtual worlds: time, network, disks and adversaries from a seed',
  )
  .showHelpAfterError()
  .addHelpText(
    'after',
    `\nScenarios that come along: ${[...shippedScenarios(), ...shippedPegScenarios()].join(', ')}`,
  )

program
  .command('run')
  .description('run one scenario')
  .argument('<scenario>', 'a JSON file, or the name of a scenario that comes along')
  .option('--seed <text>', 'what the world is drawn from', '1')
  .option('--trace <file>', 'write every event, one line each; `-`: to standard output')
  .action(async (source: string, flags: { seed: string; trace?: string }) => {
    const scenario = loadAnyScenario(source)
    if (isPegScenario(scenario)) await runOnePeg(scenario, flags.seed, flags.trace)
    else await runOne(scenario, flags.seed, flags.trace)
  })

withSeeds(program.command('sweep'))
  .description('run many worlds with all kinds of faults mixed, drawn from their seeds')
  .action(async (flags: SweepOptions) => {
    if (!(await sweep(flags, sweepPorts))) process.exitCode = 1
  })

withSeeds(program.command('catalogue'))
  .description('each kind of adversary alone, as many as are tolerated, of 4, 7 and 10 validators')
  .action(async (flags: SweepOptions) => {
    if (!(await sweepCatalogue(flags, sweepPorts))) process.exitCode = 1
  })

withSeeds(program.command('peg'))
  .description('main chain, side chains and relayers: worlds with all kinds of faults mixed')
  .option('--scenario <scenario>', 'not drawn worlds, but this scenario again and again')
  .action(async (flags: PegSweepOptions) => {
    if (!(await sweepPeg(flags, sweepPorts))) process.exitCode = 1
  })

program
  .command('replay')
  .description('run the world of one seed of a sweep again')
  .argument('<seed>', 'the seed', whole)
  .option('--trace <file>', 'write every event, one line each; `-`: to standard output')
  .option('--scenario', 'print what was drawn as a scenario, and do not run it')
  .option('--peg', 'of a sweep of `peg`')
  .action(async (seed: number, flags: { trace?: string; scenario?: boolean; peg?: boolean }) => {
    const scenario = (flags.peg ? drawPegScenario : drawScenario)(`${seed}`)
    if (flags.scenario) print(JSON.stringify(scenario, undefined, 2))
    else if (isPegScenario(scenario)) await runOnePeg(scenario, `${seed}`, flags.trace)
    else await runOne(scenario, `${seed}`, flags.trace)
  })

program
  .command('control')
  .description('run worlds in which agreement must break, to see that the checks find it')
  .option('--seeds <count>', 'how many of each', whole, 20)
  .option('--from <seed>', 'the first seed', whole, 0)
  .action(async (flags: { seeds: number; from: number }) => {
    if (!(await control(flags, print))) process.exitCode = 1
  })

program
  .command('outage')
  .description('a day without a quorum, then everybody is back: the next block within 10 s')
  .option('--seed <text>', 'what the world is drawn from', '9')
  .option('--trace <file>', 'write every event, one line each; `-`: to standard output')
  .action(async (flags: { seed: string; trace?: string }) => {
    const outcome = await runOne(loadScenario('outage'), flags.seed, flags.trace)
    print(`rounds      ${outcome.roundsAtHealing.join(' ')} when everybody was back`)
    if (outcome.failures > 0) process.exitCode = 1
  })

program
  .command('curve')
  .description('virtual blocks per CPU second by the number of validators')
  .option('--sizes <list>', 'numbers of validators', sizes, [4, 7, 10, 13, 20, 31, 50, 70, 100])
  .option('--svg <file>', 'write a plot')
  .action(async (flags: { sizes: number[]; svg?: string }) => {
    await curve({ sizes: flags.sizes, svg: flags.svg }, print)
  })

function withSeeds(command: Command): Command {
  return command
    .requiredOption('--seeds <count>', 'how many', whole)
    .option('--from <seed>', 'the first seed', whole, 0)
    .option('--workers <count>', 'threads (default: one for each core)', whole)
}

async function runOne(
  scenario: Scenario,
  seed: string,
  trace: string | undefined,
): Promise<Outcome> {
  announce(scenario, seed)
  const outcome = await traced(trace, (read) => runWorld(scenario, seed, read))
  print(describeOutcome(outcome))
  const isExpected = isAsExpected(scenario, outcome)
  print(`expected    ${scenario.expect.violations} violations: ${isExpected ? 'yes' : 'NO'}`)
  if (!isExpected) process.exitCode = 1
  return outcome
}

async function runOnePeg(
  scenario: PegScenario,
  seed: string,
  trace: string | undefined,
): Promise<void> {
  announce(scenario, seed)
  const outcome = await traced(trace, (read) => runPeg(scenario, seed, { read }))
  print(describePegOutcome(scenario, outcome))
  const isExpected = isPegAsExpected(scenario, outcome)
  print(`expected    ${isExpected ? 'yes' : 'NO'}`)
  if (!isExpected) process.exitCode = 1
}

function announce({ name, about }: Scenario | PegScenario, seed: string): void {
  print(`scenario    ${name}: ${about}`)
  print(`seed        ${seed}`)
}

async function traced<T>(
  trace: string | undefined,
  run: (read: ((line: string) => void) | undefined) => Promise<T>,
): Promise<T> {
  const file = trace === undefined || trace === '-' ? undefined : openSync(trace, 'w')
  const write = (line: string): void => void writeSync(file ?? 1, `${line}\n`)
  try {
    return await run(trace === undefined ? undefined : write)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

function sizes(text: string): number[] {
  const list = text.split(',').map(Number)
  if (list.every((size) => Number.isInteger(size) && size >= 1 && size <= 100)) return list
  throw new InvalidArgumentError('It must be numbers from 1 to 100, with commas between them.')
}

try {
  await program.parseAsync()
} catch (error) {
  // What was foreseen has a message for people; anything else is a mistake of ours: with its stack.
  const text =
    error instanceof ScenarioError ? `${error.message} [${error.code}]` : (error as Error).stack
  process.stderr.write(`simulate: ${text}\n`)
  process.exitCode = 1
}
