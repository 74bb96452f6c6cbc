/**
 * Headers, bodies and blocks, and their bytes (yellow paper 4.3; EIP-1559, 4895, 4844, 4788, 7685).
 *
 * A header's hash depends on the chain's seal: QBFT hashes a header without its commit seals. What
 * is here is the encoding, and the plain hash that chains of other origin use.
 */

import { type Address, bytesToHex, type Hash, hexAt, hexToBytes, keccak256Hex } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { BLOOM_BYTES, encodeReceipt, type Receipt } from './receipt.ts'
import {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  plainBytes,
  type RlpItem,
  rlpBigInt,
  rlpBigIntAt,
  rlpBytes,
  rlpBytesAt,
  rlpBytesSize,
  rlpFixed,
  rlpFixedStart,
  rlpList,
  rlpListPositions,
  rlpNumberAt,
  rlpScalar,
  splitRlpList,
  writeRlpBytes,
} from './rlp.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'
import {
  decodeBlockTransaction,
  decodeTransaction,
  type SignedTransaction,
  type UnrecoveredTransaction,
} from './transaction.ts'
import { rootOfList } from './trie.ts'

export interface Header {
  readonly parentHash: Hash
  /** keccak256 of the RLP of the ommers. */
  readonly ommersHash: Hash
  /** Gets the fees; on a QBFT chain the proposer. */
  readonly coinbase: Address
  readonly stateRoot: Hash
  readonly transactionsRoot: Hash
  readonly receiptsRoot: Hash
  /** 256 bytes. */
  readonly logsBloom: Uint8Array
  readonly difficulty: bigint
  readonly number: number
  readonly gasLimit: bigint
  readonly gasUsed: bigint
  /** Seconds since 1970. */
  readonly timestamp: number
  readonly extraData: Uint8Array
  /** PREVRANDAO since Paris. */
  readonly mixHash: Hash
  /** 8 bytes. */
  readonly nonce: Uint8Array
  // The tail below is strictly nested: a field is there only if all fields before it are.
  /** In wei, from London. */
  readonly baseFeePerGas: bigint | undefined
  /** From Shanghai. */
  readonly withdrawalsRoot: Hash | undefined
  /** From Cancun, with the next two. */
  readonly blobGasUsed: bigint | undefined
  readonly excessBlobGas: bigint | undefined
  readonly parentBeaconBlockRoot: Hash | undefined
  /** From Prague (EIP-7685). */
  readonly requestsHash: Hash | undefined
}

/** A payment out of the beacon chain (EIP-4895). Indices and amount are below 2^64. */
export interface Withdrawal {
  readonly index: bigint
  readonly validatorIndex: bigint
  readonly address: Address
  /** In Gwei. */
  readonly amount: bigint
}

export interface Body<T extends UnrecoveredTransaction = SignedTransaction> {
  readonly transactions: readonly T[]
  readonly ommers: readonly Header[]
  /** undefined before Shanghai. */
  readonly withdrawals: readonly Withdrawal[] | undefined
}

/** A block. Decoding gives `Block<UnrecoveredTransaction>`; recover senders to get a `Block`. */
export interface Block<T extends UnrecoveredTransaction = SignedTransaction> extends Body<T> {
  readonly header: Header
}

/** keccak256 of the empty list: the ommers hash of every block without ommers. */
export const EMPTY_OMMERS_HASH: Hash = keccak256Hex(Uint8Array.of(0xc0))

const HEADER_ITEMS_MIN = 15
const HEADER_ITEMS_MAX = 21

// Headers are encoded some ten times a block, for their hashes, seals and records.
const headerWriter = createRlpWriter()

/**
 * RLP of a header.
 * @throws LedgerError LEDGER_HEADER_INVALID if a field of the tail stands after an absent one
 */
export function encodeHeader(header: Header): Uint8Array {
  writeHeader(headerWriter, header)
  return headerWriter.take()
}

/** Bytes of a header's RLP. @throws as `encodeHeader` */
export function headerSize(header: Header): number {
  writeHeader(headerWriter, header)
  const size = headerWriter.size()
  headerWriter.clear()
  return size
}

/** keccak256 of the header's RLP: its hash on a chain without QBFT seals. */
export function keccakHeaderHash(header: Header): Hash {
  writeHeader(headerWriter, header)
  return bytesToHex(headerWriter.hash())
}

/**
 * Writes the RLP of a header.
 * @param writeExtraData writes the string that is its extra data: names and seals are made without the seals
 * @throws as `encodeHeader`, with nothing written; and what `writeExtraData` throws
 */
