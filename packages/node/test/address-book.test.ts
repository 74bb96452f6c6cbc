import { expect, test } from 'vitest'
import { createAddressBook, decodeLocations, encodeLocations } from '../src/host/address-book.ts'
import { NETWORK_LIMITS } from '../src/host/network-limits.ts'
import {
  formatPeerLocation,
  type PeerLocation,
  parsePeerLocation,
  peerIdOfKey,
} from '../src/host/peer-identity.ts'
import type { PeerAddress } from '../src/ports.ts'
import { testKey } from './network-world.ts'

function at(name: string, port: number): PeerLocation {
  return parsePeerLocation(formatPeerLocation(peerIdOfKey(testKey(name)), '192.0.2.1', port))
}

const ports = (locations: readonly PeerLocation[]): number[] =>
  locations.map(({ multiaddr }) => Number(multiaddr.getComponents()[1]!.value))
const reporter = (n: number): PeerAddress => `0x${n.toString(16).padStart(40, '0')}`
const A = at('a', 1).peer

test("a peer's own word comes first, then the configuration, then hearsay", () => {
  const book = createAddressBook(NETWORK_LIMITS)
  book.addHeard(reporter(1), at('a', 3))
  book.addConfigured(at('a', 2))
  expect(book.setOwn(A, [at('a', 1)])).toBe(true)
  expect(ports(book.locations(A))).toEqual([1, 2, 3])
  // Hearsay is not told on.
  expect(ports(book.told())).toEqual([1, 2])
})

test("a peer's word replaces what it said before, and the same again is no news", () => {
  const book = createAddressBook(NETWORK_LIMITS)
  expect(book.setOwn(A, [at('a', 1), at('a', 2)])).toBe(true)
  expect(book.setOwn(A, [at('a', 1), at('a', 2)])).toBe(false)
  expect(book.setOwn(A, [at('a', 3)])).toBe(true)
  expect(ports(book.locations(A))).toEqual([3])
  const many = Array.from({ length: 50 }, (_, i) => at('a', 100 + i))
  book.setOwn(A, many)
  expect(book.locations(A)).toHaveLength(NETWORK_LIMITS.addressesOwnMax)
})

test('who tells much displaces its own hearsay and nobody else’s', () => {
  const book = createAddressBook(NETWORK_LIMITS)
  book.addHeard(reporter(1), at('a', 1))
  for (let port = 1_000; port < 1_200; port++) book.addHeard(reporter(2), at('a', port))
  expect(ports(book.locations(A)).sort((a, b) => a - b)).toEqual([1, 1_198, 1_199])
  for (let n = 0; n < 100; n++) book.addHeard(reporter(10 + n), at('a', 2_000 + n))
  expect(book.locations(A)).toHaveLength(NETWORK_LIMITS.addressReportersMax)
})

test('peers that are not kept are forgotten, the configuration is not', () => {
  const book = createAddressBook(NETWORK_LIMITS)
  book.addConfigured(at('a', 1))
  book.setOwn(at('b', 2).peer, [at('b', 2)])
  book.retain(() => false)
  expect(ports(book.told())).toEqual([1])
})

test('lists of locations are read as they were written, and nothing else is', () => {
  const list = [at('a', 1), at('b', 65_535)]
  const bytes = encodeLocations(list)
  expect(decodeLocations(bytes, 10)?.map(({ multiaddr }) => multiaddr.toString())).toEqual(
    list.map(({ multiaddr }) => multiaddr.toString()),
  )
  expect(decodeLocations(bytes, 1)).toHaveLength(1)
  expect(decodeLocations(encodeLocations([]), 10)).toEqual([])
  for (let cut = 0; cut < bytes.length; cut++) {
    expect(decodeLocations(bytes.subarray(0, cut), 10)).toBeUndefined()
  }
})
