/** eth_subscribe and eth_unsubscribe, for connections that notifications can be sent on. */

import type { Backend } from '../backend.ts'
import { invalidParams, METHOD_NOT_FOUND, RpcError, SERVER_ERROR } from '../error.ts'
import { TRUE } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, subscriberMethod } from '../method.ts'
import { optional, parseBoolean, parseRecord, quantityOf, required } from '../parse.ts'
import { createSubscriptions, type SubscriptionPorts, type Topic } from '../subscriptions.ts'
import { parseCriteria } from './log.ts'

export function subscriptionMethods(
  backend: Backend,
  limits: RpcLimits,
  ports: SubscriptionPorts,
): Method[] {
  const subscriptions = createSubscriptions(backend, limits, ports)

  /** Heights in the criteria of logs are passed over: what is told is what comes. */
  function topicOf(name: string, detail: unknown): Topic {
    switch (name) {
      case 'newHeads':
      case 'syncing':
        return { type: name }
      case 'logs': {
        const criteria = parseCriteria(parseRecord(detail ?? {}), limits)
        return { type: 'logs', criteria }
      }
      case 'newPendingTransactions':
        return { type: name, isWhole: detail !== undefined && parseBoolean(detail) }
      default:
        throw new RpcError(
          METHOD_NOT_FOUND,
          `no "${name.slice(0, 64)}" subscription in eth namespace`,
        )
    }
  }

  return [
    subscriberMethod(
      'eth_subscribe',
      [required(parseName), optional((value) => value)],
      (subscriber, name, detail) => `"${subscriptions.open(subscriber, topicOf(name, detail))}"`,
    ),
    subscriberMethod('eth_unsubscribe', [required(parseId)], (subscriber, id) => {
      if (subscriptions.close(subscriber.line, id)) return TRUE
      throw new RpcError(SERVER_ERROR, 'subscription not found')
    }),
  ]
}

function parseName(value: unknown): string {
  if (typeof value !== 'string') throw invalidParams('a subscription must be named by text')
  return value
}

/** An id in the one form in which it was given out. */
function parseId(value: unknown): string {
  return `0x${quantityOf(128)(value).toString(16)}`
}
