/** A JSON-RPC method: its name, its parameters and what it does. */

import type { Subscriber } from './access.ts'
import type { Later } from './backend.ts'
import type { JsonText } from './json.ts'
import type { Param } from './parse.ts'

export interface Method {
  readonly name: string
  readonly params: readonly Param<unknown>[]
  /** Gets one parsed argument for each position. Its answer is JSON text. */
  readonly handler: (...args: never[]) => Later<JsonText>
  /** The handler gets the connection first, so that only callers who can be notified may call. */
  readonly isForSubscribers?: boolean
}

type Parsed<P extends readonly Param<unknown>[]> = {
  -readonly [I in keyof P]: P[I] extends Param<infer T> ? T : never
}

/** A method whose handler's arguments have the types that its parameters parse to. */
export function method<const P extends readonly Param<unknown>[]>(
  name: string,
  params: P,
  handler: (...args: Parsed<P>) => Later<JsonText>,
): Method {
  // The dispatcher fills the arguments by `params`, which is what gives them their types.
  return { name, params, handler: handler as unknown as Method['handler'] }
}

/** A method of a connection: its handler gets that before the parsed arguments. */
export function subscriberMethod<const P extends readonly Param<unknown>[]>(
  name: string,
  params: P,
  handler: (subscriber: Subscriber, ...args: Parsed<P>) => Later<JsonText>,
): Method {
  const plain = handler as unknown as Method['handler']
  return { name, params, handler: plain, isForSubscribers: true }
}
