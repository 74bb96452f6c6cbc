/**
 * Votes as bytes, for the vote file alone: MessagePack, with blocks as RLP. Nobody else reads them, and
 * every one is behind a checksum; still, what does not read as a vote is refused and never guessed.
 */

import {
  decodeProposedBlock,
  encodeProposedBlock,
  type SignedPrepare,
  type VoteRecord,
} from '@vellum/consensus'
import type { Address, Hash } from '@vellum/evm'
import { Packr } from 'msgpackr'

/** Plain maps and no extensions: the bytes say all that they mean. */
const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'number' })

export function encodeVoteRecord(record: VoteRecord): Uint8Array {
  if (record.kind !== 'prepared') return packr.pack(record)
  const { kind, height, certificate } = record
  const { block, round, prepares } = certificate
  return packr.pack({ kind, height, round, block: encodeProposedBlock(block), prepares })
}

/** @throws Error of any kind for what is not a vote */
export function decodeVoteRecord(bytes: Uint8Array): VoteRecord {
  const { kind, height, round, ...rest } = packr.unpack(bytes) as Record<string, unknown>
  if (!isCount(height) || !isCount(round)) throw new Error('a vote without its place')
  switch (kind) {
    case 'round':
      return { kind, height, round }
    case 'proposed':
    case 'voted':
      if (!isHex(rest.digest, 32)) throw new Error('a vote without a digest')
      return { kind, height, round, digest: rest.digest }
    case 'prepared': {
      const { block, prepares } = rest
      if (!(block instanceof Uint8Array) || !Array.isArray(prepares)) {
        throw new Error('a certificate without block or prepares')
      }
      // Copies: what was unpacked is a view of the whole file.
      const certificate = {
        block: decodeProposedBlock(Uint8Array.from(block)),
        round,
        prepares: prepares.map(prepareOf),
      }
      return { kind, height, certificate }
    }
    default:
      throw new Error('a vote of an unknown kind')
  }
}

function prepareOf(value: unknown): SignedPrepare {
  const { payload, signature, author } = value as Record<string, unknown>
  const { height, round, digest } = payload as Record<string, unknown>
  const isPrepare =
    isCount(height) &&
    isCount(round) &&
    isHex(digest, 32) &&
    isHex(author, 20) &&
    signature instanceof Uint8Array
  if (!isPrepare) throw new Error('a certificate with something else than prepares')
  return { payload: { height, round, digest }, signature: Uint8Array.from(signature), author }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isHex(value: unknown, size: number): value is Hash & Address {
  return typeof value === 'string' && value.length === 2 + 2 * size && /^0x[0-9a-f]+$/.test(value)
}
