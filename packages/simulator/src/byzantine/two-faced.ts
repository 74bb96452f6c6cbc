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

export const twoFaced: Behaviour = colluder(variantOf)

/** The same where vanity means something: the twin has room for a little less gas. */
export const forker: Behaviour = colluder((block) =>
  altered(block, { gasLimit: block.header.gasLimit - 1n }),
)

/** @param twinOf the same block under another name, as valid as the first */
function colluder(twinOf: (block: ProposedBlock) => ProposedBlock): Behaviour {
  return (ports) => collude(ports, twinOf)
}

const collude = (
  ports: AdversaryPorts,
  twinOf: (block: ProposedBlock) => ProposedBlock,
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
