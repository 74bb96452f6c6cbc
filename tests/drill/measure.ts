/** What can be measured of running nodes from outside. Linux only: it reads /proc. */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { hexToBytes } from '@vellum/evm'
import { decodeExtraData } from '@vellum/ledger'
import { demand, type NetworkProcess } from './running-network.ts'

export interface HeadWatch {
  /** Milliseconds between one block and the next, as they came. */
  readonly intervals: readonly number[]
  stop(): Promise<void>
}

const POLL_MS = 20
const BATCH = 100
const MEBIBYTE = 1_048_576

/** Watches a head from now on. Blocks that come within one look share its time. */
export function watchHeads(height: () => Promise<number>): HeadWatch {
  const intervals: number[] = []
  let isStopping = false
  async function watch(): Promise<void> {
    let last = await height()
    let at = performance.now()
    while (!isStopping) {
      await delay(POLL_MS)
      const now = await height()
      if (now <= last) continue
      const elapsedMs = performance.now() - at
      for (let i = last; i < now; i++) intervals.push(elapsedMs / (now - last))
      last = now
      at = performance.now()
    }
    // The block that is still missing counts for the time that it is.
    intervals.push(performance.now() - at)
  }
  const watching = watch()
  return {
    intervals,
    stop: () => {
      isStopping = true
      return watching
    },
  }
}

/** The smallest value that so many hundredths of all do not exceed; 0 of none. */
export function percentile(values: readonly number[], hundredths: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * hundredths) / 100) - 1)] ?? 0
}

export function residentMebibytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return (Number(found![1]) * 1_024) / MEBIBYTE
}

/** Descriptors that a process has open. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Rise of a straight line through points, by least squares: units of y for each unit of x. */
export function slopeOf(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  const spread = mean((point) => (point.x - x) ** 2)
  return spread === 0 ? 0 : mean((point) => (point.x - x) * (point.y - y)) / spread
}

/** Rounds in which blocks were decided, as a node holds them: one for each height, in order. */
export async function roundsOf(node: NetworkProcess, from: number, to: number): Promise<number[]> {
  const rounds: number[] = []
  for (let first = from; first <= to; first += BATCH) {
    const count = Math.min(BATCH, to - first + 1)
    const blocks = await demand<{ extraData: `0x${string}` }>(
      node,
      'eth_getBlockByNumber',
      Array.from({ length: count }, (_, i) => [`0x${(first + i).toString(16)}`, false]),
    )
    for (const block of blocks) rounds.push(decodeExtraData(hexToBytes(block!.extraData)).round)
  }
  return rounds
}
