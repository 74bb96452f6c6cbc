import { hexToBytes } from '@vellum/evm'
import { computeAddress } from 'ethers'
import { describe, expect, test } from 'vitest'
import {
  addressOfPeerId,
  decodePeerLocation,
  formatPeerLocation,
  parsePeerLocation,
  peerIdOfKey,
} from '../src/host/peer-identity.ts'
import { testKey } from './network-world.ts'

/** Keys and ids that other implementations use in their tests. */
const KNOWN = [
  // A beacon node's performance tests: the protobuf of the private key, and its id.
  {
    privateKey: 'CAISIJBB+uAebLmdXSiJNHX6VUs/28luaZXFIpY3dSq33xW/',
    id: '16Uiu2HAkyUS8oQQFoH5DJQfYTe7h4wdNUmsSEGvK2hGiekpcvfKT',
  },
  {
    privateKey: 'CAISIGZVzkXGAnAPZ5MvPJkq4889lbW1gPj3ZbXa7FwLstJ5',
    id: '16Uiu2HAkySJyqxuhzVo9ntDeJaL1keetmG466LJwRucy3KTdW8bK',
  },
]

/** The key in its protobuf: `08 02 12 20`, then 32 bytes. */
function keyOf(privateKey: string): Uint8Array {
  return Uint8Array.from(Buffer.from(privateKey, 'base64').subarray(4))
}

describe('peer ids', () => {
  test.for(KNOWN)(
    'a key has the id that other implementations give it: $id',
    ({ privateKey, id }) => {
      expect(peerIdOfKey(keyOf(privateKey)).toString()).toBe(id)
    },
  )

  test('the public key of the specification is in the id', () => {
    // libp2p/specs peer-ids.md, "Test vectors".
    const key = hexToBytes('0x53dadf1d5a164d6b4acdb15e24aa4c5b1d3461bdbd42abedb0a4404d56ced8fb')
    const peerId = peerIdOfKey(key)
    expect(Buffer.from(peerId.toMultihash().bytes).toString('hex')).toBe(
      '0025' + '08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99',
    )
  })

  test('the address of an id is that of the key', () => {
    for (let i = 0; i < 50; i++) {
      const key = testKey(`identity ${i}`)
      const expected = computeAddress(`0x${Buffer.from(key).toString('hex')}`).toLowerCase()
      expect(addressOfPeerId(peerIdOfKey(key))).toBe(expected)
    }
  })
})

describe('locations', () => {
  const id = KNOWN[0]!.id
  const peerId = peerIdOfKey(keyOf(KNOWN[0]!.privateKey))

  test.for([
    ['192.0.2.7', 30303, `/ip4/192.0.2.7/tcp/30303/p2p/${id}`],
    ['2001:db8::1', 1, `/ip6/2001:db8::1/tcp/1/p2p/${id}`],
    ['node-1.example.org', 65535, `/dns/node-1.example.org/tcp/65535/p2p/${id}`],
  ] as const)('%s is written as text, parsed and decoded', ([host, port, text]) => {
    expect(formatPeerLocation(peerId, host, port)).toBe(text)
    const location = parsePeerLocation(text)
    expect(location.peer).toBe(addressOfPeerId(peerId))
    expect(location.multiaddr.toString()).toBe(text)
    expect(decodePeerLocation(location.multiaddr.bytes)).toEqual(location)
  })

  test.for([
    '',
    'localhost:30303',
    '/ip4/192.0.2.7/tcp/30303',
    `/ip4/192.0.2.7/udp/30303/p2p/${id}`,
    `/p2p/${id}`,
    `/ip4/192.0.2.7/tcp/30303/p2p/${id}/p2p-circuit`,
    `/ip4/192.0.2.7/tcp/30303/ws/p2p/${id}`,
    // An Ed25519 key.
    '/ip4/192.0.2.7/tcp/30303/p2p/12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu',
    '/ip4/192.0.2.7/tcp/30303/p2p/16Uiu2nothing',
  ])('%j is refused: NODE_CONFIG_INVALID', (text) => {
    expect(() => parsePeerLocation(text)).toThrow(
      expect.objectContaining({ code: 'NODE_CONFIG_INVALID' }),
    )
  })

  test('bytes that are no location are none', () => {
    const bytes = parsePeerLocation(`/ip4/192.0.2.7/tcp/30303/p2p/${id}`).multiaddr.bytes
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(decodePeerLocation(bytes.subarray(0, cut))).toBeUndefined()
    }
  })
})
