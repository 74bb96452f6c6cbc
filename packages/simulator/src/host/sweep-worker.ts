/** Runs drawn worlds, one after another, for the sweep that started it. */

import { parentPort } from 'node:worker_threads'
import { drawScenario } from '../draw-scenario.ts'
import type { Outcome } from '../world.ts'
import { runWorld } from './run-world.ts'

/** What the sweep learns of a world. */
export interface SweepResult {
  readonly seed: number
  readonly outcome: Outcome | undefined
  /** Why there is no outcome: a mistake of the simulator or a crash of a node's code. */
  readonly crash: string | undefined
}

parentPort!.on('message', async (seed: number) => {
  let result: SweepResult
  try {
    const outcome = await runWorld(drawScenario(`${seed}`), `${seed}`)
    result = { seed, outcome: { ...outcome, intervals: [] }, crash: undefined }
  } catch (error) {
    result = { seed, outcome: undefined, crash: (error as Error).stack ?? String(error) }
  }
  parentPort!.postMessage(result)
})
