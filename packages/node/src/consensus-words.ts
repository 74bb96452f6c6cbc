/** What `consensus-status.ts` finds, in sentences for people: English and Simplified Chinese. */

import type { Address } from '@vellum/evm'
import type { ConsensusFindings, ConsensusStatus } from '@vellum/rpc'

export const LANGUAGES = ['en', 'zh-CN'] as const
export type Language = (typeof LANGUAGES)[number]

/** Addresses that a sentence names; the lists of the status name all. */
const NAMED_MAX = 8

export function withWords(found: ConsensusFindings): ConsensusStatus {
  return { ...found, explanation: explain(found, 'en'), remedy: remedyOf(found, 'en') }
}

/** The step, in one or two sentences. */
export function explain(found: ConsensusFindings, language: Language): string {
  return language === 'en' ? inEnglish(found) : inChinese(found)
}

/** What would help, naming nodes; null if nothing needs doing. */
export function remedyOf(found: ConsensusFindings, language: Language): string | null {
  return language === 'en' ? remedyInEnglish(found) : remedyInChinese(found)
}

function inEnglish(found: ConsensusFindings): string {
  const { step, height, round, lacking, waitingFor, quorum, timer, pool, proposer, self } = found
  const where = `block ${height}, round ${round}`
  const wait = `${lacking} more of ${names(waitingFor, 'en')}`
  switch (step) {
    case 'starting':
      return 'The node has just started and reads its chain.'
    case 'forked':
      return `Two blocks are sealed at height ${found.fork?.height}: ${found.fork?.ours.hash}, which this node has, and ${found.fork?.theirs.hash}. More validators lie than are tolerated. This node has stopped the chain: it makes, takes and votes for no block of it.`
    case 'following':
      return self === null
        ? `This node has no validator key: it follows, and has block ${height - 1}.`
        : `This node’s key ${self} is not in the validator set of block ${height}: it follows.`
    case 'syncing':
      return `This node catches up: it has block ${found.sync?.currentBlock}, its peers have ${found.sync?.highestBlock}.`
    case 'abstaining':
      return found.abstainsThrough === 'unknown'
        ? 'This validator’s record of its votes is lost. It does not vote until it has reached the head of the peers and a further block is final without it.'
        : `This validator’s record of its votes is lost. It votes again after block ${found.abstainsThrough}.`
    case 'waiting for work':
      if (pool.ready > 0 && found.head.transactions === 0) {
        return `${pool.ready} transactions wait, but the last block could take none of them.`
      }
      return `Nothing waits for a block: the next one, ${height}, comes with the next transaction or heartbeat.`
    case 'waiting for block time':
      return `Transactions wait; the least time before block ${height} has not passed.`
    case 'building the block':
      return `This node proposes ${where}, and fills it.`
    case 'waiting for the proposal':
      return `${where}: the proposal of ${proposer} has not come.`
    case 'checking the proposal':
      return `${where}: the proposal of ${proposer} is being executed.`
    case 'waiting for prepares':
      return `${where}: the proposal is accepted here; of ${quorum.needed} prepares ${wait} are missing.`
    case 'waiting for commits':
      return `${where}: the block is prepared; of ${quorum.needed} commits ${wait} are missing.`
    case 'waiting for round changes':
      return `${where}: of ${quorum.needed} validators that must be in this round ${wait} are missing${timer.state === 'held' ? '; its timer starts with them' : ''}.`
    case 'writing the block':
      return `Block ${height} is decided and is being written.`
  }
}

