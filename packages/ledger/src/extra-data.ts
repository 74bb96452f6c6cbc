/**
 * QBFT extra data: who may seal, in which round, and the seals. Byte-compatible with Besu.
 *
 *   RLP([vanity (32 bytes), [validator (20 bytes)...], vote, round, [seal (65 bytes)...]])
 *
 * vote is [] for none, [recipient, 0xff] to add, [recipient, empty] to drop; round is a scalar.
 * Spec: Besu `QbftExtraDataCodec`; the decoder is stricter, as a header is malleable otherwise.
 */

import { type Address, bytesToHex, hexToBytes, NO_BYTES } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { decodeRlp, encodeRlp, encodeRlpList, type RlpItem, rlpListPositions } from './rlp.ts'

export interface ExtraData {
  /** At most 32 bytes of no meaning; in blocks of our chains exactly so many. */
  readonly vanity: Uint8Array
  /** Ascending; empty where a contract holds the set. */
  readonly validators: readonly Address[]
  readonly vote: { readonly recipient: Address; readonly kind: 'add' | 'drop' } | undefined
  /** 0 to 2^32 - 1. */
  readonly round: number
  /** r (32 bytes), s (32 bytes), y parity (1 byte) each. */
  readonly seals: readonly Uint8Array[]
}

export const VANITY_SIZE = 32
export const SEAL_SIZE = 65

export function encodeExtraData(extra: ExtraData): Uint8Array {
  return encodeRlp([
    extra.vanity,
    extra.validators.map((validator) => hexToBytes(validator)),
    extra.vote === undefined
      ? []
      : [hexToBytes(extra.vote.recipient), extra.vote.kind === 'add' ? ADD : NO_BYTES],
    roundBytes(extra.round),
    [...extra.seals],
  ])
}

/** The same with other vanity. @param vanity at most 32 bytes @throws as `decodeExtraData` */
export function withVanity(bytes: Uint8Array, vanity: Uint8Array): Uint8Array {
  return encodeExtraData({ ...decodeExtraData(bytes), vanity })
}

/**
 * The same with other seals, and in another round if one is given. The rest is taken over as it is,
 * unread: that it is what extra data hold is for `decodeExtraData` to say.
 * @throws LedgerError LEDGER_EXTRA_DATA_INVALID, or LEDGER_RLP_INVALID
 */
export function resealed(
  bytes: Uint8Array,
  seals: readonly Uint8Array[],
  round?: number,
): Uint8Array {
  const at = rlpListPositions(bytes)
  if (at.length !== 6) throw invalid('needs five items')
  const [start, , , roundAt, sealsAt] = at as [number, number, number, number, number]
  return encodeRlpList(
    round === undefined
      ? [bytes.subarray(start, sealsAt), encodeRlp(seals)]
      : [bytes.subarray(start, roundAt), encodeRlp(roundBytes(round)), encodeRlp(seals)],
  )
}

const ADD = Uint8Array.of(0xff)

/**
 * Extra data of its bytes: exactly five items, canonical RLP.
 * @throws LedgerError LEDGER_EXTRA_DATA_INVALID
 */
export function decodeExtraData(bytes: Uint8Array): ExtraData {
  const items = decodeRlp(bytes)
  if (items instanceof Uint8Array || items.length !== 5) throw invalid('needs five items')
  const [vanity, validators, vote, round, seals] = items as [
    RlpItem,
    RlpItem,
    RlpItem,
    RlpItem,
    RlpItem,
  ]
  if (!(vanity instanceof Uint8Array) || vanity.length > VANITY_SIZE) {
    throw invalid('needs at most 32 bytes of vanity')
  }
  return {
    vanity,
    validators: listOf(validators, 20, 'validators').map((each) => bytesToHex(each)),
    vote: decodeVote(vote),
    round: decodeRound(round),
    seals: listOf(seals, SEAL_SIZE, 'seals'),
  }
}

function listOf(item: RlpItem, size: number, what: string): Uint8Array[] {
  if (item instanceof Uint8Array) throw invalid(`needs a list of ${what}`)
  return item.map((each) => {
    if (!(each instanceof Uint8Array) || each.length !== size) {
      throw invalid(`needs ${what} of ${size} bytes`)
    }
    return each
  })
}

function decodeVote(item: RlpItem): ExtraData['vote'] {
  if (item instanceof Uint8Array) throw invalid('needs a list as vote')
  if (item.length === 0) return undefined
  const [recipient, kind] = item
  if (
    item.length !== 2 ||
    !(recipient instanceof Uint8Array && recipient.length === 20) ||
    !(kind instanceof Uint8Array && (kind.length === 0 || (kind.length === 1 && kind[0] === 0xff)))
  ) {
    throw invalid('needs [recipient, 0xff] or [recipient, empty] as vote')
  }
  return { recipient: bytesToHex(recipient), kind: kind.length === 0 ? 'drop' : 'add' }
}

function roundBytes(round: number): Uint8Array {
  if (round === 0) return NO_BYTES
  const hex = round.toString(16)
  return hexToBytes(`0x${hex.length % 2 === 0 ? hex : `0${hex}`}`)
}

function decodeRound(item: RlpItem): number {
  if (!(item instanceof Uint8Array) || item.length > 4 || item[0] === 0) {
    throw invalid('needs a scalar of at most four bytes as round')
  }
  let round = 0
  for (const byte of item) round = round * 256 + byte
  return round
}

function invalid(what: string): LedgerError {
  return new LedgerError('LEDGER_EXTRA_DATA_INVALID', `QBFT extra data ${what}`)
}
