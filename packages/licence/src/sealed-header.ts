/**
 * Headers of our chains by what varies in them, and their seals. What is the same in every header of a
 * QBFT chain without beacon chain and blobs, or known to the verifier (validators, vanity), is put
 * back before hashing; a header that differs elsewhere cannot be said in this form.
 *
 * Spec: docs/protocol/block-format.md; the bytes: docs/protocol/offline-verification.md.
 */

import { encodeRlp, hexlify, keccak256, type RlpStructuredData } from 'ethers'
import { type ByteReader, numberBytes } from './byte-reader.ts'
import { joinBytes } from './bytes.ts'
import { LICENCE_LIMITS } from './config.ts'
import type { Verdict } from './error.ts'
import { recoverAddress } from './key.ts'

/** What varies. Hashes are 32 bytes; numbers at most 2^53 - 1. */
export interface VariableHeader {
  readonly parentHash: Uint8Array
  /** Place of the proposer in the validator set. */
  readonly proposer: number
  readonly stateRoot: Uint8Array
  readonly transactionsRoot: Uint8Array
  readonly receiptsRoot: Uint8Array
  /** 256 bytes. */
  readonly logsBloom: Uint8Array
  readonly number: number
  readonly gasLimit: number
  readonly gasUsed: number
  /** Seconds since 1970. */
  readonly timestamp: number
  /** Items of the header's list: 15, 16, 17, 20 or 21, by fork. */
  readonly items: number
  /** 0 if there are only 15 items. */
  readonly baseFee: number
  readonly round: number
  readonly vote: { readonly recipient: Uint8Array; readonly kind: 'add' | 'drop' } | undefined
}

/** Addresses in lower case, ascending: as the header has them. */
export type ValidatorSet = readonly string[]

export type SealReason =
  | 'proposer unknown'
  | 'too few seals'
  | 'more seals than validators'
  | 'two seals of one validator'
  | 'not sealed by the validators'

const OMMERS_HASH = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347'
const MIX_HASH = '0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365'
const NONCE = '0x0000000000000000'
/** Items 16, 17, 18 and 20 of a chain without beacon chain and blobs; 19 is the chain's domain. */
const WITHDRAWALS_ROOT = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'
const REQUESTS_HASH = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
/** In place of a domain where headers do not name their chain. */
export const NO_DOMAIN: string = `0x${'00'.repeat(32)}`
const BASE_ITEMS = 15
const ITEM_COUNTS: readonly number[] = [15, 16, 17, 20, 21]
const BLOOM_BYTES = 256
/** Where positions of bits would be as long as the bits themselves. */
const BLOOM_POSITIONS_MAX = 127
const WHOLE_BLOOM = 255
const ROUND_MAX = 0xffff_ffff
export const SEAL_BYTES = 65

/** Smallest number of validators any two of which share an honest one: ceil(2n/3). */
export function quorumOf(size: number): number {
  return Math.ceil((size * 2) / 3)
}

/** Most that may be faulty among so many validators: floor((n - 1) / 3). */
export function faultsOf(size: number): number {
  return Math.floor((size - 1) / 3)
}

/** What a header has that its short form leaves out. */
export interface HeaderContext {
  /** 32 bytes. */
  readonly vanity: Uint8Array
  readonly validators: ValidatorSet
  /** Hash of the genesis block, in lower case, where headers name their chain by it; else `NO_DOMAIN`. */
  readonly domain: string
}

/** What seals sign: keccak256 of the header with its round and without seals, in hex. */
export function commitHashOf(header: VariableHeader, context: HeaderContext): string {
  const { vanity, validators, domain } = context
  const { vote } = header
  const extraData = encodeRlp([
    hexlify(vanity),
    [...validators],
    vote === undefined ? [] : [hexlify(vote.recipient), vote.kind === 'add' ? '0xff' : '0x'],
    scalar(header.round),
    [],
  ])
  const items: RlpStructuredData[] = [
    hexlify(header.parentHash),
    OMMERS_HASH,
    validators[header.proposer] ?? '0x',
    hexlify(header.stateRoot),
    hexlify(header.transactionsRoot),
    hexlify(header.receiptsRoot),
    hexlify(header.logsBloom),
    scalar(1),
    scalar(header.number),
    scalar(header.gasLimit),
    scalar(header.gasUsed),
    scalar(header.timestamp),
    extraData,
    MIX_HASH,
    NONCE,
    ...[scalar(header.baseFee), WITHDRAWALS_ROOT, '0x', '0x', domain, REQUESTS_HASH].slice(
      0,
      header.items - BASE_ITEMS,
    ),
  ]
  return keccak256(encodeRlp(items))
}

/**
 * Whether a quorum has sealed a commit hash: distinct members, canonical signatures, no other seal.
 * Gives who has.
 */
export function verifySeals(
  commitHash: string,
  seals: readonly Uint8Array[],
  validators: ValidatorSet,
): Verdict<{ readonly signers: ReadonlySet<string> }, SealReason> {
  if (seals.length < quorumOf(validators.length)) return { ok: false, reason: 'too few seals' }
  if (seals.length > validators.length) return { ok: false, reason: 'more seals than validators' }
  const signers = new Set<string>()
  for (const seal of seals) {
    const parity = seal[64]!
    const signer = parity > 1 ? undefined : recoverAddress(commitHash, seal.subarray(0, 64), parity)
    if (signer === undefined || !validators.includes(signer)) {
      return { ok: false, reason: 'not sealed by the validators' }
    }
    if (signers.has(signer)) return { ok: false, reason: 'two seals of one validator' }
    signers.add(signer)
  }
  return { ok: true, signers }
}

