/**
 * Where peers can be found: what the operator wrote, what peers say of themselves, and what others
 * say of them.
 *
 * Hearsay is kept apart, a few addresses for each who told, so that nobody can displace good addresses
 * with bad ones; it is called, never told on. A wrong address costs a call: Noise proves who answers.
 */

import { bytesToHex } from '@vellum/evm'
import { decodeRlp, encodeRlp, rlpBytes, rlpList } from '@vellum/ledger'
import type { PeerAddress } from '../ports.ts'
import type { NetworkLimits } from './network-limits.ts'
import { decodePeerLocation, type PeerLocation } from './peer-identity.ts'

export interface AddressBook {
  /** Of the configuration: kept for ever. */
  addConfigured(location: PeerLocation): void
  /** What a peer says of itself replaces what it said before. @returns true if it is news */
  setOwn(peer: PeerAddress, locations: readonly PeerLocation[]): boolean
  addHeard(from: PeerAddress, location: PeerLocation): void
  /** Forgets what peers said of others than these. */
  retain(isKept: (peer: PeerAddress) => boolean): void
  /** All places to call, the most trustworthy first. */
  locations(peer: PeerAddress): readonly PeerLocation[]
  /** What may be told to others. */
  told(): readonly PeerLocation[]
}

type Limits = Pick<NetworkLimits, 'addressesOwnMax' | 'addressesHeardMax' | 'addressReportersMax'>

interface Entry {
  configured: PeerLocation[]
  own: readonly PeerLocation[]
  /** By who told, the latest last. */
  readonly heard: Map<PeerAddress, PeerLocation[]>
}

export function createAddressBook(limits: Limits): AddressBook {
  const entries = new Map<PeerAddress, Entry>()

  function entryOf(peer: PeerAddress): Entry {
    let entry = entries.get(peer)
    if (entry === undefined) {
      entry = { configured: [], own: [], heard: new Map() }
      entries.set(peer, entry)
    }
    return entry
  }

  return {
    addConfigured: (location) => {
      const entry = entryOf(location.peer)
      entry.configured = distinct([...entry.configured, location])
    },
    setOwn: (peer, locations) => {
      const entry = entryOf(peer)
      const kept = distinct(locations).slice(0, limits.addressesOwnMax)
      const isNews = keyOf(kept) !== keyOf(entry.own)
      entry.own = kept
      return isNews
    },
    addHeard: (from, location) => {
      const { heard } = entryOf(location.peer)
      const before = heard.get(from) ?? []
      heard.delete(from)
      heard.set(from, distinct([location, ...before]).slice(0, limits.addressesHeardMax))
      if (heard.size <= limits.addressReportersMax) return
      for (const first of heard.keys()) {
        heard.delete(first)
        break
      }
    },
    retain: (isKept) => {
      for (const [peer, entry] of entries) {
        if (entry.configured.length === 0 && !isKept(peer)) entries.delete(peer)
      }
    },
    locations: (peer) => {
      const entry = entries.get(peer)
      if (entry === undefined) return []
      return distinct([...entry.own, ...entry.configured, ...[...entry.heard.values()].flat()])
    },
    told: () =>
      [...entries.values()].flatMap(({ own, configured }) => distinct([...own, ...configured])),
  }
}

function distinct(locations: readonly PeerLocation[]): PeerLocation[] {
  return [...new Map(locations.map((each) => [each.multiaddr.toString(), each])).values()]
}

function keyOf(locations: readonly PeerLocation[]): string {
  return locations.map(({ multiaddr }) => bytesToHex(multiaddr.bytes)).join()
}

/** An RLP list of multiaddrs as bytes. */
export function encodeLocations(locations: readonly PeerLocation[]): Uint8Array {
  return encodeRlp(locations.map(({ multiaddr }) => multiaddr.bytes))
}

/** @returns undefined if it is no such list. @param countMax more than so many are not looked at */
export function decodeLocations(bytes: Uint8Array, countMax: number): PeerLocation[] | undefined {
  try {
    const locations = rlpList(decodeRlp(bytes), 'locations')
      .slice(0, countMax)
      .map((item) => decodePeerLocation(rlpBytes(item, 'location')))
    return locations.every((location) => location !== undefined) ? locations : undefined
  } catch {
    // What RLP says is wrong with it does not matter to anyone: the peer is penalised.
    return undefined
  }
}
