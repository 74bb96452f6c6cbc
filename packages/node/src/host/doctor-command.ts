/**
 * `vellum doctor`: asks a running node why no block is made, looks at its data directory, and says both in
 * words. Changes nothing.
 */

import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '@vellum/evm'
import type { ConsensusStatus, ValidatorStatus } from '@vellum/rpc'
import type { NodeConfig } from '../config.ts'
import type { Language } from '../consensus-words.ts'
import {
  type DirectoryFacts,
  type DoctorFacts,
  diagnose,
  type Finding,
  type FindingLevel,
  isHealthy,
  type SideFacts,
} from '../doctor.ts'
import { chainFolder, listChainFolders, readChainConfig } from './chain-folders.ts'
import { genesisPath } from './data-directory.ts'
import { headFileExists, openHeadFile } from './head-file.ts'
import { systemClock } from './machine.ts'
import { MAIN_CHAIN } from './observation.ts'
import { makeToken, readTokenSecret } from './rpc-tokens.ts'
import { voteFilePath } from './vote-file.ts'

export interface DoctorOptions {
  readonly config: NodeConfig
  /** A side chain, alone; undefined: main, and the side chains of its directory. */
  readonly chain: string | undefined
  /** The node's RPC; undefined: where the configuration has it. */
  readonly url: string | undefined
  /** True if the caller named a directory or a file of settings: then it must hold a chain. */
  readonly isDirectoryNamed: boolean
  readonly language: Language
  readonly format: 'text' | 'json'
  readonly isColoured: boolean
  readonly print: (line: string) => void
}

/** Milliseconds in which the node must answer. */
const ANSWER_MS = 5_000
/** Bytes of an answer: a status of 128 validators takes 60,000. */
const ANSWER_BYTES_MAX = 1_048_576
const STATUS_METHOD = 'vellum_consensusStatus'

/** @returns the process's exit code: 0 healthy, 1 trouble */
export async function runDoctor(options: DoctorOptions): Promise<number> {
  const { language, format, print } = options
  const facts = await factsOf(options)
  const findings = diagnose(facts, language)
  const healthy = isHealthy(findings)
  if (format === 'json') print(JSON.stringify({ healthy, findings, ...facts }))
  // In one piece: who reads only the first lines may hang up after them.
  else print([...report(facts, findings, options)].join('\n'))
  return healthy ? 0 : 1
}

async function factsOf({ config, chain, ...options }: DoctorOptions): Promise<DoctorFacts> {
  const base = options.url ?? urlOf(config)
  const token = await tokenOf(config)
  if (chain !== undefined && chain !== MAIN_CHAIN) {
    const url = `${base}/chain/${chain}`
    const directory = lookAtSide(config, chain)
    return { url, node: await askNode(url, token), directory }
  }
  const hasDirectory = options.isDirectoryNamed || existsSync(genesisPath(config.dataDir))
  const node = await askNode(base, token)
  if (!hasDirectory) return { url: base, node, directory: undefined }
  const names = listChainFolders(config.dataDir).filter((name) => isToBeServed(config, name))
  const reasons = names.length === 0 ? new Map() : await reasonsOf(base, token)
  const sides: SideFacts[] = []
  for (const name of names) {
    const url = `${base}/chain/${name}`
    sides.push({
      name,
      url,
      node: await askNode(url, token),
      directory: lookAtSide(config, name),
      reason: reasons.get(name),
    })
  }
  return { url: base, node, directory: lookAt(config), sides }
}

function isToBeServed({ dataDir }: NodeConfig, name: string): boolean {
  try {
    return readChainConfig(chainFolder(dataDir, name)).served
  } catch {
    // A file that cannot be read says nothing; that the chain is not served will be seen.
    return true
  }
}

function lookAtSide(config: NodeConfig, name: string): DirectoryFacts {
  const folder = chainFolder(config.dataDir, name)
  // Keys and their votes are main's to look at.
  return { ...lookAt({ ...config, dataDir: folder }), openFiles: [], voteFile: undefined }
}

/** Why chains are not served, if the node tells that to everybody here. */
async function reasonsOf(
  url: string,
  token: string | undefined,
): Promise<ReadonlyMap<string, string>> {
  const chains = await askFor(url, 'admin_chains', token).catch(() => undefined)
  if (!Array.isArray(chains)) return new Map()
  return new Map(
    (chains as { name?: unknown; reason?: unknown }[]).flatMap(({ name, reason }) =>
      typeof name === 'string' && typeof reason === 'string' ? [[name, reason]] : [],
    ),
  )
}

