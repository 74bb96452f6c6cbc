/**
 * eth_subscribe: connections that are told of new heads, logs, waiting transactions and progress.
 *
 * As with filters, nothing is gathered: what has been told is a height, and blocks are read when it is
 * their turn. An event is written as text once, whoever hears of it. A connection that does not take
 * what it is told is cut by the server, so that no subscriber holds memory or others.
 */

import { bytesToHex } from '@vellum/evm'
import {
  createLogMatcher,
  type Log,
  type LogCriteria,
  type LogMatcher,
  type SignedTransaction,
} from '@vellum/ledger'
import type { Line, Subscriber } from './access.ts'
import type { Backend } from './backend.ts'
import { limitExceeded } from './error.ts'
import { formatHeader, formatLog, formatTransaction, hex, placeIn } from './format.ts'
import type { JsonText } from './json.ts'
import type { RpcLimits } from './limits.ts'
import { formatSyncing } from './syncing.ts'
import { beginTurn, type TurnPorts } from './turn.ts'

/** What a client can ask to be told of. */
export type Topic =
  | { readonly type: 'newHeads' }
  | { readonly type: 'logs'; readonly criteria: LogCriteria }
  | { readonly type: 'newPendingTransactions'; readonly isWhole: boolean }
  | { readonly type: 'syncing' }

export interface Subscriptions {
  /**
   * Tells the subscriber of what comes after the answer to this request.
   * @returns the id, a quantity of 128 random bits
   * @throws RpcError LIMIT_EXCEEDED
   */
  open(subscriber: Subscriber, topic: Topic): string
  /** @returns whether the connection had such a subscription */
  close(line: Line, id: string): boolean
}

export interface SubscriptionPorts extends TurnPorts {
  randomBytes(size: number): Uint8Array
  /** Calls back once after the time has passed; returns what calls it off. */
  setTimer(timeMs: number, callback: () => void): () => void
  /** Hears of mistakes of ours and damage of the store. Must not throw. */
  onInternalError(error: unknown, method: string): void
  /** Hears how many subscriptions there are. Must not throw. */
  onSubscriptions?(count: number): void
}

interface Subscription {
  readonly line: Line
  readonly topic: Topic
  readonly matcher: LogMatcher | undefined
  /** All of a notification before the event itself. */
  readonly prefix: string
  /** False until the client knows the id. */
  isTold: boolean
}

/** Between two looks at whether the node is behind, in milliseconds. */
const SYNCING_LOOK_MS = 1_000