function remedyInEnglish(found: ConsensusFindings): string | null {
  const { step, quorum, unreachable, clock, waitingFor } = found
  if (found.fork !== null) {
    const { ours, sealedBoth } = found.fork
    return `Agree with the other operators on one of the two blocks${sealedBoth.length > 0 ? `; ${names(sealedBoth, 'en')} sealed both` : ''}. To go on with that of this node: stop it and run \`vellum accept-fork ${ours.hash}\`. To go on with the other: delete the data of this chain and synchronise with nodes that have that block. Both headers are in vellum_consensusStatus.`
  }
  const advice: string[] = []
  if (found.role === 'validator' && quorum.missing > 0) {
    const abstaining = abstainingOf(found)
    const some = quorum.missing < unreachable.length ? `${quorum.missing} of ` : ''
    const call =
      unreachable.length > 0 ? `: start or reconnect ${some}${names(unreachable, 'en')}` : ''
    advice.push(
      `${quorum.live} of ${quorum.validators} validators are live and ${quorum.needed} are needed${call}.`,
    )
    if (abstaining.length > 0) {
      advice.push(
        isForEver(found)
          ? `${names(abstaining, 'en')} lost what they voted, and the others are too few to make the blocks after which they vote again. If all have the same head: stop all, and start each of these once with --accept-vote-loss.`
          : `${names(abstaining, 'en')} lost what they voted, and vote again when the others have made two blocks.`,
      )
    }
  } else if (isWaitingForOthers(step)) {
    const silent = waitingFor.filter((each) => !unreachable.includes(each) && each !== found.self)
    if (silent.length > 0 && (found.round ?? 0) > 0) {
      advice.push(
        `A quorum is live, but nothing has come from ${names(silent, 'en')} in this round: ask there with \`vellum doctor\`.`,
      )
    }
  }
  if (Math.abs(clock.offsetMs) > clock.toleranceMs) {
    advice.push(`This node’s clock is ${offset(clock.offsetMs, 'en')} the others: set it.`)
  }
  for (const { address, offsetMs } of clock.beyond) {
    if (address === found.self) continue
    advice.push(`The clock of ${address} is ${offset(offsetMs, 'en')} the others: set it.`)
  }
  return advice.length === 0 ? null : advice.join(' ')
}

function inChinese(found: ConsensusFindings): string {
  const { step, height, round, lacking, waitingFor, quorum, timer, pool, proposer, self } = found
  const where = `区块 ${height}，第 ${round} 轮`
  const wait = `还缺 ${lacking} 个，可来自 ${names(waitingFor, 'zh-CN')}`
  switch (step) {
    case 'starting':
      return '节点刚启动，正在读取链。'
    case 'forked':
      return `高度 ${found.fork?.height} 上有两个已密封的区块：本节点的 ${found.fork?.ours.hash} 与 ${found.fork?.theirs.hash}。作恶的验证者超出了可容忍的数量。本节点已停止该链：不产生、不接收区块，也不投票。`
    case 'following':
      return self === null
        ? `本节点没有验证者密钥：只跟随，已有区块 ${height - 1}。`
        : `本节点的密钥 ${self} 不在区块 ${height} 的验证者集合中：只跟随。`
    case 'syncing':
      return `本节点正在追赶：已到区块 ${found.sync?.currentBlock}，对等节点已到 ${found.sync?.highestBlock}。`
    case 'abstaining':
      return found.abstainsThrough === 'unknown'
        ? '本验证者的投票记录已丢失。在追上对等节点、并且又有一个区块在没有它的情况下最终确定之前，它不投票。'
        : `本验证者的投票记录已丢失。它在区块 ${found.abstainsThrough} 之后恢复投票。`
    case 'waiting for work':
      if (pool.ready > 0 && found.head.transactions === 0) {
        return `有 ${pool.ready} 笔交易在等待，但上一个区块一笔也无法收入。`
      }
      return `没有待处理的交易：下一个区块 ${height} 将随下一笔交易或心跳产生。`
    case 'waiting for block time':
      return `有交易在等待；区块 ${height} 之前的最短间隔尚未过去。`
    case 'building the block':
      return `${where}：由本节点提议，正在装填。`
    case 'waiting for the proposal':
      return `${where}：${proposer} 的提议尚未到达。`
    case 'checking the proposal':
      return `${where}：正在执行 ${proposer} 的提议。`
    case 'waiting for prepares':
      return `${where}：本节点已接受提议；需要 ${quorum.needed} 个 prepare，${wait}。`
    case 'waiting for commits':
      return `${where}：区块已 prepared；需要 ${quorum.needed} 个 commit，${wait}。`
    case 'waiting for round changes':
      return `${where}：需要 ${quorum.needed} 个验证者进入这一轮，${wait}${timer.state === 'held' ? '；到齐后本轮才开始计时' : ''}。`
    case 'writing the block':
      return `区块 ${height} 已决定，正在写入磁盘。`
  }
}

