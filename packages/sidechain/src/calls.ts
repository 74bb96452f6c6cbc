/**
 * Calls of the two contracts that make the peg, their answers and their events, by the ABI of
 * `IQbftLightClient.sol` and `IPegGateway.sol`. Tests compare each signature with the compiled contracts.
 */

import {
  type Address,
  bytesToBigInt,
  bytesToHex,
  type Hash,
  type Hex,
  hexToBytes,
} from '@vellum/evm'
import {
  type AbiFunction,
  ADDRESS,
  abiFunction,
  BYTES,
  BYTES32,
  count,
  listOf,
  topicOf,
  tupleOf,
  uint,
} from './abi.ts'
import { SidechainError } from './error.ts'
import { MESSAGE, OUTCOMES, type Outcome, outcomeOf, type PegMessage } from './message.ts'

const NOTHING = tupleOf()
const CHAIN = uint(64)
const NUMBER = count(64)
const PROOF = listOf(BYTES)

const CLIENT = tupleOf(
  count(8),
  count(8),
  count(32),
  count(32),
  NUMBER,
  NUMBER,
  NUMBER,
  NUMBER,
  BYTES32,
)
const TRUSTED = tupleOf(BYTES32, BYTES32, NUMBER, NUMBER)

type Proof = readonly Uint8Array[]

