/**
 * The frames of one chain, each read once. A frame leaves for everybody as one array that nobody alters
 * (whoever changes a message makes another array), and what it says follows from its bytes alone. So all
 * who get it share one reading: decoding, hashes, the recovery of authors. What they make of the message
 * each decides by itself.
 */

import { decodeMessage, type Message, type RecoverAuthor } from '@vellum/consensus'
import { type Cache, createCache } from '@vellum/ledger'

/** @throws as `decodeMessage`, each time anew */
export type MessageReader = (frame: Uint8Array) => Message

/** Frames of each node remembered, in each of two generations: those that are on their way now. */
const FRAMES_EACH = 8

/**
 * @param recover who signed a message, in the chain's domain
 * @param nodes how many the chain has
 */
export function createMessageReader(recover: RecoverAuthor, nodes: number): MessageReader {
  const known: Cache<Uint8Array, Message> = createCache(FRAMES_EACH * nodes)
  return (frame) => {
    const read = known.get(frame)
    if (read !== undefined) return read
    const message = decodeMessage(frame, recover)
    known.set(frame, message)
    return message
  }
}