/** Bytes of a header and seals. */
export function encodeSealedHeader(
  header: VariableHeader,
  seals: readonly Uint8Array[],
): Uint8Array {
  const { vote } = header
  return joinBytes([
    header.parentHash,
    numberBytes(header.proposer),
    header.stateRoot,
    header.transactionsRoot,
    header.receiptsRoot,
    encodeBloom(header.logsBloom),
    numberBytes(header.number),
    numberBytes(header.gasLimit),
    numberBytes(header.gasUsed),
    numberBytes(header.timestamp),
    numberBytes(header.items),
    ...(header.items > BASE_ITEMS ? [numberBytes(header.baseFee)] : []),
    numberBytes(header.round),
    numberBytes(vote === undefined ? 0 : vote.kind === 'add' ? 1 : 2),
    ...(vote === undefined ? [] : [vote.recipient]),
    numberBytes(seals.length),
    ...seals,
  ])
}

/** Reads what `encodeSealedHeader` wrote; undefined where the bytes are no such thing. */
export function readSealedHeader(
  reader: ByteReader,
): { header: VariableHeader; seals: Uint8Array[] } | undefined {
  const parentHash = reader.bytes(32)
  const proposer = reader.number()
  const stateRoot = reader.bytes(32)
  const transactionsRoot = reader.bytes(32)
  const receiptsRoot = reader.bytes(32)
  const logsBloom = readBloom(reader)
  const [number, gasLimit, gasUsed, timestamp, items] = [
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
  ]
  if (items === undefined || !ITEM_COUNTS.includes(items)) return undefined
  const baseFee = items > BASE_ITEMS ? reader.number() : 0
  const round = reader.number()
  const voteKind = reader.number()
  if (voteKind === undefined || voteKind > 2) return undefined
  const recipient = voteKind === 0 ? undefined : reader.bytes(20)
  const count = reader.number()
  if (
    parentHash === undefined ||
    proposer === undefined ||
    stateRoot === undefined ||
    transactionsRoot === undefined ||
    receiptsRoot === undefined ||
    logsBloom === undefined ||
    number === undefined ||
    gasLimit === undefined ||
    gasUsed === undefined ||
    timestamp === undefined ||
    baseFee === undefined ||
    round === undefined ||
    round > ROUND_MAX ||
    count === undefined ||
    count > LICENCE_LIMITS.validatorsMax ||
    (voteKind > 0 && recipient === undefined)
  ) {
    return undefined
  }
  const seals: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const seal = reader.bytes(SEAL_BYTES)
    if (seal === undefined) return undefined
    seals.push(seal)
  }
  const vote =
    recipient === undefined
      ? undefined
      : { recipient, kind: voteKind === 1 ? ('add' as const) : ('drop' as const) }
  const header = {
    parentHash,
    proposer,
    stateRoot,
    transactionsRoot,
    receiptsRoot,
    logsBloom,
    number,
    gasLimit,
    gasUsed,
    timestamp,
    items,
    baseFee,
    round,
    vote,
  }
  return { header, seals }
}

/** A bloom as positions of its bits, or whole where these are many. */
function encodeBloom(bloom: Uint8Array): Uint8Array {
  const positions = positionsOf(bloom)
  if (positions.length > BLOOM_POSITIONS_MAX) return joinBytes([Uint8Array.of(WHOLE_BLOOM), bloom])
  const bytes = positions.flatMap((position) => [position >> 8, position & 0xff])
  return Uint8Array.from([positions.length, ...bytes])
}

function readBloom(reader: ByteReader): Uint8Array | undefined {
  const count = reader.bytes(1)?.[0]
  if (count === WHOLE_BLOOM) {
    const bloom = reader.bytes(BLOOM_BYTES)
    const isMany = bloom !== undefined && positionsOf(bloom).length > BLOOM_POSITIONS_MAX
    return isMany ? bloom : undefined
  }
  if (count === undefined || count > BLOOM_POSITIONS_MAX) return undefined
  const bytes = reader.bytes(count * 2)
  if (bytes === undefined) return undefined
  const bloom = new Uint8Array(BLOOM_BYTES)
  let before = -1
  for (let i = 0; i < count; i++) {
    const position = bytes[i * 2]! * 256 + bytes[i * 2 + 1]!
    // Ascending: one spelling.
    if (position <= before || position >= BLOOM_BYTES * 8) return undefined
    bloom[position >> 3]! |= 0x80 >> (position & 7)
    before = position
  }
  return bloom
}

/** Positions of set bits, counted from the first byte's highest. */
function positionsOf(bloom: Uint8Array): number[] {
  const positions: number[] = []
  for (let i = 0; i < bloom.length * 8; i++) {
    if ((bloom[i >> 3]! & (0x80 >> (i & 7))) !== 0) positions.push(i)
  }
  return positions
}

/** A number as RLP has it: no leading zeros, 0 is empty. */
function scalar(value: number): string {
  if (value === 0) return '0x'
  const hex = value.toString(16)
  return `0x${hex.length % 2 === 0 ? hex : `0${hex}`}`
}
