/** What is right and wrong with a node, for its operator: pure, in English and Simplified Chinese. */

import type { ConsensusStatus } from '@vellum/rpc'
import { explain, type Language, remedyOf } from './consensus-words.ts'

/** `trouble`: the node is of no use, or soon will not be; `warning`: it bears that. */
export type FindingLevel = 'good' | 'warning' | 'trouble'

export interface Finding {
  readonly level: FindingLevel
  readonly text: string
}

export interface DoctorFacts {
  readonly url: string
  /** How the node answered. */
  readonly node:
    | { readonly kind: 'silent'; readonly reason: string }
    /** A chain that is not sealed by QBFT, or another program. */
    | { readonly kind: 'other' }
    | { readonly kind: 'qbft'; readonly status: ConsensusStatus }
  /** undefined: no directory was looked at. */
  readonly directory: DirectoryFacts | undefined
  /** Side chains of the directory that are to be served. */
  readonly sides?: readonly SideFacts[]
}

export interface SideFacts extends Omit<DoctorFacts, 'sides'> {
  readonly name: string
  readonly directory: DirectoryFacts
  /** Why it is not served, if the node says so. */
  readonly reason: string | undefined
}

export interface DirectoryFacts {
  readonly path: string
  readonly hasGenesis: boolean
  readonly hasStore: boolean
  /** `unreadable`: there, and not as it was written. */
  readonly headFile: 'whole' | 'missing' | 'unreadable'
  readonly freeBytes: number
  /** Keystores and passwords that others than their owner may read. */
  readonly openFiles: readonly string[]
  /** The validator's vote file; undefined: no validator, or one by itself. */
  readonly voteFile: { readonly path: string; readonly exists: boolean } | undefined
}

/** Below this the database may soon be unable to write. */
const FREE_BYTES_MIN = 1_073_741_824

export function diagnose(facts: DoctorFacts, language: Language): readonly Finding[] {
  const say = WORDS[language]
  const findings: Finding[] = []
  const add = (level: FindingLevel, text: string): void => void findings.push({ level, text })
  switch (facts.node.kind) {
    case 'silent':
      add('trouble', say.silent(facts.url, facts.node.reason))
      break
    case 'other':
      add('warning', say.other(facts.url))
      break
    case 'qbft':
      findings.push(...diagnoseConsensus(facts.node.status, language))
  }
  if (facts.directory !== undefined) findings.push(...diagnoseDirectory(facts.directory, language))
  // A node that does not answer says nothing of any of its chains.
  if (facts.node.kind === 'silent') return findings
  for (const side of facts.sides ?? []) {
    const { name, directory, reason } = side
    const isServed = side.node.kind !== 'silent'
    if (!isServed) add('trouble', say.notServed(name, reason))
    const found = isServed
      ? diagnose(side, language)
      : diagnoseDirectory(directory, language).filter(({ level }) => level === 'trouble')
    for (const { level, text } of found) add(level, `${name}: ${text}`)
  }
  return findings
}

export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== 'trouble')
}

function diagnoseConsensus(status: ConsensusStatus, language: Language): Finding[] {
  const say = WORDS[language]
  const { quorum, unreachable, clock } = status
  const findings: Finding[] = [{ level: levelOf(status), text: explain(status, language) }]
  const remedy = remedyOf(status, language)
  if (remedy !== null) {
    const isTrouble =
      status.fork !== null ||
      (status.role === 'validator' && quorum.missing > 0) ||
      Math.abs(clock.offsetMs) > clock.toleranceMs
    findings.push({ level: isTrouble ? 'trouble' : 'warning', text: remedy })
  }
  if (status.role === 'validator' && unreachable.length > 0 && quorum.missing === 0) {
    const spare = quorum.live - quorum.needed
    findings.push({ level: 'warning', text: say.unreachable(unreachable.join(', '), spare) })
  }
  if (status.role === 'follower' && status.peers === 0 && quorum.validators > 0) {
    findings.push({ level: 'trouble', text: say.noPeers() })
  }
  if (status.evidence > 0) {
    findings.push({ level: 'warning', text: say.evidence(status.evidence) })
  }
  const votes = Object.keys(status.votes).length
  if (votes > 0) findings.push({ level: 'good', text: say.votes(votes) })
  return findings
}

function levelOf({ step, round, pool, head, timer }: ConsensusStatus): FindingLevel {
  switch (step) {
    case 'abstaining':
    case 'forked':
      return 'trouble'
    case 'syncing':
    case 'starting':
      return 'warning'
    case 'waiting for work':
      return pool.ready > 0 && head.transactions === 0 ? 'warning' : 'good'
    case 'waiting for round changes':
      return 'trouble'
    case 'waiting for the proposal':
    case 'waiting for prepares':
    case 'waiting for commits':
      // A first round under way is the ordinary life of a chain.
      return (round ?? 0) > 0 || (timer.roundAgeMs ?? 0) > (timer.timeoutMs ?? 0) / 2
        ? 'warning'
        : 'good'
    default:
      return 'good'
  }
}

