/** Who stands at the other end of a connection: its address, its token, its budget. */

import type { Caller, Grants } from './access.ts'
import type { Later } from './backend.ts'
import { isLoopback, type ProxyTrust, plainAddress } from './client-address.ts'
import type { RequestHead } from './http-request.ts'
import type { RateLimiter } from './rate-limit.ts'

/** What a token is good for. */
export interface TokenGrants {
  /** Methods and namespaces; undefined: the token names none, and the open methods are meant. */
  readonly grants: readonly string[] | undefined
}

/**
 * Reads a token. Must not throw or reject.
 * @returns undefined for one that is forged, malformed, or not of this time
 */
export type Authenticate = (token: string) => Later<TokenGrants | undefined>

export interface ClientSetting {
  readonly trust: ProxyTrust
  readonly limiter: RateLimiter
  /** undefined: tokens are not looked at. */
  readonly authenticate: Authenticate | undefined
  readonly isTokenRequired: boolean
}

export interface Client {
  /** Of the socket. */
  readonly address: string
  /** Who asks this; undefined: the token is wrong, or lacks where one is needed. */
  callerOf(request: RequestHead): Later<Caller | undefined>
}

/** Tokens of the budget that guessing costs. */
const WRONG_TOKEN_COST = 10

export function createClient(socketAddress: string, setting: ClientSetting): Client {
  const { trust, limiter, authenticate, isTokenRequired } = setting
  const address = plainAddress(socketAddress)
  /** What is known of the last request; those that follow mostly have the same head. */
  let lastRequest: RequestHead | undefined
  let lastCaller: Caller = {}

  /** The caller as the request has it without its token. */
  function anonymous(request: RequestHead): Caller {
    const client = trust.clientOf(address, request.forwardedFor)
    return {
      isForwarded: request.isForwarded,
      budget: isLoopback(client) ? undefined : limiter.budgetOf(client),
    }
  }

  function known(caller: Caller, token: TokenGrants | undefined): Caller | undefined {
    if (token === undefined) {
      caller.budget?.take(WRONG_TOKEN_COST)
      return undefined
    }
    const grants: Grants = new Set(token.grants)
    return { ...caller, grants, isBoundToGrants: isTokenRequired && token.grants !== undefined }
  }

  return {
    address,
    callerOf(request) {
      if (request !== lastRequest) {
        lastRequest = request
        lastCaller = anonymous(request)
      }
      if (authenticate === undefined) return lastCaller
      if (request.token === undefined) return isTokenRequired ? undefined : lastCaller
      // Who is in debt is refused without a look at its token.
      if (lastCaller.budget?.hasLeft() === false) return lastCaller
      // A token ages: it is read again for each request.
      const caller = lastCaller
      const read = authenticate(request.token)
      return read instanceof Promise
        ? read.then((token) => known(caller, token))
        : known(caller, read)
    },
  }
}
