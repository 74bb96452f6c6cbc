/**
 * QBFT extra data: who may seal, in which round, and the seals. Byte-compatible with Besu.
 *
 *   RLP([vanity (32 bytes), [validator (20 bytes)...], vote, round, [seal (65 bytes)...]])
 *
 * vote is [] for none, [recipient, 0xff] to add, [recipient, empty] to drop; round is a scalar.
 * Spec: Besu `QbftExtraDataCodec`; the decoder is stricter, as a header is malleable otherwise.
 */

import { type Address, hexAt, hexToBytes, NO_BYTES } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { encodeRlp, plainBytes, rlpHeadSize, rlpListPositions } from './rlp.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'

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
  writeResealed(writer, bytes, seals, round)
  return writer.take()
}

const writer = createRlpWriter()

/** Writes the same. @throws as `resealed`, with nothing written */
export function writeResealed(
  to: RlpWriter,
  bytes: Uint8Array,
  seals: readonly Uint8Array[],
  round?: number,
): void {
  const [start, , , roundAt, sealsAt] = positionsOf(bytes)
  const end = to.size()
  for (let i = seals.length - 1; i >= 0; i--) to.string(seals[i]!)
  to.closeList(end)
  if (round !== undefined) to.integer(round)
  to.part(bytes, start, round === undefined ? sealsAt : roundAt)
  to.closeList(end)
}

const ADD = Uint8Array.of(0xff)

/**
 * Extra data of its bytes: exactly five items, canonical RLP. Byte strings are views of the input.
 * @throws LedgerError LEDGER_EXTRA_DATA_INVALID, or LEDGER_RLP_INVALID
 */
export function decodeExtraData(input: Uint8Array): ExtraData {
  const bytes = plainBytes(input)
  const [vanity, validators, vote, round, seals, end] = positionsOf(bytes)
  return {
    vanity: decodeVanity(bytes, vanity, validators),
    validators: listOf(bytes, [validators, vote], 20, 'validators', (at) => hexAt(bytes, at, 20)),
    vote: decodeVote(bytes, vote, round),
    round: decodeRound(bytes, round, seals),
    seals: listOf(bytes, [seals, end], SEAL_SIZE, 'seals', (at) =>
      bytes.subarray(at, at + SEAL_SIZE),
    ),
  }
}

/** Where the five items begin, and where the last one ends. */
function positionsOf(bytes: Uint8Array): [number, number, number, number, number, number] {
  const at = rlpListPositions(bytes)
  if (at.length !== 6) throw invalid('needs five items')
  return at as [number, number, number, number, number, number]
}

function isListAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at]! >= 0xc0
}

/** True for an item between two positions that is a string of so many bytes (not of one). */
function isFixed(bytes: Uint8Array, from: number, to: number, size: number): boolean {
  return !isListAt(bytes, from) && to - from === rlpHeadSize(size) + size
}

/** A list whose items are all strings of one size, from 2 to 255 bytes. @param read takes where one begins */
function listOf<T>(
  bytes: Uint8Array,
  [from, to]: readonly [number, number],
  size: number,
  what: string,
  read: (at: number) => T,
): T[] {
  const first = bytes[from]!
  if (!isListAt(bytes, from)) throw invalid(`needs a list of ${what}`)
  const items: T[] = []
  const headBytes = rlpHeadSize(size)
  let at = from + (first < 0xf8 ? 1 : first - 0xf6)
  while (at < to) {
    const isOfSize =
      size < 56 ? bytes[at] === 0x80 + size : bytes[at] === 0xb8 && bytes[at + 1] === size
    if (!isOfSize || at + headBytes + size > to) throw invalid(`needs ${what} of ${size} bytes`)
    items.push(read(at + headBytes))
    at += headBytes + size
  }
  return items
}

function decodeVanity(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const size = to - from - 1
  // A byte below 0x80 stands for itself; longer strings than this one have another kind of head.
  if (isListAt(bytes, from) || size > VANITY_SIZE) throw invalid('needs at most 32 bytes of vanity')
  return bytes.subarray(bytes[from]! < 0x80 ? from : from + 1, to)
}

function decodeVote(bytes: Uint8Array, from: number, to: number): ExtraData['vote'] {
  if (!isListAt(bytes, from)) throw invalid('needs a list as vote')
  const [recipient, kind, end, ...more] = rlpListPositions(bytes, from, to)
  if (kind === undefined) return undefined
  const isAdd = bytes[kind] === 0x81 && bytes[kind + 1] === 0xff
  if (
    end === undefined ||
    more.length > 0 ||
    !isFixed(bytes, recipient!, kind, 20) ||
    !(isAdd || bytes[kind] === 0x80)
  ) {
    throw invalid('needs [recipient, 0xff] or [recipient, empty] as vote')
  }
  return { recipient: hexAt(bytes, kind - 20, 20), kind: isAdd ? 'add' : 'drop' }
}

function roundBytes(round: number): Uint8Array {
  if (round === 0) return NO_BYTES
  const hex = round.toString(16)
  return hexToBytes(`0x${hex.length % 2 === 0 ? hex : `0${hex}`}`)
}

function decodeRound(bytes: Uint8Array, from: number, to: number): number {
  const start = bytes[from]! < 0x80 ? from : from + 1
  if (isListAt(bytes, from) || to - start > 4 || (to > start && bytes[start] === 0)) {
    throw invalid('needs a scalar of at most four bytes as round')
  }
  let round = 0
  for (let i = start; i < to; i++) round = round * 256 + bytes[i]!
  return round
}

function invalid(what: string): LedgerError {
  return new LedgerError('LEDGER_EXTRA_DATA_INVALID', `QBFT extra data ${what}`)
}
