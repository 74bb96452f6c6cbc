export { createCheapCrypto } from './cheap-crypto.ts'
export { createPrng, type Prng } from './prng.ts'
export { createMachineClock, type MachineClock } from './virtual-clock.ts'
export {
  createVirtualDisk,
  type DiskConditions,
  type DiskView,
  GOOD_DISK,
  type VirtualDisk,
} from './virtual-disk.ts'
export {
  CALM,
  createVirtualNetwork,
  NETWORK_LIMITS,
  type NetworkConditions,
  type Penalty,
  type VirtualNetwork,
  type WireMessage,
} from './virtual-network.ts'
export { createVirtualProcess, type VirtualProcess } from './virtual-process.ts'
export { createVirtualTime, EPOCH_MS, type VirtualTime } from './virtual-time.ts'
