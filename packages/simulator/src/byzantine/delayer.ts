/** Says everything, just before it would be too late. */

import { roundTimeoutMs } from '@vellum/consensus'
import type { Behaviour } from './interference.ts'

/** Part of a round's timeout that it waits. */
const PATIENCE = 0.9

export const delayer: Behaviour = (ports) => ({
  consensus: ({ to, message, bytes }) => {
    const { requestTimeoutMs, requestTimeoutMaxMs } = ports
    const { round } = message.payload
    const ms = roundTimeoutMs(requestTimeoutMs, round, requestTimeoutMaxMs)
    ports.after(PATIENCE * ms, () => ports.say(to, 'consensus', bytes))
    return []
  },
})
