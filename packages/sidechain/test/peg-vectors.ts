/** What both languages must agree on: made here, kept in tests/vectors/peg.json, read by Solidity's tests. */

import { quorum } from '@vellum/consensus'
import { type Address, bigIntToBytes, bytesToHex, concatBytes, hexToBytes } from '@vellum/evm'
import {
  addressOfPublicKey,
  commitHash,
  createSecp256k1,
  decodeExtraData,
  EMPTY_OMMERS_HASH,
  EMPTY_ROOT,
  encodeExtraData,
  encodeHeader,
  type Header,
  QBFT_MIX_HASH,
  qbftHash,
  type Secp256k1,
} from '@vellum/ledger'
import {
  inboxSlot,
  MESSAGE_TYPEHASH,
  messageId,
  type Outcome,
  outboxSlot,
  type PegMessage,
  receiptCommitment,
} from '../src/index.ts'

export const crypto: Secp256k1 = createSecp256k1()

export interface Validator {
  readonly key: Uint8Array
  readonly address: Address
}

/** Keys 1, 2, 3... plus an offset, by ascending address. */
export function validatorsOf(count: number, offset = 0): Validator[] {
  return Array.from({ length: count }, (_, i) => {
    const key = bigIntToBytes(BigInt(offset + i + 1), 32)
    return { key, address: addressOfPublicKey(crypto.publicKey(key)) }
  }).sort((a, b) => (a.address < b.address ? -1 : 1))
}

export const DOMAIN = `0x${'d0'.repeat(32)}` as const

/** A header of a QBFT chain as Osaka has it, without seals. */
export function headerOf(fields: {
  readonly height: number
  readonly validators: readonly Validator[]
  readonly timestamp?: number
  readonly round?: number
  readonly domain?: `0x${string}`
  readonly stateRoot?: `0x${string}`
}): Header {
  const { height, validators, timestamp = 1_700_000_000 + height, round = 0 } = fields
  return {
    parentHash: bytesToHex(bigIntToBytes(BigInt(height), 32)),
    ommersHash: EMPTY_OMMERS_HASH,
    coinbase: validators[height % validators.length]!.address,
    stateRoot: fields.stateRoot ?? bytesToHex(bigIntToBytes((1n << 255n) + BigInt(height), 32)),
    transactionsRoot: EMPTY_ROOT,
    receiptsRoot: EMPTY_ROOT,
    logsBloom: new Uint8Array(256),
    difficulty: 1n,
    number: height,
    gasLimit: 30_000_000n,
    gasUsed: 0n,
    timestamp,
    extraData: encodeExtraData({
      vanity: new Uint8Array(32),
      validators: validators.map(({ address }) => address),
      vote: undefined,
      round,
      seals: [],
    }),
    mixHash: QBFT_MIX_HASH,
    nonce: new Uint8Array(8),
    baseFeePerGas: 0n,
    withdrawalsRoot: EMPTY_ROOT,
    blobGasUsed: 0n,
    excessBlobGas: 0n,
    parentBeaconBlockRoot: fields.domain ?? DOMAIN,
    requestsHash: '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  }
}

/** The header with the seals of these. */
export function sealedBy(header: Header, signers: readonly Validator[]): Header {
  const hash = commitHash(header)
  const [vanity, validators, round] = partsOf(header)
  const seals = signers.map(({ key }) => {
    const { r, s, yParity } = crypto.sign(hash, key)
    return concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
  })
  const extraData = encodeExtraData({ vanity, validators, vote: undefined, round, seals })
  return { ...header, extraData }
}

const MESSAGES: readonly PegMessage[] = [
  {
    version: 1,
    sourceChainId: 1337n,
    sourceGateway: '0x000000000000000000000000000000000000560b',
    destinationChainId: 133701n,
    destinationGateway: '0x000000000000000000000000000000000000560b',
    sequence: 1,
    sender: '0x000000000000000000000000000000000000560c',
    recipient: '0x000000000000000000000000000000000000560c',
    deadline: 1_800_000_000n,
    gasLimit: 300_000n,
    payload: hexToBytes('0x'),
  },
  {
    version: 1,
    sourceChainId: 2n ** 64n - 1n,
    sourceGateway: `0x${'11'.repeat(20)}`,
    destinationChainId: 0n,
    destinationGateway: `0x${'22'.repeat(20)}`,
    sequence: 2 ** 53 - 1,
    sender: `0x${'ff'.repeat(20)}`,
    recipient: `0x${'00'.repeat(20)}`,
    deadline: 2n ** 64n - 1n,
    gasLimit: 2n ** 64n - 1n,
    payload: hexToBytes(`0x${'5a'.repeat(33)}`),
  },
  {
    version: 255,
    sourceChainId: 133702n,
    sourceGateway: '0x000000000000000000000000000000000000560b',
    destinationChainId: 1337n,
    destinationGateway: '0x000000000000000000000000000000000000560b',
    sequence: 256,
    sender: '0x000000000000000000000000000000000000560e',
    recipient: '0x000000000000000000000000000000000000560e',
    deadline: 1n,
    gasLimit: 0n,
    payload: Uint8Array.from({ length: 1_024 }, (_, i) => i % 251),
  },
]

const RECEIPTS: readonly (readonly [Outcome, `0x${string}`])[] = [
  ['delivered', `0x${'ab'.repeat(32)}`],
  ['failed', `0x${'01'.repeat(32)}`],
  ['expired', `0x${'00'.repeat(32)}`],
]

/** As they stand in the file: numbers in decimal, bytes in hex. */
export function makeVectors(): unknown {
  return {
    typehash: MESSAGE_TYPEHASH,
    messages: MESSAGES.map((message) => {
      const id = messageId(message)
      return {
        message: {
          ...message,
          sourceChainId: String(message.sourceChainId),
          destinationChainId: String(message.destinationChainId),
          deadline: String(message.deadline),
          gasLimit: String(message.gasLimit),
          payload: bytesToHex(message.payload),
        },
        id,
        outboxSlot: outboxSlot(message.destinationChainId, message.sequence),
        inboxSlot: inboxSlot(message.sourceChainId, message.sequence),
        receipts: RECEIPTS.map(([outcome, returnHash]) => ({
          outcome,
          returnHash,
          commitment: receiptCommitment(id, outcome, returnHash),
        })),
      }
    }),
    domain: DOMAIN,
    headers: [1, 4, 7, 13, 21].flatMap((size) =>
      [0, 3, 300].map((round) => {
        const validators = validatorsOf(size)
        const header = headerOf({ height: 1_000 + size, validators, round })
        const sealed = sealedBy(header, validators.slice(0, quorum(size)))
        return {
          size,
          round,
          height: header.number,
          timestamp: header.timestamp,
          stateRoot: header.stateRoot,
          validators: validators.map(({ address }) => address),
          sealedHeader: bytesToHex(encodeHeader(sealed)),
          hash: qbftHash(sealed),
          sealDigest: bytesToHex(commitHash(sealed)),
        }
      }),
    ),
  }
}

function partsOf(header: Header): [Uint8Array, readonly Address[], number] {
  const { vanity, validators, round } = decodeExtraData(header.extraData)
  return [vanity, validators, round]
}
