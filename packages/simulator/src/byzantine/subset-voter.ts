/** Speaks to some of the others only: always the same ones. */

import type { Behaviour } from './interference.ts'

export const subsetVoter: Behaviour = ({ prng, everybody }) => {
  const favoured = new Set(prng.shuffled(everybody).slice(0, Math.ceil(everybody.length / 2)))
  return { consensus: ({ to, bytes }) => (favoured.has(to) ? [bytes] : []) }
}
