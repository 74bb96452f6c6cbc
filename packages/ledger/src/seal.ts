/**
 * What makes a block count as sealed, and which hash names it: the seam where consensus plugs in.
 *
 * A chain has one scheme for its whole life. That of QBFT is in the consensus package; its hashes are
 * here, as blocks are named by them. `FOREIGN` names blocks by the plain hash of their header and
 * checks no seal: other people's chains, imported for tests and audits.
 */

import { type Address, bytesToHex, type Hash } from '@vellum/evm'
import { type Header, keccakHeaderHash, writeHeader } from './block.ts'
import { writeResealed } from './extra-data.ts'
import { createRlpWriter } from './rlp-writer.ts'

export type Verdict<Reason extends string = string> =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: Reason }

/** Header fields that belong to consensus, for a block that is being built. */
export interface ConsensusFields {
  readonly coinbase: Address
  readonly difficulty: bigint
  readonly extraData: Uint8Array
  readonly mixHash: Hash
  readonly nonce: Uint8Array
}

/** Reads a header of the chain that a block stands on, by number up to its parent's. */
export type ReadAncestor = (number: number) => Header

export interface SealScheme {
  /** The name of the block: `parentHash` of the next one, BLOCKHASH, RPC `hash`. */
  hash(header: Header): Hash
  /** Consensus fields and seals of a header, against its parent. Everything else is `validate.ts`. */
  verify(header: Header, parent: Header, ancestor: ReadAncestor): Verdict
  /** The same for a block that is still to be decided: it has no seals. */
  verifyUnsealed(header: Header, parent: Header, ancestor: ReadAncestor): Verdict
}

/** keccak256("Istanbul"...): what a QBFT header carries as mix hash. */
export const QBFT_MIX_HASH: Hash =
  '0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365'

/** On-chain hash of a QBFT header: round 0 and no seals, so that all validators agree on it. */
export function qbftHash(header: Header): Hash {
  if (header.number === 0) return keccakHeaderHash(header)
  return bytesToHex(hashUnsealed(header, 0))
}

/** What a commit seal signs: the round is kept, the seals are not. */
export function commitHash(header: Header): Uint8Array {
  return hashUnsealed(header, undefined)
}

const writer = createRlpWriter()

/** @param round in place of the header's own */
function hashUnsealed(header: Header, round: number | undefined): Uint8Array {
  // What is no extra data of QBFT shows when a part of the header is written already.
  writer.clear()
  writeHeader(writer, header, (to, { extraData }) => {
    const end = to.size()
    writeResealed(to, extraData, [], round)
    to.closeString(end)
  })
  return writer.hash()
}

/** A chain sealed by nobody we know: imported, hash of the plain header, no seal checked. */
export const FOREIGN: SealScheme = {
  hash: keccakHeaderHash,
  verify: () => ({ ok: true }),
  verifyUnsealed: () => ({ ok: true }),
}