export function writeHeader(
  writer: RlpWriter,
  header: Header,
  writeExtraData: (writer: RlpWriter, header: Header) => void = writeOwnExtraData,
): void {
  const tail = [
    header.baseFeePerGas,
    header.withdrawalsRoot,
    header.blobGasUsed,
    header.excessBlobGas,
    header.parentBeaconBlockRoot,
    header.requestsHash,
  ]
  const present = tail.findLastIndex((value) => value !== undefined) + 1
  const absent = tail.indexOf(undefined)
  if (absent !== -1 && absent < present) {
    throw new LedgerError('LEDGER_HEADER_INVALID', 'a header field follows an absent one')
  }
  const end = writer.size()
  for (let i = present - 1; i >= 0; i--) {
    const value = tail[i]!
    if (typeof value === 'bigint') writer.integer(value)
    else writer.hex(value)
  }
  writer.string(header.nonce)
  writer.hex(header.mixHash)
  writeExtraData(writer, header)
  writer.integer(header.timestamp)
  writer.integer(header.gasUsed)
  writer.integer(header.gasLimit)
  writer.integer(header.number)
  writer.integer(header.difficulty)
  writer.string(header.logsBloom)
  writer.hex(header.receiptsRoot)
  writer.hex(header.transactionsRoot)
  writer.hex(header.stateRoot)
  writer.hex(header.coinbase)
  writer.hex(header.ommersHash)
  writer.hex(header.parentHash)
  writer.closeList(end)
}

function writeOwnExtraData(writer: RlpWriter, { extraData }: Header): void {
  writer.string(extraData)
}

/**
 * Decodes a header. Rules between fields are the validator's business.
 * @throws LedgerError LEDGER_RLP_INVALID or LEDGER_HEADER_INVALID (item count)
 */
export function decodeHeader(input: Uint8Array): Header {
  const bytes = plainBytes(input)
  const at = rlpListPositions(bytes)
  const count = at.length - 1
  // 19 would end between the three fields that Cancun brought together.
  if (count < HEADER_ITEMS_MIN || count > HEADER_ITEMS_MAX || count === 18 || count === 19) {
    throw new LedgerError('LEDGER_HEADER_INVALID', `a header cannot have ${count} items`, { count })
  }
  const fixed = (i: number, size: number, field: string): number =>
    rlpFixedStart(bytes, at[i]!, at[i + 1]!, size, field)
  const hash = (i: number, field: string): Hash => hexAt(bytes, fixed(i, 32, field), 32)
  const view = (i: number, size: number, field: string): Uint8Array => {
    const start = fixed(i, size, field)
    return bytes.subarray(start, start + size)
  }
  const number = (i: number, field: string): number => rlpNumberAt(bytes, at[i]!, at[i + 1]!, field)
  const bigint = (i: number, sizeMax: number, field: string): bigint =>
    rlpBigIntAt(bytes, at[i]!, at[i + 1]!, sizeMax, field)
  return {
    parentHash: hash(0, 'parentHash'),
    ommersHash: hash(1, 'ommersHash'),
    coinbase: hexAt(bytes, fixed(2, 20, 'coinbase'), 20),
    stateRoot: hash(3, 'stateRoot'),
    transactionsRoot: hash(4, 'transactionsRoot'),
    receiptsRoot: hash(5, 'receiptsRoot'),
    logsBloom: view(6, BLOOM_BYTES, 'logsBloom'),
    difficulty: bigint(7, 32, 'difficulty'),
    number: number(8, 'number'),
    gasLimit: bigint(9, 8, 'gasLimit'),
    gasUsed: bigint(10, 8, 'gasUsed'),
    timestamp: number(11, 'timestamp'),
    extraData: rlpBytesAt(bytes, at[12]!, at[13]!, 'extraData'),
    mixHash: hash(13, 'mixHash'),
    nonce: view(14, 8, 'nonce'),
    baseFeePerGas: count > 15 ? bigint(15, 32, 'baseFeePerGas') : undefined,
    withdrawalsRoot: count > 16 ? hash(16, 'withdrawalsRoot') : undefined,
    blobGasUsed: count > 17 ? bigint(17, 8, 'blobGasUsed') : undefined,
    excessBlobGas: count > 18 ? bigint(18, 8, 'excessBlobGas') : undefined,
    parentBeaconBlockRoot: count > 19 ? hash(19, 'parentBeaconBlockRoot') : undefined,
    requestsHash: count > 20 ? hash(20, 'requestsHash') : undefined,
  }
}

/** RLP of a block: `[header, transactions, ommers]`, and from Shanghai `withdrawals`. */
export function encodeBlock(block: Block<UnrecoveredTransaction>): Uint8Array {
  return encodeRlpList([encodeHeader(block.header), ...bodyParts(block)])
}

/** RLP of a body: a block without its header. */
export function encodeBody(body: Body<UnrecoveredTransaction>): Uint8Array {
  return encodeRlpList(bodyParts(body))
}

