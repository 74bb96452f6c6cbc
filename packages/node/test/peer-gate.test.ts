import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Connection, MultiaddrConnection, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect, test } from 'vitest'
import { createPeerGate } from '../src/host/peer-gate.ts'
import { peerIdOfKey } from '../src/host/peer-identity.ts'
import { addressOfKey, testKey } from './network-world.ts'

const member = peerIdOfKey(testKey('member'))
const other = peerIdOfKey(testKey('other'))
const stranger = peerIdOfKey(testKey('stranger'))

function gate(open: readonly PeerId[] = []): {
  refuses: (peerId: PeerId) => Promise<Record<'dial' | 'outbound' | 'inbound', boolean>>
  refused: string[]
} {
  const refused: string[] = []
  const allowed = new Set([addressOfKey(testKey('member')), addressOfKey(testKey('other'))])
  const made = createPeerGate({
    limits: { connectionsMax: 3, connectionsPerPeerMax: 2 },
    isAllowed: (peer) => allowed.has(peer),
    connections: () => open.map((remotePeer) => ({ remotePeer }) as Connection),
    onRefused: (peerId, reason) => void refused.push(`${peerId.toString()} ${reason}`),
  })
  const socket = {} as MultiaddrConnection
  return {
    refused,
    refuses: async (peerId) => ({
      dial: await made.denyDialPeer!(peerId),
      outbound: await made.denyOutboundEncryptedConnection!(peerId, socket),
      inbound: await made.denyInboundEncryptedConnection!(peerId, socket),
    }),
  }
}

test('who is on the list is let in and called', async () => {
  expect(await gate().refuses(member)).toEqual({ dial: false, outbound: false, inbound: false })
})

test('who is not is refused, called or calling', async () => {
  const { refuses, refused } = gate()
  expect(await refuses(stranger)).toEqual({ dial: true, outbound: true, inbound: true })
  expect(refused).toEqual([`${stranger.toString()} unknown`, `${stranger.toString()} unknown`])
})

test('a key of another kind has no address and is refused', async () => {
  const key = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(7))
  expect(await gate().refuses(peerIdFromPrivateKey(key))).toEqual({
    dial: true,
    outbound: true,
    inbound: true,
  })
})

test('a third connection of one peer is refused', async () => {
  const { refuses, refused } = gate([member, member])
  expect((await refuses(member)).inbound).toBe(true)
  expect(refused).toContain(`${member.toString()} places`)
  expect((await refuses(other)).inbound).toBe(false)
})

test('when all places are taken everybody is refused', async () => {
  expect((await gate([member, other, other]).refuses(member)).inbound).toBe(true)
})
