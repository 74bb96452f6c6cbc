/** The two nodes of `pnpm bench node`, each as a process, and how much processor time it used. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GAS_LIMIT } from './node-load.ts'

export interface Server {
  readonly name: 'vellum' | 'anvil'
  readonly port: number
  readonly pid: number
  call<Result>(method: string, ...params: unknown[]): Promise<Result>
  /** Processor seconds of all its threads since it started. */
  cpuSeconds(): number
  /** Bytes of memory that are resident now, and the most that ever were. */
  memory(): { readonly resident: number; readonly peak: number }
  stop(): Promise<void>
}

const MAIN = fileURLToPath(new URL('../packages/node/src/host/main.ts', import.meta.url))
/** As `pnpm start` starts it: a larger nursery saves a tenth of the time under load. */
const SCRIPT_FLAGS = ['--conditions=source', '--max-semi-space-size=32']
const START_MS_MAX = 120_000
/** Clock ticks a second in /proc: a constant of Linux's interface. */
const TICKS = 100

/** Starts our node on a directory; a new one begins with the genesis. */
export async function startVellum(
  dataDir: string,
  port: number,
  ...flags: readonly string[]
): Promise<Server> {
  const args = [
    ...SCRIPT_FLAGS,
    MAIN,
    'start',
    '--validators',
    '1',
    '--side-chains',
    'none',
    '--data-dir',
    dataDir,
    '--port',
    String(port),
    '--no-tour',
  ]
  const child = spawn(process.execPath, [...nodeFlags(), ...args, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString()
      if (output.includes('Stop with')) resolve()
    })
    child.once('close', (code) => reject(new Error(`vellum ended with code ${code}:\n${output}`)))
  })
  return server('vellum', child, port)
}

/** `VELLUM_BENCH_NODE_FLAGS=--cpu-prof` and the like, for whoever profiles. */
function nodeFlags(): string[] {
  return (process.env.VELLUM_BENCH_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '')
}

/** Starts anvil on a genesis: a block a second, no fees, all in memory. */
export async function startAnvilOn(genesis: string, port: number): Promise<Server> {
  const options = ['--init', genesis, '--block-time', '1', '--gas-limit', String(GAS_LIMIT)]
  const quiet = ['--silent', '--gas-price', '0', '--block-base-fee-per-gas', '0']
  const child = spawn(
    anvilBinary(),
    ['--port', String(port), ...options, ...quiet, '--disable-min-priority-fee'],
    { stdio: 'ignore' },
  )
  const started = server('anvil', child, port)
  const deadline = Date.now() + START_MS_MAX
  for (;;) {
    try {
      await started.call('eth_chainId')
      return started
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** The program itself and not its launcher, whose processor time would be measured instead. */
function anvilBinary(): string {
  const launcher = createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json')
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const own = `@foundry-rs/anvil-${process.platform}-${architecture}/package.json`
  return join(dirname(createRequire(launcher).resolve(own)), 'bin', 'anvil')
}

function server(name: Server['name'], child: ChildProcess, port: number): Server {
  const pid = child.pid!
  return {
    name,
    port,
    pid,
    call: (method, ...params) => call(port, method, params),
    cpuSeconds: () => cpuSecondsOf(pid),
    memory: () => memoryOf(pid),
    stop: async () => {
      const closed = once(child, 'close')
      child.kill('SIGTERM')
      await closed
    },
  }
}

/** Processor seconds of all threads of a process since it started. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

/** Bytes of memory of a process that are resident now, and the most that ever were. */
export function memoryOf(pid: number): { readonly resident: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (field: string): number =>
    Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') }
}

async function call<Result>(port: number, method: string, params: unknown[]): Promise<Result> {
  const response = await fetch(`http://127.0.0.1:${port}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const answer = (await response.json()) as { result: Result; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`)
  return answer.result
}

/** Writes a genesis where a data directory has it. */
export function writeGenesis(path: string, genesis: object): void {
  writeFileSync(path, JSON.stringify(genesis))
}
