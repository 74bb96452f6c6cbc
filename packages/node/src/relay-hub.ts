/**
 * All that this process does between its chains: relays between main and each side chain, brings proofs of
 * contradictions to the light clients, compares what these keep with our blocks, and audits the credit at
 * every block. Chains come and go.
 */

import { type Contradiction, type RecoverAuthor, signedContent } from '@vellum/consensus'
import { ADDRESSES } from '@vellum/contracts/addresses'
import {
  type DirectionStatus,
  decodeClient,
  encodeEquivocation,
  LIGHT_CLIENT_CALLS,
  type SignedContent,
} from '@vellum/sidechain'
import type { Metrics } from './metrics.ts'
import type { VellumNode } from './node.ts'
import { auditHeads } from './peg-audit.ts'
import { hasGateway } from './peg-reading.ts'
import type { Clock, Logger, Signer, Timers } from './ports.ts'
import { createRelayLink, type RelayLink, type RelayStep } from './relay.ts'
import type { RelayChain } from './relay-chain.ts'
import { createLocalRelayChain } from './relay-chain-local.ts'
import { registerLinkMetrics } from './relay-metrics.ts'
import { watchClient } from './relay-witness.ts'

/** A chain of this process. */
export interface HubChain {
  readonly name: string
  /** Of a side chain: whether and how it is relayed. */
  readonly relay: RelayRule
  readonly node: Pick<VellumNode, 'backend' | 'chain' | 'consensus'>
}

export interface HubChains {
  /** Main first. */
  chains(): readonly HubChain[]
  onAdded(listener: (chain: HubChain) => void): () => void
  onRemoved(listener: (chain: HubChain) => void): () => void
}

export interface RelayRule {
  readonly enabled: boolean | undefined
  readonly anchorBlocks: number
  readonly anchorSeconds: number
}

export interface RelayHubOptions {
  /** Of the account that signs transactions; undefined: this process watches only. */
  readonly signer: Signer | undefined
  readonly seed: number
}

export interface RelayHubPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
  readonly recover: RecoverAuthor
  readonly onStep?: ((step: RelayStep) => void) | undefined
  /** What stands between the hub and a chain, in worlds where nodes answer late; default: nothing. */
  readonly through?: ((chain: RelayChain) => RelayChain) | undefined
}

export interface RelayHub {
  /** Of messages from one served chain to another; undefined: nobody here relays between these. */
  status(source: bigint, destination: bigint): DirectionStatus | undefined
  stop(): Promise<void>
}

/** What goes on with one side chain. */
interface Pairing {
  readonly side: HubChain
  readonly link: RelayLink | undefined
  /** Main's account of what is wrong with the credit; undefined: nothing. */
  fault: string | undefined
  audits: number
  isAuditing: boolean
  stop(): Promise<void>
}

/** Gas of a proof that a validator has contradicted itself: two signatures and small change. */
const EVIDENCE_GAS = 1_000_000n

export function startRelayHub(
  served: HubChains,
  options: RelayHubOptions,
  ports: RelayHubPorts,
): RelayHub {
  const { log } = ports
  const main = served.chains()[0]!
  const pairings = new Map<string, Pairing>()
  const mainChain = options.signer && relayChainOf(main, options.signer, ports)
  const undo: (() => void)[] = []

  function add(side: HubChain): void {
    if (side.name === main.name || pairings.has(side.name)) return
    if (!hasGateway(main.node.backend) || !hasGateway(side.node.backend)) return
    const signer = side.relay.enabled === true ? options.signer : undefined
    const sideChain = signer && relayChainOf(side, signer, ports)
    const link =
      mainChain &&
      sideChain &&
      linkOf([mainChain, sideChain], side.relay, options.seed + pairings.size, ports)
    link?.start()
    const unwatch = [
      main.node.chain.onHead(() => check(side.name)),
      side.node.chain.onHead(() => check(side.name)),
      ...(mainChain && sideChain
        ? [
            accuse(main, sideChain, log),
            accuse(side, mainChain, log),
            watchClient(main, side, sideChain, ports),
            watchClient(side, main, mainChain, ports),
          ]
        : []),
    ]
    pairings.set(side.name, {
      side,
      link,
      fault: undefined,
      audits: 0,
      isAuditing: false,
      stop: async () => {
        for (const each of unwatch) each()
        await link?.stop()
      },
    })
    if (link !== undefined) log.info('messages are relayed', { main: main.name, side: side.name })
    check(side.name)
  }

  /** At each block of either chain; blocks that come meanwhile are taken together. */
  function check(name: string): void {
    const pairing = pairings.get(name)
    if (pairing === undefined || pairing.isAuditing) return
    pairing.isAuditing = true
    const sideChainIds = [...pairings.values()].map(({ side }) => side.node.backend.node.chainId)
    const pair = { main: main.node.backend, side: pairing.side.node.backend, sideChainIds }
    auditHeads(pair)
      .then((audit) => {
        if (!audit.isComparable) return
        pairing.audits += 1
        const fault = audit.ok ? undefined : audit.faults.join('; ')
        if (fault !== undefined && fault !== pairing.fault) {
          const { mainHeight, sideHeight } = audit
          log.error('the credit of a side chain is not what main has locked for it', {
            side: name,
            fault,
            mainHeight,
            sideHeight,
          })
        }
        pairing.fault = fault
      })
      .catch((error: Error) => log.debug('no audit of this block', { reason: error.message }))
      .finally(() => {
        pairing.isAuditing = false
      })
  }

  for (const chain of served.chains()) add(chain)
  undo.push(
    served.onAdded(add),
    served.onRemoved(({ name }) => {
      const pairing = pairings.get(name)
      pairings.delete(name)
      void pairing?.stop()
    }),
  )
  registerMetrics(ports.metrics, pairings)

  return {
    status: (source, destination) => {
      for (const { link } of pairings.values()) {
        const [a, b] = link?.chains.map(({ chainId }) => chainId) ?? []
        if (a === source && b === destination) return link!.status(0)
        if (b === source && a === destination) return link!.status(1)
      }
      return undefined
    },
    stop: async () => {
      for (const each of undo) each()
      const stopping = [...pairings.values()].map((pairing) => pairing.stop())
      pairings.clear()
      await Promise.all(stopping)
    },
  }
}

