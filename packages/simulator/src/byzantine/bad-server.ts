/**
 * Answers those who ask for blocks with blocks that are altered, cut short, out of order or none, too
 * late or never; and tells of a head that it does not have.
 */

import type { Prng } from '../prng.ts'
import type { Behaviour } from './interference.ts'

export const badServer: Behaviour = (ports) => ({
  answer: async (question, honest) => {
    if (question === 'status') return ports.prng.chance(0.5) ? honest : damaged(honest, ports.prng)
    switch (ports.prng.whole(0, 5)) {
      case 0:
        return damaged(honest, ports.prng)
      case 1:
        return honest.slice(0, ports.prng.whole(0, honest.length))
      case 2:
        return new Uint8Array(0)
      case 3:
        return ports.prng.bytes(200)
      case 4:
        // Longer than anyone waits.
        await new Promise<void>((resolve) => ports.after(600_000, resolve))
        return honest
      default:
        throw new Error('refused')
    }
  },
  other: (channel, bytes) => (channel === 'head' ? [damaged(bytes, ports.prng)] : [bytes]),
})

function damaged(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = bytes.slice()
  if (copy.length === 0) return copy
  for (let i = prng.whole(1, 4); i > 0; i--) {
    const bit = prng.whole(0, 8 * copy.length - 1)
    copy[bit >> 3] = copy[bit >> 3]! ^ (1 << (bit & 7))
  }
  return copy
}
