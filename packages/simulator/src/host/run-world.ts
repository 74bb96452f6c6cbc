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
  return createWorld(scenario, seed, { crypto, crc32, settle: createSettle(), read }).run()
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
  return runPegWorld(scenario, seed, { crypto, crc32, settle: createSettle(), read, codes })
}

/** After so many events the program around the world gets a turn. */
const EVENTS_IN_A_ROW = 512

/**
 * Nothing in a world is on its way but promises. Node runs the queue of `nextTick` when it has run
 * out of them, which costs less than a turn of the event loop.
 */
function createSettle(): () => Promise<void> {
  let events = 0
  return () => {
    events += 1
    const { promise, resolve } = Promise.withResolvers<void>()
    if (events % EVENTS_IN_A_ROW === 0) setImmediate(resolve)
    // Out of a promise: where the stack was entered by an event, ticks would come before promises.
    else queueMicrotask(() => process.nextTick(resolve))
    return promise
  }
}
