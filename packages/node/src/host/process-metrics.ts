/** Metrics of the process: memory, time of the processor, the event loop, garbage collection. */

import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import type { Metrics } from '../metrics.ts'

/** Milliseconds between samples of the event loop's lag: 50 wake-ups a second cost nothing to speak of. */
const LAG_RESOLUTION_MS = 20
const LAG_QUANTILES = [0.5, 0.99, 1] as const
/** Values of `kind` of a garbage collection: constants of node:perf_hooks. */
const GC_KINDS: ReadonlyMap<number, string> = new Map([
  [1, 'minor'],
  [4, 'major'],
  [8, 'incremental'],
  [16, 'weak callbacks'],
])
const GC_SECONDS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1]

export interface ProcessInfo {
  readonly version: string
  /** Where signatures are computed. */
  readonly signatures: 'native' | 'JavaScript'
}

/** @returns how to stop */
export function registerProcessMetrics(metrics: Metrics): () => void {
  const startedAt = Date.now() / 1_000 - process.uptime()
  metrics.gauge('process_start_time_seconds', 'Start of the process since 1970.', () => startedAt)
  metrics.gauge(
    'process_cpu_seconds_total',
    'Processor time of all threads.',
    () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    },
    'counter',
  )
  metrics.gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss())
  metrics.gauges('vellum_memory_bytes', 'Memory of the runtime, by kind.', 'kind', () => {
    const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
    return [
      ['heap used', heapUsed],
      ['heap total', heapTotal],
      ['external', external],
      ['array buffers', arrayBuffers],
    ]
  })

  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  lag.enable()
  metrics.gauges(
    'vellum_event_loop_lag_seconds',
    'How late the event loop was since the last reading, by quantile.',
    'quantile',
    () => {
      const readings = LAG_QUANTILES.map((quantile) => {
        const ns = quantile === 1 ? lag.max : lag.percentile(quantile * 100)
        // What is measured is the time from one sample to the next.
        const value = lag.count === 0 ? 0 : Math.max(0, ns / 1e9 - LAG_RESOLUTION_MS / 1_000)
        return [String(quantile), value] as const
      })
      lag.reset()
      return readings
    },
  )

  const collections = metrics.histograms('vellum_gc_seconds', 'Pauses of the garbage collector.', {
    label: 'kind',
    buckets: GC_SECONDS,
  })
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as { detail?: { kind?: number } }).detail ?? {}
      collections(GC_KINDS.get(kind ?? 0) ?? 'other').observe(entry.duration / 1_000)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => {
    lag.disable()
    observer.disconnect()
  }
}

/** A metric that is always 1 and says by its labels what runs here. */
export function registerInfo(metrics: Metrics, info: ProcessInfo): void {
  metrics.gauges('vellum_build_info', 'The program; always 1.', 'version', () => [
    [info.version, 1],
  ])
  metrics.gauges('vellum_signatures_info', 'What computes signatures; always 1.', 'backend', () => [
    [info.signatures, 1],
  ])
}
