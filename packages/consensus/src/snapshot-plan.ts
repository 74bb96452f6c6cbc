/**
 * Following by snapshot: whether, from which block, and whom to ask. Pure; the shell asks, verifies and
 * writes.
 *
 * A peer that does not answer comes behind all others, one that has nothing of what it claims is
 * believed no more, one that has lied is not asked again. A peer that no longer has the pivot's state
 * is left alone until there is another pivot.
 */

import type { Address } from '@vellum/evm'

export const SNAPSHOT_LIMITS = {
  /** The pivot is so many blocks behind the newest header: a peer may be behind others. */
  pivotLag: 8,
  /** Pivots are multiples of it, so that nodes which join together ask for one state. */
  pivotStep: 16,
  /** Questions to one peer under way at a time. */
  openPerPeerMax: 2,
  /** Peers whose heads are remembered. */
  peersMax: 256,
} as const

/** What is known of the peers, as far as a snapshot is concerned. */
export interface SnapshotPlan {
  readonly peers: ReadonlyMap<Address, SnapshotPeer>
  /** Counts questions, so that peers take turns. */
  readonly turn: number
}

export interface SnapshotPeer {
  /** The head that it told last, or the last header that it had. */
  readonly height: number
  /** Questions to it under way. */
  readonly open: number
  /** The turn in which it was asked last; -1: never. */
  readonly askedAt: number
  /** The turn in which it failed last; -1: never. */
  readonly failedAt: number
  /** It has lied. */
  readonly isBad: boolean
  /** It does not have the state of the pivot. */
  readonly isUnable: boolean
}

export type SnapshotEvent =
  | { readonly type: 'peerHead'; readonly peer: Address; readonly height: number }
  | { readonly type: 'peerDown'; readonly peer: Address }
  | { readonly type: 'asked'; readonly peer: Address }
  | {
      readonly type: 'answered'
      readonly peer: Address
      /** `failed`: none, or a refusal; `unable`: it does not have the pivot; `lied`: it is wrong. */
      readonly outcome: 'good' | 'failed' | 'unable' | 'lied'
    }
  /** It has no header above this one, whatever it claimed. */
  | { readonly type: 'headersEnd'; readonly peer: Address; readonly height: number }
  | { readonly type: 'newPivot' }

export const EMPTY_PLAN: SnapshotPlan = { peers: new Map(), turn: 0 }

export function stepPlan(plan: SnapshotPlan, event: SnapshotEvent): SnapshotPlan {
  switch (event.type) {
    case 'peerHead': {
      const known = plan.peers.get(event.peer)
      if (known === undefined && plan.peers.size >= SNAPSHOT_LIMITS.peersMax) return plan
      return withPeer(plan, event.peer, { ...(known ?? NEW_PEER), height: event.height })
    }
    case 'peerDown': {
      const peers = new Map(plan.peers)
      peers.delete(event.peer)
      return { ...plan, peers }
    }
    case 'asked': {
      const asked = changed(plan, event.peer, ({ open }) => ({
        open: open + 1,
        askedAt: plan.turn,
      }))
      return { ...asked, turn: plan.turn + 1 }
    }
    case 'answered':
      return changed(plan, event.peer, ({ open, failedAt, isBad, isUnable }) => ({
        open: Math.max(0, open - 1),
        failedAt: event.outcome === 'failed' ? plan.turn : failedAt,
        isBad: isBad || event.outcome === 'lied',
        isUnable: isUnable || event.outcome === 'unable',
      }))
    case 'headersEnd':
      return changed(plan, event.peer, ({ height }) => ({ height: Math.min(height, event.height) }))
    case 'newPivot': {
      const peers = [...plan.peers].map(([peer, known]) => [peer, { ...known, isUnable: false }])
      return { ...plan, peers: new Map(peers as [Address, SnapshotPeer][]) }
    }
  }
}

/** The highest head that a peer claims and has not been caught lying about; -1 without peers. */
export function highestClaim({ peers }: SnapshotPlan): number {
  let height = -1
  for (const peer of peers.values()) if (!peer.isBad) height = Math.max(height, peer.height)
  return height
}

/** The block whose state is to be brought, when headers are known up to a height; 0: none yet. */
export function pivotBelow(height: number): number {
  const { pivotLag, pivotStep } = SNAPSHOT_LIMITS
  return Math.max(0, Math.floor((height - pivotLag) / pivotStep) * pivotStep)
}

/**
 * Whom to ask next: of those that have this height, one that has not failed, in turns; if all have,
 * the one that did first.
 * @param isState true for the state of the pivot, which some may not have
 * @returns `none` if no peer can have it, `busy` if those that can are being asked
 */
export function choosePeer(
  { peers }: SnapshotPlan,
  height: number,
  isState: boolean,
): Address | 'none' | 'busy' {
  const able = [...peers].filter(
    ([, peer]) => peer.height >= height && !peer.isBad && !(isState && peer.isUnable),
  )
  if (able.length === 0) return 'none'
  // One that has failed is not asked beside one that has not, however busy that is: it may stall.
  const failedAt = Math.min(...able.map(([, peer]) => peer.failedAt))
  const [best] = able
    .filter(([, peer]) => peer.failedAt === failedAt)
    .filter(([, { open }]) => open < SNAPSHOT_LIMITS.openPerPeerMax)
    .sort(([a, x], [b, y]) => x.open - y.open || x.askedAt - y.askedAt || (a < b ? -1 : 1))
  return best?.[0] ?? 'busy'
}

const NEW_PEER: SnapshotPeer = {
  height: 0,
  open: 0,
  askedAt: -1,
  failedAt: -1,
  isBad: false,
  isUnable: false,
}

function withPeer(plan: SnapshotPlan, peer: Address, known: SnapshotPeer): SnapshotPlan {
  return { ...plan, peers: new Map(plan.peers).set(peer, known) }
}

function changed(
  plan: SnapshotPlan,
  peer: Address,
  change: (known: SnapshotPeer) => Partial<SnapshotPeer>,
): SnapshotPlan {
  const known = plan.peers.get(peer)
  return known === undefined ? plan : withPeer(plan, peer, { ...known, ...change(known) })
}
