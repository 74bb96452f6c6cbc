export type {
  Backend,
  BlockFees,
  ChainReader,
  Later,
  NodeFacts,
  PoolContent,
  PoolPort,
  Simulator,
  SyncProgress,
} from './backend.ts'
export { createDispatch, type Dispatch, type DispatchPorts } from './dispatch.ts'
export { RpcError } from './error.ts'
export { RPC_LIMITS, type RpcLimits } from './limits.ts'
export { createRpc, type RpcOptions, type RpcPorts } from './rpc.ts'
export {
  type RpcServer,
  SERVER_LIMITS,
  type ServerLimits,
  type ServerOptions,
  startServer,
} from './server.ts'
