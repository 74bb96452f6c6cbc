export { type Account, decodeAccount, EMPTY_CODE_HASH, encodeAccount } from './account.ts'
export {
  type Block,
  type Body,
  decodeBlock,
  decodeBody,
  decodeHeader,
  EMPTY_OMMERS_HASH,
  encodeBlock,
  encodeBody,
  encodeHeader,
  type Header,
  keccakHeaderHash,
  ommersHash,
  receiptsRoot,
  transactionsRoot,
  type Withdrawal,
  withdrawalsRoot,
  writeHeader,
} from './block.ts'
export { type BuildRequest, type BuiltBlock, buildBlock, nextGasLimit } from './build.ts'
export { buildPayload, type Payload, type PayloadQuery } from './build-payload.ts'
export { type Cache, createCache } from './cache.ts'
export { type CallSimulator, createSimulator } from './call.ts'
export type {
  AccessListOutcome,
  AccountOverride,
  BlockOverrides,
  CallOutcome,
  CallRequest,
  EstimateOutcome,
  SimulationQuery,
  StateOverrides,
} from './call-request.ts'
export {
  type Chain,
  type ChainOptions,
  type ChainPart,
  type ExecutedBlock,
  type Measure,
  type NewHead,
  openChain,
  type SealedBlock,
  type SealedHeader,
  type TransactionLocation,
} from './chain.ts'
export { LIMITS } from './config.ts'
export {
  addressOfPublicKey,
  createSecp256k1,
  type NativeSecp256k1,
  personalMessageHash,
  type Secp256k1,
} from './crypto.ts'
export { isRefusal, LedgerError, type LedgerErrorCode, type LedgerErrorDetails } from './error.ts'
export {
  type ExecutionContext,
  effectiveGasPrice,
  executeTransaction,
  type GasLeft,
  isDelegation,
  type Payable,
  runMessage,
  type TransactionResult,
} from './execute.ts'
export {
  type BlockEnvironment,
  type BlockExecution,
  type BlockOutcome,
  beginBlock,
} from './execute-block.ts'
export {
  decodeExtraData,
  type ExtraData,
  encodeExtraData,
  resealed,
  SEAL_SIZE,
  VANITY_SIZE,
} from './extra-data.ts'
export {
  type BlobSchedule,
  blobBaseFee,
  defaultBlobSchedule,
  GAS_PER_BLOB,
  INITIAL_BASE_FEE,
  nextBaseFee,
  nextExcessBlobGas,
} from './fees.ts'
export { type ForkConfig, type ForkConfigs, forkConfigsAt } from './fork-config.ts'
export {
  type BlobActivation,
  blobScheduleAt,
  type ForkActivation,
  type ForkSchedule,
  forkAt,
} from './fork-schedule.ts'
export {
  type Genesis,
  type GenesisAccount,
  genesisHeader,
  type QbftConfig,
  type QbftTransition,
} from './genesis.ts'
export { formatGenesis, type GenesisJson } from './genesis-format.ts'
export { parseGenesis, parseGenesisAccount } from './genesis-reader.ts'
export { genesisChanges } from './genesis-state.ts'
export type { KeyRange, KeyValue, KeyValueReader, KeyValueSnapshot, Write } from './key-value.ts'
export { createLogMatcher, type LogCriteria, type LogMatcher } from './log-criteria.ts'
export { LOG_INDEX_LIMITS, type LogIndex, type LogIndexState } from './log-index.ts'
export type { BlockLogs, LogSearch, LogSearchLimits, PlacedLog } from './log-search.ts'
export { SECTION_BLOCKS, SECTION_ENTRIES } from './log-section.ts'
export { createMemoryKeyValue } from './memory-key-value.ts'
export {
  PERMISSION,
  PERMISSION_LIMITS,
  PERMISSION_SLOTS,
  type Permissions,
  permissionSlot,
  permittedNodes,
  type ReadSlot,
  readPermissions,
} from './permission.ts'
export {
  createPool,
  POOL_LIMITS,
  type Pool,
  type PoolLimits,
  type PoolPorts,
  type Selection,
} from './pool.ts'
export { type Predeploy, type PredeployOptions, predeployAccounts } from './predeploy.ts'
export {
  decodeStorageValue,
  type ProofRefusal,
  type ProofRefusalReason,
  type ProofVerdict,
  verifyAccountProof,
  verifyProof,
  verifyStorageProof,
} from './proof.ts'
export {
  addToBloom,
  BLOOM_BYTES,
  bloomBits,
  bloomOfLogs,
  decodeReceipt,
  encodeLogs,
  encodeReceipt,
  type Log,
  mergeBloom,
  type Receipt,
  testBloom,
} from './receipt.ts'
export { openReplay, type Replay, type ReplayPorts } from './replay.ts'
export { revertReason } from './revert-reason.ts'
export {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  plainBytes,
  RLP_DEPTH_MAX,
  type RlpItem,
  rlpBigInt,
  rlpBytes,
  rlpFixed,
  rlpFixedStart,
  rlpList,
  rlpListPositions,
  rlpNumber,
  rlpNumberAt,
  rlpScalar,
  splitRlpList,
  splitRlpSequence,
  writeRlpHead,
} from './rlp.ts'
export { createRlpWriter, type RlpWriter } from './rlp-writer.ts'
export { blockRules, type ChainRules } from './rules.ts'
export {
  type ConsensusFields,
  commitHash,
  FOREIGN,
  QBFT_MIX_HASH,
  qbftHash,
  type ReadAncestor,
  type SealScheme,
  type Verdict,
} from './seal.ts'
export { isHighSignature, lowSignature, type Signature, signatureBytes } from './signature.ts'
export {
  type BlockRequest,
  type BlockSimulation,
  type BlocksQuery,
  SIMULATED_BLOCKS_MAX,
  type SimulatedBlock,
  type SimulatedCall,
  type SimulatedLog,
  withoutSignature,
} from './simulate-blocks.ts'
export {
  SIMULATION_LIMITS,
  type SimulationLimits,
  type SimulatorPorts,
  wordsOf,
} from './simulation.ts'
export {
  codeWrite,
  hasCode,
  headerWrites,
  keyAfter,
  newPivot,
  progressWrite,
  rangeWrites,
  readBroughtHeader,
  readProgress,
  SNAPSHOT_SEGMENTS,
  type SnapshotPivot,
  type SnapshotProgress,
  type SnapshotSegment,
  segmentBounds,
  verifyBroughtRange,
} from './snapshot-progress.ts'
export type { SnapshotSource } from './snapshot-source.ts'
export { sweepNodes } from './snapshot-sweep.ts'
export {
  createState,
  type PreparedState,
  type State,
  type StateOptions,
} from './state.ts'
export type { StateProof, StateView, StorageProof } from './state-view.ts'
export {
  createStatusTree,
  rootOfStatusProof,
  STATUS_TREE_DEPTH,
  type StatusChanges,
  type StatusProof,
  type StatusTree,
  type StatusTreePlace,
  statusCommitment,
  statusSlot,
} from './status-tree.ts'
export {
  type Crc32,
  createStore,
  type HeadRecord,
  heightKey,
  KIND,
  keyOf,
  SCHEMA_VERSION,
  type Store,
  type StoreMeta,
} from './store.ts'
export {
  type AccessListEntry,
  type Authorization,
  authorizationHash,
  type BlobSidecar,
  decodeBlockTransaction,
  decodePooledBlobTransaction,
  decodeTransaction,
  encodeTransaction,
  type HashSigner,
  hasBlobSidecar,
  recoverAuthority,
  recoverSender,
  type SenderRecovery,
  type SignedTransaction,
  signingBytes,
  signingHash,
  signTransaction,
  type Transaction,
  type TransactionType,
  type UnrecoveredTransaction,
  withSender,
} from './transaction.ts'
export { assertTransactionRules, intrinsicGas } from './transaction-rules.ts'
export type { TransactionStart, TransactionWatch, WatchedResult } from './transaction-watch.ts'
export {
  EMPTY_ROOT,
  getTrie,
  type NewNode,
  NO_NODES,
  type NodeSource,
  openTrie,
  proveTrie,
  type ReplacedNode,
  rootOfList,
  type Trie,
  type TrieChange,
  type TrieUpdate,
  takeNewNodes,
  trieEntries,
  updateTrie,
} from './trie.ts'
export { decodePath, encodePath } from './trie-path.ts'
export {
  type RangeBounds,
  type RangeEntry,
  type RangeRefusalReason,
  type RangeVerdict,
  readRange,
  type TrieRange,
  verifyRange,
} from './trie-range.ts'
export {
  encodeTypedStruct,
  formatStructType,
  type TypedData,
  type TypedDataDomain,
  type TypedDataField,
  type TypedDataTypes,
  typedDataHash,
} from './typed-data.ts'
export {
  type BlockRules,
  expectedBaseFee,
  expectedExcessBlobGas,
  verifyBody,
  verifyHeader,
} from './validate.ts'
export { type StateCount, stepThroughState, verifyState } from './verify-state.ts'
