/** A block as proposals carry it: with the round of its proposal and without seals. */

import { keccak256Hex } from '@vellum/evm'
import {
  createRlpWriter,
  decodeExtraData,
  decodeHeader,
  encodeExtraData,
  encodeRlpList,
  type Header,
  isRefusal,
  keccakHeaderHash,
  type RlpWriter,
  resealed,
  rlpListPositions,
  splitRlpList,
  writeHeader,
} from '@vellum/ledger'
import { ConsensusError } from './error.ts'
import type { ProposedBlock } from './message.ts'

/** @param body RLP of the body, a list of encoded transactions, ommers and withdrawals */
export function proposedBlock(header: Header, body: Uint8Array): ProposedBlock {
  return { header, body, digest: keccakHeaderHash(header) }
}

/** The round that a header names; undefined if its extra data is not QBFT's, or holds seals already. */
export function proposedRound(header: Header): number | undefined {
  try {
    const { round, seals } = decodeExtraData(header.extraData)
    return seals.length === 0 ? round : undefined
  } catch (error) {
    if (!isRefusal(error)) throw error
    return undefined
  }
}

/** The same block for another round: digest and seals differ, its name on the chain does not. */
export function inRound(block: ProposedBlock, round: number): ProposedBlock {
  const extra = decodeExtraData(block.header.extraData)
  if (extra.round === round) return block
  const header = { ...block.header, extraData: encodeExtraData({ ...extra, round }) }
  return { ...block, header, digest: keccakHeaderHash(header) }
}

/** The header with the seals that decided it, in the order given. */
export function withSeals(header: Header, seals: readonly Uint8Array[]): Header {
  return { ...header, extraData: resealed(header.extraData, seals) }
}

/** RLP of the whole block. */
export function encodeProposedBlock(block: ProposedBlock): Uint8Array {
  const writer = createRlpWriter()
  writeProposedBlock(writer, block)
  return writer.take()
}

/** Writes the same. */
export function writeProposedBlock(writer: RlpWriter, { header, body }: ProposedBlock): void {
  const end = writer.size()
  const [first] = rlpListPositions(body)
  writer.part(body, first!, body.length)
  writeHeader(writer, header)
  writer.closeList(end)
}

/**
 * Reads the header's fields. Whether they are those of a proposal is for the rules to say, and the
 * body is looked at when the block is checked.
 * @throws ConsensusError CONSENSUS_MESSAGE_INVALID, LedgerError for what is not a block
 */
export function decodeProposedBlock(bytes: Uint8Array): ProposedBlock {
  const [header, ...body] = splitRlpList(bytes)
  if (header === undefined || body.length < 2 || body.length > 3) {
    throw new ConsensusError('CONSENSUS_MESSAGE_INVALID', 'a block needs three or four items')
  }
  // A copy, as the bytes are a peer's buffer. What decodes has no other encoding, so they are hashed.
  const encoded = header.slice()
  return { header: decodeHeader(encoded), body: encodeRlpList(body), digest: keccak256Hex(encoded) }
}