export interface LightClientCalls {
  readonly updateClient: AbiFunction<[bigint, number, Uint8Array], []>
  readonly submitEquivocation: AbiFunction<
    [bigint, number, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
    []
  >
  readonly client: AbiFunction<
    [bigint],
    [[number, number, number, number, number, number, number, number, Hash]]
  >
  /** Hash, state root, timestamp, and height of the kept header above. */
  readonly trustedHeader: AbiFunction<[bigint, number], [[Hash, Hash, number, number]]>
  readonly validatorsAt: AbiFunction<[bigint, number], [readonly Address[]]>
  readonly stateRoot: AbiFunction<[bigint, number], [Hash]>
}

export interface GatewayCalls {
  readonly relay: AbiFunction<[readonly Uint8Array[]], []>
  readonly proveStorageRoot: AbiFunction<[bigint, number, Proof], []>
  readonly deliver: AbiFunction<[PegMessage, number, Proof, Proof], []>
  readonly acknowledge: AbiFunction<[PegMessage, number, Hash, number, Proof, Proof], []>
  readonly channelOf: AbiFunction<[bigint], [number]>
  readonly outboxOf: AbiFunction<[bigint, number], [Hash]>
  readonly inboxOf: AbiFunction<[bigint, number], [Hash]>
  readonly sentCount: AbiFunction<[bigint], [number]>
  readonly acknowledgedThrough: AbiFunction<[bigint], [number]>
}

export const LIGHT_CLIENT_CALLS: LightClientCalls = {
  updateClient: abiFunction('updateClient', tupleOf(CHAIN, NUMBER, BYTES), NOTHING),
  submitEquivocation: abiFunction(
    'submitEquivocation',
    tupleOf(CHAIN, NUMBER, BYTES, BYTES, BYTES, BYTES),
    NOTHING,
  ),
  client: abiFunction('client', tupleOf(CHAIN), tupleOf(CLIENT)),
  trustedHeader: abiFunction('trustedHeader', tupleOf(CHAIN, NUMBER), tupleOf(TRUSTED)),
  validatorsAt: abiFunction('validatorsAt', tupleOf(CHAIN, NUMBER), tupleOf(listOf(ADDRESS))),
  stateRoot: abiFunction('stateRoot', tupleOf(CHAIN, NUMBER), tupleOf(BYTES32)),
}

export const GATEWAY_CALLS: GatewayCalls = {
  relay: abiFunction('relay', tupleOf(listOf(BYTES)), NOTHING),
  proveStorageRoot: abiFunction('proveStorageRoot', tupleOf(CHAIN, NUMBER, PROOF), NOTHING),
  deliver: abiFunction('deliver', tupleOf(MESSAGE, NUMBER, PROOF, PROOF), NOTHING),
  acknowledge: abiFunction(
    'acknowledge',
    tupleOf(MESSAGE, count(8), BYTES32, NUMBER, PROOF, PROOF),
    NOTHING,
  ),
  channelOf: abiFunction('channelOf', tupleOf(CHAIN), tupleOf(count(8))),
  outboxOf: abiFunction('outboxOf', tupleOf(CHAIN, NUMBER), tupleOf(BYTES32)),
  inboxOf: abiFunction('inboxOf', tupleOf(CHAIN, NUMBER), tupleOf(BYTES32)),
  sentCount: abiFunction('sentCount', tupleOf(CHAIN), tupleOf(NUMBER)),
  acknowledgedThrough: abiFunction('acknowledgedThrough', tupleOf(CHAIN), tupleOf(NUMBER)),
}

export type ClientStatus = 'none' | 'active' | 'frozen' | 'closed'
export type ChannelStatus = 'none' | 'open' | 'paused' | 'closed'

const CLIENT_STATUSES: readonly ClientStatus[] = ['none', 'active', 'frozen', 'closed']
const CHANNEL_STATUSES: readonly ChannelStatus[] = ['none', 'open', 'paused', 'closed']

/** What a chain knows of another. Times in seconds. */
export interface ClientFacts {
  readonly status: ClientStatus
  /** Items of the other chain's headers. */
  readonly fieldCount: number
  readonly trustingPeriodSeconds: number
  readonly maxClockDriftSeconds: number
  readonly oldestHeight: number
  readonly latestHeight: number
  /** Seconds since 1970. */
  readonly latestTimestamp: number
  /** From when the trusting period of the latest header counts: its time, or when governance gave it. */
  readonly trustedSince: number
  /** Hash of the other chain's genesis block. */
  readonly domain: Hash
}

/** @throws SidechainError SIDECHAIN_ABI_INVALID if the contract is another one */
export function decodeClient(output: Uint8Array): ClientFacts {
  const [facts] = LIGHT_CLIENT_CALLS.client.decodeResult(output)
  const [status, fieldCount, trusting, drift, oldestHeight, latestHeight, latest, since, domain] =
    facts
  return {
    status: nameOf(CLIENT_STATUSES, status),
    fieldCount,
    trustingPeriodSeconds: trusting,
    maxClockDriftSeconds: drift,
    oldestHeight,
    latestHeight,
    latestTimestamp: latest,
    trustedSince: since,
    domain,
  }
}

/** @throws SidechainError SIDECHAIN_ABI_INVALID */
export function decodeChannel(output: Uint8Array): ChannelStatus {
  return nameOf(CHANNEL_STATUSES, GATEWAY_CALLS.channelOf.decodeResult(output)[0])
}

export interface DeliveryProof {
  /** Of the block whose state root the proofs stand under. */
  readonly height: number
  /** Empty if the account was proven before in the same transaction. */
  readonly accountProof: readonly Uint8Array[]
  readonly storageProof: readonly Uint8Array[]
}

export function encodeUpdate(
  chainId: bigint,
  trustedHeight: number,
  sealedHeader: Uint8Array,
): Uint8Array {
  return LIGHT_CLIENT_CALLS.updateClient.encodeCall([chainId, trustedHeight, sealedHeader])
}

export function encodeDeliver(message: PegMessage, proof: DeliveryProof): Uint8Array {
  const { height, accountProof, storageProof } = proof
  return GATEWAY_CALLS.deliver.encodeCall([message, height, accountProof, storageProof])
}

export function encodeAcknowledge(
  message: PegMessage,
  receipt: { readonly outcome: Outcome; readonly returnHash: Hash },
  proof: DeliveryProof,
): Uint8Array {
  const { height, accountProof, storageProof } = proof
  return GATEWAY_CALLS.acknowledge.encodeCall([
    message,
    OUTCOMES[receipt.outcome],
    receipt.returnHash,
    height,
    accountProof,
    storageProof,
  ])
}

/** Of the account of the other gateway, for the calls behind it in the same `relay`. */
export function encodeAccountProof(
  chainId: bigint,
  height: number,
  accountProof: readonly Uint8Array[],
): Uint8Array {
  return GATEWAY_CALLS.proveStorageRoot.encodeCall([chainId, height, accountProof])
}

/** The other chain's two contradicting messages of one validator, for the light client. */
export function encodeEquivocation(
  chainId: bigint,
  trustedHeight: number,
  first: SignedContent,
  second: SignedContent,
): Uint8Array {
  return LIGHT_CLIENT_CALLS.submitEquivocation.encodeCall([
    chainId,
    trustedHeight,
    first.content,
    first.signature,
    second.content,
    second.signature,
  ])
}

/** RLP([code, payload]) of a message of consensus, and its signature. */
export interface SignedContent {
  readonly content: Uint8Array
  readonly signature: Uint8Array
}

/** Several of the calls above in one, each by itself. */
export function encodeRelay(calls: readonly Uint8Array[]): Uint8Array {
  return GATEWAY_CALLS.relay.encodeCall([calls])
}

/** An event of gateway or light client that relayers look at. */
export type PegEvent =
  | { readonly type: 'committed'; readonly id: Hash; readonly message: PegMessage }
  | {
      readonly type: 'received'
      readonly sourceChainId: bigint
      readonly sequence: number
      readonly id: Hash
      readonly outcome: Outcome
      readonly returnHash: Hash
    }
  | {
      readonly type: 'acknowledged'
      readonly destinationChainId: bigint
      readonly sequence: number
      readonly id: Hash
      readonly outcome: Outcome
    }
  | { readonly type: 'alreadyReceived'; readonly sourceChainId: bigint; readonly sequence: number }
  | {
      readonly type: 'alreadyAcknowledged'
      readonly destinationChainId: bigint
      readonly sequence: number
    }
  | { readonly type: 'callFailed'; readonly index: number; readonly reason: Uint8Array }
  | { readonly type: 'clientChanged'; readonly chainId: bigint }
  | { readonly type: 'channelChanged'; readonly chainId: bigint }

export interface EventLog {
  readonly address: Address
  readonly topics: readonly Hash[]
  readonly data: Uint8Array
}

export type PegTopic =
  | 'committed'
  | 'received'
  | 'acknowledged'
  | 'alreadyReceived'
  | 'alreadyAcknowledged'
  | 'callFailed'
  | 'channelChanged'
  | 'clientCreated'
  | 'clientUpdated'
  | 'clientRevived'
  | 'clientFrozen'
  | 'clientClosed'

/** First topics of their events. */
export const PEG_TOPICS: Readonly<Record<PegTopic, Hash>> = {
  committed: topicOf(`MessageCommitted(uint64,uint64,bytes32,${MESSAGE.name})`),
  received: topicOf('MessageReceived(uint64,uint64,bytes32,uint8,bytes32)'),
  acknowledged: topicOf('MessageAcknowledged(uint64,uint64,bytes32,uint8)'),
  alreadyReceived: topicOf('AlreadyReceived(uint64,uint64)'),
  alreadyAcknowledged: topicOf('AlreadyAcknowledged(uint64,uint64)'),
  callFailed: topicOf('CallFailed(uint256,bytes)'),
  channelChanged: topicOf('ChannelChanged(uint64,uint8)'),
  clientCreated: topicOf('ClientCreated(uint64,uint64,bytes32,bytes32)'),
  clientUpdated: topicOf('ClientUpdated(uint64,uint64,bytes32,bytes32)'),
  clientRevived: topicOf('ClientRevived(uint64,uint64,bytes32)'),
  clientFrozen: topicOf('ClientFrozen(uint64)'),
  clientClosed: topicOf('ClientClosed(uint64)'),
}

const COMMITTED = tupleOf(MESSAGE)
const RECEIVED = tupleOf(count(8), BYTES32)
const ACKNOWLEDGED = tupleOf(count(8))
const FAILED = tupleOf(NUMBER, BYTES)

const CLIENT_TOPICS: readonly Hash[] = [
  PEG_TOPICS.clientCreated,
  PEG_TOPICS.clientUpdated,
  PEG_TOPICS.clientRevived,
  PEG_TOPICS.clientFrozen,
  PEG_TOPICS.clientClosed,
]

/**
 * The event of a log; undefined for those that no relayer looks at. The caller has looked at the address.
 * @throws SidechainError SIDECHAIN_ABI_INVALID
 */
export function decodePegEvent({ topics, data }: EventLog): PegEvent | undefined {
  const [topic, first, second, third] = topics
  const chainId = (): bigint => bytesToBigInt(hexToBytes(first!))
  const sequence = (): number => Number(bytesToBigInt(hexToBytes(second!)))
  switch (topic) {
    case PEG_TOPICS.committed: {
      const [message] = COMMITTED.decode(data, 0)
      return { type: 'committed', id: third!, message }
    }
    case PEG_TOPICS.received: {
      const [code, returnHash] = RECEIVED.decode(data, 0)
      return {
        type: 'received',
        sourceChainId: chainId(),
        sequence: sequence(),
        id: third!,
        outcome: outcomeNamed(code),
        returnHash,
      }
    }
    case PEG_TOPICS.acknowledged: {
      const [code] = ACKNOWLEDGED.decode(data, 0)
      const outcome = outcomeNamed(code)
      const destinationChainId = chainId()
      return { type: 'acknowledged', destinationChainId, sequence: sequence(), id: third!, outcome }
    }
    case PEG_TOPICS.alreadyReceived:
      return { type: 'alreadyReceived', sourceChainId: chainId(), sequence: sequence() }
    case PEG_TOPICS.alreadyAcknowledged:
      return { type: 'alreadyAcknowledged', destinationChainId: chainId(), sequence: sequence() }
    case PEG_TOPICS.callFailed: {
      const [index, reason] = FAILED.decode(data, 0)
      return { type: 'callFailed', index, reason }
    }
    case PEG_TOPICS.channelChanged:
      return { type: 'channelChanged', chainId: chainId() }
    default:
      if (topic === undefined || !CLIENT_TOPICS.includes(topic)) return undefined
      return { type: 'clientChanged', chainId: chainId() }
  }
}

/** Errors of the two contracts, by the selector that a revert begins with. */
const ERRORS: ReadonlyMap<Hex, string> = new Map(
  [
    'AppUnknown(address)',
    'AppInvalid(address)',
    'ChannelNotOpen(uint64,uint8)',
    'ChainInvalid(uint256)',
    'ChainInvalid(uint64)',
    'DeadlinePassed(uint64)',
    'GasLimitInvalid(uint64)',
    'MessageNotForHere(bytes32)',
    'MessageUnknown(bytes32)',
    'OutcomeInvalid(uint8)',
    'AccountProofMissing(uint64,uint64)',
    'StateProofInvalid()',
    'TrieProofTraversalError(uint8)',
    'RlpInvalid()',
    'EvidenceInvalid()',
    'GasInsufficient(uint256,uint256)',
    'RecipientAnswerInvalid(address)',
    'CallRefused(bytes4)',
    'ClientExists(uint64)',
    'ClientUnknown(uint64)',
    'ClientNotActive(uint64,uint8)',
    'ClientExpired(uint64,uint64)',
    'HeightUnknown(uint64,uint64)',
    'TrustedHeightInvalid(uint64,uint64)',
    'HeaderInvalid()',
    'HeaderFromFuture(uint64,uint256)',
    'SealInvalid(uint256)',
    'SealsInsufficient(uint256,uint256)',
    'TrustInsufficient(uint256,uint256)',
  ].map((signature) => [
    topicOf(signature).slice(0, 10) as Hex,
    signature.slice(0, signature.indexOf('(')),
  ]),
)

/** What a revert says, for people: the error's name, or its first bytes. */
export function reasonOf(revertData: Uint8Array): string {
  if (revertData.length === 0) return 'reverted without a reason'
  const selector = bytesToHex(revertData.subarray(0, 4))
  return ERRORS.get(selector) ?? `error ${selector}`
}

/** Every signature that this file stands on, for a test to compare with the compiled contracts. */
export const PEG_SIGNATURES: {
  readonly lightClient: readonly AbiFunction<never, unknown>[]
  readonly gateway: readonly AbiFunction<never, unknown>[]
  readonly errors: ReadonlyMap<Hex, string>
} = {
  lightClient: Object.values(LIGHT_CLIENT_CALLS) as unknown as AbiFunction<never, unknown>[],
  gateway: Object.values(GATEWAY_CALLS) as unknown as AbiFunction<never, unknown>[],
  errors: ERRORS,
}

function nameOf<Name>(names: readonly Name[], code: number): Name {
  const name = names[code]
  if (name === undefined) throw unknownCode(code)
  return name
}

function outcomeNamed(code: number): Outcome {
  const outcome = outcomeOf(code)
  if (outcome === undefined) throw unknownCode(code)
  return outcome
}

function unknownCode(code: number): SidechainError {
  return new SidechainError('SIDECHAIN_ABI_INVALID', `${code} is no value that the contract has`)
}
