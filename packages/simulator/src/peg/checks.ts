/**
 * What must hold between the chains whatever happens, from what their blocks say: events, and a few sums
 * of the state after each block. The checks ask no relayer and no contract what it thinks of itself.
 *
 * C1  for each block of main: what is locked for a side chain is what was sent to it, less what came
 *     back; for each block of the side: its supply is what arrived, less what left. Hence for every
 *     pair of blocks: locked = supply + in flight.
 * C2  the vault has at least what it has locked, and the credit of main is neither more nor less
 * C3  a side chain never gets more than was locked for it, whatever it says
 * M1  a message that is received was sent, as it is, by the chain that it names, and is received once
 * M2  an outcome that is acknowledged is that of the receipt, and is acknowledged once
 * M3  what a message does is done once where it was delivered, and undone once where it was not
 * M4  in the end every message has its outcome at its source
 * I1  in the end side chains say of identities what main says
 * I2  who is suspended on main, acknowledged, has nothing in force there
 * T1  a licence is in force on one chain at most
 * F2  nobody freezes a client of a chain of which all validators are honest
 * A1  the nodes' own audit finds nothing wrong with the credit of a chain that does not lie
 * E1  nobody holds a proof that an honest validator has lied
 * F1  main no longer believes a chain that contradicts itself
 *
 * Spec: peg.md; reliability.md P1, P2, P5 to P8.
 */

import type { Hash } from '@vellum/evm'
import type { Outcome } from '@vellum/sidechain'
import { RULES, type Rule, type Violation } from '../checks.ts'
import { type ChainName, MAIN } from './scenario.ts'

/** Those of one chain hold on each of them as well. */
export type PegRule =
  | Rule
  | 'C1'
  | 'C2'
  | 'C3'
  | 'M1'
  | 'M2'
  | 'M3'
  | 'M4'
  | 'I1'
  | 'I2'
  | 'T1'
  | 'F1'
  | 'F2'
  | 'E1'
  | 'A1'

export const PEG_RULES: readonly PegRule[] = [
  ...(['C1', 'C2', 'C3', 'M1', 'M2', 'M3', 'M4'] as const),
  ...(['I1', 'I2', 'T1', 'F1', 'F2', 'E1', 'A1'] as const),
  ...RULES,
]

export interface PegViolation extends Omit<Violation, 'rule'> {
  readonly rule: PegRule
}

/** What a block did to messages, in order. */
export type MessageEvent =
  | {
      readonly type: 'sent'
      readonly to: ChainName
      readonly id: Hash
      readonly sequence: number
      /** Of a message of the credit bridge; undefined: it moves no credit. */
      readonly amount: bigint | undefined
    }
  | {
      readonly type: 'received'
      readonly from: ChainName
      readonly id: Hash
      readonly sequence: number
      readonly outcome: Outcome
    }
  | {
      readonly type: 'acknowledged'
      readonly by: ChainName
      readonly id: Hash
      readonly outcome: Outcome
    }
  /** Credit was minted or released for it. */
  | {
      readonly type: 'credited'
      readonly from: ChainName
      readonly id: Hash
      readonly amount: bigint
    }
  /** Credit was given back. */
  | { readonly type: 'returned'; readonly id: Hash; readonly amount: bigint }

/** Sums in the state after a block, millionths of a credit. */
export interface MainSums {
  readonly supply: bigint
  readonly vaultBalance: bigint
  readonly locked: ReadonlyMap<ChainName, bigint>
}

export type BlockFacts = {
  readonly chain: ChainName
  readonly height: number
  readonly events: readonly MessageEvent[]
} & ({ readonly main: MainSums } | { readonly supply: bigint })

export interface MessageLife {
  readonly id: Hash
  readonly from: ChainName
  readonly to: ChainName
  readonly sequence: number
  readonly amount: bigint | undefined
  /** Virtual ms. */
  readonly sentAt: number
  received: Outcome | undefined
  acknowledged: Outcome | undefined
  acknowledgedAt: number | undefined
  credited: number
  returned: number
}

