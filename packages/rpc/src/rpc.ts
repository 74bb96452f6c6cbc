/** The facade as a whole: every method over one backend, behind one dispatch. */

import type { Backend } from './backend.ts'
import { createDispatch, type Dispatch, type DispatchPorts } from './dispatch.ts'
import { RPC_LIMITS, type RpcLimits } from './limits.ts'
import type { Method } from './method.ts'
import { blockMethods } from './methods/block.ts'
import { callMethods } from './methods/call.ts'
import { feeMethods } from './methods/fee.ts'
import { type LogPorts, logMethods } from './methods/log.ts'
import { modulesMethod, nodeMethods } from './methods/node.ts'
import { poolMethods } from './methods/pool.ts'
import { stateMethods } from './methods/state.ts'
import { type TransactionPorts, transactionMethods } from './methods/transaction.ts'

/** Time, randomness and turns of the event loop, which the facade does not take by itself. */
export interface RpcPorts extends DispatchPorts, LogPorts, TransactionPorts {}

export interface RpcOptions {
  readonly backend: Backend
  readonly ports: RpcPorts
  readonly limits?: Partial<RpcLimits>
}

export function createRpc(options: RpcOptions): Dispatch {
  const { backend, ports } = options
  const limits: RpcLimits = { ...RPC_LIMITS, ...options.limits }
  const methods: Method[] = [
    ...nodeMethods(backend),
    ...stateMethods(backend, limits),
    ...blockMethods(backend),
    ...transactionMethods(backend, limits, ports),
    ...feeMethods(backend, limits, ports),
    ...callMethods(backend, limits),
    ...logMethods(backend, limits, ports),
    ...poolMethods(backend, limits),
  ]
  return createDispatch({ methods: [...methods, modulesMethod(methods)], limits, ports })
}
