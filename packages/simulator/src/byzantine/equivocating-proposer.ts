/** Proposes two valid blocks in one round: one to each half of the others. */

import { isOnOtherSide, proposalOf, variantOf } from './forgery.ts'
import { type Behaviour, isOwn } from './interference.ts'

export const equivocatingProposer: Behaviour = (ports) => ({
  consensus: ({ to, message, bytes }) => {
    if (message.kind !== 'proposal' || !isOwn(ports, message)) return [bytes]
    // A block that was prepared cannot be exchanged: its justification names it.
    if (message.prepares.length > 0 || !isOnOtherSide(ports, to)) return [bytes]
    return [proposalOf(ports, message, variantOf(message.payload.block))]
  },
})