export interface PegChecks {
  readonly violations: readonly PegViolation[]
  readonly messages: ReadonlyMap<Hash, MessageLife>
  /** Messages that were delivered in the name of a chain that has not sent them: it lies. */
  readonly forged: number
  /** A block, the first time that a node holds it: in order, for each chain. */
  onBlock(facts: BlockFacts): void
  /** Everything is over: what must have happened by now? @param settles false for chains that are lost */
  atEnd(settles: (chain: ChainName) => boolean): void
  violate(rule: PegRule, text: string): void
}

export interface PegChecksOptions {
  readonly sides: readonly ChainName[]
  /** False for a side chain that lies: what it says of itself is not asked. */
  readonly isTrusted: (chain: ChainName) => boolean
  /** Of main, for ever. */
  readonly supply: bigint
  /** Virtual ms. */
  readonly now: () => number
}

/** Violations kept of each rule; a broken run repeats itself. */
const VIOLATIONS_MAX = 5

interface Sums {
  /** Main: sent to the side, given back, released. Side: minted, burned, given back. */
  into: bigint
  back: bigint
  out: bigint
}

export function createPegChecks(options: PegChecksOptions): PegChecks {
  const { sides, isTrusted, now } = options
  const violations: PegViolation[] = []
  const messages = new Map<Hash, MessageLife>()
  /** source/destination/sequence of what was received. */
  const received = new Set<string>()
  const onMain = new Map<ChainName, Sums>(
    sides.map((side) => [side, { into: 0n, back: 0n, out: 0n }]),
  )
  const onSide = new Map<ChainName, Sums>(
    sides.map((side) => [side, { into: 0n, back: 0n, out: 0n }]),
  )
  let forged = 0
  let locked: ReadonlyMap<ChainName, bigint> = new Map()
  const supplies = new Map<ChainName, bigint>(sides.map((side) => [side, 0n]))

  function violate(rule: PegRule, text: string): void {
    if (violations.filter((each) => each.rule === rule).length >= VIOLATIONS_MAX) return
    violations.push({ rule, at: now(), text })
  }

  function onEvent(chain: ChainName, event: MessageEvent): void {
    switch (event.type) {
      case 'sent':
        return onSent(chain, event)
      case 'received':
        return onReceived(chain, event)
      case 'acknowledged':
        return onAcknowledged(chain, event)
      case 'credited':
        return onCredited(chain, event)
      case 'returned':
        return onReturned(chain, event)
    }
  }

  function onSent(chain: ChainName, event: MessageEvent & { type: 'sent' }): void {
    const { to, id, sequence, amount } = event
    if (messages.has(id)) return violate('M1', `${chain} sends ${id} for the second time`)
    messages.set(id, {
      id,
      from: chain,
      to,
      sequence,
      amount,
      sentAt: now(),
      received: undefined,
      acknowledged: undefined,
      acknowledgedAt: undefined,
      credited: 0,
      returned: 0,
    })
    if (amount === undefined) return
    if (chain === MAIN) onMain.get(to)!.into += amount
    else onSide.get(chain)!.out += amount
  }

  function onReceived(chain: ChainName, event: MessageEvent & { type: 'received' }): void {
    const { from, id, sequence, outcome } = event
    const place = `${from}/${chain}/${sequence}`
    if (received.has(place)) violate('M1', `${chain} receives message ${sequence} of ${from} twice`)
    received.add(place)
    const message = messages.get(id)
    if (message?.from !== from || message.to !== chain || message.sequence !== sequence) {
      if (!isTrusted(from)) {
        if (outcome === 'delivered') forged += 1
        return
      }
      return violate('M1', `${chain} receives ${id}, which ${from} has not sent to it`)
    }
    message.received = outcome
  }

  function onAcknowledged(chain: ChainName, event: MessageEvent & { type: 'acknowledged' }): void {
    const { by, id, outcome } = event
    if (!isTrusted(chain)) return
    const message = messages.get(id)
    if (message?.from !== chain || message.to !== by) {
      return violate('M2', `${chain} takes an outcome of ${id}, which it has not sent to ${by}`)
    }
    if (message.acknowledged !== undefined) {
      violate('M2', `${chain} takes an outcome of ${id} for the second time`)
    }
    message.acknowledged = outcome
    message.acknowledgedAt = now()
    if (isTrusted(by) && message.received !== outcome) {
      violate('M2', `${chain} takes ${id} for ${outcome}, but for ${by} it is ${message.received}`)
    }
  }

  function onCredited(chain: ChainName, event: MessageEvent & { type: 'credited' }): void {
    const { from, id, amount } = event
    if (chain === MAIN) onMain.get(from)!.out += amount
    else onSide.get(chain)!.into += amount
    // It may credit what it likes to itself, within what was locked for it.
    if (!isTrusted(from)) return
    const message = messages.get(id)
    if (message?.from !== from || message.to !== chain || message.amount !== amount) {
      return violate('M3', `${chain} credits ${amount} for ${id}, which ${from} has not sent so`)
    }
    message.credited += 1
    if (message.credited > 1) violate('M3', `${chain} credits ${id} for the second time`)
  }

  function onReturned(chain: ChainName, { id, amount }: MessageEvent & { type: 'returned' }): void {
    const message = messages.get(id)
    if (message?.from !== chain || message.amount !== amount) {
      return violate('M3', `${chain} gives back ${amount} for ${id}, which it has not sent so`)
    }
    message.returned += 1
    if (message.returned > 1) violate('M3', `${chain} gives back ${id} for the second time`)
    if (chain === MAIN) onMain.get(message.to)!.back += amount
    else onSide.get(chain)!.back += amount
  }

  function onMainSums({ supply, vaultBalance, locked: now_ }: MainSums, height: number): void {
    locked = now_
    let sum = 0n
    for (const side of sides) {
      const { into, back, out } = onMain.get(side)!
      const is = now_.get(side)!
      sum += is
      if (is < 0n || out > into) {
        violate('C3', `${side} has got ${out} of main, where ${into} was locked for it`)
      }
      if (is !== into - back - out) {
        violate(
          'C1',
          `main has ${is} locked for ${side} at block ${height}; it locked ${into}, gave back ${back}, released ${out}`,
        )
      }
    }
    if (vaultBalance < sum) {
      violate('C2', `the vault has ${vaultBalance} at block ${height}, and should keep ${sum}`)
    }
    if (supply !== options.supply) {
      violate('C2', `the credit of main is ${supply} at block ${height}, not ${options.supply}`)
    }
  }

  function onSideSupply(side: ChainName, supply: bigint, height: number): void {
    supplies.set(side, supply)
    const { into, back, out } = onSide.get(side)!
    if (supply === into + back - out) return
    violate(
      'C1',
      `${side} has ${supply} at block ${height}; it minted ${into}, minted back ${back}, burned ${out}`,
    )
  }

  /** The pair of heads as they are now: the sums of both sides, message by message. */
  function comparePair(side: ChainName): void {
    if (!isTrusted(side)) return
    let inFlight = 0n
    for (const { from, to, amount, credited, returned } of messages.values()) {
      if (amount === undefined || (from !== side && to !== side)) continue
      if (credited + returned === 0) inFlight += amount
    }
    const is = locked.get(side) ?? 0n
    const supply = supplies.get(side)!
    if (is === supply + inFlight) return
    violate('C1', `main has ${is} locked for ${side}, which has ${supply}; in flight: ${inFlight}`)
  }

  function atEnd(settles: (chain: ChainName) => boolean): void {
    for (const message of messages.values()) {
      const { id, from, to, sequence, amount, acknowledged, credited, returned } = message
      if (!settles(from) || !settles(to)) continue
      const name = `message ${sequence} from ${from} to ${to} (${id})`
      if (acknowledged === undefined) {
        violate('M4', `${name} has no outcome: ${message.received ?? 'not received'}`)
      } else if (amount !== undefined) {
        const isDelivered = acknowledged === 'delivered'
        if (credited !== (isDelivered ? 1 : 0) || returned !== (isDelivered ? 0 : 1)) {
          violate('M3', `${name} is ${acknowledged}; credited ${credited}, given back ${returned}`)
        }
      }
    }
  }

  return {
    violations,
    messages,
    get forged() {
      return forged
    },
    onBlock: (facts) => {
      for (const event of facts.events) onEvent(facts.chain, event)
      if ('main' in facts) {
        onMainSums(facts.main, facts.height)
        for (const side of sides) comparePair(side)
      } else if (isTrusted(facts.chain)) {
        onSideSupply(facts.chain, facts.supply, facts.height)
        comparePair(facts.chain)
      }
    },
    atEnd,
    violate,
  }
}
