/**
 * Transactions: the five types as one flat shape, and their canonical bytes.
 *
 * Spec: yellow paper 4.2 and appendix F, EIP-155, EIP-2718, EIP-2930, EIP-1559, EIP-4844, EIP-7702.
 * What a fork allows is in transaction-rules.ts.
 */

import {
  type Address,
  bytesToHex,
  concatBytes,
  type Hash,
  hashInputInto,
  hexToBytes,
  keccak256,
  keccak256Hex,
  keccakInput,
  NO_BYTES,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import {
  decodeRlp,
  encodeRlp,
  plainBytes,
  type RlpItem,
  rlpBigInt,
  rlpBigIntAt,
  rlpBytesAt,
  rlpFixed,
  rlpHeadSize,
  rlpList,
  rlpListPositions,
  rlpScalar,
  writeRlpHead,
} from './rlp.ts'
import {
  CURVE_ORDER,
  EncodedSignature,
  isHighSignature,
  lowSignature,
  type Signature,
} from './signature.ts'

/** 0 legacy, 1 access list (EIP-2930), 2 dynamic fee (1559), 3 blobs (4844), 4 set code (7702). */
export type TransactionType = 0 | 1 | 2 | 3 | 4

export interface AccessListEntry {
  readonly address: Address
  readonly storageKeys: readonly Hash[]
}

/** A signed wish that an account's code be that of `address` (EIP-7702). */
export interface Authorization {
  /** 0n: valid on every chain. */
  readonly chainId: bigint
  readonly address: Address
  readonly nonce: bigint
  /** 0 to 255: the encoding allows it, and what is above 1 simply recovers nobody. */
  readonly yParity: number
  /** Below 2^256; ranges of the curve are checked when the authorization is applied. */
  readonly r: bigint
  readonly s: bigint
}

/** What a transaction asks for. Fields that its type lacks hold neutral values. */
export interface Transaction {
  readonly type: TransactionType
  /** undefined: a legacy transaction without replay protection (before EIP-155). */
  readonly chainId: bigint | undefined
  /** 0 to 2^64 - 2 (EIP-2681). */
  readonly nonce: bigint
  /** 0 to 2^64 - 1. */
  readonly gasLimit: bigint
  /** In wei; the gas price for types 0 and 1. */
  readonly maxFeePerGas: bigint
  /** In wei; the gas price for types 0 and 1. */
  readonly maxPriorityFeePerGas: bigint
  /** undefined creates a contract; never for types 3 and 4. */
  readonly to: Address | undefined
  /** In wei. */
  readonly value: bigint
  readonly data: Uint8Array
  readonly accessList: readonly AccessListEntry[]
  /** In wei; 0n without blobs. */
  readonly maxFeePerBlobGas: bigint
  readonly blobVersionedHashes: readonly Hash[]
  readonly authorizationList: readonly Authorization[]
}

/** A transaction as decoded: everything but its sender, which costs a curve operation. */
export interface UnrecoveredTransaction extends Transaction {
  readonly signature: Signature
  /** keccak256 of `encoded`. */
  readonly hash: Hash
  /** EIP-2718 bytes: RLP for type 0, the type byte and RLP for others. May be a view. */
  readonly encoded: Uint8Array
}

export interface SignedTransaction extends UnrecoveredTransaction {
  readonly sender: Address
}

/** Who signed a 32-byte hash; undefined if nobody could have. The crypto module provides it. */
export interface SenderRecovery {
  recover(hash: Uint8Array, signature: Signature): Address | undefined
  /**
   * The same for r and s as 64 bytes, where they are bytes already.
   * @param yParity 0 or 1
   */
  recoverBytes?(hash: Uint8Array, rs: Uint8Array, yParity: number): Address | undefined
}

/** Signs a 32-byte hash with a 32-byte private key, low s. The crypto module provides it. */
export interface HashSigner {
  sign(hash: Uint8Array, privateKey: Uint8Array): Signature
}

/** Blobs with their commitments and proofs, as they travel beside a type 3 transaction. */
export interface BlobSidecar {
  /** 0: one proof a blob (EIP-4844). 1: 128 cell proofs a blob (EIP-7594). */
  readonly version: 0 | 1
  /** 131,072 bytes each. */
  readonly blobs: readonly Uint8Array[]
  /** 48 bytes each, one a blob. */
  readonly commitments: readonly Uint8Array[]
  /** 48 bytes each. */
  readonly proofs: readonly Uint8Array[]
}

const UINT256_LIMIT = 1n << 256n
const NONCE_MAX = (1n << 64n) - 2n
const BLOB_BYTES = 131_072
const CELLS_PER_BLOB = 128
const KZG_POINT_BYTES = 48

const FIELD_COUNTS = [9, 11, 12, 14, 13] as const

/**
 * Decodes the EIP-2718 bytes of a signed transaction and checks every rule that needs neither
 * state nor fork: canonical RLP, exact item counts, ranges, a well-formed signature.
 * @throws LedgerError LEDGER_RLP_INVALID, LEDGER_TRANSACTION_INVALID,
 *   LEDGER_TRANSACTION_TYPE_UNKNOWN or LEDGER_SIGNATURE_INVALID
 */
export function decodeTransaction(input: Uint8Array): UnrecoveredTransaction {
  const transaction = decodeBlockTransaction(input)
  if (isHighSignature(transaction.signature)) throw signatureOutOfRange()
  return transaction
}

/**
 * The same for a transaction of a block, whose fork decides about a high s: Frontier had them (EIP-2).
 * @throws LedgerError as `decodeTransaction`
 */
export function decodeBlockTransaction(input: Uint8Array): UnrecoveredTransaction {
  const bytes = plainBytes(input)
  const type = typeOf(bytes)
  return fromFields(type, bytes)
}

/**
 * Decodes a type 3 transaction with its sidecar, the form in which wallets submit it:
 * `0x03 || rlp([transaction, blobs, commitments, proofs])` or, with wrapper version 1,
 * `0x03 || rlp([transaction, 1, blobs, commitments, cell_proofs])`. Counts and sizes are checked,
 * and that each commitment has its versioned hash in the transaction; KZG proofs are not.
 * @param sha256 hash of the commitments' versioned hashes (EIP-4844)
 * @throws LedgerError as `decodeTransaction`
 */
export function decodePooledBlobTransaction(
  bytes: Uint8Array,
  sha256: (bytes: Uint8Array) => Uint8Array,
): { transaction: UnrecoveredTransaction; sidecar: BlobSidecar } {
  if (bytes[0] !== 3) throw invalid('type', 'must be 3 for a transaction with blobs')
  const items = rlpList(decodeRlp(bytes.subarray(1)), 'blob transaction')
  const version = items.length === 5 ? 1 : 0
  if (items.length !== 4 && items.length !== 5) throw invalid('sidecar', 'has a wrong item count')
  if (version === 1 && rlpBigInt(items[1], 1, 'wrapper version') !== 1n) {
    throw invalid('wrapper version', 'must be 1')
  }
  const body = rlpList(items[0], 'transaction')
  const encoded = concatBytes(bytes.subarray(0, 1), encodeRlp(body))
  const transaction = fromFields(3, encoded)
  const rest = items.slice(version + 1)
  const sidecar: BlobSidecar = {
    version,
    blobs: fixedList(rest[0], BLOB_BYTES, 'blobs'),
    commitments: fixedList(rest[1], KZG_POINT_BYTES, 'commitments'),
    proofs: fixedList(rest[2], KZG_POINT_BYTES, 'proofs'),
  }
  const count = transaction.blobVersionedHashes.length
  if (sidecar.blobs.length !== count) throw invalid('blobs', 'must be one for each hash')
  if (sidecar.commitments.length !== count) throw invalid('commitments', 'must be one a blob')
  if (sidecar.proofs.length !== count * (version === 1 ? CELLS_PER_BLOB : 1)) {
    throw invalid('proofs', 'have a wrong count')
  }
  sidecar.commitments.forEach((commitment, i) => {
    const hash = sha256(commitment)
    hash[0] = 1
    if (bytesToHex(hash) !== transaction.blobVersionedHashes[i]) {
      throw invalid('commitments', 'do not match the versioned hashes')
    }
  })
  return { transaction, sidecar }
}

/** True for the bytes of a type 3 transaction that carry a sidecar. Looks at the outer shape only. */
export function hasBlobSidecar(bytes: Uint8Array): boolean {
  if (bytes[0] !== 3) return false
  // The first item is the chain id, or with a sidecar the list that is the transaction.
  const head = bytes[1] ?? 0
  const first = bytes[head >= 0xf8 ? 2 + head - 0xf7 : 2] ?? 0
  return head >= 0xc0 && first >= 0xc0
}

/** EIP-2718 bytes of a transaction with a signature. */
export function encodeTransaction(transaction: Transaction, signature: Signature): Uint8Array {
  const fields = fieldsOf(transaction)
  const { yParity, r, s } = signature
  const v =
    transaction.type !== 0
      ? yParity
      : transaction.chainId === undefined
        ? 27 + yParity
        : transaction.chainId * 2n + 35n + BigInt(yParity)
  fields.push(rlpScalar(v), rlpScalar(r), rlpScalar(s))
  return withType(transaction.type, encodeRlp(fields))
}

/** The bytes whose keccak256 the sender signs (EIP-155 for legacy transactions with a chain id). */
export function signingBytes(transaction: Transaction): Uint8Array {
  const fields = fieldsOf(transaction)
  if (transaction.type === 0 && transaction.chainId !== undefined) {
    fields.push(rlpScalar(transaction.chainId), NO_BYTES, NO_BYTES)
  }
  return withType(transaction.type, encodeRlp(fields))
}

/** The 32 bytes that the sender signs. */
export function signingHash(transaction: Transaction | UnrecoveredTransaction): Uint8Array {
  if (!('encoded' in transaction)) return keccak256(signingBytes(transaction))
  const hash = new Uint8Array(32)
  hashUnsignedPart(transaction, hash)
  return hash
}

/** Hash of what `signingBytes` gives, cut out of the signed bytes: several times faster than encoding. */
function hashUnsignedPart(
  { type, chainId, encoded }: UnrecoveredTransaction,
  into: Uint8Array,
): void {
  const envelope = type === 0 ? 0 : 1
  const positions = rlpListPositions(encoded, envelope)
  const fields = encoded.subarray(positions[0], positions[positions.length - 1 - SIGNATURE_ITEMS])
  const tail =
    type === 0 && chainId !== undefined
      ? concatBytes(encodeRlp(rlpScalar(chainId)), EIP155_TAIL)
      : NO_BYTES
  const payload = fields.length + tail.length
  const size = envelope + rlpHeadSize(payload) + payload
  const fits = size <= keccakInput.length
  const out = fits ? keccakInput : new Uint8Array(size)
  if (type !== 0) out[0] = type
  const at = writeRlpHead(out, envelope, 0xc0, payload)
  out.set(fields, at)
  out.set(tail, at + fields.length)
  if (fits) hashInputInto(size, into, 0)
  else into.set(keccak256(out))
}

const SIGNATURE_ITEMS = 3
/** Two empty strings. */
const EIP155_TAIL = Uint8Array.of(0x80, 0x80)
// What one recovery needs, and nobody keeps.
const passingHash = new Uint8Array(32)
const passingSignature = new Uint8Array(64)

/**
 * The transaction with its sender. Costs a curve operation: do it once, where it enters.
 * @throws LedgerError LEDGER_SIGNATURE_INVALID if no key could have made the signature
 */
export function recoverSender(
  transaction: UnrecoveredTransaction,
  crypto: SenderRecovery,
): SignedTransaction {
  const sender = senderOf(transaction, crypto)
  if (sender === undefined) {
    throw new LedgerError('LEDGER_SIGNATURE_INVALID', 'no sender recovers from the signature', {
      hash: transaction.hash,
    })
  }
  return withSender(transaction, sender)
}

function senderOf(
  transaction: UnrecoveredTransaction,
  crypto: SenderRecovery,
): Address | undefined {
  const { signature } = transaction
  hashUnsignedPart(transaction, passingHash)
  if (crypto.recoverBytes && signature instanceof EncodedSignature && !signature.isHigh) {
    signature.writeTo(passingSignature)
    return crypto.recoverBytes(passingHash, passingSignature, signature.yParity)
  }
  return crypto.recover(passingHash, lowSignature(signature))
}

/** The transaction with a sender that was recovered elsewhere, for example in a worker. */
export function withSender(
  transaction: UnrecoveredTransaction,
  sender: Address,
): SignedTransaction {
  return { ...transaction, sender }
}

/**
 * Signs a transaction.
 * @param privateKey 32 bytes
 * @throws LedgerError LEDGER_TRANSACTION_INVALID if its fields are out of range
 */
export function signTransaction(
  transaction: Transaction,
  privateKey: Uint8Array,
  crypto: HashSigner & SenderRecovery,
): SignedTransaction {
  const signature = crypto.sign(signingHash(transaction), privateKey)
  // Decoding what we made checks the fields, and gives every transaction one origin and shape.
  return recoverSender(decodeTransaction(encodeTransaction(transaction, signature)), crypto)
}

/** The 32 bytes that the authority of an EIP-7702 authorization signs. */
export function authorizationHash(
  authorization: Pick<Authorization, 'chainId' | 'address' | 'nonce'>,
): Uint8Array {
  const fields = [
    rlpScalar(authorization.chainId),
    hexToBytes(authorization.address),
    rlpScalar(authorization.nonce),
  ]
  return keccak256(concatBytes(Uint8Array.of(5), encodeRlp(fields)))
}

/**
 * The account that signed an authorization; undefined if the signature is out of range, has a
 * high s or recovers nobody, in which case EIP-7702 skips it.
 */
export function recoverAuthority(
  authorization: Authorization,
  crypto: SenderRecovery,
): Address | undefined {
  const { yParity, r, s } = authorization
  if (yParity !== 0 && yParity !== 1) return undefined
  if (r === 0n || r >= CURVE_ORDER || s === 0n || isHighSignature({ s })) return undefined
  return crypto.recover(authorizationHash(authorization), { yParity, r, s })
}

function typeOf(bytes: Uint8Array): TransactionType {
  const first = bytes[0]
  if (first === undefined) throw invalid('bytes', 'are empty')
  if (first >= 0xc0) return 0
  if (first >= 1 && first <= 4) return first as TransactionType
  throw new LedgerError('LEDGER_TRANSACTION_TYPE_UNKNOWN', `unknown transaction type ${first}`, {
    type: first,
  })
}

/** Reads the items of a transaction one by one where they lie: a view of each would cost more than all of decoding. */
class FieldReader {
  private readonly encoded: Uint8Array
  private readonly at: readonly number[]
  private next = 0

  constructor(encoded: Uint8Array, at: readonly number[]) {
    this.encoded = encoded
    this.at = at
  }

  integer(sizeMax: number, field: string): bigint {
    const i = this.next++
    return rlpBigIntAt(this.encoded, this.at[i]!, this.at[i + 1]!, sizeMax, field)
  }

  bytes(field: string): Uint8Array {
    const i = this.next++
    return rlpBytesAt(this.encoded, this.at[i]!, this.at[i + 1]!, field)
  }

  list(field: string): readonly RlpItem[] {
    const i = this.next++
    const from = this.at[i]!
    // Mostly there is nothing in it.
    if (this.encoded[from] === EMPTY_LIST) return NO_ITEMS
    return rlpList(decodeRlp(this.encoded.subarray(from, this.at[i + 1]!)), field)
  }

  signature(yParity: 0 | 1): EncodedSignature {
    const [r, s, end] = [this.at[this.next]!, this.at[this.next + 1]!, this.at[this.next + 2]!]
    return new EncodedSignature(this.encoded, r, s, end, yParity)
  }
}

function fromFields(type: TransactionType, encoded: Uint8Array): UnrecoveredTransaction {
  const legacy = type === 0
  const dynamic = type >= 2
  const positions = rlpListPositions(encoded, legacy ? 0 : 1)
  const count = positions.length - 1
  if (count !== FIELD_COUNTS[type]) {
    throw invalid('item count', `must be ${FIELD_COUNTS[type]}, is ${count}`)
  }
  const fields = new FieldReader(encoded, positions)
  const typedChainId = legacy ? undefined : fields.integer(32, 'chainId')
  const nonce = fields.integer(8, 'nonce')
  const priority = fields.integer(32, dynamic ? 'maxPriorityFeePerGas' : 'gasPrice')
  const maxFeePerGas = dynamic ? fields.integer(32, 'maxFeePerGas') : priority
  const gasLimit = fields.integer(8, 'gasLimit')
  const to = decodeTo(fields.bytes('to'), type)
  const value = fields.integer(32, 'value')
  const data = fields.bytes('data')
  const accessList = legacy ? NOTHING : decodeAccessList(fields.list('accessList'))
  const maxFeePerBlobGas = type === 3 ? fields.integer(32, 'maxFeePerBlobGas') : 0n
  const blobVersionedHashes =
    type === 3 ? decodeHashes(fields.list('blobVersionedHashes'), 'blobVersionedHashes') : NOTHING
  const authorizationList =
    type === 4 ? decodeAuthorizations(fields.list('authorizationList')) : NOTHING
  const v = fields.integer(32, 'v')
  const [yParity, chainId] = legacy ? splitV(v) : [parityOf(v), typedChainId]
  const signature = fields.signature(yParity)

  if (nonce > NONCE_MAX) throw invalid('nonce', 'must be below 2^64 - 1 (EIP-2681)')
  if (priority > maxFeePerGas) throw invalid('maxPriorityFeePerGas', 'exceeds maxFeePerGas')
  if (gasLimit * maxFeePerGas >= UINT256_LIMIT) {
    throw invalid('gasLimit', 'times the fee must be below 2^256')
  }
  if (!signature.isInRange() || (!legacy && signature.isHigh)) throw signatureOutOfRange()
  return {
    type,
    chainId,
    nonce,
    gasLimit,
    maxFeePerGas,
    maxPriorityFeePerGas: priority,
    to,
    value,
    data,
    accessList,
    maxFeePerBlobGas,
    blobVersionedHashes,
    authorizationList,
    signature,
    hash: keccak256Hex(encoded),
    encoded,
  }
}

/** Items of a transaction in order, without the signature. */
function fieldsOf(tx: Transaction): RlpItem[] {
  const fields: RlpItem[] = []
  if (tx.type !== 0) fields.push(rlpScalar(tx.chainId ?? 0n))
  fields.push(rlpScalar(tx.nonce), rlpScalar(tx.maxPriorityFeePerGas))
  if (tx.type >= 2) fields.push(rlpScalar(tx.maxFeePerGas))
  fields.push(
    rlpScalar(tx.gasLimit),
    tx.to === undefined ? NO_BYTES : hexToBytes(tx.to),
    rlpScalar(tx.value),
    tx.data,
  )
  if (tx.type !== 0) {
    fields.push(
      tx.accessList.map(({ address, storageKeys }) => [
        hexToBytes(address),
        storageKeys.map(hexToBytes),
      ]),
    )
  }
  if (tx.type === 3) {
    fields.push(rlpScalar(tx.maxFeePerBlobGas), tx.blobVersionedHashes.map(hexToBytes))
  }
  if (tx.type === 4) {
    fields.push(
      tx.authorizationList.map((a) => [
        rlpScalar(a.chainId),
        hexToBytes(a.address),
        rlpScalar(a.nonce),
        rlpScalar(a.yParity),
        rlpScalar(a.r),
        rlpScalar(a.s),
      ]),
    )
  }
  return fields
}

const EMPTY_LIST = 0xc0
const NO_ITEMS: readonly RlpItem[] = []
const NOTHING: readonly never[] = []

function decodeTo(bytes: Uint8Array, type: TransactionType): Address | undefined {
  if (bytes.length === 20) return bytesToHex(bytes)
  if (bytes.length === 0 && type < 3) return undefined
  throw invalid('to', `must have 20 bytes, has ${bytes.length}`)
}

function decodeAccessList(items: readonly RlpItem[]): readonly AccessListEntry[] {
  if (items.length === 0) return NOTHING
  return items.map((entry) => {
    const parts = rlpList(entry, 'accessList entry')
    if (parts.length !== 2) throw invalid('accessList entry', 'must have 2 items')
    return {
      address: bytesToHex(rlpFixed(parts[0], 20, 'accessList address')),
      storageKeys: decodeHashes(rlpList(parts[1], LISTED_SLOTS), LISTED_SLOTS),
    }
  })
}

const LISTED_SLOTS = 'accessList storageKeys'

function decodeHashes(items: readonly RlpItem[], field: string): Hash[] {
  return items.map((hash) => bytesToHex(rlpFixed(hash, 32, field)))
}

function decodeAuthorizations(items: readonly RlpItem[]): Authorization[] {
  return items.map((entry) => {
    const parts = rlpList(entry, 'authorization')
    if (parts.length !== 6) throw invalid('authorization', 'must have 6 items')
    return {
      chainId: rlpBigInt(parts[0], 32, 'authorization chainId'),
      address: bytesToHex(rlpFixed(parts[1], 20, 'authorization address')),
      nonce: rlpBigInt(parts[2], 8, 'authorization nonce'),
      yParity: Number(rlpBigInt(parts[3], 1, 'authorization yParity')),
      r: rlpBigInt(parts[4], 32, 'authorization r'),
      s: rlpBigInt(parts[5], 32, 'authorization s'),
    }
  })
}

function fixedList(item: RlpItem | undefined, size: number, field: string): Uint8Array[] {
  return rlpList(item, field).map((part) => rlpFixed(part, size, field))
}

/** Parity and chain id of a legacy `v`: 27 or 28, or 35 and up by EIP-155. */
function splitV(v: bigint): readonly [0 | 1, bigint | undefined] {
  if (v === 27n || v === 28n) return [v === 27n ? 0 : 1, undefined]
  if (v < 35n) throw new LedgerError('LEDGER_SIGNATURE_INVALID', 'v must be 27, 28 or from 35 up')
  return [(v - 35n) % 2n === 0n ? 0 : 1, (v - 35n) / 2n]
}

function parityOf(v: bigint): 0 | 1 {
  if (v > 1n) throw new LedgerError('LEDGER_SIGNATURE_INVALID', 'yParity must be 0 or 1')
  return v === 0n ? 0 : 1
}

function signatureOutOfRange(): LedgerError {
  return new LedgerError('LEDGER_SIGNATURE_INVALID', 'r or s is out of range, or s is high')
}

function withType(type: TransactionType, payload: Uint8Array): Uint8Array {
  return type === 0 ? payload : concatBytes(Uint8Array.of(type), payload)
}

function invalid(field: string, reason: string): LedgerError {
  return new LedgerError('LEDGER_TRANSACTION_INVALID', `transaction ${field} ${reason}`, { field })
}
