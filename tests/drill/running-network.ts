/** A network as operators run it: `vellum network create`, and a process for each node of it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Address } from '@vellum/evm'

export interface RunningNetwork {
  readonly nodes: readonly NetworkProcess[]
  /** Ends all of them, as an operator would. */
  stop(): Promise<void>
}

export interface NetworkProcess {
  readonly name: string
  readonly folder: string
  readonly address: Address
  readonly url: string
  readonly rpcPort: number
  readonly peerPort: number
  readonly pid: number
  /** True while it can be asked: neither ended nor paused. */
  readonly isRunning: boolean
  /**
   * Resolves when its RPC server answers.
   * @param flags of `vellum node`, for this time
   * @throws Error with all that it printed, if it ends instead
   */
  start(...flags: readonly string[]): Promise<void>
  /** From its next start on it is of this version. */
  upgrade(): void
  /** Resolves when the process has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  pause(): void
  resume(): void
  /** Deletes the chain, and nothing else. Not while it runs. */
  wipe(): void
  /** Deletes what it has voted, and nothing else. Not while it runs. */
  loseVotes(): void
  /** Changes its configuration file. Not while it runs. */
  configure(change: (config: NetworkNodeConfig) => void): void
  /** One JSON-RPC call. @throws Error with the message of an error answer */
  call<Result>(method: string, ...params: unknown[]): Promise<Result>
  /** Everything that it printed so far. */
  output(): string
}

/** What `network create` writes, as far as it is changed here. */
export interface NetworkNodeConfig {
  blocks?: Record<string, number>
  network: { bootnodes: string[]; announce?: string[] }
  test?: { clockOffsetMs: number }
}

export interface RunningNetworkOptions {
  /** Created. */
  readonly directory: string
  readonly validators: number
  readonly followers?: number
  readonly chainId: number
  /** Side chains; undefined: one chain with everything on it. */
  readonly sideChains?: readonly string[]
  /** File of who governs and takes part in the system contracts; undefined: those of the development chain. */
  readonly contracts?: string
  /** Seconds of a round. */
  readonly requestTimeout?: number
  /** Least milliseconds between blocks. */
  readonly blockPeriodMs?: number
  /** Laid over the genesis file of every node. */
  readonly genesis?: object
  /** Of Node.js, for all or for one of the nodes. */
  readonly nodeFlags?: (index: number) => readonly string[]
  /** Checkout, with its dependencies, of the version that creates the folders and starts the nodes; undefined: this one. */
  readonly checkout?: string
}

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url))
const MAIN = 'packages/node/src/host/main.ts'
const SCRIPT_FLAGS = ['--conditions=source', '--max-semi-space-size=32']
const START_MS_MAX = 120_000
const CALL_MS_MAX = 30_000
/** Ports are looked for from here on, below those that systems give to outgoing connections. */
const PORT_MIN = 20_000
const PORT_MAX = 32_000
const OUTPUT_CHARS_MAX = 200_000

/** Creates the folders; nothing runs yet. */
export async function createRunningNetwork(
  options: RunningNetworkOptions,
): Promise<RunningNetwork> {
  const { directory, validators, followers = 0, chainId, requestTimeout = 2 } = options
  const { checkout = CHECKOUT } = options
  const count = validators + followers
  const base = await freePorts(2 * count)
  const command = [
    ...['network', 'create', '--out', directory, '--light-keys', '--dev-accounts'],
    ...['--validators', String(validators), '--followers', String(followers)],
    ...['--chain-id', String(chainId), '--request-timeout', String(requestTimeout)],
    ...['--base-port', String(base), '--rpc-base-port', String(base + count)],
    ...(options.blockPeriodMs === undefined
      ? []
      : ['--block-period', String(options.blockPeriodMs)]),
    ...(options.contracts === undefined ? [] : ['--contracts', options.contracts]),
    ...(options.sideChains === undefined ? [] : ['--side-chains', options.sideChains.join(',')]),
  ]
  await runVellum(command, checkout)
  const nodes = Array.from({ length: count }, (_, i) => {
    const folder = join(directory, `node${i + 1}`)
    if (options.genesis !== undefined) {
      changeJson(join(folder, 'genesis.json'), (genesis) => Object.assign(genesis, options.genesis))
    }
    const flags = options.nodeFlags?.(i) ?? []
    const ports = { peerPort: base + i, rpcPort: base + count + i }
    return createProcess({ folder, flags, checkout, ...ports })
  })
  return {
    nodes,
    stop: async () => {
      await Promise.all(
        nodes.filter(({ isRunning }) => isRunning).map((each) => each.end('SIGTERM')),
      )
    },
  }
}

/** Another process of the same node, as if it were started twice by mistake. Nothing runs yet. */
export function createTwin({ folder, peerPort, rpcPort }: NetworkProcess): NetworkProcess {
  return createProcess({ folder, flags: [], checkout: CHECKOUT, peerPort, rpcPort })
}

