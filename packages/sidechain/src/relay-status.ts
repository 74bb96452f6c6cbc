/** How a relayed link stands, for operators: what waits in each direction, and why. */

import type { ChannelStatus, ClientStatus } from './calls.ts'
import type { RelayCounts, RelaySide, RelayState, Side } from './relay-state.ts'

export interface DirectionStatus {
  /** Messages that were sent and not received yet. */
  readonly undelivered: number
  /** Messages that were received, of which the sender does not know the outcome. */
  readonly unacknowledged: number
  /** Milliseconds since the oldest of both was sent; 0 without any. */
  readonly oldestMs: number
  /** Last sequence sent, and the last up to which all are through. */
  readonly sentThrough: number
  readonly doneThrough: number
  /** Of the destination's gateway for the source. */
  readonly channel: ChannelStatus
  /** Of the destination, for the source. */
  readonly client: {
    readonly status: ClientStatus | 'expired'
    readonly latestHeight: number
    /** Blocks of the source that the client has not seen. */
    readonly lag: number
  }
  /** Into the destination. */
  readonly counts: RelayCounts
  readonly lastFailure: { readonly atMs: number; readonly reason: string } | undefined
}

/** @param source the side that sends @param at milliseconds since 1970 */
export function directionStatus(state: RelayState, source: Side, at: number): DirectionStatus {
  const sender = state.sides[source]
  const receiver = state.sides[source === 0 ? 1 : 0]
  const messages = [...(sender.lane?.messages.values() ?? [])]
  const beyondWindow =
    sender.lane === undefined ? 0 : sender.lane.sentThrough - sender.lane.knownThrough
  const unacknowledged = messages.filter(({ receipt }) => receipt !== undefined).length
  const latestHeight = receiver.client?.latestHeight ?? 0
  return {
    undelivered: messages.length - unacknowledged + beyondWindow,
    unacknowledged,
    oldestMs: messages.reduce((most, { sinceMs }) => Math.max(most, at - sinceMs), 0),
    sentThrough: sender.lane?.sentThrough ?? 0,
    doneThrough: sender.lane?.doneThrough ?? 0,
    channel: receiver.channel ?? 'none',
    client: {
      status: clientStatus(receiver, at),
      latestHeight,
      lag: Math.max(0, (sender.head?.height ?? 0) - latestHeight),
    },
    counts: receiver.counts,
    lastFailure: receiver.lastFailure,
  }
}

function clientStatus({ client }: RelaySide, at: number): ClientStatus | 'expired' {
  if (client === undefined) return 'none'
  const isOld = at / 1_000 > client.trustedSince + client.trustingPeriodSeconds
  return client.status === 'active' && isOld ? 'expired' : client.status
}
