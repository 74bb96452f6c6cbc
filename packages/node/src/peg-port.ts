/** What JSON-RPC asks about the peg, answered out of the chains of this process. */

import { ADDRESSES } from '@vellum/contracts/addresses'
import { type Hash, ZERO_HASH } from '@vellum/evm'
import type { BlockLogs, PlacedLog } from '@vellum/ledger'
import type {
  Backend,
  PegAuditAnswer,
  PegChannel,
  PegLife,
  PegPlace,
  PegPort,
  PegRelayFacts,
} from '@vellum/rpc'
import {
  type DirectionStatus,
  decodePegEvent,
  gatewayProofs,
  inboxSlot,
  outboxSlot,
  PEG_TOPICS,
  type PegEvent,
} from '@vellum/sidechain'
import type { PegPortChain, PegPortSources } from './late-peg-port.ts'
import { auditMessages } from './peg-audit.ts'
import { hasGateway, readCounterpart } from './peg-reading.ts'

const SEARCH_LIMITS = { blocksMax: 1_000_000, lookupsMax: 100_000, readsMax: 10_000 }

export function createPegPort(self: PegPortChain, sources: PegPortSources): PegPort {
  const { backend } = self.node
  const chainId = backend.node.chainId
  const served = (): readonly PegPortChain[] =>
    sources.chains().filter(({ node }) => hasGateway(node.backend))

  /** Chains that a process serves, and those that this chain's logs name. */
  function counterparts(): ReadonlyMap<bigint, PegPortChain | undefined> {
    const all = served()
    const isMain = all[0]?.node.chain === self.node.chain
    // Side chains have channels with main alone.
    const linked = isMain ? all.slice(1) : all.slice(0, 1)
    const found = new Map<bigint, PegPortChain | undefined>()
    for (const each of linked) found.set(each.node.backend.node.chainId, each)
    const topics = [[PEG_TOPICS.channelChanged]]
    for (const { event } of eventsOf(backend, topics)) {
      if (event.type === 'channelChanged' && !found.has(event.chainId)) {
        found.set(event.chainId, undefined)
      }
    }
    return found
  }

  async function channelOf(
    peerId: bigint,
    peer: PegPortChain | undefined,
  ): Promise<PegChannel | undefined> {
    const facts = await readCounterpart(backend, peerId, backend.chain.head().header.number)
    if (facts === undefined) return undefined
    const { status, latestHeight, latestTimestamp, trustingPeriodSeconds } = facts.client
    const peerHead = peer?.node.chain.head().header.number
    const lag = peerHead === undefined ? undefined : Math.max(0, peerHead - latestHeight)
    const relay = sources.relay?.()
    return {
      chainId: peerId,
      name: peer?.name,
      channel: facts.channel,
      client: { status, latestHeight, latestTimestamp, trustingPeriodSeconds, lag },
      sentCount: facts.sentCount,
      acknowledgedThrough: facts.acknowledgedThrough,
      outgoing: relayFacts(relay?.status(chainId, peerId)),
      incoming: relayFacts(relay?.status(peerId, chainId)),
    }
  }

  return {
    channels: async () => {
      const found = [...counterparts()].map(([id, peer]) => channelOf(id, peer))
      return (await Promise.all(found)).filter((each) => each !== undefined)
    },
    message: (id) => lifeOf(id, served()),
    proof: ({ kind, chainId: other, sequence, height }) => {
      const slot = kind === 'outbox' ? outboxSlot(other, sequence) : inboxSlot(other, sequence)
      const account = ADDRESSES.pegGateway
      const [proof] = gatewayProofs(backend.chain.stateAt(height).prove(account, [slot]))
      return proof === undefined || proof.value === ZERO_HASH ? undefined : { account, ...proof }
    },
    audit: async () => {
      const [main, ...sides] = served()
      if (main === undefined) return []
      const sideChainIds = sides.map(({ node }) => node.backend.node.chainId)
      const isMain = main.node.chain === self.node.chain
      const audited = isMain ? sides : sides.filter(({ node }) => node.chain === self.node.chain)
      return Promise.all(audited.map((side) => auditOf(main, side, sideChainIds)))
    },
  }
}

async function auditOf(
  main: PegPortChain,
  side: PegPortChain,
  sideChainIds: readonly bigint[],
): Promise<PegAuditAnswer> {
  const audit = await auditMessages({
    main: main.node.backend,
    side: side.node.backend,
    sideChainIds,
  })
  const { mainHeight, sideHeight } = audit
  const chainId = side.node.backend.node.chainId
  const of = { chainId, name: side.name, mainHeight, sideHeight }
  if (!audit.isComparable) {
    const nothing = { locked: 0n, outstanding: 0n, toSide: 0n, toMain: 0n }
    return { ...of, ok: undefined, faults: [audit.reason], ...nothing }
  }
  const { ok, faults, lockedFor, toSide, toMain, counters } = audit
  return { ...of, ok, faults, locked: lockedFor, outstanding: counters.supply, toSide, toMain }
}

function relayFacts(status: DirectionStatus | undefined): PegRelayFacts | undefined {
  if (status === undefined) return undefined
  const { undelivered, unacknowledged, oldestMs, counts, lastFailure } = status
  return {
    undelivered,
    unacknowledged,
    oldestMs,
    transactions: counts.landed,
    failedCalls: counts.failed,
    mootCalls: counts.moot,
    lastFailure,
  }
}

/** The life of a message in the logs of these chains; undefined if none has heard of it. */
async function lifeOf(id: Hash, chains: readonly PegPortChain[]): Promise<PegLife | undefined> {
  let life: PegLife = {
    id,
    state: 'sent',
    message: undefined,
    sent: undefined,
    received: undefined,
    acknowledged: undefined,
  }
  let isKnown = false
  const wanted = [PEG_TOPICS.committed, PEG_TOPICS.received, PEG_TOPICS.acknowledged]
  for (const { node } of chains) {
    for (const { event, place } of eventsOf(node.backend, [wanted, [], [], [id]])) {
      isKnown = true
      if (event.type === 'committed') life = { ...life, message: event.message, sent: place }
      if (event.type === 'received') {
        const { returnHash, outcome } = event
        life = { ...life, received: { ...place, returnHash }, state: outcome }
      }
      if (event.type === 'acknowledged') {
        life = { ...life, acknowledged: place, state: event.outcome }
      }
    }
  }
  return isKnown ? life : undefined
}

/** Events of a chain's gateway, from its beginning on. */
function* eventsOf(
  { chain, node }: Backend,
  topics: readonly (readonly Hash[])[],
): Iterable<{ event: PegEvent; place: PegPlace }> {
  const to = chain.head().header.number
  const criteria = { addresses: [ADDRESSES.pegGateway], topics }
  const search = chain.searchLogs?.({ from: 0, to, criteria, limits: SEARCH_LIMITS })
  for (const found of search ?? []) {
    for (const each of found?.logs ?? []) {
      const event = decodePegEvent(each.log)
      if (event !== undefined) yield { event, place: placeOf(node.chainId, found!, each) }
    }
  }
}

function placeOf(
  chainId: bigint,
  { number, timestamp }: BlockLogs,
  { transactionHash }: PlacedLog,
): PegPlace {
  return { chainId, height: number, transactionHash, timestamp }
}
