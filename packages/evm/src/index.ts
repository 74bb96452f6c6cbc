export {
  type Address,
  bigIntToBytes,
  bigIntToMinimalBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  equalBytes,
  type Hash,
  type Hex,
  hexToBytes,
  NO_BYTES,
  ZERO_ADDRESS,
  ZERO_HASH,
} from './bytes.ts'
export { FORKS, type Fork, isAtLeast } from './fork.ts'
export { keccak256, keccak256Hex } from './keccak.ts'
export {
  type Precompile,
  type PrecompileOptions,
  precompilesOf,
  type RecoverPublicKey,
} from './precompiles/index.ts'
export type { AccountChange, AccountRecord, WorldChanges, WorldReader } from './world-reader.ts'
