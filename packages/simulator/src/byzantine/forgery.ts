/** Messages as an adversary makes them: of an honest one, with something changed, signed again. */

import {
  type Commit,
  encodeMessage,
  type Prepare,
  type Proposal,
  type ProposedBlock,
  proposedBlock,
  type RoundChange,
  type RoundChangePayload,
  signCommit,
  signPrepare,
  signProposal,
  signRoundChange,
} from '@vellum/consensus'
import { type Address, type Hash, hexToBytes } from '@vellum/evm'
import { decodeExtraData, type ExtraData, encodeExtraData, type Header } from '@vellum/ledger'
import type { AdversaryPorts } from './interference.ts'

/** False for a block that an accomplice has spoiled so far that it has no variants. */
export function hasExtraData({ header }: ProposedBlock): boolean {
  try {
    decodeExtraData(header.extraData)
    return true
  } catch {
    return false
  }
}

/** The same block under another name: vanity means nothing, so it is as valid as the first. */
export function variantOf(block: ProposedBlock, mark = 1): ProposedBlock {
  const vanity = decodeExtraData(block.header.extraData).vanity.slice()
  vanity[0] = vanity[0]! ^ mark
  return withExtra(block, { vanity })
}

/** The block with other header fields. */
export function altered(block: ProposedBlock, changes: Partial<Header>): ProposedBlock {
  return proposedBlock({ ...block.header, ...changes }, block.body)
}

/** The block with other parts of its extra data. */
export function withExtra(block: ProposedBlock, changes: Partial<ExtraData>): ProposedBlock {
  const extra = decodeExtraData(block.header.extraData)
  return altered(block, { extraData: encodeExtraData({ ...extra, ...changes }) })
}

export function proposalOf(
  { self, sign }: AdversaryPorts,
  proposal: Proposal,
  block: ProposedBlock,
): Uint8Array {
  const signed = signProposal({ ...proposal.payload, block }, self, sign)
  return encodeMessage({ ...proposal, ...signed })
}

export function prepareOf(
  { self, sign }: AdversaryPorts,
  { payload }: Prepare | Commit,
  digest: Hash,
): Uint8Array {
  const { height, round } = payload
  return encodeMessage(signPrepare({ height, round, digest }, self, sign))
}

/** A commit with a seal that is right for its digest. */
export function commitOf(
  { self, sign, seal: sealOf }: AdversaryPorts,
  { payload }: Prepare | Commit,
  digest: Hash,
): Uint8Array {
  const { height, round } = payload
  const seal = sealOf(hexToBytes(digest))
  return encodeMessage(signCommit({ height, round, digest, seal }, self, sign))
}

export function roundChangeOf(
  { self, sign }: AdversaryPorts,
  payload: RoundChangePayload,
  proof: Pick<RoundChange, 'block' | 'prepares'>,
): Uint8Array {
  const signed = signRoundChange(payload, self, sign)
  return encodeMessage({ kind: 'roundChange', ...signed, ...proof, accessList: undefined })
}

/** True for half of the nodes, the same half for all adversaries of a world. */
export function isOnOtherSide({ everybody, accomplices }: AdversaryPorts, peer: Address): boolean {
  const honest = everybody.filter((each) => !accomplices.includes(each))
  return honest.indexOf(peer) % 2 === 1
}
