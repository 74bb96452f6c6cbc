/**
 * Proof that a validator lies (R2.8): two messages that it signed for one place, of which an honest
 * one sends only the first. Everybody can check the proof, and it is passed on until all have it.
 *
 *   frame = 0x1f ++ RLP([first frame, second frame])
 *
 * Only what its author signed is passed on: certificates beside it prove nothing here.
 */

import { concatBytes } from '@vellum/evm'
import { decodeRlp, encodeRlp, rlpBytes, rlpList } from '@vellum/ledger'
import { decodeMessage, encodeMessage, type RecoverAuthor } from './codec.ts'
import { ConsensusError } from './error.ts'
import type { Message, RoundChangePayload } from './message.ts'

/** First byte of a frame with evidence: none of Besu's codes. */
export const EVIDENCE_CODE = 0x1f

/** Proposals hold blocks: those that are larger are not passed on. */
export const EVIDENCE_BYTES_MAX = 1_048_576

export interface Contradiction {
  readonly first: Message
  readonly second: Message
}

/** True if no honest validator says both. */
export function isContradiction({ first, second }: Contradiction): boolean {
  const [a, b] = [first.payload, second.payload]
  if (first.author !== second.author || a.height !== b.height || a.round !== b.round) return false
  switch (first.kind) {
    case 'proposal':
      return (
        second.kind === 'proposal' && first.payload.block.digest !== second.payload.block.digest
      )
    case 'prepare':
    case 'commit':
      return second.kind === first.kind && first.payload.digest !== second.payload.digest
    case 'roundChange':
      return second.kind === 'roundChange' && !isSameClaim(first.payload, second.payload)
  }
}

/** Whether two round changes claim the same prepared block. */
export function isSameClaim(a: RoundChangePayload, b: RoundChangePayload): boolean {
  return a.prepared?.round === b.prepared?.round && a.prepared?.digest === b.prepared?.digest
}

/** @returns undefined if it is longer than `EVIDENCE_BYTES_MAX` */
export function encodeEvidence({ first, second }: Contradiction): Uint8Array | undefined {
  const frames = [first, second].map((message) => encodeMessage(withoutCertificates(message)))
  const frame = concatBytes(Uint8Array.of(EVIDENCE_CODE), encodeRlp(frames))
  return frame.length > EVIDENCE_BYTES_MAX ? undefined : frame
}

/** @throws ConsensusError CONSENSUS_MESSAGE_INVALID or LedgerError if it proves nothing */
export function decodeEvidence(frame: Uint8Array, recover: RecoverAuthor): Contradiction {
  if (frame[0] !== EVIDENCE_CODE || frame.length > EVIDENCE_BYTES_MAX) {
    throw new ConsensusError('CONSENSUS_MESSAGE_INVALID', 'no evidence')
  }
  const items = rlpList(decodeRlp(frame.subarray(1)), 'evidence')
  const [first, second] = items.map((item) => decodeMessage(rlpBytes(item, 'message'), recover))
  if (first === undefined || second === undefined || items.length !== 2) {
    throw new ConsensusError('CONSENSUS_MESSAGE_INVALID', 'evidence needs two messages')
  }
  if (!isContradiction({ first, second })) {
    throw new ConsensusError('CONSENSUS_MESSAGE_INVALID', 'an honest validator may say both')
  }
  return { first, second }
}

function withoutCertificates(message: Message): Message {
  switch (message.kind) {
    case 'proposal':
      return { ...message, roundChanges: [], prepares: [] }
    case 'roundChange':
      return { ...message, block: undefined, accessList: undefined, prepares: [] }
    default:
      return message
  }
}
