/** What two chains say about the messages between them, read from their logs and contracts. */

import { ADDRESSES } from '@vellum/contracts/addresses'
import type { Address, Hash } from '@vellum/evm'
import {
  decodeChannel,
  decodeClient,
  decodePegEvent,
  type EventLog,
  type Fact,
  GATEWAY_CALLS,
  LIGHT_CLIENT_CALLS,
  PEG_TOPICS,
  type RelayEvent,
  type Side,
} from '@vellum/sidechain'
import type { Clock } from './ports.ts'
import type { RelayChain, RelayLog } from './relay-chain.ts'

export const GATEWAY: Address = ADDRESSES.pegGateway
export const LIGHT_CLIENT: Address = ADDRESSES.qbftLightClient

/** Reads for a link; rejects where a chain does not answer. */
export interface RelayReading {
  /** What a side's gateway counts; undefined: it has none. */
  counts(side: Side): Promise<LaneCounts | undefined>
  /** Blocks of a side, both included: what they say, and whether client or channel have changed. */
  blocks(side: Side, range: { from: number; to: number }): Promise<BlockFacts>
  /** Client and channel of a side after a block; undefined: it has no contracts. */
  contracts(side: Side, height: number): Promise<LinkContracts>
  /** How messages of a side stand, from both chains: those in the outbox, and their receipts. */
  messages(side: Side, sequences: readonly number[]): Promise<Fact[]>
}

export type LaneCounts = Pick<RelayEvent & { type: 'opened' }, 'doneThrough' | 'sentThrough'>
export type LinkContracts = Pick<RelayEvent & { type: 'head' }, 'client' | 'channel'>

export interface BlockFacts {
  readonly facts: readonly Fact[]
  readonly hasNewContracts: boolean
}

/** As they were. */
export const UNCHANGED: LinkContracts = { client: undefined, channel: undefined }

export function createRelayReading(
  chains: readonly [RelayChain, RelayChain],
  clock: Pick<Clock, 'now'>,
): RelayReading {
  async function counts(side: Side): Promise<LaneCounts | undefined> {
    const { height } = await chains[side].head()
    const { chainId } = chains[other(side)]
    const [through, sent] = await chains[side].read(
      [
        { to: GATEWAY, data: GATEWAY_CALLS.acknowledgedThrough.encodeCall([chainId]) },
        { to: GATEWAY, data: GATEWAY_CALLS.sentCount.encodeCall([chainId]) },
      ],
      height,
    )
    if (through!.length === 0 || sent!.length === 0) return undefined
    const [doneThrough] = GATEWAY_CALLS.acknowledgedThrough.decodeResult(through!)
    const [sentThrough] = GATEWAY_CALLS.sentCount.decodeResult(sent!)
    return { doneThrough, sentThrough }
  }

  async function blocks(
    side: Side,
    range: { readonly from: number; readonly to: number },
  ): Promise<BlockFacts> {
    const addresses = [GATEWAY, LIGHT_CLIENT]
    const logs = await chains[side].logs({ ...range, addresses, topics: [] })
    const peer = chains[other(side)].chainId
    return {
      facts: logs.flatMap((each) => factsOf(side, each)),
      hasNewContracts: logs.some((each) => concerns(each, peer)),
    }
  }

  async function contracts(side: Side, height: number): Promise<LinkContracts> {
    const { chainId } = chains[other(side)]
    const [client, channel] = await chains[side].read(
      [
        { to: LIGHT_CLIENT, data: LIGHT_CLIENT_CALLS.client.encodeCall([chainId]) },
        { to: GATEWAY, data: GATEWAY_CALLS.channelOf.encodeCall([chainId]) },
      ],
      height,
    )
    if (client!.length === 0 || channel!.length === 0) return UNCHANGED
    return { client: decodeClient(client!), channel: decodeChannel(channel!) }
  }

  /** What a log of a side's contracts says about messages between the two chains. */
  function factsOf(side: Side, placed: RelayLog): Fact[] {
    if (placed.address !== GATEWAY) return []
    const event = decodePegEvent(placed)
    const peer = chains[other(side)].chainId
    switch (event?.type) {
      case 'committed': {
        const { message } = event
        if (message.destinationChainId !== peer) return []
        const { height } = placed
        return [{ type: 'committed', side, message, height, sentMs: clock.now() }]
      }
      case 'received': {
        const { sourceChainId, sequence, outcome, returnHash } = event
        if (sourceChainId !== peer) return []
        const { height } = placed
        return [{ type: 'received', side, sequence, outcome, returnHash, height }]
      }
      case 'acknowledged':
        if (event.destinationChainId !== peer) return []
        return [{ type: 'acknowledged', side, sequence: event.sequence }]
      default:
        return []
    }
  }

  async function messages(side: Side, sequences: readonly number[]): Promise<Fact[]> {
    const source = chains[side]
    const destination = chains[other(side)]
    const { height } = await source.head()
    const words = await source.read(
      sequences.map((sequence) => ({
        to: GATEWAY,
        data: GATEWAY_CALLS.outboxOf.encodeCall([destination.chainId, sequence]),
      })),
      height,
    )
    const isOpen = (i: number): boolean => words[i]!.some((byte) => byte !== 0)
    const facts: Fact[] = sequences.flatMap((sequence, i) =>
      words[i]!.length === 0 || isOpen(i) ? [] : [{ type: 'acknowledged', side, sequence }],
    )
    const open = sequences.filter((_, i) => isOpen(i))
    if (open.length === 0) return facts
    const sent = await source.logs({
      from: 0,
      to: height,
      addresses: [GATEWAY],
      topics: [[PEG_TOPICS.committed], [wordOf(destination.chainId)], open.map(wordOf)],
    })
    facts.push(...sent.flatMap((each) => factsOf(side, each)))
    const head = await destination.head()
    const received = await destination.logs({
      from: 0,
      to: head.height,
      addresses: [GATEWAY],
      topics: [[PEG_TOPICS.received], [wordOf(source.chainId)], open.map(wordOf)],
    })
    facts.push(...received.flatMap((each) => factsOf(other(side), each)))
    return facts
  }

  return { counts, blocks, contracts, messages }
}

/** Whether a log is about the other chain: only then client and channel have to be read again. */
function concerns(log: EventLog, peer: bigint): boolean {
  const event = decodePegEvent(log)
  return (
    (event?.type === 'clientChanged' || event?.type === 'channelChanged') && event.chainId === peer
  )
}

function wordOf(value: bigint | number): Hash {
  return `0x${value.toString(16).padStart(64, '0')}`
}

export function other(side: Side): Side {
  return side === 0 ? 1 : 0
}
