/**
 * `vellum start` on the folder of a network: each node in a process of its own, on this machine.
 *
 * Nothing is started again without a word: a node that ends is told of, the others go on.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { quorum } from '@vellum/consensus'
import { type NodeConfig, parseConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { readConfigFile } from './config-file.ts'
import { devAccountLines } from './dev-lines.ts'
import type { Ready } from './node-command.ts'
import { MAIN_CHAIN } from './observation.ts'
import { VERSION } from './version.ts'

export interface LocalNetworkPorts {
  readonly directory: string
  /** The program and arguments that run `vellum`. */
  readonly program: readonly string[]
  /** Flags that every node is given. */
  readonly flags: readonly string[]
  /** RPC port of the first node; undefined: as the folders say. */
  readonly port: number | undefined
  /** True where the development accounts are funded: then their keys are shown. */
  readonly isDev: boolean
  readonly print: (line: string) => void
  readonly warn: (line: string) => void
  /** Resolves when it is to stop. */
  readonly stopping: Promise<unknown>
  /** Called when all serve; the end waits for it. It never fails. */
  readonly whenReady?: ((ready: Ready) => Promise<void>) | undefined
}

interface Child {
  readonly name: string
  readonly process: ChildProcess
  /** The URL of its RPC server; rejects if it ends before. */
  readonly ready: Promise<string>
  readonly ended: Promise<string>
  isRunning: boolean
}

/** Most milliseconds until every node has its RPC server; a large chain takes long to verify. */
const START_MS_MAX = 600_000
/** Most milliseconds for which the banner waits until all are connected. */
const CONNECT_MS_MAX = 20_000
const POLL_MS = 100
const FIRST_BLOCK_POLL_MS = 500
const OUTPUT_CHARS_MAX = 65_536

/** Folders of nodes, by number; empty if there is no network. */
export function networkFolders(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => /^node\d+$/.test(name) && existsSync(join(directory, name, 'config.json')))
    .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
    .map((name) => join(directory, name))
}

/**
 * Runs all nodes until it is told to stop, or the last of them has ended.
 * @returns the process's exit code
 */
export async function runLocalNetwork(ports: LocalNetworkPorts): Promise<number> {
  const { directory, print } = ports
  const startedAt = performance.now()
  const seconds = (): string => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
  const folders = networkFolders(directory)
  const configs = folders.map((folder) => parseConfig(readConfigFile(join(folder, 'config.json'))))
  const rpcPorts = configs.map(({ rpc }, i) =>
    ports.port === undefined ? rpc.port : ports.port && ports.port + i,
  )
  for (const [i, config] of configs.entries())
    await assertPortsFree(`node${i + 1}`, config, rpcPorts[i]!)

  const children = folders.map((folder, i) => startChild(folder, rpcPorts[i]!, ports))
  let isStopping = false
  const stopAll = async (): Promise<void> => {
    isStopping = true
    for (const { process } of children) process.kill('SIGTERM')
    await Promise.all(children.map(({ ended }) => ended))
  }
  const stopped = ports.stopping.then(() => 'stop' as const)
  let urls: string[] | 'stop'
  try {
    for (const { name, ready } of children) {
      ready.then(
        (url) => print(`${name} is up: RPC ${url} (${seconds()})`),
        () => {},
      )
    }
    urls = await Promise.race([Promise.all(children.map(({ ready }) => ready)), stopped])
  } catch (error) {
    await stopAll()
    throw error
  }
  if (urls === 'stop') {
    await stopAll()
    return 0
  }
  const isConnected = await Promise.race([allConnected(urls), stopped])
  if (isConnected === true) print(`all ${urls.length} are connected to one another (${seconds()})`)
  if (isConnected === false) print('not all are connected yet; they go on trying')
  for (const line of await banner(urls, ports)) print(line)

  const watch = new AbortController()
  const tellFirst = tellFirstBlock(urls[0]!, print, watch.signal)
  for (const child of children) {
    void child.ended.then((how) => {
      if (isStopping) return
      const running = children.filter(({ isRunning }) => isRunning).length
      const needed = quorum(children.length)
      ports.warn(`${child.name} ${how}`)
      ports.warn(
        running >= needed
          ? `${running} of ${children.length} go on; start it again with ${join(directory, child.name, 'start.sh')}`
          : `${running} of ${children.length} run and ${needed} are needed for a block: start others with their start.sh`,
      )
    })
  }
  const allEnded = Promise.all(children.map(({ ended }) => ended)).then(() => 'ended' as const)
  const ended = Promise.race([stopped, allEnded])
  const shown = ports.whenReady?.({ url: urls[0]!, stopping: ended })
  const end = await ended
  await shown
  watch.abort()
  await tellFirst
  if (end === 'stop') await stopAll()
  return end === 'stop' ? 0 : 1
}

