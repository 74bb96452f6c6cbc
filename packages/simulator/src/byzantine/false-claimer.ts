/**
 * Claims to have prepared what it has not: another block than it did, with prepares of its own making
 * or with the right ones; or claims to have prepared nothing although it has.
 */

import type { ProposedBlock } from '@vellum/consensus'
import { inRound, signPrepare } from '@vellum/consensus'
import { roundChangeOf, variantOf } from './forgery.ts'
import { type Behaviour, isOwn } from './interference.ts'

export const falseClaimer: Behaviour = (ports) => {
  let lastBlock: ProposedBlock | undefined
  return {
    heard: (message) => {
      if (message.kind === 'proposal') lastBlock = message.payload.block
    },
    consensus: ({ to, message, bytes }) => {
      if (message.kind !== 'roundChange' || !isOwn(ports, message)) return [bytes]
      const { height, round } = message.payload
      const base = message.block ?? lastBlock
      if (message.payload.prepared !== undefined && ports.everybody.indexOf(to) % 2 === 0) {
        const payload = { height, round, prepared: undefined }
        return [roundChangeOf(ports, payload, { block: undefined, prepares: [] })]
      }
      if (base === undefined) return [bytes]
      const claimed = round - 1
      const block = inRound(variantOf(base, 4), claimed)
      const { digest } = block
      const own = signPrepare({ height, round: claimed, digest }, ports.self, ports.sign)
      const payload = { height, round, prepared: { round: claimed, digest } }
      return [
        roundChangeOf(ports, payload, { block, prepares: ports.everybody.map(() => own) }),
        roundChangeOf(ports, payload, { block, prepares: message.prepares }),
        roundChangeOf(ports, payload, { block: undefined, prepares: [] }),
      ]
    },
  }
}
