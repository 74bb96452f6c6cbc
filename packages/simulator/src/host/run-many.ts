/** Worlds on several threads at once. */

import { Worker } from 'node:worker_threads'
import type { WorldResult, WorldTask } from './world-worker.ts'

/** Hands out tasks to new threads, each the next as soon as it is free. */
export function runMany(
  tasks: readonly WorldTask[],
  threads: number,
  onResult: (result: WorldResult) => void,
): Promise<void> {
  return runOnThreads('world-worker', tasks, threads, onResult)
}

/**
 * The same for any kind of task.
 * @param worker file beside this one, without its ending, that answers each message with a result
 */
export async function runOnThreads<Task, Result>(
  worker: string,
  tasks: readonly Task[],
  threads: number,
  onResult: (result: Result) => void,
): Promise<void> {
  const waiting = tasks.values()
  await Promise.all(
    Array.from({ length: Math.min(threads, tasks.length) }, () =>
      runThread(worker, waiting, onResult),
    ),
  )
}

function runThread<Task, Result>(
  file: string,
  waiting: Iterator<Task>,
  onResult: (result: Result) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const isSource = import.meta.url.endsWith('.ts')
  const url = new URL(`./${file}${isSource ? '.ts' : '.js'}`, import.meta.url)
  // From sources, the packages beside this one are found as sources too.
  const worker = new Worker(url, { execArgv: isSource ? ['--conditions=source'] : [] })
  const next = (): void => {
    const { value } = waiting.next()
    if (value === undefined) void worker.terminate().then(() => resolve())
    else worker.postMessage(value)
  }
  worker.on('message', (result: Result) => {
    onResult(result)
    next()
  })
  worker.on('error', reject)
  next()
  return promise
}