function startChild(folder: string, rpcPort: number, ports: LocalNetworkPorts): Child {
  const name = folder.slice(folder.lastIndexOf('node'))
  const [command, ...args] = ports.program
  const child = spawn(
    command!,
    [
      ...args,
      'node',
      '--config',
      join(folder, 'config.json'),
      '--port',
      String(rpcPort),
      ...ports.flags,
    ],
    // A group of its own: Ctrl-C reaches this process, which tells the nodes once. If this process is
    // killed, the channel closes and they stop.
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true },
  )
  let output = ''
  let tail = ''
  const { promise: ready, resolve: isReady, reject: hasFailed } = Promise.withResolvers<string>()
  // Whoever waits sees it; where nobody waits any more, its end is told.
  ready.catch(() => {})
  child.stdout!.on('data', (data: Buffer) => {
    output = (output + data.toString()).slice(-OUTPUT_CHARS_MAX)
    const url = /RPC +(http:\S+)[\s\S]*Stop with/.exec(output)?.[1]
    if (url !== undefined) isReady(url)
  })
  child.stderr!.on('data', (data: Buffer) => {
    const lines = (tail + data.toString()).split('\n')
    tail = lines.pop()!.slice(-OUTPUT_CHARS_MAX)
    for (const line of lines) ports.warn(`${name} | ${line}`)
  })
  const self: Child = {
    name,
    process: child,
    ready,
    isRunning: true,
    ended: new Promise((settle) => {
      const end = (how: string): void => {
        self.isRunning = false
        hasFailed(new NodeError('NODE_NETWORK_FAILED', `${name} ${how}; its last words are above`))
        settle(how)
      }
      child.once('error', (error) => end(`could not be started: ${error.message}`))
      child.once('close', (code, signal) =>
        end(signal === null ? `ended with code ${code}` : `was ended by ${signal}`),
      )
    }),
  }
  setTimeout(
    () => hasFailed(new NodeError('NODE_NETWORK_FAILED', `${name} did not start in time`)),
    START_MS_MAX,
  ).unref()
  return self
}

async function allConnected(urls: readonly string[]): Promise<boolean> {
  const deadline = performance.now() + CONNECT_MS_MAX
  while (performance.now() < deadline) {
    const counts = await Promise.all(urls.map((url) => call<string>(url, 'net_peerCount')))
    if (counts.every((count) => Number(count ?? 0) >= urls.length - 1)) return true
    await delay(POLL_MS)
  }
  return false
}

async function tellFirstBlock(
  url: string,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (Number(await call<string>(url, 'eth_blockNumber')) !== 0) return
  while (!signal.aborted) {
    const block = await call<{ number: string; miner: string } | null>(
      url,
      'eth_getBlockByNumber',
      '0x1',
      false,
    )
    if (block !== undefined && block !== null)
      return print(`first block: 1, proposed by ${block.miner}`)
    await delay(FIRST_BLOCK_POLL_MS, undefined, { signal }).catch(() => {})
  }
}

async function banner(urls: readonly string[], ports: LocalNetworkPorts): Promise<string[]> {
  const [url] = urls as [string]
  const chainId = Number(await call<string>(url, 'eth_chainId'))
  const head = await call<{ number: string; hash: string }>(
    url,
    'eth_getBlockByNumber',
    'latest',
    false,
  )
  const f = Math.floor((urls.length - 1) / 3)
  return [
    '',
    `Vellum ${VERSION}, a network of ${urls.length} on this machine${ports.isDev ? ', development chain' : ''}`,
    '',
    `  RPC         ${url}`,
    ...urls.slice(1).map((each) => `              ${each}`),
    `  chain id    ${chainId}`,
    ...(await sideLines(url)),
    `  head        block ${Number(head?.number)}, ${head?.hash}`,
    `  data        ${resolve(ports.directory)}, a folder for each node`,
    `  blocks      when a transaction waits; ${f === 0 ? 'none if a node is gone' : `they go on without any ${f} of the nodes`}`,
    '',
    ...(ports.isDev ? devAccountLines(url) : []),
    'Stop with Ctrl-C: what was acknowledged is on disk.',
  ]
}

/** Side chains of the first node: those of one network are the same on all. */
async function sideLines(url: string): Promise<string[]> {
  const chains =
    (await call<readonly { name: string; state: string; chainId: string | null }[]>(
      url,
      'admin_chains',
    )) ?? []
  return chains
    .filter(({ name }) => name !== MAIN_CHAIN)
    .map(({ name, state, chainId }, i) => {
      const heading = i === 0 ? 'side chains' : ''
      const what = state === 'serving' ? `chain id ${Number(chainId)}` : `${state}: not served`
      return `  ${heading.padEnd(11)} /chain/${name}  ${what}`
    })
}

/** @returns undefined if the node is not there */
async function call<Result>(
  url: string,
  method: string,
  ...params: unknown[]
): Promise<Result | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    return ((await response.json()) as { result?: Result }).result
  } catch {
    // It has ended, which is told elsewhere.
    return undefined
  }
}

/** Before anything is started: a network of which a part cannot listen would come up halfway. */
async function assertPortsFree(name: string, config: NodeConfig, rpcPort: number): Promise<void> {
  const peers = config.network.listen.map((text) => {
    const [host, port] = multiaddr(text).getComponents()
    return { what: 'for its peers', host: host?.value ?? '0.0.0.0', port: Number(port?.value ?? 0) }
  })
  for (const { what, host, port } of [
    ...peers,
    { what: 'for RPC', host: config.rpc.host, port: rpcPort },
  ]) {
    const reason = await whyTaken(host, port)
    if (reason === undefined) continue
    throw new NodeError(
      'NODE_PORT_TAKEN',
      `${host}:${port}, which ${name} needs ${what}, cannot be used (${reason}): stop the program that has it, or change ${name}/config.json${what === 'for RPC' ? ' or --port' : ' and the bootnodes of the others'}`,
      { host, port },
    )
  }
}

function whyTaken(host: string, port: number): Promise<string | undefined> {
  return new Promise((settle) => {
    const server = createServer()
    server.once('error', (error: { code?: string }) => settle(error.code ?? 'unknown'))
    server.listen({ host, port }, () => server.close(() => settle(undefined)))
  })
}
