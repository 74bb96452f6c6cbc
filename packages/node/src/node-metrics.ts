/** What a node's parts can be asked at any time, as metrics; and the readiness that follows from it. */

import { quorum } from '@vellum/consensus'
import type { Measure } from '@vellum/ledger'
import type { AnsweredCall, RefusalReason, RpcServer } from '@vellum/rpc'
import { progressOf } from './backend.ts'
import { type Readiness, readiness } from './health.ts'
import { type Metrics, STEP_SECONDS } from './metrics.ts'
import type { PeerView } from './network.ts'
import type { VellumNode } from './node.ts'
import type { Clock, Signer, Transport } from './ports.ts'

export interface ObservedNode {
  readonly node: VellumNode
  readonly signer: Pick<Signer, 'address'> | undefined
  readonly transport: Pick<Transport, 'peers'> | undefined
  readonly clock: Clock
}

/** Registers the readings of one node: each is taken when the text is asked for. */
export function registerNodeMetrics(metrics: Metrics, observed: ObservedNode): void {
  const { node, signer, transport, clock } = observed
  const { chain, pool, consensus } = node
  const gauge = metrics.gauge
  gauge(
    'vellum_chain_height',
    'Number of the last durable block.',
    () => chain.head().header.number,
  )
  gauge('vellum_chain_head_age_seconds', 'Time since the timestamp of the last block.', () => {
    const { number, timestamp } = chain.head().header
    // A genesis block may have any time.
    return number === 0 ? undefined : clock.now() / 1_000 - timestamp
  })
  gauge(
    'vellum_chain_transactions_total',
    'Transactions in all blocks.',
    () => chain.transactionCount(),
    'counter',
  )
  gauge(
    'vellum_logs_missing_blocks',
    'Blocks that the index of logs lacks, after a start or damage.',
    () => chain.logIndex.state().missing,
  )
  gauge('vellum_pool_ready', 'Transactions that a block could take.', () => pool.readyCount)
  gauge(
    'vellum_pool_gapped',
    'Transactions that wait for one before them.',
    () => pool.size - pool.readyCount,
  )
  gauge('vellum_pool_bytes', 'Bytes of all transactions that wait.', () => pool.bytes)
  gauge(
    'vellum_pool_slow',
    'Times that a transaction was given up as it ran too long, since the start.',
    () => pool.slowRuns,
  )
  gauge('vellum_peers', 'Connected peers.', () => transport?.peers().length ?? 0)
  gauge('vellum_ready', '1 if /readiness says so.', () => Number(readinessOf(observed).ready))
  if (consensus === undefined) return

  const { runner, sync, network, votes, evidence } = consensus
  gauge('vellum_consensus_height', 'Height being decided.', () => runner.state().height)
  gauge(
    'vellum_consensus_round',
    'Round being tried; none before the first.',
    () => runner.state().round,
  )
  gauge(
    'vellum_consensus_validators',
    'Validators of the next block.',
    () => runner.state().validators.length,
  )
  gauge('vellum_consensus_quorum', 'Validators that a block needs.', () => {
    const { validators } = runner.state()
    return validators.length === 0 ? undefined : quorum(validators.length)
  })
  gauge('vellum_consensus_is_validator', '1 if this node is in the set.', () =>
    Number(signer !== undefined && runner.state().validators.includes(signer.address)),
  )
  gauge('vellum_consensus_abstaining', '1 while this validator does not vote.', () =>
    Number(runner.state().abstainsThrough !== undefined),
  )
  gauge(
    'vellum_consensus_votes_pending',
    'Changes of the set wanted here.',
    () => votes.pending().size,
  )
  gauge(
    'vellum_consensus_evidence',
    'Contradictions kept in memory.',
    () => evidence.entries.length,
  )
  metrics.gauges('vellum_validator_connected', '1 for those connected.', 'validator', () => {
    const connected = transport?.peers() ?? []
    return runner
      .state()
      .validators.filter((each) => each !== signer?.address)
      .map((each) => [each, Number(connected.includes(each))] as const)
  })
  metrics.gauges('vellum_peer_height', 'Head of each validator, as it told.', 'validator', () =>
    viewsOf((view) => view.height),
  )
  metrics.gauges(
    'vellum_peer_clock_offset_seconds',
    'Clock of each validator minus ours.',
    'validator',
    () => viewsOf((view) => view.clockOffsetMs / 1_000),
  )
  metrics.gauges(
    'vellum_peer_round_trip_seconds',
    'Time of a question to each validator and its answer.',
    'validator',
    () => viewsOf((view) => view.roundTripMs / 1_000),
  )
  gauge('vellum_sync_behind', 'Blocks that the highest peer is ahead.', () => {
    const progress = progressOf(sync?.state())
    return progress === undefined ? 0 : progress.highestBlock - progress.currentBlock
  })
  gauge(
    'vellum_sync_failures_total',
    'Questions for blocks that failed, or whose blocks could not be imported.',
    () => sync?.failures,
    'counter',
  )
  gauge('vellum_sync_active', '1 while blocks are fetched from peers.', () =>
    Number(progressOf(sync?.state()) !== undefined),
  )

  function viewsOf(read: (view: PeerView) => number): (readonly [string, number | undefined])[] {
    const views = network?.peers()
    return runner.state().validators.flatMap((each) => {
      const view = views?.get(each)
      return view === undefined ? [] : [[each, read(view)] as const]
    })
  }
}

