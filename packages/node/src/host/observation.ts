/** What watches the chains of this process: their metrics, and the server that tells them and their health. */

import type { AnsweredCall, RefusalReason, RpcServer } from '@vellum/rpc'
import type { NodeConfig } from '../config.ts'
import { createConsensusMetrics } from '../consensus-metrics.ts'
import { NodeError } from '../error.ts'
import type { Readiness } from '../health.ts'
import { createMetrics, type MetricsRegistry, type MetricsScope } from '../metrics.ts'
import {
  createBlockMeasure,
  createRpcMetrics,
  createRpcServerMetrics,
  type ObservedNode,
  readinessOf,
  registerNodeMetrics,
} from '../node-metrics.ts'
import type { Clock, Logger, NodePorts } from '../ports.ts'
import { type MetricsServer, startMetricsServer } from './metrics-server.ts'
import { type ProcessInfo, registerInfo, registerProcessMetrics } from './process-metrics.ts'

export interface Observation {
  readonly metrics: MetricsRegistry
  /** Begins to watch a chain; one that has failed under this name is forgotten. */
  watch(name: string): ChainObservation
  /** For `createRpc`. */
  readonly onAnswered: (call: AnsweredCall) => void
  /** For `startServer`. */
  readonly onRefused: (reason: RefusalReason) => void
  /** The RPC server listens: its readings are taken from now on. */
  attachRpc(server: Pick<RpcServer, 'connections' | 'webSockets'>): void
  /**
   * Serves metrics and health; undefined where that is switched off, or where the standard port is
   * taken (then a warning says so: a second node on a machine is no reason not to start).
   * @throws NodeError NODE_PORT_TAKEN for a port that was asked for
   */
  serve(config: NodeConfig['metrics'], log: Logger): Promise<MetricsServer | undefined>
  /** Stops what samples the process. */
  stop(): void
}

export interface ChainObservation {
  /** For `createNode`. */
  readonly ports: Pick<NodePorts, 'observer' | 'measure'>
  readonly metrics: MetricsScope
  /** For `createRpc`: how many subscriptions there are. */
  readonly onSubscriptions: (count: number) => void
  /** The node exists now: its readings are registered. */
  attach(observed: Omit<ObservedNode, 'clock'>, chainId: bigint): void
  /** It is not served any more. @param reason why it failed; undefined: it was meant to end */
  end(reason: string | undefined): void
}

/** The chain by which a process is judged: it ends when this one fails. */
export const MAIN_CHAIN = 'main'
/** Where monitoring looks unless told otherwise. */
export const METRICS_PORT = 9545

/** What is known of a chain. */
interface Watched {
  observed: ObservedNode | undefined
  failure: string | undefined
  subscriptions: number
  metrics: MetricsScope | undefined
}

export function createObservation(clock: Clock, info: ProcessInfo): Observation {
  const metrics = createMetrics()
  const onAnswered = createRpcMetrics(metrics)
  const rpcServer = createRpcServerMetrics(metrics)
  const chains = new Map<string, Watched>()
  let stopSampling: (() => void) | undefined
  registerInfo(metrics, info)
  metrics.gauges('vellum_chain_up', '1 while the chain is served, 0 if it failed.', 'chain', () =>
    [...chains].map(([name, { observed, failure }]) => [
      name,
      Number(observed !== undefined && failure === undefined),
    ]),
  )

  function watch(name: string): ChainObservation {
    chains.get(name)?.metrics?.end()
    const scope = metrics.scope('chain', name)
    const watched: Watched = {
      observed: undefined,
      failure: undefined,
      subscriptions: 0,
      metrics: scope,
    }
    chains.set(name, watched)
    return {
      ports: {
        observer: createConsensusMetrics(scope, clock),
        measure: createBlockMeasure(scope, clock),
      },
      metrics: scope,
      onSubscriptions: (count) => {
        watched.subscriptions = count
        rpcServer.onSubscriptions(sumOf([...chains.values()].map((each) => each.subscriptions)))
      },
      attach: (given, chainId) => {
        watched.observed = { ...given, clock }
        registerNodeMetrics(scope, watched.observed)
        scope.gauges('vellum_chain_info', 'The chain; always 1.', 'chain_id', () => [
          [String(chainId), 1],
        ])
        void given.node.failed.then((reason) => {
          watched.failure = (reason as Error).message
        })
      },
      end: (reason) => {
        if (chains.get(name) !== watched) return
        scope.end()
        watched.metrics = undefined
        watched.observed = undefined
        watched.failure = reason
        watched.subscriptions = 0
        if (reason === undefined) chains.delete(name)
      },
    }
  }

  /** @param name undefined: of the process, which main decides; the others are told of */
  function readiness(name: string | undefined): Readiness | undefined {
    if (name !== undefined) {
      const watched = chains.get(name)
      return watched && readinessOfChain(watched)
    }
    const main = readinessOfChain(chains.get(MAIN_CHAIN))
    const others = [...chains].filter(([each]) => each !== MAIN_CHAIN)
    if (others.length === 0) return main
    return {
      ...main,
      chains: Object.fromEntries(others.map(([each, found]) => [each, readinessOfChain(found)])),
    }
  }

  return {
    metrics,
    watch,
    onAnswered,
    onRefused: rpcServer.onRefused,
    attachRpc: rpcServer.attach,
    serve: async (config, log) => {
      if (!config.enabled) return undefined
      stopSampling ??= registerProcessMetrics(metrics)
      const port = config.port ?? METRICS_PORT
      try {
        const server = await startMetricsServer({
          host: config.host,
          port,
          metrics: metrics.text,
          failure: () => chains.get(MAIN_CHAIN)?.failure,
          readiness,
        })
        log.info('metrics and health are served', { host: config.host, port: server.port })
        return server
      } catch (cause) {
        const { code, message } = cause as { code?: string; message: string }
        const where = `${config.host}:${port}`
        if (config.port !== undefined) {
          throw new NodeError(
            'NODE_PORT_TAKEN',
            `metrics cannot be served on ${where}: ${message}; choose others with metrics.host and metrics.port`,
            { host: config.host, port, code },
            { cause },
          )
        }
        log.warn('metrics are not served: the port cannot be used; choose one with metrics.port', {
          where,
          reason: message,
        })
        return undefined
      }
    },
    stop: () => stopSampling?.(),
  }
}

function readinessOfChain(watched: Watched | undefined): Readiness {
  if (watched?.observed === undefined) {
    const reason = watched?.failure
    return {
      ready: false,
      reasons: [reason === undefined ? 'the node is being opened' : `it has failed: ${reason}`],
    }
  }
  return readinessOf(watched.observed, watched.failure !== undefined)
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
