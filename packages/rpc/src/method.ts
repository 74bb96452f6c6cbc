/** A JSON-RPC method: its name, its parameters and what it does. */

import type { Later } from './backend.ts'
import type { JsonText } from './json.ts'
import type { Param } from './parse.ts'

export interface Method {
  readonly name: string
  readonly params: readonly Param<unknown>[]
  /** Gets one parsed argument for each position. Its answer is JSON text. */
  readonly handler: (...args: never[]) => Later<JsonText>
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