function urlOf({ rpc }: NodeConfig): string {
  const host = rpc.host === '0.0.0.0' || rpc.host === '::' ? '127.0.0.1' : rpc.host
  return `${rpc.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${rpc.port}`
}

/** A token for the node, if its settings say that it may want one. */
async function tokenOf({ rpc }: NodeConfig): Promise<string | undefined> {
  if (rpc.jwtSecretFile === undefined) return undefined
  const nowSeconds = systemClock.now() / 1_000
  const permissions = [STATUS_METHOD, 'admin_chains']
  return makeToken(readTokenSecret(rpc.jwtSecretFile), { nowSeconds, permissions })
}

async function askNode(url: string, token: string | undefined): Promise<DoctorFacts['node']> {
  try {
    const status = await askFor(url, STATUS_METHOD, token)
    return isStatus(status) ? { kind: 'qbft', status } : { kind: 'other' }
  } catch (error) {
    return { kind: 'silent', reason: reasonOf(error) }
  }
}

/** @returns undefined for an answer that is an error @throws if there is none */
async function askFor(url: string, method: string, token: string | undefined): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }),
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`)
  return (JSON.parse(await boundedText(response)) as { readonly result?: unknown } | null)?.result
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > ANSWER_BYTES_MAX) throw new Error('the answer is too long')
  }
  return text
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { code?: string } }
  return cause?.code ?? message
}

/** Enough to be told from what another program answers. */
function isStatus(value: unknown): value is ConsensusStatus {
  const { step, validators, quorum } = (value ?? {}) as Partial<ConsensusStatus>
  return typeof step === 'string' && Array.isArray(validators) && typeof quorum === 'object'
}

function lookAt(config: NodeConfig): DirectoryFacts {
  const { dataDir } = config
  const keystore = config.validator.keystore
  const { passwordFile } = config.validator
  const keys = join(dataDir, 'keystore')
  const files = [
    ...(existsSync(keys) ? readdirSync(keys).map((name) => join(keys, name)) : []),
    ...(keystore === undefined ? [] : [keystore]),
    ...(passwordFile === undefined ? [] : [passwordFile]),
  ]
  return {
    path: dataDir,
    hasGenesis: existsSync(genesisPath(dataDir)),
    hasStore: existsSync(join(dataDir, 'store')),
    headFile: lookAtHead(join(dataDir, 'head')),
    freeBytes: existsSync(dataDir) ? freeBytesAt(dataDir) : Number.POSITIVE_INFINITY,
    openFiles: files.filter(isOpenToOthers),
    voteFile: lookAtVotes(config),
  }
}

function lookAtHead(path: string): DirectoryFacts['headFile'] {
  if (!headFileExists(path)) return 'missing'
  try {
    openHeadFile(path).close()
    return 'whole'
  } catch {
    return 'unreadable'
  }
}

function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

function isOpenToOthers(path: string): boolean {
  if (process.platform === 'win32') return false
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true && (found.mode & 0o077) !== 0
}

/** A node without a keystore has none, and one by itself needs none. */
function lookAtVotes(config: NodeConfig): DirectoryFacts['voteFile'] {
  const { keystore, votesFile } = config.validator
  if (keystore === undefined || config.network.bootnodes.length === 0) return undefined
  const address = addressIn(keystore)
  if (votesFile === undefined && address === undefined) return undefined
  const path = votesFile ?? voteFilePath(keystore, address!)
  return { path, exists: existsSync(path) }
}

/** The address that a keystore says it is of. */
function addressIn(keystore: string): Address | undefined {
  try {
    const { address } = JSON.parse(readFileSync(keystore, 'utf8')) as { address?: unknown }
    const digits = String(address).replace(/^0x/, '').toLowerCase()
    return /^[0-9a-f]{40}$/.test(digits) ? `0x${digits}` : undefined
  } catch {
    return undefined
  }
}

const MARKS: Readonly<Record<FindingLevel, string>> = { good: '✓', warning: '!', trouble: '✗' }
const COLOURS: Readonly<Record<FindingLevel, number>> = { good: 32, warning: 33, trouble: 31 }

function* report(
  { url, node }: DoctorFacts,
  findings: readonly Finding[],
  { language, isColoured }: DoctorOptions,
): Generator<string> {
  const paint = (level: FindingLevel, text: string): string =>
    isColoured ? `\u001b[${COLOURS[level]}m${text}\u001b[0m` : text
  for (const { level, text } of findings) yield `${paint(level, MARKS[level])} ${plain(text)}`
  if (node.kind !== 'qbft') return
  yield ''
  yield* figures(url, node.status, LABELS[language])
  yield ''
  yield* table(node.status, LABELS[language])
}

function* figures(url: string, status: ConsensusStatus, label: Labels): Generator<string> {
  const { head, quorum, timer, pool, prepared } = status
  const rows: (readonly [string, string])[] = [
    [label.node, `${url}  ${status.role}  ${status.self ?? ''}`],
    [
      label.head,
      `${head.number}  ${head.hash}${head.number > 0 ? `  ${duration(head.ageMs)}` : ''}`,
    ],
    [label.round, `${status.height} / ${status.round ?? '-'}  ${status.step}`],
    [label.quorum, `${quorum.live} / ${quorum.needed} / ${quorum.validators}`],
    [label.pool, `${pool.ready} / ${pool.queued}`],
  ]
  if (timer.timeoutMs !== null) {
    const age = duration(timer.roundAgeMs ?? 0)
    rows.push([label.timer, `${timer.state}  ${age} / ${duration(timer.timeoutMs)}`])
  }
  if (prepared !== null) rows.push([label.prepared, `${prepared.round}  ${prepared.digest}`])
  const width = Math.max(...rows.map(([name]) => columns(name)))
  for (const [name, text] of rows) yield `${padded(name, width)}  ${plain(text)}`
}

function* table({ validators, proposer }: ConsensusStatus, label: Labels): Generator<string> {
  const rows = [label.columns, ...validators.map((each) => rowOf(each, proposer))]
  const widths = label.columns.map((_, i) => Math.max(...rows.map((row) => columns(row[i]!))))
  for (const row of rows) {
    yield row
      .map((cell, i) => padded(cell, widths[i]!))
      .join('  ')
      .trimEnd()
  }
}

function rowOf(validator: ValidatorStatus, proposer: Address | null): readonly string[] {
  const { address, isSelf, isLive, abstains, lastHeardMs, roundChange, clockOffsetMs } = validator
  const marks = `${isSelf ? '*' : ''}${address === proposer ? '>' : ''}`
  return [
    `${address}${marks}`,
    isLive ? '✓' : abstains ? '-' : '✗',
    isSelf ? '-' : lastHeardMs === null ? '?' : duration(lastHeardMs),
    String(validator.height ?? '?'),
    clockOffsetMs === null ? '?' : `${clockOffsetMs} ms`,
    roundChange === null ? '-' : String(roundChange),
    validator.hasPrepared ? '✓' : '-',
    validator.hasCommitted ? '✓' : '-',
    plain(validator.version ?? (isSelf ? '-' : '?')),
  ]
}

interface Labels {
  readonly node: string
  readonly head: string
  readonly round: string
  readonly quorum: string
  readonly pool: string
  readonly timer: string
  readonly prepared: string
  readonly columns: readonly string[]
}

const LABELS: Readonly<Record<Language, Labels>> = {
  en: {
    node: 'node',
    head: 'head',
    round: 'height / round',
    quorum: 'live / needed / all',
    pool: 'ready / queued',
    timer: 'round timer',
    prepared: 'prepared in round',
    columns: [
      'validator (* this node, > proposes)',
      'live',
      'heard',
      'height',
      'clock',
      'round change',
      'prepare',
      'commit',
      'version',
    ],
  },
  'zh-CN': {
    node: '节点',
    head: '链头',
    round: '高度 / 轮次',
    quorum: '在线 / 需要 / 全部',
    pool: '可执行 / 排队',
    timer: '轮次计时器',
    prepared: 'prepared 于轮次',
    columns: [
      '验证者（* 本节点，> 提议者）',
      '在线',
      '上次消息',
      '高度',
      '时钟',
      '换轮',
      'prepare',
      'commit',
      '版本',
    ],
  },
}

function duration(ms: number): string {
  if (ms < 1_000) return `${ms} ms`
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`
  const minutes = Math.round(ms / 60_000)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** What peers and other programs say must not steer the terminal. */
function plain(text: string): string {
  return text.replace(/\p{C}/gu, '?').slice(0, 2_000)
}

/** Columns of a terminal: Chinese characters take two. */
function columns(text: string): number {
  let width = 0
  for (const char of text) width += /[\u2e80-\u9fff\uff00-\uff60]/u.test(char) ? 2 : 1
  return width
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - columns(text)))
}
