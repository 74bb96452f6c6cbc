/** Commits to the right block with a seal that is not its own, of another round, or of nothing. */

import { encodeMessage, signCommit } from '@vellum/consensus'
import { hexToBytes, keccak256 } from '@vellum/evm'
import { type Behaviour, isOwn } from './interference.ts'

export const wrongSeal: Behaviour = (ports) => {
  /** Of the commits heard last: somebody else's seals. */
  const foreign: Uint8Array[] = []
  let last: Uint8Array | undefined
  return {
    heard: (message) => {
      if (message.kind === 'commit' && foreign.length < 100) foreign.push(message.payload.seal)
    },
    consensus: ({ message, bytes }) => {
      if (message.kind !== 'commit' || !isOwn(ports, message)) return [bytes]
      const { digest, seal } = message.payload
      const seals = [
        ports.seal(keccak256(hexToBytes(digest))),
        last ?? seal.slice().reverse(),
        foreign.at(-1) ?? new Uint8Array(65),
        new Uint8Array(65),
      ]
      last = seal
      const forged = { ...message.payload, seal: ports.prng.pick(seals) }
      return [encodeMessage(signCommit(forged, ports.self, ports.sign))]
    },
  }
}
