/** Sends junk, and votes of rounds and heights to come, as fast as it may. */

import { encodeMessage, signCommit, signPrepare } from '@vellum/consensus'
import { bytesToHex } from '@vellum/evm'
import { roundChangeOf } from './forgery.ts'
import type { AdversaryPorts, Behaviour } from './interference.ts'

/** Milliseconds from one burst to the next, and messages in it to each peer. */
const BURST_MS = 250
const BURST_SIZE = 20

export const flooder: Behaviour = (ports) => {
  let height = 1
  function burst(): void {
    for (const to of ports.everybody) {
      if (to === ports.self) continue
      for (let i = 0; i < BURST_SIZE; i++) ports.say(to, 'consensus', junk(ports, height))
    }
    ports.after(BURST_MS, burst)
  }
  return {
    heard: (message) => {
      height = Math.max(height, message.payload.height)
    },
    begin: burst,
  }
}

function junk(ports: AdversaryPorts, head: number): Uint8Array {
  const { self, sign, prng } = ports
  const height = head + prng.whole(-2, 40)
  const round = prng.whole(0, 1_000)
  const at = { height: Math.max(0, height), round, digest: bytesToHex(prng.bytes(32)) }
  switch (prng.whole(0, 4)) {
    case 0:
      return encodeMessage(signPrepare(at, self, sign))
    case 1:
      return encodeMessage(signCommit({ ...at, seal: prng.bytes(65) }, self, sign))
    case 2:
      return roundChangeOf(
        ports,
        { height: at.height, round, prepared: undefined },
        { block: undefined, prepares: [] },
      )
    case 3: {
      const frame = encodeMessage(signPrepare(at, self, sign))
      const bit = prng.whole(0, 8 * frame.length - 1)
      frame[bit >> 3] = frame[bit >> 3]! ^ (1 << (bit & 7))
      return frame
    }
    default:
      return prng.bytes(prng.whole(0, 300))
  }
}
