/**
 * Who a peer is: one secp256k1 key makes both the PeerId of libp2p and the address of Ethereum.
 *
 * The PeerId is the identity multihash of the protobuf `PublicKey { Type: Secp256k1, Data: 33 bytes }`,
 * written in base58 ("16Uiu2…"); the address is the last 20 bytes of keccak256 of the same point,
 * uncompressed. From the PeerId one gets the address, not the other way round.
 * Spec: libp2p/specs peer-ids.
 */

import { ECDH } from 'node:crypto'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { addressOfPublicKey } from '@vellum/ledger'
import { NodeError } from '../error.ts'
import type { PeerAddress } from '../ports.ts'

/** @param key 32 bytes, a private key of secp256k1 */
export function peerIdOfKey(key: Uint8Array): PeerId {
  return peerIdFromPrivateKey(privateKeyFromRaw(key))
}

/** The address of a peer's key; undefined if it is a key of another kind. */
export function addressOfPeerId(peerId: PeerId): PeerAddress | undefined {
  if (peerId.type !== 'secp256k1') return undefined
  const point = ECDH.convertKey(
    peerId.publicKey.raw,
    'secp256k1',
    undefined,
    undefined,
    'uncompressed',
  )
  // Without the first byte, which says "uncompressed".
  return addressOfPublicKey(Uint8Array.from((point as Buffer).subarray(1)))
}

/** Where a peer listens, and who it is. */
export interface PeerLocation {
  readonly peer: PeerAddress
  readonly peerId: PeerId
  /** Ends in `/p2p/<peer id>`. */
  readonly multiaddr: Multiaddr
}

/**
 * `/ip4/192.0.2.1/tcp/30303/p2p/16Uiu2…`; also ip6, dns, dns4 and dns6.
 * @throws NodeError NODE_CONFIG_INVALID
 */
export function parsePeerLocation(text: string): PeerLocation {
  const location = readPeerLocation(() => multiaddr(text))
  if (location !== undefined) return location
  throw new NodeError(
    'NODE_CONFIG_INVALID',
    `${JSON.stringify(text)} is no address of a peer: it must look like /ip4/192.0.2.1/tcp/30303/p2p/16Uiu2… and end in the id of a secp256k1 key`,
    { address: text },
  )
}

/** A location from bytes that a peer sent; undefined if it is none. */
export function decodePeerLocation(bytes: Uint8Array): PeerLocation | undefined {
  return readPeerLocation(() => multiaddr(bytes))
}

/** @param port 1 to 65535 @param host IP address or name */
export function formatPeerLocation(peerId: PeerId, host: string, port: number): string {
  const kind = /^\d+\.\d+\.\d+\.\d+$/.test(host) ? 'ip4' : host.includes(':') ? 'ip6' : 'dns'
  return `/${kind}/${host}/tcp/${port}/p2p/${peerId.toString()}`
}

const HOST_KINDS = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6'])

function readPeerLocation(read: () => Multiaddr): PeerLocation | undefined {
  try {
    const address = read()
    const [host, port, id, ...more] = address.getComponents()
    if (host === undefined || !HOST_KINDS.has(host.name) || port?.name !== 'tcp') return undefined
    if (id?.name !== 'p2p' || id.value === undefined || more.length > 0) return undefined
    const peerId = peerIdFromString(id.value)
    const peer = addressOfPeerId(peerId)
    return peer && { peer, peerId, multiaddr: address }
  } catch {
    // The parsers of multiformats throw errors of many kinds for text and bytes that are none.
    return undefined
  }
}
