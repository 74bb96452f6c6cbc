/**
 * Follows a chain that is far ahead by a snapshot: headers, the state of one block near the head, that
 * block itself, and from there on blocks as ever. Stands in front of the ordinary sync and hands over
 * to it when the snapshot is the head, or at once where a snapshot is not worth while.
 *
 * What was brought is on disk with a record of how far it has come, so that a node that was killed goes
 * on where it was; or, if no peer has that state any more, begins with another one.
 */

import { highestClaim, pivotBelow, type SyncEvent, type SyncState } from '@vellum/consensus'
import {
  type Block,
  type Chain,
  decodeBlock,
  decodeReceipt,
  LedgerError,
  newPivot,
  progressWrite,
  type Receipt,
  readBroughtHeader,
  readProgress,
  receiptsRoot,
  type SnapshotPivot,
  type SnapshotProgress,
  type Store,
  stepThroughState,
  sweepNodes,
  transactionsRoot,
} from '@vellum/ledger'
import type { CancelTimer, Logger, Timers, Transport } from './ports.ts'
import type { Runner } from './runner.ts'
import type { SenderSource } from './senders.ts'
import { bringHeaders } from './snapshot-headers.ts'
import {
  AnswerRefused,
  createSnapshotPeers,
  SnapshotStopped,
  SnapshotUnserved,
} from './snapshot-peers.ts'
import { bringState } from './snapshot-state.ts'
import { decodeStrings } from './snapshot-wire.ts'
import type { Sync } from './sync.ts'
import { decodeBlocks, encodeBlocksQuestion } from './wire.ts'

export interface SnapshotSyncOptions {
  /** Blocks that the peers must be ahead for a snapshot to be worth while. */
  readonly distance: number
}

export interface SnapshotSyncPorts {
  readonly chain: Chain
  /** Of the chain's own disk. */
  readonly store: Store
  readonly runner: Pick<Runner, 'startFrom'>
  /** Takes over. */
  readonly sync: Sync
  readonly senders: SenderSource
  readonly transport: Pick<Transport, 'ask' | 'penalise'>
  readonly timers: Timers
  readonly log: Logger
  readonly onFailure: (error: unknown) => void
}

/** Milliseconds in which others may tell their heads, before the first one decides. */
const DECIDE_MS = 1_000
/** Milliseconds before another pivot is chosen, when the last one was given up. */
const NEW_PIVOT_MS = 1_000
/** Steps through the state between two turns of others. */
const STEPS_IN_A_ROW = 64
/** Receipts of a block: as many as the smallest transactions that a block can hold. */
const RECEIPTS_MAX = 1_000_000

type Phase =
  /** Nobody is ahead. */
  | 'waiting'
  /** Somebody is; how far will be seen. */
  | 'deciding'
  | 'bringing'
  /** The ordinary sync has taken over. */
  | 'over'

