/**
 * Who may be connected: the allow-list, less those who are banned, within the number of places.
 *
 * libp2p asks before it calls somebody, when a call comes in, and as soon as Noise has proven who
 * the other is: before a multiplexer or a protocol is agreed on.
 */

import type { Connection, ConnectionGater, PeerId } from '@libp2p/interface'
import type { PeerAddress } from '../ports.ts'
import type { NetworkLimits } from './network-limits.ts'
import { addressOfPeerId } from './peer-identity.ts'

export interface PeerGateOptions {
  readonly limits: Pick<NetworkLimits, 'connectionsMax' | 'connectionsPerPeerMax'>
  readonly isAllowed: (peer: PeerAddress) => boolean
  readonly connections: () => readonly Connection[]
  readonly onRefused: (peerId: PeerId, reason: 'unknown' | 'places') => void
}

export function createPeerGate(options: PeerGateOptions): ConnectionGater {
  const { limits, isAllowed, connections, onRefused } = options

  function denyPeer(peerId: PeerId): boolean {
    const peer = addressOfPeerId(peerId)
    return peer === undefined || !isAllowed(peer)
  }

  function denyConnection(peerId: PeerId): boolean {
    if (denyPeer(peerId)) {
      onRefused(peerId, 'unknown')
      return true
    }
    const open = connections()
    const ofPeer = open.filter((connection) => connection.remotePeer.equals(peerId))
    const isFull =
      open.length >= limits.connectionsMax || ofPeer.length >= limits.connectionsPerPeerMax
    if (isFull) onRefused(peerId, 'places')
    return isFull
  }

  return {
    denyDialPeer: denyPeer,
    denyDialMultiaddr: () => false,
    denyOutboundConnection: denyPeer,
    denyInboundEncryptedConnection: denyConnection,
    denyOutboundEncryptedConnection: denyConnection,
  }
}
