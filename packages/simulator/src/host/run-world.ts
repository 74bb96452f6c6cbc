/** Runs one world in this process. */

import { crc32 } from 'node:zlib'
import { loadSystemCrypto } from '@vellum/node'
import { createCheapCrypto } from '../cheap-crypto.ts'
import type { PegScenario } from '../peg/scenario.ts'
import { type PegOutcome, type PegWorldPorts, runPegWorld } from '../peg/world.ts'
import type { Scenario } from '../scenario.ts'
import { createWorld, type Outcome } from '../world.ts'

/** @param read gets each line of the transcript */
export function runWorld(
  scenario: Scenario,
  seed: string,
  read?: (line: string) => void,
): Promise<Outcome> {
  const crypto = scenario.crypto === 'cheap' ? createCheapCrypto() : loadSystemCrypto().crypto
  return createWorld(scenario, seed, { crypto, crc32, drive, read }).run()
}

/**
 * The same for a world of several chains; its contracts recover real signatures.
 * @param ports who reads the transcript, and code in place of that of contracts
 */
export function runPeg(
  scenario: PegScenario,
  seed: string,
  { read, codes }: Pick<PegWorldPorts, 'read' | 'codes'> = {},
): Promise<PegOutcome> {
  const { crypto } = loadSystemCrypto()
  return runPegWorld(scenario, seed, { crypto, crc32, drive, read, codes })
}

/** After so many events the program around the world gets a turn. */
const EVENTS_IN_A_ROW = 512
const SETTLED = Promise.resolve()

/**
 * Nothing in a world is on its way but promises. Node runs the queue of `nextTick` when it has run
 * out of them, which costs less than a turn of the event loop.
 */
function drive(step: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let events = 0

  function next(): void {
    try {
      if (!step()) return resolve()
    } catch (error) {
      return reject(error)
    }
    events += 1
    // Out of a promise: ticks that were asked for by a tick, or an event, would come before promises.
    if (events % EVENTS_IN_A_ROW === 0) setImmediate(next)
    else void SETTLED.then(nextTick)
  }

  const nextTick = (): void => process.nextTick(next)
  next()
  return promise
}
