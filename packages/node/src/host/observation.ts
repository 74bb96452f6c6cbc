/** What watches a node of this process: its metrics, and the server that tells them and its health. */

import type { AnsweredCall, RefusalReason, RpcServer } from '@vellum/rpc'
import type { NodeConfig } from '../config.ts'
import { createConsensusMetrics } from '../consensus-metrics.ts'
import { NodeError } from '../error.ts'
import { createMetrics } from '../metrics.ts'
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
  /** For `createNode`. */
  readonly ports: Pick<NodePorts, 'observer' | 'measure'>
  /** For `createRpc`. */
  readonly onAnswered: (call: AnsweredCall) => void
  /** For `createRpc`: how many subscriptions there are. */
  readonly onSubscriptions: (count: number) => void
  /** For `startServer`. */
  readonly onRefused: (reason: RefusalReason) => void
  /** The RPC server listens: its readings are taken from now on. */
  attachRpc(server: Pick<RpcServer, 'connections' | 'webSockets'>): void
  /** The node exists now: its readings are registered. */
  attach(observed: Omit<ObservedNode, 'clock'>, info: ProcessInfo): void
  /**
   * Serves metrics and health; undefined where that is switched off, or where the standard port is
   * taken (then a warning says so: a second node on a machine is no reason not to start).
   * @throws NodeError NODE_PORT_TAKEN for a port that was asked for
   */
  serve(config: NodeConfig['metrics'], log: Logger): Promise<MetricsServer | undefined>
  /** Stops what samples the process. */
  stop(): void
}

/** Where monitoring looks unless told otherwise. */
export const METRICS_PORT = 9545

export function createObservation(clock: Clock): Observation {
  const metrics = createMetrics()
  const observer = createConsensusMetrics(metrics, clock)
  const measure = createBlockMeasure(metrics, clock)
  const onAnswered = createRpcMetrics(metrics)
  const rpcServer = createRpcServerMetrics(metrics)
  let observed: ObservedNode | undefined
  let failure: string | undefined
  let stopSampling: (() => void) | undefined
  return {
    ports: { observer, measure },
    onAnswered,
    onSubscriptions: rpcServer.onSubscriptions,
    onRefused: rpcServer.onRefused,
    attachRpc: rpcServer.attach,
    attach: (given, info) => {
      observed = { ...given, clock }
      registerNodeMetrics(metrics, observed)
      registerInfo(metrics, info)
      void given.node.failed.then((reason) => {
        failure = (reason as Error).message
      })
    },
    serve: async (config, log) => {
      if (!config.enabled) return undefined
      stopSampling ??= registerProcessMetrics(metrics)
      const port = config.port ?? METRICS_PORT
      try {
        const server = await startMetricsServer({
          host: config.host,
          port,
          metrics: metrics.text,
          failure: () => failure,
          readiness: () =>
            observed === undefined
              ? { ready: false, reasons: ['the node is being opened'] }
              : readinessOf(observed, failure !== undefined),
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
