/** Proposes to one node only, relays nothing, and tells nobody of blocks. */

import { type Behaviour, isOwn } from './interference.ts'

export const withholder: Behaviour = (ports) => {
  const chosen = ports.prng.pick(ports.everybody.filter((each) => each !== ports.self))
  return {
    consensus: ({ to, message, bytes }) => {
      if (!isOwn(ports, message)) return []
      if (message.kind === 'proposal' || message.kind === 'commit')
        return to === chosen ? [bytes] : []
      return [bytes]
    },
    other: () => [],
    answer: () => Promise.reject(new Error('refused')),
  }
}
