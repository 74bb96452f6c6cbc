import { testTransport } from '../../../tests/ports/transport-suite.ts'
import { createLibp2pHost, type Libp2pHost } from '../src/host/libp2p-host.ts'
import type { Transport } from '../src/ports.ts'
import {
  addressOfKey,
  createLeapingTime,
  createTestRandom,
  GENESIS,
  testKey,
  until,
} from './network-world.ts'

const silent = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

testTransport('libp2p', async (count) => {
  const keys = Array.from({ length: count }, (_, i) => testKey(`member ${i}`))
  const members = keys.map(addressOfKey)
  const hosts: Libp2pHost[] = []
  const transports: Transport[] = []
  for (const [i, key] of keys.entries()) {
    const time = createLeapingTime()
    const host = await createLibp2pHost({
      key,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      // The first is listening when the others are made; they hear of each other from it.
      bootnodes: i === 0 ? [] : hosts[0]!.listenAddresses(),
      members,
      limits: { answerMsMax: 1_000 },
      ports: { clock: time, timers: time, random: createTestRandom(`member ${i}`), log: silent },
    })
    if (i === 0) await host.start()
    hosts.push(host)
    transports.push(host.open(GENESIS))
  }
  return {
    members: members.map((address, i) => ({ address, transport: transports[i]! })),
    until,
    close: async () => void (await Promise.all(hosts.map((host) => host.stop()))),
  }
})
