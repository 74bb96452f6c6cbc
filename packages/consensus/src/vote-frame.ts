/**
 * Where everything stands in the frame of a prepare or a commit. Votes are most of what validators
 * say: they are read in place, without a view of each part.
 *
 * Takes only what `encodeMessage` writes, byte for byte; what is wrong with another frame, the reader
 * of all messages says.
 */

import { MESSAGE_CODE, type MessageKind } from './message.ts'
import { CONSENSUS_LIMITS } from './types.ts'

/** Positions are those of the first byte; contents are without their heads. */
export interface VoteFrame {
  readonly kind: 'prepare' | 'commit'
  readonly height: number
  readonly round: number
  /** The payload, head and all. */
  readonly payloadAt: number
  readonly payloadEnd: number
  /** 32 bytes. */
  readonly digestAt: number
  /** 65 bytes, of a commit. */
  readonly sealAt: number
  /** 65 bytes. */
  readonly signatureAt: number
}

const DIGEST_SIZE = 32
const SIGNATURE_SIZE = 65

/** undefined for every frame that is not a vote of ours, and for some that are: ask the general reader. */
export function locateVote(frame: Uint8Array): VoteFrame | undefined {
  const kind = kindOf(frame[0])
  if (kind === undefined || frame.length > CONSENSUS_LIMITS.voteBytesMax) return undefined
  if (endOfList(frame, 1) !== frame.length) return undefined
  const payloadAt = contents
  const payloadEnd = endOfList(frame, payloadAt)
  if (payloadEnd === undefined) return undefined
  const height = numberAt(frame, contents)
  if (height === undefined) return undefined
  const round = numberAt(frame, contents)
  if (round === undefined || round > CONSENSUS_LIMITS.roundMax) return undefined
  if (frame[contents] !== 0x80 + DIGEST_SIZE) return undefined
  const digestAt = contents + 1
  let at = digestAt + DIGEST_SIZE
  const sealAt = at + 2
  if (kind === 'commit') {
    if (!isSignatureAt(frame, at)) return undefined
    at = sealAt + SIGNATURE_SIZE
  }
  if (at !== payloadEnd || !isSignatureAt(frame, at)) return undefined
  const signatureAt = at + 2
  if (signatureAt + SIGNATURE_SIZE !== frame.length) return undefined
  return { kind, height, round, payloadAt, payloadEnd, digestAt, sealAt, signatureAt }
}

function kindOf(code: number | undefined): Extract<MessageKind, VoteFrame['kind']> | undefined {
  if (code === MESSAGE_CODE.prepare) return 'prepare'
  return code === MESSAGE_CODE.commit ? 'commit' : undefined
}

/** Where the contents of the list begin whose head was read last; behind a number, what follows it. */
let contents = 0

/** End of a list of at most 255 bytes; undefined for anything else. */
function endOfList(frame: Uint8Array, at: number): number | undefined {
  const head = frame[at]!
  if (head === 0xf8 && frame[at + 1]! >= 56) {
    contents = at + 2
    return contents + frame[at + 1]!
  }
  if (head < 0xc0 || head >= 0xf8) return undefined
  contents = at + 1
  return contents + head - 0xc0
}

/** An integer of at most six bytes. */
function numberAt(frame: Uint8Array, at: number): number | undefined {
  const first = frame[at]!
  if (first < 0x80) {
    contents = at + 1
    return first === 0 ? undefined : first
  }
  const size = first - 0x80
  const leading = frame[at + 1]!
  if (size > 6 || (size > 0 && leading === 0) || (size === 1 && leading < 0x80)) return undefined
  contents = at + 1 + size
  let value = 0
  for (let i = at + 1; i < contents; i++) value = value * 256 + frame[i]!
  return value
}

function isSignatureAt(frame: Uint8Array, at: number): boolean {
  return frame[at] === 0xb8 && frame[at + 1] === SIGNATURE_SIZE
}
