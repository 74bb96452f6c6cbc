/** A node as users run it: the command line in a process of its own, spoken to over HTTP. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../packages/node/src/host/main.ts', import.meta.url))
const START_MS_MAX = 60_000

export interface RunningNode {
  readonly url: string
  readonly process: ChildProcess
  /** Everything that it printed so far. */
  output(): string
  /** One JSON-RPC call. @throws Error with the message of an error answer */
  call<Result>(method: string, ...params: unknown[]): Promise<Result>
  /** Stops it as a user would. @returns its exit code */
  stop(): Promise<number | null>
  /** Ends it with no chance to finish anything. */
  kill(): Promise<void>
}

export interface CommandResult {
  readonly code: number | null
  readonly output: string
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'vellum-e2e-'))
}

/** Runs a command of the command line to its end. */
export async function runCommand(...args: readonly string[]): Promise<CommandResult> {
  const child = spawnMain(args)
  const text = collect(child)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output: text() }
}

/**
 * Starts a node on a free port and waits until it says where it listens. A new chain has everything on it,
 * and no tour.
 */
export function startNode(dataDir: string, ...flags: readonly string[]): Promise<RunningNode> {
  return startWithTour(dataDir, '--no-tour', ...flags)
}

/** The same; a new development chain is shown with the tour of a licence. */
export async function startWithTour(
  dataDir: string,
  ...flags: readonly string[]
): Promise<RunningNode> {
  const child = spawnMain([
    'start',
    '--validators',
    '1',
    ...(flags.includes('--side-chains') ? [] : ['--side-chains', 'none']),
    '--data-dir',
    dataDir,
    '--port',
    '0',
    ...flags,
  ])
  const output = collect(child)
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => fail('it did not start in time'), START_MS_MAX)
    const fail = (reason: string): void => reject(new Error(`${reason}:\n${output()}`))
    child.stdout?.on('data', () => {
      const found = /RPC +(https?:\S+)[\s\S]*Stop with/.exec(output())?.[1]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      fail(`the node ended with code ${code}`)
    })
  })
  return running(child, url, output)
}

/** Starts a relayer by itself; `printed` tells when it is ready. */
export function startRelay(...flags: readonly string[]): RunningNode {
  const child = spawnMain(['relay', ...flags])
  return running(child, '', collect(child))
}

function running(child: ChildProcess, url: string, output: () => string): RunningNode {
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const closed = once(child, 'close') as Promise<[number | null]>
    child.kill(signal)
    return (await closed)[0]
  }
  return {
    url,
    process: child,
    output,
    call: (method, ...params) => call(url, method, params),
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
  }
}

/** Waits until a node's process has printed something. */
export function printed({ process: child, output }: RunningNode, text: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (text.test(output())) resolve()
    }
    child.stdout!.on('data', look)
    child.once('close', () => reject(new Error(`it ended without ${text}:\n${output()}`)))
    look()
  })
}

async function call<Result>(url: string, method: string, params: unknown[]): Promise<Result> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const answer = (await response.json()) as { result: Result; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(answer.error.message)
  return answer.result
}

function spawnMain(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--conditions=source', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
}

function collect(child: ChildProcess): () => string {
  let text = ''
  const add = (data: Buffer): void => {
    text += data.toString()
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  return () => text
}
