/**
 * What nodes say to one another outside consensus, as bytes. RLP, like everything that is hashed: its
 * decoder is strict, and no length that a peer writes makes it allocate (ADR 13).
 * Spec: docs/protocol/network.md.
 */

import { bytesToHex, type Hash, hexAt, hexToBytes } from '@vellum/evm'
import {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  LedgerError,
  LIMITS,
  rlpBytes,
  rlpFixed,
  rlpFixedStart,
  rlpList,
  rlpListPositions,
  rlpNumber,
  rlpNumberAt,
  rlpScalar,
  splitRlpList,
} from '@vellum/ledger'

/** Head of a chain as its node tells it. */
export interface HeadNews {
  readonly height: number
  readonly hash: Hash
}

/** How a node is, asked for on connecting and now and then. */
export interface PeerStatus extends HeadNews {
  /** Its clock, milliseconds since 1970. */
  readonly nowMs: number
  /** As web3_clientVersion answers it; at most 128 bytes. */
  readonly clientVersion: string
  /** A validator that does not vote, because it does not know what it has voted. */
  readonly abstains: boolean
}

export interface BlocksQuestion {
  /** The block before the first one wanted. */
  readonly after: number
  readonly count: number
}

const VERSION_BYTES_MAX = 128
const encoder = new TextEncoder()
const decoder = new TextDecoder()
/** Transactions in one message. */
const TRANSACTIONS_MAX = 4_096

export function encodeHeadNews({ height, hash }: HeadNews): Uint8Array {
  return encodeRlp([rlpScalar(height), hexToBytes(hash)])
}

/** @throws LedgerError LEDGER_RLP_INVALID; so do all decoders here */
export function decodeHeadNews(bytes: Uint8Array): HeadNews {
  // By positions: every peer says this after every block.
  const at = rlpListPositions(bytes)
  if (at.length !== 3) throw notOf(2)
  const [height, hash, end] = at as [number, number, number]
  return {
    height: rlpNumberAt(bytes, height, hash, 'height'),
    hash: hexAt(bytes, rlpFixedStart(bytes, hash, end, 32, 'hash'), 32),
  }
}

export function encodeStatus(status: PeerStatus): Uint8Array {
  const version = encoder.encode(status.clientVersion).subarray(0, VERSION_BYTES_MAX)
  return encodeRlp([
    rlpScalar(status.height),
    hexToBytes(status.hash),
    rlpScalar(status.nowMs),
    version,
    rlpScalar(status.abstains ? 1 : 0),
  ])
}

export function decodeStatus(bytes: Uint8Array): PeerStatus {
  const [height, hash, nowMs, version, abstains] = itemsOf(bytes, 5)
  const versionBytes = rlpBytes(version, 'version')
  if (versionBytes.length > VERSION_BYTES_MAX) throw invalid('the version is too long')
  return {
    height: rlpNumber(height, 'height'),
    hash: bytesToHex(rlpFixed(hash, 32, 'hash')),
    nowMs: rlpNumber(nowMs, 'time'),
    // Anything that is not a printable character is nobody's version, and would spoil a log.
    clientVersion: decoder.decode(versionBytes).replace(/[^\x20-\x7e]/g, '?'),
    abstains: rlpNumber(abstains, 'abstention') === 1,
  }
}

export function encodeBlocksQuestion({ after, count }: BlocksQuestion): Uint8Array {
  return encodeRlp([rlpScalar(after), rlpScalar(count)])
}

export function decodeBlocksQuestion(bytes: Uint8Array): BlocksQuestion {
  const [after, count] = itemsOf(bytes, 2)
  return { after: rlpNumber(after, 'after'), count: rlpNumber(count, 'count') }
}

/** @param blocks encoded blocks, one after another by height */
export function encodeBlocks(blocks: readonly Uint8Array[]): Uint8Array {
  return encodeRlpList(blocks)
}

/** Encoded blocks; views of the input. */
export function decodeBlocks(bytes: Uint8Array, countMax: number): Uint8Array[] {
  const blocks = splitRlpList(bytes)
  if (blocks.length > countMax) throw invalid('more blocks than were asked for')
  return blocks
}

/** @param transactions encoded as EIP-2718 says */
export function encodeTransactions(transactions: readonly Uint8Array[]): Uint8Array {
  return encodeRlp([...transactions])
}

export function decodeTransactions(bytes: Uint8Array): Uint8Array[] {
  const items = rlpList(decodeRlp(bytes), 'transactions')
  if (items.length > TRANSACTIONS_MAX) throw invalid('too many transactions')
  return items.map((item) => {
    const encoded = rlpBytes(item, 'transaction')
    if (encoded.length > LIMITS.transactionBytesMax) throw invalid('a transaction is too large')
    return encoded
  })
}

function itemsOf(bytes: Uint8Array, count: number): ReturnType<typeof rlpList> {
  const items = rlpList(decodeRlp(bytes), 'message')
  if (items.length !== count) throw notOf(count)
  return items
}

function notOf(count: number): LedgerError {
  return invalid(`a message of ${count} items was expected`)
}

function invalid(what: string): LedgerError {
  return new LedgerError('LEDGER_RLP_INVALID', what)
}
