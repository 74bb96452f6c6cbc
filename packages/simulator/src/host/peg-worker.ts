/** Runs worlds of several chains, one after another, for the thread that started this one. */

import { parentPort } from 'node:worker_threads'
import type { PegScenario } from '../peg/scenario.ts'
import type { PegOutcome } from '../peg/world.ts'
import { runPeg } from './run-world.ts'

export interface PegTask {
  readonly id: number
  readonly scenario: PegScenario
  readonly seed: string
}

export interface PegResult {
  readonly id: number
  readonly outcome: PegOutcome | undefined
  /** Why there is no outcome: a mistake of the simulator, or of a node's code. */
  readonly crash: string | undefined
}

parentPort!.on('message', async ({ id, scenario, seed }: PegTask) => {
  let result: PegResult
  try {
    result = { id, outcome: await runPeg(scenario, seed), crash: undefined }
  } catch (error) {
    result = { id, outcome: undefined, crash: (error as Error).stack ?? String(error) }
  }
  parentPort!.postMessage(result)
})
