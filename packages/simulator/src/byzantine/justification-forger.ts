/**
 * Proposes in rounds that nobody has changed to, with round changes that are too few, repeated,
 * of another height, or all its own; and drops the prepares that bind it to a block.
 */

import {
  encodeMessage,
  inRound,
  type Proposal,
  type RoundChange,
  type RoundChangePayload,
  type Signed,
  signProposal,
  signRoundChange,
} from '@vellum/consensus'
import { variantOf } from './forgery.ts'
import { type AdversaryPorts, type Behaviour, isOwn } from './interference.ts'

const KEPT_MAX = 64

export const justificationForger: Behaviour = (ports) => {
  const heard: RoundChange[] = []
  return {
    heard: (message) => {
      if (message.kind !== 'roundChange') return
      heard.push(message)
      if (heard.length > KEPT_MAX) heard.shift()
    },
    consensus: ({ message, bytes }) => {
      if (message.kind !== 'proposal' || !isOwn(ports, message)) return [bytes]
      return [...forgeries(ports, message, heard), bytes]
    },
  }
}

function forgeries(
  ports: AdversaryPorts,
  proposal: Proposal,
  heard: readonly RoundChange[],
): Uint8Array[] {
  const { payload, roundChanges } = proposal
  const later = payload.round + ports.everybody.length
  const block = variantOf(payload.block, 2)
  const own = ownRoundChange(ports, payload.height, later)
  const recycled = heard.map(({ payload, author, signature }) => ({ payload, author, signature }))
  const make = (round: number, justification: readonly Signed<RoundChangePayload>[]): Uint8Array =>
    encodeMessage({
      kind: 'proposal',
      ...signProposal({ ...payload, round, block: inRound(block, round) }, ports.self, ports.sign),
      roundChanges: justification,
      prepares: [],
    })
  return [
    make(later, []),
    make(
      later,
      ports.everybody.map(() => own),
    ),
    make(later, [own, ...recycled]),
    make(payload.round, roundChanges),
    make(payload.round, roundChanges.slice(0, -1)),
  ]
}

function ownRoundChange(
  { self, sign }: AdversaryPorts,
  height: number,
  round: number,
): Signed<RoundChangePayload> {
  return signRoundChange({ height, round, prepared: undefined }, self, sign)
}
