/**
 * A message from one chain to another, its name, and where the two gateways keep what they know of it.
 *
 *   id         = keccak256(abi.encode(TYPEHASH, every field in order))
 *   outbox     slot 0 of the source's gateway:      [destination][sequence] = id
 *   inbox      slot 1 of the destination's gateway: [source][sequence]      = keccak256(id, outcome, returnHash)
 *
 * The same encodings stand in `PegMessage.sol` and `PegGateway.sol`; the vectors of test/vectors are
 * checked against both. Spec: docs/protocol/peg.md.
 */

import { type Address, bytesToHex, type Hash, keccak256, keccak256Hex } from '@vellum/evm'
import { type AbiType, ADDRESS, asciiBytes, BYTES, BYTES32, count, tupleOf, uint } from './abi.ts'

export interface PegMessage {
  /** Of this structure: 1. */
  readonly version: number
  readonly sourceChainId: bigint
  readonly sourceGateway: Address
  readonly destinationChainId: bigint
  readonly destinationGateway: Address
  /** From 1, without gaps, for each pair of source and destination. */
  readonly sequence: number
  /** The application that sent it, on the source. */
  readonly sender: Address
  /** The application that gets it, on the destination. */
  readonly recipient: Address
  /** Seconds since 1970 by the destination's blocks, below 2^64: later than this it expires. */
  readonly deadline: bigint
  /** For the recipient, in full. */
  readonly gasLimit: bigint
  readonly payload: Uint8Array
}

/** What became of a message, as its receipt on the destination says. */
export const OUTCOMES = { none: 0, delivered: 1, failed: 2, expired: 3 } as const
export type Outcome = Exclude<keyof typeof OUTCOMES, 'none'>

/** Of the structure that is written here. */
export const MESSAGE_VERSION = 1

const TYPE =
  'PegMessage(uint8 version,uint64 sourceChainId,address sourceGateway,uint64 destinationChainId,' +
  'address destinationGateway,uint64 sequence,address sender,address recipient,uint64 deadline,' +
  'uint64 gasLimit,bytes payload)'

/** The first word of what is hashed to a message's id. */
export const MESSAGE_TYPEHASH: Hash = keccak256Hex(asciiBytes(TYPE))

const FIELDS = [
  count(8),
  uint(64),
  ADDRESS,
  uint(64),
  ADDRESS,
  count(64),
  ADDRESS,
  ADDRESS,
  uint(64),
  uint(64),
  BYTES,
] as const

const STRUCT = tupleOf(...FIELDS)
const HASHED = tupleOf(BYTES32, ...FIELDS)

/** The struct `PegMessage` in the ABI. */
export const MESSAGE: AbiType<PegMessage> = {
  name: STRUCT.name,
  size: STRUCT.size,
  encode: (message) => STRUCT.encode(fieldsOf(message)),
  decode: (bytes, at) => {
    const [
      version,
      sourceChainId,
      sourceGateway,
      destinationChainId,
      destinationGateway,
      sequence,
      sender,
      recipient,
      deadline,
      gasLimit,
      payload,
    ] = STRUCT.decode(bytes, at)
    return {
      version,
      sourceChainId,
      sourceGateway,
      destinationChainId,
      destinationGateway,
      sequence,
      sender,
      recipient,
      deadline,
      gasLimit,
      payload,
    }
  },
}

/** The message's name: what the outbox holds, and what ERC-7786 calls the send id. */
export function messageId(message: PegMessage): Hash {
  return keccak256Hex(HASHED.encode([MESSAGE_TYPEHASH, ...fieldsOf(message)]))
}

/**
 * What the inbox holds.
 * @param returnHash keccak256 of what the recipient answered or reverted with; zero where it expired
 */
export function receiptCommitment(id: Hash, outcome: Outcome, returnHash: Hash): Hash {
  return keccak256Hex(RECEIPT.encode([id, OUTCOMES[outcome], returnHash]))
}

const RECEIPT = tupleOf(BYTES32, count(8), BYTES32)

/** Slot of the source's gateway that holds the message's id. */
export function outboxSlot(destinationChainId: bigint, sequence: number): Hash {
  return nestedSlot(0n, destinationChainId, sequence)
}

/** Slot of the destination's gateway that holds the receipt's commitment. */
export function inboxSlot(sourceChainId: bigint, sequence: number): Hash {
  return nestedSlot(1n, sourceChainId, sequence)
}

/** Solidity's place of `mapping(uint64 => mapping(uint64 => bytes32))` at a slot. */
function nestedSlot(slot: bigint, chainId: bigint, sequence: number): Hash {
  const outer = keccak256(CHAIN_AND_SLOT.encode([chainId, slot]))
  return keccak256Hex(SEQUENCE_AND_SLOT.encode([sequence, bytesToHex(outer)]))
}

const CHAIN_AND_SLOT = tupleOf(uint(64), uint(256))
const SEQUENCE_AND_SLOT = tupleOf(count(64), BYTES32)

function fieldsOf(
  message: PegMessage,
): [
  number,
  bigint,
  Address,
  bigint,
  Address,
  number,
  Address,
  Address,
  bigint,
  bigint,
  Uint8Array,
] {
  return [
    message.version,
    message.sourceChainId,
    message.sourceGateway,
    message.destinationChainId,
    message.destinationGateway,
    message.sequence,
    message.sender,
    message.recipient,
    message.deadline,
    message.gasLimit,
    message.payload,
  ]
}

/** The outcome of its number; undefined for 0 and for what is none. */
export function outcomeOf(code: number): Outcome | undefined {
  for (const [name, value] of Object.entries(OUTCOMES)) {
    if (value === code && name !== 'none') return name as Outcome
  }
  return undefined
}
