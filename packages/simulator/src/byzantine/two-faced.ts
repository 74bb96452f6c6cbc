/**
 * Colludes: shows one block to one half of the honest, another to the other half, and votes for each
 * where it is believed. With no more than f such nodes nothing can come of it; with f + 1 the chain
 * must fork, and the checks must see it.
 */

import type { ProposedBlock } from '@vellum/consensus'
import type { Hash } from '@vellum/evm'
import {
  altered,
  commitOf,
  hasExtraData,
  isOnOtherSide,
  prepareOf,
  proposalOf,
  variantOf,
} from './forgery.ts'
import { type AdversaryPorts, type Behaviour, type Interference, isOwn } from './interference.ts'

/** By then side chains are attached, and messages on their way. */
const FORKED_HEIGHT = 20

export const twoFaced: Behaviour = colluder(variantOf)

/**
 * The same where vanity means something: the twin has room for a little less gas. It waits until the chain
 * is in use: one that is forked is stopped by whoever sees it.
 */
export const forker: Behaviour = colluder(
  (block) => altered(block, { gasLimit: block.header.gasLimit - 1n }),
  FORKED_HEIGHT,
)

/**
 * @param twinOf the same block under another name, as valid as the first
 * @param firstHeight below it, it is honest
 */
function colluder(twinOf: (block: ProposedBlock) => ProposedBlock, firstHeight = 0): Behaviour {
  return (ports) => collude(ports, twinOf, firstHeight)
}

const collude = (
  ports: AdversaryPorts,
  twinOf: (block: ProposedBlock) => ProposedBlock,
  firstHeight: number,
): Interference => {
  /** digest of a block -> digest of what the other half is shown. */
  const twins = new Map<Hash, Hash>()
  return {
    heard: (message) => {
      if (message.kind !== 'proposal' || !ports.accomplices.includes(message.author)) return
      const { block } = message.payload
      if (hasExtraData(block)) twins.set(block.digest, twinOf(block).digest)
    },
    consensus: ({ to, message, bytes }) => {
      if (!isOwn(ports, message)) return []
      if (message.payload.height < firstHeight) return [bytes]
      if (!isOnOtherSide(ports, to)) return [bytes]
      if (message.kind === 'proposal') {
        const { block } = message.payload
        const twin = twinOf(block)
        twins.set(block.digest, twin.digest)
        return [proposalOf(ports, message, twin)]
      }
      if (message.kind === 'roundChange') return [bytes]
      const twin = twins.get(message.payload.digest)
      if (twin === undefined) return [bytes]
      return [
        message.kind === 'prepare'
          ? prepareOf(ports, message, twin)
          : commitOf(ports, message, twin),
      ]
    },
  }
}
