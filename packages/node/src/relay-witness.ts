/**
 * Compares what the light client of a chain keeps of another chain with that chain's own blocks, as this
 * node holds them (peg.md: "any conflict freezes"). A client that was told of another block at a height is
 * brought ours: the contract sees that both cannot be, and freezes.
 *
 * A branch that nobody goes on with ends below what the client knows, so that its nodes have nothing to
 * compare. Such a node brings its last header once; then those of the other branch find it wrong. A node that
 * has met the second block itself, and stopped its chain, brings both headers.
 */

import { ADDRESSES } from '@vellum/contracts/addresses'
import { bytesToHex, type Hash } from '@vellum/evm'
import { encodeHeader, type Header, type Receipt } from '@vellum/ledger'
import { decodeClient, encodeUpdate, LIGHT_CLIENT_CALLS, PEG_TOPICS } from '@vellum/sidechain'
import type { VellumNode } from './node.ts'
import type { CancelTimer, Logger, Timers } from './ports.ts'
import type { RelayChain } from './relay-chain.ts'

export interface WitnessedChain {
  readonly name: string
  readonly node: Pick<VellumNode, 'chain' | 'consensus'>
}

export interface WitnessPorts {
  readonly timers: Timers
  readonly log: Logger
}

/** Gas of a header with 128 seals and a set that is new to the client. */
const HEADER_GAS = 10_000_000n
/** So long a node may be behind before its last header is shown, ms: it may be catching up. */
const BEHIND_MS = 30_000

/** What a client took over. */
interface KeptHeader {
  readonly height: number
  readonly hash: Hash
}

/**
 * @param of the chain whose blocks this node holds
 * @param on the chain whose client is looked at, @param at the same, to send transactions to
 * @returns the way to stop
 */
export function watchClient(
  of: WitnessedChain,
  on: WitnessedChain,
  at: RelayChain,
  { timers, log }: WitnessPorts,
): () => void {
  const { chain } = of.node
  let behind: CancelTimer | undefined
  let shown = 0
  let isShowing = false

  function uponKept({ height, hash }: KeptHeader): void {
    const own = chain.hashAt(height)
    if (own === undefined) return waitFor(height)
    if (own !== hash) void showOwn(height, 'the client keeps another block')
  }

  /** Once for each height at which this node stands still. */
  function waitFor(height: number): void {
    behind ??= timers.after(BEHIND_MS, () => {
      behind = undefined
      const { number } = chain.head().header
      if (number >= height || number <= shown) return
      shown = number
      void showOwn(number, 'this node knows of no later block')
    })
  }

  /** Both of them, again and again, until the client believes neither. */
  async function showFork(): Promise<void> {
    const fork = of.node.consensus?.forks.fork
    if (fork === undefined || isShowing) return
    isShowing = true
    for (const { header } of [fork.ours, fork.theirs]) await show(header, 'the chain is forked')
    isShowing = false
  }

  async function showOwn(height: number, why: string): Promise<void> {
    const found = chain.header(height)
    if (found !== undefined && height > 0) await show(found.header, why)
  }

  /** Brings a header, by whichever kept header vouches for it. */
  async function show(header: Header, why: string): Promise<void> {
    const height = header.number
    try {
      const { chainId } = chain.genesis
      const head = await at.head()
      const call = LIGHT_CLIENT_CALLS.client.encodeCall([chainId])
      const [output] = await at.read([{ to: ADDRESSES.qbftLightClient, data: call }], head.height)
      if (output === undefined || output.length === 0) return
      const { status, oldestHeight, latestHeight } = decodeClient(output)
      if (status !== 'active') return
      for (const trusted of new Set([height, latestHeight, oldestHeight])) {
        if (trusted > height) continue
        const data = encodeUpdate(chainId, trusted, encodeHeader(header))
        const update = { to: ADDRESSES.qbftLightClient, data, gas: HEADER_GAS }
        const trial = await at.attempt(update)
        if (!trial.ok) continue
        // Without a log it is what the client keeps.
        if (trial.logs.length === 0) return
        const landing = await at.submit(update)
        log.warn('a header is shown to a light client', {
          of: of.name,
          at: at.name,
          height,
          why,
          status: landing.status,
        })
        return
      }
    } catch (error) {
      log.warn('a header could not be shown to a light client', {
        of: of.name,
        at: at.name,
        height,
        reason: (error as Error).message,
      })
    }
  }

  const forget = on.node.chain.onHead(({ receipts }) => {
    for (const kept of keptIn(receipts, chain.genesis.chainId)) uponKept(kept)
    void showFork()
  })
  return () => {
    forget()
    behind?.()
  }
}

/** Headers of a chain that the light client took over in a block. */
function* keptIn(receipts: readonly Receipt[], of: bigint): Iterable<KeptHeader> {
  for (const { logs } of receipts) {
    for (const { address, topics, data } of logs) {
      if (address !== ADDRESSES.qbftLightClient || topics[0] !== PEG_TOPICS.clientUpdated) continue
      if (BigInt(topics[1]!) !== of) continue
      yield { height: Number(topics[2]), hash: bytesToHex(data.subarray(0, 32)) }
    }
  }
}
