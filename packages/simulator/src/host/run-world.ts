/** Runs one world in this process. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { loadSystemCrypto } from '@vellum/node'
import { createCheapCrypto } from '../cheap-crypto.ts'
import type { Scenario } from '../scenario.ts'
import { createWorld, type Outcome } from '../world.ts'

/** @param read gets each line of the transcript */
export function runWorld(
  scenario: Scenario,
  seed: string,
  read?: (line: string) => void,
): Promise<Outcome> {
  const crypto = scenario.crypto === 'cheap' ? createCheapCrypto() : loadSystemCrypto().crypto
  // Nothing in a world is on its way but promises: a turn of the event loop sees them all settled.
  const settle = (): Promise<void> => nextTurn()
  return createWorld(scenario, seed, { crypto, crc32, settle, read }).run()
}
