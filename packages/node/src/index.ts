export { type NodeConfig, parseConfig, type StateMode } from './config.ts'
export {
  DEV_ACCOUNTS,
  DEV_CHAIN_ID,
  DEV_SIDE_CHAIN_ID,
  DEV_SIDE_CHAINS,
  type DevAccount,
  devValidatorKey,
} from './dev-chain.ts'
export { DEV_ORGANISATIONS, devContracts, devGenesis } from './dev-genesis.ts'
export { NodeError, type NodeErrorCode, type NodeErrorDetails } from './error.ts'
export type { Evidence, EvidenceBook } from './evidence-book.ts'
export {
  type DataDirectory,
  type DataDirectoryOptions,
  openDataDirectory,
} from './host/data-directory.ts'
export { decryptKeystore, encryptKeystore } from './host/keystore.ts'
export { type LevelKeyValue, openLevel } from './host/level.ts'
export { type LevelFilesReport, verifyLevelFiles } from './host/level-files.ts'
export { createRecoveryPool, type RecoveryPool } from './host/recovery-pool.ts'
export { loadSystemCrypto, type SystemCrypto } from './host/system.ts'
export { createMetrics } from './metrics.ts'
export { type NetworkGenesisOptions, networkGenesis } from './network-genesis.ts'
export {
  createNode,
  type NodeConsensus,
  type NodeOptions,
  type VellumNode,
} from './node.ts'
export type {
  CancelTimer,
  Channel,
  Clock,
  ConsensusObserver,
  HeadWitness,
  LogFields,
  Logger,
  NodePorts,
  PeerAddress,
  Question,
  Random,
  Signer,
  SignerRecovery,
  Timers,
  Transport,
  TransportHandlers,
  VoteLog,
} from './ports.ts'
export {
  createRelayLink,
  type RelayLink,
  type RelayLinkOptions,
  type RelayLinkPorts,
  type RelayStep,
} from './relay.ts'
export type {
  LogQuery,
  RelayCall,
  RelayChain,
  RelayHead,
  RelayLanding,
  RelayLog,
  RelayTrial,
} from './relay-chain.ts'
export { createLocalRelayChain, type LocalRelayChainOptions } from './relay-chain-local.ts'
export {
  type HubChain,
  type HubChains,
  type RelayHub,
  type RelayHubOptions,
  type RelayHubPorts,
  startRelayHub,
} from './relay-hub.ts'
export { GATEWAY, LIGHT_CLIENT } from './relay-reading.ts'
export {
  messageDomainOf,
  qbftSchemeOf,
  recoverSeal,
  rememberSigners,
  schemeOf,
  signerOf,
} from './sealing.ts'