function remedyInChinese(found: ConsensusFindings): string | null {
  const { step, quorum, unreachable, clock, waitingFor } = found
  if (found.fork !== null) {
    const { ours, sealedBoth } = found.fork
    return `请与其他运营者就其中一个区块达成一致${sealedBoth.length > 0 ? `；${names(sealedBoth, 'zh-CN')} 对两者都作了密封` : ''}。若以本节点的区块为准：停止节点并运行 \`vellum accept-fork ${ours.hash}\`。若以另一个为准：删除该链的数据，与拥有该区块的节点重新同步。两个区块头都在 vellum_consensusStatus 中。`
  }
  const advice: string[] = []
  if (found.role === 'validator' && quorum.missing > 0) {
    const abstaining = abstainingOf(found)
    const some = quorum.missing < unreachable.length ? `以下节点中的 ${quorum.missing} 个：` : ''
    const call =
      unreachable.length > 0 ? `：请启动或重新连接${some}${names(unreachable, 'zh-CN')}` : ''
    advice.push(
      `${quorum.validators} 个验证者中只有 ${quorum.live} 个投票，需要 ${quorum.needed} 个${call}。`,
    )
    if (abstaining.length > 0) {
      advice.push(
        isForEver(found)
          ? `${names(abstaining, 'zh-CN')} 丢失了投票记录，而其余验证者太少，无法产生使其恢复投票的区块。若各节点链头相同：请全部停止，再将这些节点各以 --accept-vote-loss 启动一次。`
          : `${names(abstaining, 'zh-CN')} 丢失了投票记录，其余验证者出两个区块之后它们恢复投票。`,
      )
    }
  } else if (isWaitingForOthers(step)) {
    const silent = waitingFor.filter((each) => !unreachable.includes(each) && each !== found.self)
    if (silent.length > 0 && (found.round ?? 0) > 0) {
      advice.push(
        `在线验证者已达法定数，但本轮没有收到 ${names(silent, 'zh-CN')} 的消息：请在该处运行 \`vellum doctor\`。`,
      )
    }
  }
  if (Math.abs(clock.offsetMs) > clock.toleranceMs) {
    advice.push(`本节点的时钟比其他节点${offset(clock.offsetMs, 'zh-CN')}：请校时。`)
  }
  for (const { address, offsetMs } of clock.beyond) {
    if (address === found.self) continue
    advice.push(`${address} 的时钟比其他节点${offset(offsetMs, 'zh-CN')}：请校时。`)
  }
  return advice.length === 0 ? null : advice.join('')
}

function abstainingOf({ validators }: ConsensusFindings): Address[] {
  return validators.filter(({ abstains }) => abstains).map(({ address }) => address)
}

/** True if those that know what they have voted are no quorum, even when all of them are there. */
function isForEver(found: ConsensusFindings): boolean {
  return found.quorum.validators - abstainingOf(found).length < found.quorum.needed
}

function isWaitingForOthers(step: ConsensusFindings['step']): boolean {
  return (
    step === 'waiting for the proposal' ||
    step === 'waiting for prepares' ||
    step === 'waiting for commits' ||
    step === 'waiting for round changes'
  )
}

function names(addresses: readonly Address[], language: Language): string {
  const left = addresses.length - NAMED_MAX
  const named = addresses.slice(0, NAMED_MAX).join(language === 'en' ? ', ' : '、')
  if (left <= 0) return named
  return language === 'en' ? `${named} and ${left} more` : `${named} 等 ${addresses.length} 个`
}

function offset(offsetMs: number, language: Language): string {
  const seconds = (Math.abs(offsetMs) / 1_000).toFixed(1)
  if (language === 'en') return `${seconds} s ${offsetMs > 0 ? 'ahead of' : 'behind'}`
  return `${offsetMs > 0 ? '快' : '慢'} ${seconds} 秒`
}
