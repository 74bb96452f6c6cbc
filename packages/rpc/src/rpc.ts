/** The facade as a whole: every method over one backend, behind one dispatch. */

import type { Backend } from './backend.ts'
import { createDispatch, type Dispatch, type DispatchPorts } from './dispatch.ts'
import { METHOD_NOT_ENABLED, RpcError } from './error.ts'
import { RPC_LIMITS, type RpcLimits } from './limits.ts'
import { type Method, method } from './method.ts'
import { blockMethods } from './methods/block.ts'
import { callMethods } from './methods/call.ts'
import { feeMethods } from './methods/fee.ts'
import { type LogPorts, logMethods } from './methods/log.ts'
import { modulesMethod, nodeMethods } from './methods/node.ts'
import { poolMethods } from './methods/pool.ts'
import { qbftMethods } from './methods/qbft.ts'
import { stateMethods } from './methods/state.ts'
import { type TransactionPorts, transactionMethods } from './methods/transaction.ts'
import { vellumMethods } from './methods/vellum.ts'
import { optional } from './parse.ts'

/** Time, randomness and turns of the event loop, which the facade does not take by itself. */
export interface RpcPorts extends DispatchPorts, LogPorts, TransactionPorts {}

export interface RpcOptions {
  readonly backend: Backend
  readonly ports: RpcPorts
  readonly limits?: Partial<RpcLimits>
  /** Those of `OPERATOR_METHODS` that are served. Default: none. */
  readonly operatorMethods?: readonly string[]
}

/** Methods that change what the node does: for its operator, not for every client. */
export const OPERATOR_METHODS: readonly string[] = [
  'qbft_proposeValidatorVote',
  'qbft_discardValidatorVote',
]

export function createRpc(options: RpcOptions): Dispatch {
  const { backend, ports } = options
  const limits: RpcLimits = { ...RPC_LIMITS, ...options.limits }
  const isServed = ({ name }: Method): boolean =>
    !OPERATOR_METHODS.includes(name) || (options.operatorMethods?.includes(name) ?? false)
  const methods: Method[] = [
    ...nodeMethods(backend),
    ...stateMethods(backend, limits),
    ...blockMethods(backend),
    ...transactionMethods(backend, limits, ports),
    ...feeMethods(backend, limits, ports),
    ...callMethods(backend, limits),
    ...logMethods(backend, limits, ports),
    ...poolMethods(backend, limits),
    ...(backend.consensus ? qbftMethods(backend.chain, backend.consensus, limits) : []),
    ...(backend.consensus ? vellumMethods(backend.consensus) : []),
  ].map((each) => (isServed(each) ? each : notEnabled(each)))
  return createDispatch({ methods: [...methods, modulesMethod(methods)], limits, ports })
}

/** The method as Besu answers it where it is switched off. */
function notEnabled({ name, params }: Method): Method {
  return method(
    name,
    params.map(() => optional(String)),
    () => {
      throw new RpcError(METHOD_NOT_ENABLED, 'Method not enabled')
    },
  )
}