function relayChainOf(
  { name, node }: HubChain,
  signer: Signer,
  { clock, timers, through }: RelayHubPorts,
): RelayChain {
  const chain = createLocalRelayChain({ name, backend: node.backend, signer, clock, timers })
  return through === undefined ? chain : through(chain)
}

function linkOf(
  chains: readonly [RelayChain, RelayChain],
  { anchorBlocks, anchorSeconds }: RelayRule,
  seed: number,
  ports: RelayHubPorts,
): RelayLink {
  const { clock, timers, recover, onStep } = ports
  const log = ports.log.child(chains[1].name)
  const settings = { anchorBlocks, anchorMs: anchorSeconds * 1_000 }
  return createRelayLink({ chains, settings, seed }, { clock, timers, log, recover, onStep })
}

/**
 * Tells the light client of a chain on another one of every contradiction that is proven on it.
 * @returns the way to stop
 */
function accuse(of: HubChain, at: RelayChain, log: Logger): () => void {
  const { consensus, backend } = of.node
  const book = consensus?.evidence
  if (book === undefined) return () => {}

  async function submit({ first, second }: Contradiction): Promise<void> {
    // The contract takes pairs of prepares and of commits.
    if (first.kind !== 'prepare' && first.kind !== 'commit') return
    if (second.kind !== 'prepare' && second.kind !== 'commit') return
    const { height } = await at.head()
    const { chainId } = backend.node
    const client = LIGHT_CLIENT_CALLS.client.encodeCall([chainId])
    const [output] = await at.read([{ to: ADDRESSES.qbftLightClient, data: client }], height)
    if (output === undefined || output.length === 0) return
    const { latestHeight, oldestHeight } = decodeClient(output)
    const [one, two] = [first, second].map((vote) => ({
      content: signedContent(vote),
      signature: vote.signature,
    })) as [SignedContent, SignedContent]
    // The set may have changed since: whoever was put out of it stands in an older header.
    for (const trustedHeight of new Set([latestHeight, oldestHeight])) {
      const data = encodeEquivocation(chainId, trustedHeight, one, two)
      const call = { to: ADDRESSES.qbftLightClient, data, gas: EVIDENCE_GAS }
      const trial = await at.attempt(call)
      if (!trial.ok) continue
      // Without a log it was known already.
      if (trial.logs.length === 0) return
      const landing = await at.submit(call)
      log.warn('a validator that has contradicted itself is accused', {
        of: of.name,
        at: at.name,
        validator: first.author,
        status: landing.status,
      })
      return
    }
  }

  const tell = (contradiction: Contradiction): void => {
    submit(contradiction).catch((error: Error) =>
      log.warn('a contradiction could not be told', { at: at.name, reason: error.message }),
    )
  }
  for (const each of book.entries) tell(each)
  return book.onAdded(tell)
}

function registerMetrics(metrics: Metrics, pairings: ReadonlyMap<string, Pairing>): void {
  registerLinkMetrics(metrics, function* () {
    for (const { link } of pairings.values()) if (link !== undefined) yield link
  })
  metrics.gauges(
    'vellum_peg_audit_ok',
    '1 if the credit of a side chain is what main has locked for it; none before the first audit.',
    'side',
    function* () {
      for (const [side, { audits, fault }] of pairings) {
        yield [side, audits === 0 ? undefined : Number(fault === undefined)] as const
      }
    },
  )
}
