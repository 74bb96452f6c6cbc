/** Prepares and commits to blocks that nobody has proposed, and to none that somebody has. */

import { bytesToHex } from '@vellum/evm'
import { commitOf, prepareOf } from './forgery.ts'
import { type Behaviour, isOwn } from './interference.ts'

export const wrongDigest: Behaviour = (ports) => ({
  consensus: ({ message, bytes }) => {
    if (!isOwn(ports, message)) return [bytes]
    const digest = bytesToHex(ports.prng.bytes(32))
    if (message.kind === 'prepare') return [prepareOf(ports, message, digest)]
    if (message.kind === 'commit') return [commitOf(ports, message, digest)]
    return [bytes]
  },
})
