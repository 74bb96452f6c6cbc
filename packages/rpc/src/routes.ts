/** Many chains behind one server: `/` is the first one, `/chain/<name>` each of them. */

import type { Dispatch } from './dispatch.ts'

export interface ServedChain {
  /** See `CHAIN_NAME`. */
  readonly name: string
  readonly dispatch: Dispatch
}

/** What a chain may be called. */
export const CHAIN_NAME: RegExp = /^[a-z0-9-]{1,32}$/

/**
 * Who answers at a path.
 * @param chains at least one, each with a name of its own
 * @returns undefined at paths where nothing is served
 */
export function createRoutes(
  chains: readonly ServedChain[],
): (path: string) => Dispatch | undefined {
  const paths = new Map<string, Dispatch>()
  for (const { name, dispatch } of chains) {
    if (paths.size === 0) paths.set('/', dispatch)
    const path = `/chain/${name}`
    if (!CHAIN_NAME.test(name)) throw new RangeError(`${name} is no name for a chain`)
    if (paths.has(path)) throw new RangeError(`two chains are called ${name}`)
    paths.set(path, dispatch)
  }
  return (path) => paths.get(path)
}
