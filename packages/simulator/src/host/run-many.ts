/** Worlds on several threads at once. */

import { Worker } from 'node:worker_threads'
import type { WorldResult, WorldTask } from './world-worker.ts'

/** Hands out tasks to new threads, each the next as soon as it is free. */
export async function runMany(
  tasks: readonly WorldTask[],
  threads: number,
  onResult: (result: WorldResult) => void,
): Promise<void> {
  const waiting = tasks.values()
  await Promise.all(
    Array.from({ length: Math.min(threads, tasks.length) }, () => runThread(waiting, onResult)),
  )
}

function runThread(
  waiting: Iterator<WorldTask>,
  onResult: (result: WorldResult) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const isSource = import.meta.url.endsWith('.ts')
  const url = new URL(`./world-worker${isSource ? '.ts' : '.js'}`, import.meta.url)
  // From sources, the packages beside this one are found as sources too.
  const worker = new Worker(url, { execArgv: isSource ? ['--conditions=source'] : [] })
  const next = (): void => {
    const { value } = waiting.next()
    if (value === undefined) void worker.terminate().then(() => resolve())
    else worker.postMessage(value)
  }
  worker.on('message', (result: WorldResult) => {
    onResult(result)
    next()
  })
  worker.on('error', reject)
  next()
  return promise
}