function diagnoseDirectory(directory: DirectoryFacts, language: Language): Finding[] {
  const say = WORDS[language]
  const { path, headFile, freeBytes, openFiles, voteFile } = directory
  if (!directory.hasGenesis) return [{ level: 'trouble', text: say.noChain(path) }]
  const findings: Finding[] = []
  const add = (level: FindingLevel, text: string): void => void findings.push({ level, text })
  if (directory.hasStore && headFile !== 'whole') add('trouble', say.headFile(path, headFile))
  if (!directory.hasStore && headFile === 'whole') add('trouble', say.noStore(path))
  if (freeBytes < FREE_BYTES_MIN) add('trouble', say.disk(mebibytes(freeBytes)))
  for (const each of openFiles) add('warning', say.openFile(each))
  if (voteFile !== undefined && !voteFile.exists) add('trouble', say.noVoteFile(voteFile.path))
  if (findings.length === 0) add('good', say.directory(path, mebibytes(freeBytes)))
  return findings
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1_048_576)
}

interface Words {
  silent(url: string, reason: string): string
  other(url: string): string
  unreachable(names: string, spare: number): string
  noPeers(): string
  evidence(count: number): string
  votes(count: number): string
  noChain(path: string): string
  notServed(name: string, reason: string | undefined): string
  headFile(path: string, state: 'missing' | 'unreadable'): string
  noStore(path: string): string
  disk(mebibytes: number): string
  openFile(path: string): string
  noVoteFile(path: string): string
  directory(path: string, mebibytes: number): string
}

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    silent: (url, reason) =>
      `No answer from ${url}: ${reason}. Start the node, or name its address with --rpc.`,
    other: (url) =>
      `${url} answers, but its chain is not sealed by QBFT: nothing to examine there.`,
    unreachable: (names, spare) =>
      `Not reachable: ${names}. The chain goes on; it bears the loss of ${spare} more.`,
    noPeers: () =>
      'No peer is connected: check network.bootnodes, and that the others admit this node.',
    evidence: (count) =>
      `${count} contradictions of validators were proven since the start: the log names who lied.`,
    votes: (count) =>
      `${count} changes of the validator set are wanted here (qbft_getPendingVotes).`,
    noChain: (path) => `${path} holds no chain.`,
    notServed: (name, reason) =>
      `The side chain ${name} is not served: ${reason ?? 'the log of the node says why'}. The other chains are not touched by that.`,
    headFile: (path, state) =>
      `The head file in ${path} is ${state}: the node will not start. See "Damage" in the guide.`,
    noStore: (path) =>
      `The database in ${path} is gone, but the chain had begun: restore a backup.`,
    disk: (free) => `Only ${free} MiB are free on the disk: a failed write stops the node.`,
    openFile: (path) => `Others may read ${path}: chmod 600.`,
    noVoteFile: (path) =>
      `${path} is missing: this validator abstains when it starts. See "When blocks stop" in the guide.`,
    directory: (path, free) => `${path} is as it should be; ${free} MiB are free.`,
  },
  'zh-CN': {
    silent: (url, reason) => `${url} 没有应答：${reason}。请启动节点，或用 --rpc 指定其地址。`,
    other: (url) => `${url} 有应答，但其链不由 QBFT 密封：没有可检查的内容。`,
    unreachable: (names, spare) => `无法连接：${names}。链仍在运行；还能承受再失去 ${spare} 个。`,
    noPeers: () => '没有连接任何对等节点：请检查 network.bootnodes，以及对方是否允许本节点接入。',
    evidence: (count) => `启动以来已证实 ${count} 次验证者自相矛盾：日志中写明是谁。`,
    votes: (count) => `本节点希望对验证者集合作 ${count} 项变更（qbft_getPendingVotes）。`,
    noChain: (path) => `${path} 中没有链。`,
    notServed: (name, reason) =>
      `侧链 ${name} 未提供服务：${reason ?? '原因见节点日志'}。其他链不受影响。`,
    headFile: (path, state) =>
      `${path} 中的 head 文件${state === 'missing' ? '缺失' : '已损坏'}：节点将无法启动。请见指南中的“损坏”一节。`,
    noStore: (path) => `${path} 中的数据库不见了，而链已经开始：请恢复备份。`,
    disk: (free) => `磁盘仅剩 ${free} MiB：写入失败会使节点停止。`,
    openFile: (path) => `${path} 可被他人读取：请执行 chmod 600。`,
    noVoteFile: (path) => `${path} 缺失：本验证者启动后将弃权。请见指南中的“区块停止时”一节。`,
    directory: (path, free) => `${path} 正常；磁盘剩余 ${free} MiB。`,
  },
}
