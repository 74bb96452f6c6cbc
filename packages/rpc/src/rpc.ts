/** The facade as a whole: every method over one backend, behind one dispatch. */

import { isGranted, isGuarded } from './access.ts'
import type { Backend } from './backend.ts'
import { createDispatch, type Dispatch, type DispatchPorts } from './dispatch.ts'
import { RPC_LIMITS, type RpcLimits } from './limits.ts'
import type { Method } from './method.ts'
import { adminMethods } from './methods/admin.ts'
import { blockMethods } from './methods/block.ts'
import { callMethods } from './methods/call.ts'
import { debugMethods } from './methods/debug.ts'
import { feeMethods } from './methods/fee.ts'
import { fillMethods } from './methods/fill.ts'
import { type LogPorts, logMethods } from './methods/log.ts'
import { modulesMethod, nodeMethods } from './methods/node.ts'
import { pegMethods } from './methods/peg.ts'
import { poolMethods } from './methods/pool.ts'
import { qbftMethods } from './methods/qbft.ts'
import { simulateMethods } from './methods/simulate.ts'
import { stateMethods } from './methods/state.ts'
import { subscriptionMethods } from './methods/subscription.ts'
import { testingMethods } from './methods/testing.ts'
import { type TransactionPorts, transactionMethods } from './methods/transaction.ts'
import { vellumMethods } from './methods/vellum.ts'
import { discoverMethod } from './openrpc/document.ts'
import type { SubscriptionPorts } from './subscriptions.ts'

/** Time, randomness and turns of the event loop, which the facade does not take by itself. */
export interface RpcPorts extends DispatchPorts, LogPorts, TransactionPorts, SubscriptionPorts {}

export interface RpcOptions {
  readonly backend: Backend
  readonly ports: RpcPorts
  readonly limits?: Partial<RpcLimits>
  /** Guarded methods that are served without a token, or namespaces of them. Default: none. */
  readonly operatorMethods?: readonly string[]
  /** Who may use these; see `DispatchOptions`. */
  readonly operatorCallers?: 'everybody' | 'direct'
}

export function createRpc(options: RpcOptions): Dispatch {
  const { backend, ports, operatorMethods, operatorCallers } = options
  const limits: RpcLimits = { ...RPC_LIMITS, ...options.limits }
  return createDispatch({
    methods: methodsOf(backend, limits, ports, operatorMethods),
    limits,
    ports,
    ...(operatorMethods && { operatorMethods }),
    ...(operatorCallers && { operatorCallers }),
  })
}

/**
 * All methods that the backend can answer.
 * @param operatorMethods guarded ones that are open nevertheless, which rpc_modules tells
 */
export function methodsOf(
  backend: Backend,
  limits: RpcLimits,
  ports: RpcPorts,
  operatorMethods: readonly string[] = [],
): Method[] {
  const methods: Method[] = [
    ...nodeMethods(backend),
    ...stateMethods(backend, limits),
    ...blockMethods(backend),
    ...transactionMethods(backend, limits, ports),
    ...feeMethods(backend, limits, ports),
    ...callMethods(backend, limits),
    ...fillMethods(backend, limits),
    ...simulateMethods(backend, limits, ports),
    ...logMethods(backend, limits, ports),
    ...subscriptionMethods(backend, limits, ports),
    ...poolMethods(backend, limits),
    ...debugMethods(backend, limits, ports),
    ...(backend.payloads ? testingMethods(backend, backend.payloads, limits) : []),
    ...(backend.consensus ? qbftMethods(backend.chain, backend.consensus, limits) : []),
    ...vellumMethods(backend),
    ...(backend.peg ? pegMethods(backend, backend.peg) : []),
    ...(backend.admin ? adminMethods(backend, backend.admin) : []),
  ]
  const granted = new Set(operatorMethods)
  const open = methods.filter(({ name }) => !isGuarded(name) || isGranted(granted, name))
  methods.push(modulesMethod(open))
  return [...methods, discoverMethod(methods)]
}
