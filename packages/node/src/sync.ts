/** Performs what the pure sync core plans: asks peers for blocks, has them imported in order. */

import {
  CONSENSUS_LIMITS,
  initialSyncState,
  type SyncEffect,
  type SyncEvent,
  type SyncState,
  stepSync,
} from '@vellum/consensus'
import { type Block, type Chain, decodeBlock, isRefusal } from '@vellum/ledger'
import { NodeError } from './error.ts'
import type { CancelTimer, Logger, PeerAddress, Timers, Transport } from './ports.ts'
import { OTHER_BRANCH, type Runner } from './runner.ts'
import type { SenderSource } from './senders.ts'
import { decodeBlocks, encodeBlocks, encodeBlocksQuestion } from './wire.ts'

export interface Sync {
  tell(event: SyncEvent): void
  stop(): Promise<void>
  state(): SyncState
  /** Questions that were not answered, or answered with what could not be imported. */
  readonly failures?: number
}

export interface SyncPorts {
  readonly chain: Chain
  readonly runner: Pick<Runner, 'importBlock'>
  readonly senders: SenderSource
  readonly transport: Pick<Transport, 'ask' | 'penalise'>
  readonly timers: Timers
  readonly log: Logger
  /** True for a validator that votes: the next block comes to it as a proposal. */
  readonly takesPart: () => boolean
  /** A peer's blocks stand on another one than ours at this height. */
  readonly suspect: (peer: PeerAddress, height: number) => void
  readonly onFailure: (error: unknown) => void
}

interface Answer {
  readonly peer: PeerAddress
  readonly blocks: readonly Uint8Array[]
}

export function createSync(ports: SyncPorts): Sync {
  const { chain, runner, senders, transport, timers, log } = ports
  let state = initialSyncState(chain.head().header.number)
  let answers: Answer[] = []
  let importing: Promise<void> | undefined
  let waiting: CancelTimer | undefined
  let isStopped = false
  let failures = 0

  function tell(event: SyncEvent): void {
    if (isStopped) return
    if (event.type === 'failed') failures += 1
    const wasBehind = state.startedAt
    const transition = stepSync(state, event, ports.takesPart())
    state = transition.state
    if (wasBehind === undefined && state.startedAt !== undefined) {
      log.debug('behind the peers', { height: state.height })
    }
    for (const effect of transition.effects) perform(effect)
  }

  function perform(effect: SyncEffect): void {
    if (effect.type === 'wait') {
      waiting?.()
      waiting = timers.after(effect.afterMs, () => tell({ type: 'waited' }))
      return
    }
    const { peer, after, count } = effect
    transport.ask(peer, 'blocks', encodeBlocksQuestion({ after, count })).then(
      (answer) => take({ peer, blocks: [] }, after, answer),
      (error: unknown) => {
        log.debug('a peer did not answer', { peer, reason: (error as Error).message })
        const isAway = error instanceof NodeError && error.code === 'NODE_PEER_AWAY'
        tell({ type: isAway ? 'peerDown' : 'failed', peer })
      },
    )
  }

  function take({ peer }: Answer, after: number, bytes: Uint8Array): void {
    if (isStopped) return
    let blocks: Uint8Array[]
    try {
      blocks = decodeBlocks(bytes, CONSENSUS_LIMITS.syncBlocksMax)
    } catch (error) {
      if (!isRefusal(error)) throw error
      transport.penalise(peer, error.message, 'severe')
      return tell({ type: 'failed', peer })
    }
    // After a refusal everything begins anew at the head: what was asked for before leaves a gap.
    if (blocks.length > 0 && after <= state.received) answers.push({ peer, blocks })
    tell({ type: 'answered', peer, after, count: blocks.length })
    beginImport()
  }

  function beginImport(): void {
    if (importing !== undefined || answers.length === 0 || isStopped) return
    importing = importAll()
      .catch(ports.onFailure)
      .then(() => {
        importing = undefined
        // An answer may have come in between.
        beginImport()
      })
  }

  async function importAll(): Promise<void> {
    while (answers.length > 0 && !isStopped) {
      const { peer, blocks } = answers.shift()!
      const refusal = await importBlocks(blocks)
      if (refusal === undefined || isStopped) continue
      log.warn('a peer sent a block that is not the chain’s', { peer, reason: refusal })
      // Whether it lies, or the chain is forked, its block at our height will show.
      if (refusal === OTHER_BRANCH) ports.suspect(peer, chain.head().header.number)
      else transport.penalise(peer, refusal, 'severe')
      // What was received after it may stand on it.
      answers = []
      tell({ type: 'head', height: chain.head().header.number, isDropped: true })
      tell({ type: 'failed', peer })
    }
  }

  /** @returns why a block was refused */
  async function importBlocks(blocks: readonly Uint8Array[]): Promise<string | undefined> {
    // Senders of the next block are recovered by threads while the last one is executed.
    let next = decodeWithSenders(blocks[0]!)
    for (let i = 0; i < blocks.length && !isStopped; i++) {
      const block = await next
      if (typeof block === 'string') return block
      if (i + 1 < blocks.length) next = decodeWithSenders(blocks[i + 1]!)
      const verdict = await runner.importBlock(block)
      if (!verdict.ok) return verdict.reason
    }
    return undefined
  }

  async function decodeWithSenders(bytes: Uint8Array): Promise<Block | string> {
    try {
      const block = decodeBlock(bytes)
      const transactions = await senders.recover(block.transactions)
      if (transactions === undefined) return 'a transaction is nobody’s'
      return { ...block, transactions }
    } catch (error) {
      if (!isRefusal(error)) throw error
      return error.message
    }
  }

  return {
    tell,
    stop: async () => {
      isStopped = true
      waiting?.()
      await importing
    },
    state: () => state,
    get failures() {
      return failures
    },
  }
}

/** Blocks for a peer that is behind: as many as asked for, within the bytes of one answer. */
export function answerBlocks(
  chain: Chain,
  question: { readonly after: number; readonly count: number },
): Uint8Array {
  const blocks: Uint8Array[] = []
  const last = Math.min(
    chain.head().header.number,
    question.after + Math.min(question.count, CONSENSUS_LIMITS.syncBlocksMax),
  )
  let bytes = 0
  for (let number = question.after + 1; number <= last; number++) {
    if (number < chain.snapshotHeight()) break
    const block = chain.encodedBlock(number)
    if (block === undefined) break
    if (bytes > 0 && bytes + block.length > CONSENSUS_LIMITS.syncBytesMax) break
    blocks.push(block)
    bytes += block.length
  }
  return encodeBlocks(blocks)
}
