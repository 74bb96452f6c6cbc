/** Calls that leave no trace, and what they would cost. */

import {
  type BlockOverrides,
  type CallOutcome,
  type CallRequest,
  revertReason,
  type SimulationQuery,
  type StateOverrides,
} from '@vellum/ledger'
import type { Backend, Later } from '../backend.ts'
import { requireHeight } from '../block.ts'
import { parseBlockOverrides, parseCallRequest, parseStateOverrides } from '../call-request.ts'
import { EXECUTION_REVERTED, RpcError, SERVER_ERROR } from '../error.ts'
import { data, formatAccessList, quantity } from '../format.ts'
import { type JsonText, jsonString } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  defaulting,
  LATEST,
  optional,
  parseBlock,
  required,
} from '../parse.ts'

export function callMethods({ chain, simulator, node }: Backend, limits: RpcLimits): Method[] {
  const params = [
    required((value) => parseCallRequest(value, limits, node.chainId)),
    defaulting(parseBlock, LATEST),
    optional((value) => parseStateOverrides(value, limits)),
    optional((value) => parseBlockOverrides(value, limits)),
  ] as const

  function query(
    request: CallRequest,
    block: BlockReference,
    stateOverrides: StateOverrides | undefined,
    blockOverrides: BlockOverrides | undefined,
  ): SimulationQuery {
    return { request, number: requireHeight(chain, block), stateOverrides, blockOverrides }
  }

  return [
    method('eth_call', params, (...args) => then(simulator.call(query(...args)), outputOf)),
    method('eth_estimateGas', params, (...args) =>
      then(simulator.estimateGas(query(...args)), (outcome) =>
        outcome.status === 'success' ? quantity(outcome.gas) : fail(outcome),
      ),
    ),
    method('eth_createAccessList', params, (...args) =>
      then(simulator.createAccessList(query(...args)), ({ accessList, gasUsed, failure }) => {
        const error = failure === undefined ? '' : `,"error":${jsonString(failure)}`
        const list = formatAccessList(accessList)
        return `{"accessList":${list}${error},"gasUsed":${quantity(gasUsed)}}`
      }),
    ),
  ]
}

/** Goes on at once if the value is there: no turn of the event loop for a value in hand. */
function then<T>(value: Later<T>, next: (value: T) => JsonText): Later<JsonText> {
  return value instanceof Promise ? value.then(next) : next(value)
}

function outputOf(outcome: CallOutcome): JsonText {
  return outcome.status === 'success' ? data(outcome.output) : fail(outcome)
}

/** @throws RpcError that tells how the execution ended */
export function fail(
  outcome:
    | { readonly status: 'reverted'; readonly output: Uint8Array }
    | { readonly status: 'failed'; readonly reason: string },
): never {
  if (outcome.status === 'failed') throw new RpcError(SERVER_ERROR, outcome.reason)
  const reason = revertReason(outcome.output)
  const message = reason === undefined ? 'execution reverted' : `execution reverted: ${reason}`
  throw new RpcError(EXECUTION_REVERTED, message, data(outcome.output))
}
