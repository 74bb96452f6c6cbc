import type { Address } from '@vellum/evm'
import {
  createPrng,
  createVirtualNetwork,
  createVirtualProcess,
  createVirtualTime,
} from '@vellum/simulator'
import { testTransport } from './transport-suite.ts'

testTransport('virtual network', (count) => {
  const time = createVirtualTime()
  const network = createVirtualNetwork(time, createPrng('the transport suite'))
  const members = Array.from({ length: count }, (_, i) => {
    const address: Address = `0x${(i + 1).toString(16).padStart(40, '0')}`
    const process = createVirtualProcess((run) => void time.after(0, run))
    return { address, transport: network.join(address, process) }
  })
  return Promise.resolve({
    members,
    until: async (condition) => {
      while (!condition()) {
        // Promises first: what waits for nothing else comes before time passes.
        for (let i = 0; i < 10; i++) await Promise.resolve()
        if (condition()) break
        if (!time.step()) throw new Error('nothing is left to happen')
      }
    },
    close: () => Promise.resolve(),
  })
})
