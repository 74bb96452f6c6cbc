/**
 * A side chain whose keys are all in one hand: it seals a state that never was, in which all credit of
 * main has been burned for the thief, and proves it to main as any relayer would. What main gives must
 * not be more than was locked for that chain; what other chains have must stay theirs.
 *
 * Spec: reliability.md P7.
 */

import { type Address, bigIntToBytes, concatBytes, type Hash } from '@vellum/evm'
import {
  type Crc32,
  commitHash,
  createMemoryKeyValue,
  decodeExtraData,
  encodeExtraData,
  encodeHeader,
  type Header,
  openChain,
  type Secp256k1,
} from '@vellum/ledger'
import { qbftSchemeOf, type VellumNode } from '@vellum/node'
import {
  ADDRESS,
  decodeClient,
  encodeDeliver,
  encodeRelay,
  encodeUpdate,
  gatewayProofs,
  LIGHT_CLIENT_CALLS,
  messageId,
  outboxSlot,
  type PegMessage,
  tupleOf,
  uint,
} from '@vellum/sidechain'
import type { Account } from '../world-genesis.ts'
import { AT, BRIDGE } from './contracts.ts'
import type { PegChain } from './genesis.ts'
import { ask, askNumber, submitCall } from './transactor.ts'

export interface LieOptions {
  readonly main: PegChain
  readonly side: PegChain
  readonly others: readonly PegChain[]
  /** Of its validators, ascending by address. */
  readonly keys: readonly Account[]
  readonly thief: Account
  /** In a second block at a height that main knows. */
  readonly contradicts: boolean
}

const PAYLOAD = tupleOf(ADDRESS, ADDRESS, uint(256))
/** Far beyond what the chain itself sends. */
const SEQUENCE = 1_000_000
const FAR_SECONDS = 4_000_000_000n
const MESSAGE_GAS = 300_000n
const GAS = 12_000_000n
/** Of its own genesis, the account's code does not count in proofs of storage. */
const NONCE = 1n

/** Hands main a header and messages; @returns how many messages */
export async function lie(
  { main, side, others, keys, thief, contradicts }: LieOptions,
  nodes: { readonly main: VellumNode; readonly side: VellumNode },
  { crypto, crc32 }: { readonly crypto: Secp256k1; readonly crc32: Crc32 },
): Promise<number> {
  const sideId = BigInt(side.chainId)
  const locked = askNumber(nodes.main, AT.creditBridge, BRIDGE.lockedFor.encodeCall([sideId]))
  const messageOf = (
    changes: Partial<PegMessage>,
    amount: bigint,
  ): Omit<PegMessage, 'sequence'> => ({
    version: 1,
    sourceChainId: sideId,
    sourceGateway: AT.pegGateway,
    destinationChainId: BigInt(main.chainId),
    destinationGateway: AT.pegGateway,
    sender: AT.creditBridge,
    recipient: AT.creditBridge,
    deadline: FAR_SECONDS,
    gasLimit: MESSAGE_GAS,
    payload: PAYLOAD.encode([thief.address, thief.address, amount]),
    ...changes,
  })
  const messages: PegMessage[] = [
    // More than there is, what there is, and once more.
    messageOf({}, locked + 1n),
    messageOf({}, 2n ** 127n),
    ...(locked > 0n ? [messageOf({}, locked), messageOf({}, 1n)] : []),
    // In the name of others.
    messageOf({ sender: thief.address }, 1n),
    messageOf({ sender: AT.identityPeg }, 1n),
    ...others.map(({ chainId }) => messageOf({ sourceChainId: BigInt(chainId) }, 1n)),
    // What no app is.
    messageOf({ recipient: AT.accessManager }, 1n),
    messageOf({ recipient: AT.serviceCredit }, 1n),
    messageOf({ recipient: AT.qbftLightClient }, 1n),
  ].map((message, i) => ({ ...message, sequence: SEQUENCE + i }))

  const slots = messages.map((message) => outboxSlot(message.destinationChainId, message.sequence))
  const storage = new Map<Hash, bigint>(
    messages.map((message, i) => [slots[i]!, BigInt(messageId(message))]),
  )
  const forged = await openChain({
    genesis: {
      ...side.genesis,
      statusTree: undefined,
      alloc: [
        {
          address: AT.pegGateway as Address,
          nonce: NONCE,
          balance: 0n,
          code: Uint8Array.of(0),
          storage,
        },
      ],
    },
    disk: createMemoryKeyValue(),
    crc32,
    scheme: qbftSchemeOf(side.genesis, crypto)!,
    crypto,
    retainedBlocks: undefined,
  })
  const proofs = gatewayProofs(forged.stateAt(0).prove(AT.pegGateway, slots))
  const known = ask(nodes.main, AT.qbftLightClient, LIGHT_CLIENT_CALLS.client.encodeCall([sideId]))
  const { latestHeight } = decodeClient(known!)
  const head = nodes.side.chain.head()
  const header = sealed(
    {
      ...head.header,
      number: contradicts ? latestHeight : head.header.number + 1,
      parentHash: head.hash,
      stateRoot: forged.head().header.stateRoot,
      parentBeaconBlockRoot: side.hash,
    },
    keys,
    crypto,
  )
  const calls = messages.map((message, i) =>
    encodeDeliver(message, {
      height: header.number,
      accountProof: proofs[i]!.accountProof,
      storageProof: proofs[i]!.storageProof,
    }),
  )
  const update = encodeUpdate(sideId, latestHeight, encodeHeader(header))
  const data = encodeRelay([update, ...calls])
  submitCall(nodes.main, thief, { to: AT.pegGateway, data, gasLimit: GAS }, crypto)
  return messages.length
}

/** The header with seals of all of them. */
function sealed(header: Header, keys: readonly Account[], crypto: Secp256k1): Header {
  const extra = decodeExtraData(header.extraData)
  const blank = { ...extra, vote: undefined, round: 0, seals: [] }
  const unsealed = { ...header, extraData: encodeExtraData(blank) }
  const hash = commitHash(unsealed)
  const seals = keys
    .filter(({ address }) => extra.validators.includes(address))
    .map(({ key }) => {
      const { r, s, yParity } = crypto.sign(hash, key)
      return concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
    })
  return { ...unsealed, extraData: encodeExtraData({ ...blank, seals }) }
}
