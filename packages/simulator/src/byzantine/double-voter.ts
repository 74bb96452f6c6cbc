/** Prepares and commits twice in one round: for the block, and for another that it has made up. */

import { hexToBytes, keccak256Hex } from '@vellum/evm'
import { commitOf, isOnOtherSide, prepareOf } from './forgery.ts'
import { type Behaviour, isOwn } from './interference.ts'

export const doubleVoter: Behaviour = (ports) => ({
  consensus: ({ to, message, bytes }) => {
    if (!isOwn(ports, message)) return [bytes]
    if (message.kind !== 'prepare' && message.kind !== 'commit') return [bytes]
    const digest = keccak256Hex(hexToBytes(message.payload.digest))
    const other =
      message.kind === 'prepare'
        ? prepareOf(ports, message, digest)
        : commitOf(ports, message, digest)
    return isOnOtherSide(ports, to) ? [other, bytes] : [bytes, other]
  },
})