function createProcess(place: {
  readonly folder: string
  readonly flags: readonly string[]
  readonly checkout: string
  readonly peerPort: number
  readonly rpcPort: number
}): NetworkProcess {
  const { folder, flags, peerPort, rpcPort } = place
  const config = join(folder, 'config.json')
  const url = `http://127.0.0.1:${rpcPort}`
  const keystore = (JSON.parse(readFileSync(config, 'utf8')) as { validator: { keystore: string } })
    .validator.keystore
  let { checkout } = place
  let child: ChildProcess | undefined
  let isPaused = false
  let output = ''
  const isAlive = (): boolean =>
    child !== undefined && child.exitCode === null && child.signalCode === null

  return {
    name: folder.slice(folder.lastIndexOf('node')),
    folder,
    address: `0x${keystore.slice(-40)}`,
    url,
    rpcPort,
    peerPort,
    get pid() {
      return child!.pid!
    },
    get isRunning() {
      return isAlive() && !isPaused
    },
    start: async (...vellumFlags) => {
      output = ''
      const started = spawn(
        process.execPath,
        [
          ...[...flags, ...SCRIPT_FLAGS, join(checkout, MAIN)],
          ...['node', '--config', config, ...vellumFlags],
        ],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, NODE_OPTIONS: '' },
          cwd: folder,
        },
      )
      child = started
      await new Promise<void>((resolve, reject) => {
        const fail = (reason: string): void => reject(new Error(`${folder}: ${reason}\n${output}`))
        const timer = setTimeout(() => fail('it did not start in time'), START_MS_MAX)
        const add = (data: Buffer): void => {
          output = (output + data.toString()).slice(-OUTPUT_CHARS_MAX)
          if (!output.includes('Stop with')) return
          clearTimeout(timer)
          resolve()
        }
        started.stdout!.on('data', add)
        started.stderr!.on('data', add)
        started.once('close', (code, signal) => {
          clearTimeout(timer)
          fail(`it ended with ${code ?? signal}`)
        })
      })
    },
    upgrade: () => {
      checkout = CHECKOUT
    },
    end: async (signal) => {
      if (child === undefined || !isAlive()) return
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
    },
    pause: () => {
      isPaused = true
      child?.kill('SIGSTOP')
    },
    resume: () => {
      isPaused = false
      child?.kill('SIGCONT')
    },
    wipe: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
    loseVotes: () => {
      const directory = join(folder, 'keystore')
      const name = readdirSync(directory).find((each) => /^votes-[0-9a-f]{40}$/.test(each))
      if (name === undefined) throw new Error(`${folder} has no vote file`)
      rmSync(join(directory, name))
    },
    configure: (change) => changeJson(config, change as (json: object) => void),
    call: (method, ...params) => callRpc(url, method, params),
    output: () => output,
  }
}

export async function callRpc<Result>(
  url: string,
  method: string,
  params: readonly unknown[],
): Promise<Result> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(CALL_MS_MAX),
  })
  const answer = (await response.json()) as { result: Result; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(answer.error.message)
  return answer.result
}

/**
 * One question for each of the parameters, together; an answer with an error is undefined.
 * @param params of each, alone where it is only one
 * @throws Error if the node does not answer
 */
export async function demand<Result>(
  node: Pick<NetworkProcess, 'url'>,
  method: string,
  params: readonly unknown[],
  timeMsMax: number = CALL_MS_MAX,
): Promise<(Result | null | undefined)[]> {
  const body = params.map((param, id) => ({
    jsonrpc: '2.0',
    id,
    method,
    params: Array.isArray(param) ? param : [param],
  }))
  const response = await fetch(node.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeMsMax),
  })
  const answers = (await response.json()) as { id: number; result?: Result | null }[]
  return answers.sort((a, b) => a.id - b.id).map(({ result }) => result)
}

/** Why nodes make no block, if they say so, and the end of what each has printed. */
export async function lastWords(nodes: readonly NetworkProcess[]): Promise<string> {
  const words = nodes.map(async (node) => {
    const status = await node
      .call<object>('vellum_consensusStatus')
      .catch((error: unknown) => ({ unanswered: (error as Error).message }))
    const log = node.output().split('\n').slice(-15).join('\n')
    return `--- ${node.name}\n${JSON.stringify(status)}\n${log}`
  })
  return (await Promise.all(words)).join('\n')
}

/** Runs a command to its end. @throws Error with all that it printed, if it fails */
export async function runVellum(args: readonly string[], checkout = CHECKOUT): Promise<void> {
  const main = join(checkout, MAIN)
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let output = ''
  const add = (data: Buffer): void => {
    output += data.toString()
  }
  child.stdout.on('data', add)
  child.stderr.on('data', add)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`vellum ${args.join(' ')}:\n${output}`)
}

function changeJson(path: string, change: (json: object) => void): void {
  const json = JSON.parse(readFileSync(path, 'utf8')) as object
  change(json)
  writeFileSync(path, `${JSON.stringify(json, undefined, 2)}\n`)
}

/** The first of so many free ports in a row. Others may take them before they are used. */
export async function freePorts(count: number): Promise<number> {
  // Processes that look at the same time begin in different places.
  let from = PORT_MIN + ((process.pid * 61) % (PORT_MAX - PORT_MIN))
  for (let tries = 0; tries < 100; tries++) {
    if (from + count > PORT_MAX) from = PORT_MIN
    const ports = Array.from({ length: count }, (_, i) => from + i)
    const free = await Promise.all(ports.map(isFree))
    if (free.every((each) => each)) return from
    from += count
  }
  throw new Error('no free ports')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)))
  })
}