/** @param ports the chain is pruned, and at its genesis block */
export function createSnapshotSync(options: SnapshotSyncOptions, ports: SnapshotSyncPorts): Sync {
  const { chain, store, sync, timers, log } = ports
  const peers = createSnapshotPeers(ports)
  let phase: Phase = 'waiting'
  let deciding: CancelTimer | undefined
  let bringing: Promise<void> | undefined
  /** True when a state that was brought has turned out not to be whole. */
  let isDoubted = false
  let isStopped = false

  function tell(event: SyncEvent): void {
    if (event.type === 'peerHead' || event.type === 'peerDown') peers.tell(event)
    if (phase === 'over') return sync.tell(event)
    if (isStopped || phase === 'bringing') return
    // Consensus has taken us along: the chain is younger than a snapshot is good for.
    if (chain.head().header.number > 0) return handOver()
    if (phase === 'waiting' && highestClaim(peers.plan()) > 0) {
      phase = 'deciding'
      deciding = timers.after(DECIDE_MS, decide)
    }
  }

  function decide(): void {
    if (isStopped || phase !== 'deciding') return
    if (chain.head().header.number > 0 || highestClaim(peers.plan()) <= options.distance) {
      return handOver()
    }
    phase = 'bringing'
    bringing = bring().then(handOver, (error: unknown) => {
      if (!(error instanceof SnapshotStopped)) ports.onFailure(error)
    })
  }

  function handOver(): void {
    deciding?.()
    if (isStopped) return
    phase = 'over'
    sync.tell({ type: 'head', height: chain.head().header.number })
    for (const [peer, { height }] of peers.plan().peers) {
      sync.tell({ type: 'peerHead', peer, height })
    }
  }

  async function bring(): Promise<void> {
    let progress: SnapshotProgress = readProgress(store) ?? { headers: 0, pivot: undefined }
    log.info('far behind: following by a snapshot', {
      peers: highestClaim(peers.plan()),
      headers: progress.headers,
      pivot: progress.pivot?.height,
    })
    for (;;) {
      peers.assertRunning()
      const pivot = progress.pivot ?? (await nextPivot(progress.headers))
      if (pivot === undefined) return
      const headers = Math.max(progress.headers, pivot.height)
      if (await bringPivot({ headers, pivot })) return
      progress = { headers, pivot: undefined }
      await store.disk.batch([progressWrite(store, progress)])
      await peers.rest(NEW_PIVOT_MS)
      peers.tell({ type: 'newPivot' })
    }
  }

  /** @returns undefined if the headers that exist are too few for a snapshot */
  async function nextPivot(after: number): Promise<SnapshotPivot | undefined> {
    const headers = await bringHeaders(after, { chain, store, peers })
    const height = pivotBelow(headers)
    if (headers <= options.distance || height === 0) {
      log.info('not so far behind after all: following by blocks', { headers })
      await store.disk.batch([progressWrite(store, undefined)])
      return undefined
    }
    const { stateRoot } = broughtHeader(height)
    // What is left of a pivot before this one; the genesis state is still that of the head.
    if (after > 0) await sweepNodes(store, height, chain.state().root)
    const pivot = newPivot(height, stateRoot)
    await store.disk.batch([progressWrite(store, { headers, pivot })])
    log.info('headers are verified', { headers, pivot: height })
    return pivot
  }

  /** @returns false if another pivot is needed */
  async function bringPivot(
    progress: SnapshotProgress & { readonly pivot: SnapshotPivot },
  ): Promise<boolean> {
    const { height } = progress.pivot
    try {
      const count = await bringState(progress, { store, peers })
      log.info('the state is brought', { height, ...count })
      await verifyWhole(progress.pivot)
      const block = await bringBlock(height)
      const receipts = await bringReceipts(height)
      if (!(await ports.runner.startFrom(block, receipts))) throw new SnapshotStopped()
      log.info('the snapshot is the head', { height, hash: chain.head().hash })
      return true
    } catch (error) {
      if (!(error instanceof SnapshotUnserved)) throw error
      log.info('a pivot is given up', { height, reason: error.message })
      return false
    }
  }

  /**
   * Recomputes the root from what is on disk: nothing is taken on trust, our own writing included. What
   * was written before the pivot does not count, as it will be removed.
   */
  async function verifyWhole({ root, height }: SnapshotPivot): Promise<void> {
    const steps = stepThroughState(store, root, height)
    try {
      for (let i = 1; !steps.next().done; i++) {
        if (i % STEPS_IN_A_ROW === 0) await peers.rest(0)
      }
    } catch (error) {
      // Once it may be what a crash of the machine has left; twice it is the disk.
      if (!(error instanceof LedgerError) || isDoubted) throw error
      isDoubted = true
      throw new SnapshotUnserved(`the state on disk is not whole: ${error.message}`)
    }
  }

  function bringBlock(number: number): Promise<Block> {
    const header = broughtHeader(number)
    return peers.ask({
      question: encodeBlocksQuestion({ after: number - 1, count: 1 }),
      height: number,
      isState: true,
      accept: async (content) => {
        const [encoded] = decodeBlocks(content, 1)
        if (encoded === undefined) throw new AnswerRefused('unable', 'it does not have the block')
        const block = decodeBlock(encoded.slice())
        const isSame =
          chain.scheme.hash(block.header) === chain.scheme.hash(header) &&
          transactionsRoot(block.transactions) === header.transactionsRoot
        const transactions = isSame ? await ports.senders.recover(block.transactions) : undefined
        if (transactions === undefined) throw new AnswerRefused('lied', 'another block')
        return { ...block, header, transactions }
      },
    })
  }

  function bringReceipts(number: number): Promise<readonly Receipt[]> {
    return peers.ask({
      question: { kind: 'receipts', number },
      height: number,
      isState: true,
      accept: (content) => {
        const receipts = decodeStrings(content, RECEIPTS_MAX).map(decodeReceipt)
        if (receiptsRoot(receipts) !== broughtHeader(number).receiptsRoot) {
          throw new AnswerRefused('lied', 'receipts of another block')
        }
        return receipts
      },
    })
  }

  function broughtHeader(number: number) {
    const header = readBroughtHeader(store, number)
    if (header !== undefined) return header
    throw new LedgerError('LEDGER_STORE_DAMAGED', `header ${number} is lost: delete the directory`)
  }

  return {
    tell,
    get failures() {
      return peers.failures() + (sync.failures ?? 0)
    },
    stop: async () => {
      isStopped = true
      deciding?.()
      peers.stop()
      await bringing
      await sync.stop()
    },
    state: (): SyncState => {
      const state = sync.state()
      if (phase !== 'bringing') return state
      const heights = [...peers.plan().peers].map(
        ([peer, { height }]) => [peer, { height, failedAt: -1 }] as const,
      )
      return { ...state, startedAt: 0, peers: new Map(heights) }
    },
  }
}
