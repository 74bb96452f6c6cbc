/** What a block of a chain says of the peg: events of its contracts, and the sums after it. */

import { bytesToBigInt, type Hash, hexToBytes } from '@vellum/evm'
import type { Log } from '@vellum/ledger'
import type { VellumNode } from '@vellum/node'
import { ADDRESS, decodePegEvent, type PegMessage, topicOf, tupleOf, uint } from '@vellum/sidechain'
import type { BlockFacts, MainSums, MessageEvent } from './checks.ts'
import { AT, BRIDGE, CREDIT } from './contracts.ts'
import type { PegChain } from './genesis.ts'
import { type ChainName, MAIN } from './scenario.ts'
import { askNumber } from './transactor.ts'

const PAYLOAD = tupleOf(ADDRESS, ADDRESS, uint(256))

/** What the bridge says: topic, and where the amount stands in the data. */
const CREDIT_EVENTS: Readonly<Record<Hash, readonly ['credited' | 'returned', number]>> = {
  [topicOf('CreditReleased(bytes32,uint64,address,address,uint256)')]: ['credited', 1],
  [topicOf('CreditMinted(bytes32,address,address,uint256)')]: ['credited', 0],
  [topicOf('CreditRefunded(bytes32,uint64,address,uint256)')]: ['returned', 0],
  [topicOf('CreditReturned(bytes32,address,uint256)')]: ['returned', 0],
}

/** @param height of a block that the node holds, not long ago */
export function readFacts(
  node: VellumNode,
  chain: PegChain,
  chains: readonly PegChain[],
  height: number,
): BlockFacts {
  const logs = node.chain.receipts(height)!.flatMap((receipt) => receipt.logs)
  const events = logs.flatMap((log) => eventOf(log, chain.name, chains) ?? [])
  const facts = { chain: chain.name, height, events }
  return chain.name === MAIN
    ? { ...facts, main: mainSums(node, chains, height) }
    : {
        ...facts,
        supply: askNumber(node, AT.serviceCredit, CREDIT.totalSupply.encodeCall([]), height),
      }
}

function eventOf(log: Log, here: ChainName, chains: readonly PegChain[]): MessageEvent | undefined {
  if (log.address === AT.creditBridge) return creditEventOf(log, here, chains)
  if (log.address !== AT.pegGateway) return undefined
  const event = decodePegEvent(log)
  const nameOf = (id: bigint): ChainName =>
    chains.find(({ chainId }) => BigInt(chainId) === id)?.name ?? `chain ${id}`
  switch (event?.type) {
    case 'committed': {
      const { id, message } = event
      const to = nameOf(message.destinationChainId)
      return { type: 'sent', to, id, sequence: message.sequence, amount: amountOf(message) }
    }
    case 'received': {
      const { id, sequence, outcome } = event
      return { type: 'received', from: nameOf(event.sourceChainId), id, sequence, outcome }
    }
    case 'acknowledged':
      return {
        type: 'acknowledged',
        by: nameOf(event.destinationChainId),
        id: event.id,
        outcome: event.outcome,
      }
    default:
      return undefined
  }
}

function creditEventOf(
  { topics, data }: Log,
  here: ChainName,
  chains: readonly PegChain[],
): MessageEvent | undefined {
  const [topic, id, third] = topics
  const kind = CREDIT_EVENTS[topic!]
  if (kind === undefined) return undefined
  const [type, word] = kind
  const amount = bytesToBigInt(data.subarray(32 * word, 32 * word + 32))
  if (type === 'returned') return { type, id: id!, amount }
  const side = here === MAIN && bytesToBigInt(hexToBytes(third!))
  const from = chains.find(({ chainId }) => BigInt(chainId) === side)?.name ?? MAIN
  return { type, from, id: id!, amount }
}

function amountOf({ sender, payload }: PegMessage): bigint | undefined {
  return sender === AT.creditBridge ? PAYLOAD.decode(payload, 0)[2] : undefined
}

function mainSums(node: VellumNode, chains: readonly PegChain[], height: number): MainSums {
  const locked = chains
    .filter(({ name }) => name !== MAIN)
    .map(
      ({ name, chainId }) =>
        [
          name,
          askNumber(node, AT.creditBridge, BRIDGE.lockedFor.encodeCall([BigInt(chainId)]), height),
        ] as const,
    )
  return {
    supply: askNumber(node, AT.serviceCredit, CREDIT.totalSupply.encodeCall([]), height),
    vaultBalance: askNumber(
      node,
      AT.serviceCredit,
      CREDIT.balanceOf.encodeCall([AT.creditBridge]),
      height,
    ),
    locked: new Map(locked),
  }
}
