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
  hasBytesAt,
  hexAt,
  hexToBytes,
  NO_BYTES,
  writeHex,
  ZERO_ADDRESS,
  ZERO_HASH,
} from './bytes.ts'
export {
  type BlockContext,
  HALTS,
  type Halt,
  type Log,
  type Message,
  type Outcome,
  type Status,
  type TransactionContext,
} from './context.ts'
export { create2Address, createAddress } from './create-address.ts'
export { delegateOf, delegationTo } from './delegation.ts'
export { EvmError, type EvmErrorCode } from './error.ts'
export { createEvm, type Evm, type EvmOptions } from './evm.ts'
export { FORKS, type Fork, isAtLeast } from './fork.ts'
export {
  hashHexInto,
  hashInputInto,
  keccak256,
  keccak256Address,
  keccak256Hex,
  keccak256OfInput,
  keccakInput,
} from './keccak.ts'
export { LinearMemory } from './linear-memory.ts'
export { opcodeName } from './opcodes.ts'
export {
  type Precompile,
  type PrecompileOptions,
  precompilesOf,
  type RecoverPublicKey,
} from './precompiles/index.ts'
export type { FrameEnd, FrameStart, FrameType, Step, Tracer } from './tracer.ts'
export { compileModule, instantiate, type WasmMemory } from './webassembly.ts'
export { type Access, type Checkpoint, createWorld, type World } from './world.ts'
export type { AccountChange, AccountRecord, WorldChanges, WorldReader } from './world-reader.ts'