export function createSubscriptions(
  backend: Backend,
  limits: RpcLimits,
  ports: SubscriptionPorts,
): Subscriptions {
  const { chain, pool, node } = backend
  const lines = new Map<Line, Map<string, Subscription>>()
  const topics: Readonly<Record<Topic['type'], Set<Subscription>>> = {
    newHeads: new Set(),
    logs: new Set(),
    newPendingTransactions: new Set(),
    syncing: new Set(),
  }
  let count = 0
  const forget: { heads?: () => void; pool?: () => void; syncing?: () => void } = {}
  /** Height of the first block that nobody was told of. */
  let next = 0
  let isTelling = false
  let wasSyncing = false

  function open({ line, onAnswered }: Subscriber, topic: Topic): string {
    const held = lines.get(line)
    if ((held?.size ?? 0) >= limits.subscriptionsPerConnectionMax) {
      throw limitExceeded(
        `too many subscriptions, want at most ${limits.subscriptionsPerConnectionMax} on a connection`,
      )
    }
    if (count >= limits.subscriptionsMax) throw limitExceeded('too many subscriptions are open')
    const id = `0x${BigInt(bytesToHex(ports.randomBytes(16))).toString(16)}`
    const subscription: Subscription = {
      line,
      topic,
      matcher: topic.type === 'logs' ? createLogMatcher(topic.criteria) : undefined,
      prefix: `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":`,
      isTold: false,
    }
    onAnswered(() => {
      subscription.isTold = true
    })
    if (held !== undefined) held.set(id, subscription)
    else {
      lines.set(line, new Map([[id, subscription]]))
      line.onClose(() => dropAll(line))
    }
    topics[topic.type].add(subscription)
    changed(1)
    return id
  }

  function close(line: Line, id: string): boolean {
    const held = lines.get(line)
    const subscription = held?.get(id)
    if (held === undefined || subscription === undefined) return false
    held.delete(id)
    topics[subscription.topic.type].delete(subscription)
    changed(-1)
    return true
  }

  function dropAll(line: Line): void {
    for (const id of [...(lines.get(line)?.keys() ?? [])]) close(line, id)
    lines.delete(line)
  }

  function changed(by: number): void {
    count += by
    ports.onSubscriptions?.(count)
    listen()
  }

  /** Listens to what somebody wants to hear of, and to nothing else. */
  function listen(): void {
    const wantsHeads = topics.newHeads.size + topics.logs.size > 0
    if (wantsHeads && forget.heads === undefined) {
      next = chain.head().header.number + 1
      forget.heads = chain.onHead(() => void tellBlocks())
    } else if (!wantsHeads) {
      forget.heads?.()
      delete forget.heads
    }
    const wantsPool = topics.newPendingTransactions.size > 0
    if (wantsPool) forget.pool ??= pool.onTransaction(tellTransaction)
    else {
      forget.pool?.()
      delete forget.pool
    }
    const wantsSyncing = topics.syncing.size > 0
    if (wantsSyncing && forget.syncing === undefined) {
      wasSyncing = node.syncing() !== undefined
      lookAtSyncing()
    } else if (!wantsSyncing) {
      forget.syncing?.()
      delete forget.syncing
    }
  }

  function tell({ line, prefix, isTold }: Subscription, event: JsonText): void {
    if (isTold) line.send(`${prefix}${event}}}`)
  }

  /** Tells of all blocks up to the head, apart from the work that appended them. */
  async function tellBlocks(): Promise<void> {
    if (isTelling) return
    isTelling = true
    await ports.nextTurn()
    try {
      const turn = beginTurn(ports, limits.turnMsMax)
      while (forget.heads !== undefined && next <= chain.head().header.number) {
        await tellBlock(next++, turn)
        if (turn.isOver()) await turn.pass()
      }
    } catch (error) {
      // What was to be told cannot be read: its subscribers must not believe that nothing happened.
      ports.onInternalError(error, 'eth_subscribe')
      for (const { line } of [...topics.newHeads, ...topics.logs]) line.cut()
    } finally {
      isTelling = false
    }
  }

  async function tellBlock(height: number, turn: ReturnType<typeof beginTurn>): Promise<void> {
    const sealed = chain.header(height)
    if (sealed === undefined) return
    if (topics.newHeads.size > 0) {
      const text = formatHeader(sealed)
      for (const subscription of topics.newHeads) tell(subscription, text)
    }
    let logs: readonly LogOfBlock[] | undefined
    for (const subscription of [...topics.logs]) {
      if (!subscription.matcher!.mayMatch(sealed.header.logsBloom)) continue
      logs ??= logsOf(height)
      for (const each of logs) {
        if (subscription.matcher!.matches(each.log)) tell(subscription, each.text())
      }
      if (turn.isOver()) await turn.pass()
    }
  }

  /** The logs of a block; each is written when the first subscriber wants it. */
  function logsOf(height: number): readonly LogOfBlock[] {
    const block = chain.block(height)
    const receipts = chain.receipts(height)
    if (block === undefined || receipts === undefined) return []
    let logIndex = 0
    return receipts.flatMap((receipt, i) => {
      const { hash } = block.transactions[i]!
      return receipt.logs.map((log) => {
        const index = logIndex++
        let text: JsonText | undefined
        return { log, text: () => (text ??= formatLog(log, placeIn(block, i), hash, index)) }
      })
    })
  }

  function tellTransaction(transaction: SignedTransaction): void {
    let hash: JsonText | undefined
    let whole: JsonText | undefined
    for (const subscription of topics.newPendingTransactions) {
      const { topic } = subscription
      if (topic.type === 'newPendingTransactions' && topic.isWhole) {
        whole ??= formatTransaction(transaction, undefined, undefined)
        tell(subscription, whole)
      } else {
        hash ??= hex(transaction.hash)
        tell(subscription, hash)
      }
    }
  }

  function lookAtSyncing(): void {
    const progress = node.syncing()
    const isSyncing = progress !== undefined
    if (isSyncing !== wasSyncing) {
      wasSyncing = isSyncing
      const status = formatSyncing(progress)
      const event = isSyncing ? `{"syncing":true,"status":${status}}` : status
      for (const subscription of topics.syncing) tell(subscription, event)
    }
    forget.syncing = ports.setTimer(SYNCING_LOOK_MS, lookAtSyncing)
  }

  return { open, close }
}

interface LogOfBlock {
  readonly log: Log
  text(): JsonText
}
