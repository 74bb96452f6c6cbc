export {
  type Caller,
  GUARDED_NAMESPACES,
  isGuarded,
  OPERATOR_METHODS,
  type RefusalReason,
  type Subscriber,
} from './access.ts'
export type {
  AdminPort,
  Backend,
  BlockFees,
  ChainFacts,
  ChainReader,
  ChainsPort,
  ConsensusPort,
  HeldData,
  Later,
  NewChain,
  NodeFacts,
  Outcome,
  PayloadPort,
  PoolContent,
  PoolPort,
  Simulator,
  SyncProgress,
  ValidatorVote,
} from './backend.ts'
export type { Authenticate, TokenGrants } from './client.ts'
export { isProxy } from './client-address.ts'
export type {
  ConsensusFindings,
  ConsensusStatus,
  ConsensusStep,
  PreparedAt,
  ValidatorStatus,
} from './consensus-status.ts'
export { type AnsweredCall, createDispatch, type Dispatch, type DispatchPorts } from './dispatch.ts'
export { RpcError } from './error.ts'
export { RPC_LIMITS, type RpcLimits } from './limits.ts'
export type {
  PegAuditAnswer,
  PegChannel,
  PegLife,
  PegMessageFacts,
  PegPlace,
  PegPort,
  PegProofAnswer,
  PegProofQuery,
  PegRelayFacts,
} from './peg.ts'
export { CHAIN_NAME, createRoutes, type Routes, type ServedChain } from './routes.ts'
export { createRpc, type RpcOptions, type RpcPorts } from './rpc.ts'
export {
  type RpcServer,
  type ServerOptions,
  type ServerTls,
  startServer,
} from './server.ts'
export { SERVER_LIMITS, type ServerLimits } from './server-limits.ts'
