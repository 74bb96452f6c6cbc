/** Runs worlds, one after another, for the thread that started this one. */

import { parentPort } from 'node:worker_threads'
import type { Scenario } from '../scenario.ts'
import type { Outcome } from '../world.ts'
import { runWorld } from './run-world.ts'

export interface WorldTask {
  readonly id: number
  readonly scenario: Scenario
  readonly seed: string
}

/** What is learnt of a world. */
export interface WorldResult {
  readonly id: number
  readonly outcome: Outcome | undefined
  /** Why there is no outcome: a mistake of the simulator, or of a node's code. */
  readonly crash: string | undefined
}

parentPort!.on('message', async ({ id, scenario, seed }: WorldTask) => {
  let result: WorldResult
  try {
    const outcome = await runWorld(scenario, seed)
    result = { id, outcome: { ...outcome, intervals: [] }, crash: undefined }
  } catch (error) {
    result = { id, outcome: undefined, crash: (error as Error).stack ?? String(error) }
  }
  parentPort!.postMessage(result)
})