/**
 * Decodes a block; that its roots fit its header is for the validator to check.
 * @throws LedgerError of the header's, transactions' or RLP decoding, or LEDGER_BLOCK_INVALID
 */
export function decodeBlock(bytes: Uint8Array): Block<UnrecoveredTransaction> {
  const parts = splitRlpList(bytes)
  const [header] = parts
  if (header === undefined || parts.length < 3 || parts.length > 4) {
    throw new LedgerError('LEDGER_BLOCK_INVALID', `a block cannot have ${parts.length} items`)
  }
  return { header: decodeHeader(header), ...bodyFromParts(parts.slice(1)) }
}

/** Decodes a body. @throws LedgerError as `decodeBlock` */
export function decodeBody(bytes: Uint8Array): Body<UnrecoveredTransaction> {
  const parts = splitRlpList(bytes)
  if (parts.length < 2 || parts.length > 3) {
    throw new LedgerError('LEDGER_BLOCK_INVALID', `a body cannot have ${parts.length} items`)
  }
  return bodyFromParts(parts)
}

/** Root of the trie of transactions by index. */
export function transactionsRoot(transactions: readonly UnrecoveredTransaction[]): Hash {
  return rootOfList(transactions.map((transaction) => transaction.encoded))
}

/** Root of the trie of receipts by index. */
export function receiptsRoot(receipts: readonly Receipt[]): Hash {
  return rootOfList(receipts.map(encodeReceipt))
}

/** Root of the trie of withdrawals by index. */
export function withdrawalsRoot(withdrawals: readonly Withdrawal[]): Hash {
  return rootOfList(withdrawals.map((withdrawal) => encodeRlp(withdrawalItem(withdrawal))))
}

/** keccak256 of the RLP of ommers. */
export function ommersHash(ommers: readonly Header[]): Hash {
  if (ommers.length === 0) return EMPTY_OMMERS_HASH
  return keccak256Hex(encodeRlpList(ommers.map(encodeHeader)))
}

function bodyParts(body: Body<UnrecoveredTransaction>): Uint8Array[] {
  const parts = [
    encodeRlpList(body.transactions.map(enveloped)),
    encodeRlpList(body.ommers.map(encodeHeader)),
  ]
  if (body.withdrawals !== undefined) parts.push(encodeRlp(body.withdrawals.map(withdrawalItem)))
  return parts
}

function bodyFromParts(parts: readonly Uint8Array[]): Body<UnrecoveredTransaction> {
  const [transactions, ommers, withdrawals] = parts
  return {
    transactions: splitRlpList(transactions!).map(decodeEnveloped),
    ommers: splitRlpList(ommers!).map(decodeHeader),
    withdrawals:
      withdrawals === undefined
        ? undefined
        : rlpList(decodeRlp(withdrawals), 'withdrawals').map(decodeWithdrawal),
  }
}

/** A transaction inside a block: legacy ones as the list they are, others as a byte string. */
function enveloped(transaction: UnrecoveredTransaction): Uint8Array {
  const { type, encoded } = transaction
  if (type === 0) return encoded
  const out = new Uint8Array(rlpBytesSize(encoded))
  writeRlpBytes(out, 0, encoded)
  return out
}

function decodeEnveloped(item: Uint8Array): UnrecoveredTransaction {
  if (item[0]! >= 0xc0) return decodeBlockTransaction(item)
  const encoded = rlpBytes(decodeRlp(item), 'transaction')
  // A byte string that holds a legacy list would be a second encoding of the same transaction.
  if (encoded.length > 0 && encoded[0]! >= 0xc0) {
    throw new LedgerError('LEDGER_BLOCK_INVALID', 'a legacy transaction must be a list')
  }
  return decodeTransaction(encoded)
}

function withdrawalItem(withdrawal: Withdrawal): RlpItem {
  return [
    rlpScalar(withdrawal.index),
    rlpScalar(withdrawal.validatorIndex),
    hexToBytes(withdrawal.address),
    rlpScalar(withdrawal.amount),
  ]
}

function decodeWithdrawal(item: RlpItem): Withdrawal {
  const parts = rlpList(item, 'withdrawal')
  if (parts.length !== 4) {
    throw new LedgerError('LEDGER_BLOCK_INVALID', 'a withdrawal must have 4 items')
  }
  return {
    index: rlpBigInt(parts[0], 8, 'withdrawal index'),
    validatorIndex: rlpBigInt(parts[1], 8, 'withdrawal validatorIndex'),
    address: bytesToHex(rlpFixed(parts[2], 20, 'withdrawal address')),
    amount: rlpBigInt(parts[3], 8, 'withdrawal amount'),
  }
}