/** Parts of a block's way to the disk, in seconds. */
export function createBlockMeasure(metrics: Metrics, clock: Pick<Clock, 'elapsed'>): Measure {
  const parts = metrics.histograms(
    'vellum_block_part_seconds',
    'Time of each part of a block: executing, roots, writing, flushing tries.',
    { label: 'part', buckets: STEP_SECONDS },
  )
  return (part, work) => {
    const began = clock.elapsed()
    const cell = parts(part)
    const done = (): void => cell.observe((clock.elapsed() - began) / 1_000)
    const result = work()
    if (result instanceof Promise) result.then(done, done)
    else done()
    return result
  }
}

/** Listener for the calls of the RPC facade. */
export function createRpcMetrics(metrics: Metrics): (call: AnsweredCall) => void {
  const durations = metrics.histograms(
    'vellum_rpc_request_seconds',
    'Time from reading a call to its answer.',
    { label: 'method', buckets: RPC_SECONDS },
  )
  const errors = metrics.counters('vellum_rpc_errors_total', 'Calls refused, by code.', 'code')
  return ({ method, durationMs, code }) => {
    durations(method).observe(durationMs / 1_000)
    if (code !== undefined) errors(String(code)).add()
  }
}

export interface RpcServerMetrics {
  onSubscriptions(count: number): void
  onRefused(reason: RefusalReason): void
  attach(server: Pick<RpcServer, 'connections' | 'webSockets'>): void
}

/** Readings of the RPC server, whose connections are counted from `attach` on. */
export function createRpcServerMetrics(metrics: Metrics): RpcServerMetrics {
  let server: Pick<RpcServer, 'connections' | 'webSockets'> | undefined
  let subscriptions = 0
  metrics.gauges('vellum_rpc_connections', 'Connections of clients, by kind.', 'kind', () => {
    if (server === undefined) return []
    const { connections, webSockets } = server
    return [
      ['http', connections - webSockets],
      ['websocket', webSockets],
    ]
  })
  metrics.gauge('vellum_rpc_subscriptions', 'Subscriptions of all clients.', () => subscriptions)
  const refused = metrics.counters(
    'vellum_rpc_refused_total',
    'Clients that were not served, by reason: address, places, host, origin, token, rate, slow.',
    'reason',
  )
  return {
    onSubscriptions: (count) => {
      subscriptions = count
    },
    onRefused: (reason) => refused(reason).add(),
    attach: (given) => {
      server = given
    },
  }
}

const RPC_SECONDS: readonly number[] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

export function readinessOf(
  { node, signer, transport }: ObservedNode,
  hasFailed = false,
): Readiness {
  const { consensus } = node
  const state = consensus?.runner.state()
  const progress = progressOf(consensus?.sync?.state())
  return readiness({
    hasFailed,
    isForked: consensus?.forks.fork !== undefined,
    behind: progress === undefined ? 0 : progress.highestBlock - progress.currentBlock,
    validators: state?.validators ?? [],
    self: signer?.address,
    isAbstaining: state?.abstainsThrough !== undefined,
    connected: transport?.peers() ?? [],
    hasNetwork: transport !== undefined,
  })
}
