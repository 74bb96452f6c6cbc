/** Says again what it has heard, from whomever, of earlier rounds and heights. */

import { encodeMessage } from '@vellum/consensus'
import type { Behaviour } from './interference.ts'

const KEPT_MAX = 200

export const replayer: Behaviour = ({ prng }) => {
  const kept: Uint8Array[] = []
  return {
    heard: (message) => {
      const frame = encodeMessage(message)
      if (kept.length < KEPT_MAX) kept.push(frame)
      else kept[prng.whole(0, KEPT_MAX - 1)] = frame
    },
    consensus: ({ bytes }) => (kept.length > 0 ? [bytes, prng.pick(kept), bytes] : [bytes]),
  }
}
