/**
 * A peer speaks of another block where this node has one: it is asked for that block. Either it can show
 * one that a quorum has sealed, and the chain is forked, or it has made it up.
 */

import { type Chain, decodeBlock, isRefusal } from '@vellum/ledger'
import { NodeError } from './error.ts'
import type { ForkBook } from './fork-book.ts'
import type { Logger, PeerAddress, Transport } from './ports.ts'
import type { Runner } from './runner.ts'
import { decodeBlocks, encodeBlocksQuestion } from './wire.ts'

export interface ForkInquiry {
  /** @param height at which the peer has another block, or that its next block does not follow */
  suspect(peer: PeerAddress, height: number): void
}

export interface ForkInquiryPorts {
  readonly chain: Chain
  readonly runner: Pick<Runner, 'examine'>
  readonly forks: ForkBook
  readonly transport: Pick<Transport, 'ask' | 'penalise'>
  readonly log: Logger
  readonly onFailure: (error: unknown) => void
}

/**
 * Blocks that a peer is asked for, downwards: one where headers name their chain; elsewhere only the
 * first block of a branch proves anything.
 */
const BLOCKS_MAX = 64

export function createForkInquiry(ports: ForkInquiryPorts): ForkInquiry {
  const { chain, runner, forks, transport, log } = ports
  /** One at a time: who is asked next will say it again. */
  let isAsking = false

  /** @returns what is wrong with what the peer shows; undefined if nothing can be said against it */
  async function ask(peer: PeerAddress, height: number): Promise<string | undefined> {
    for (let number = height; number > Math.max(0, height - BLOCKS_MAX); number--) {
      const question = encodeBlocksQuestion({ after: number - 1, count: 1 })
      const [bytes] = decodeBlocks(await transport.ask(peer, 'blocks', question), 1)
      const block = bytes && decodeBlock(bytes)
      if (block?.header.number !== number) return 'it does not show the block that it has'
      const verdict = await runner.examine(block.header)
      if (verdict.ok) return 'it has the block that it contradicts'
      if (forks.fork !== undefined) return undefined
      if (block.header.parentHash === chain.hashAt(number - 1)) return verdict.reason
    }
    return 'another chain'
  }

  async function inquire(peer: PeerAddress, height: number): Promise<void> {
    let fault: string | undefined
    try {
      fault = await ask(peer, height)
    } catch (error) {
      // It has gone, or will not say: it is asked again when it says so again, and not for ever.
      if (error instanceof NodeError) return transport.penalise(peer, error.message, 'slight')
      if (!isRefusal(error)) throw error
      fault = error.message
    }
    if (fault !== undefined) transport.penalise(peer, fault, 'severe')
  }

  return {
    suspect: (peer, height) => {
      if (isAsking || forks.fork !== undefined) return
      isAsking = true
      log.warn('a peer has another block at this height', { peer, height })
      inquire(peer, height)
        .catch(ports.onFailure)
        .finally(() => {
          isAsking = false
        })
    },
  }
}
