/**
 * Many chains behind one server: `/` is the first one, `/chain/<name>` each of them. Chains come and go
 * while the server runs.
 */

import type { Dispatch } from './dispatch.ts'

export interface ServedChain {
  /** See `CHAIN_NAME`. */
  readonly name: string
  readonly dispatch: Dispatch
}

/** What a chain may be called. */
export const CHAIN_NAME: RegExp = /^[a-z0-9-]{1,32}$/

export interface Routes {
  /** Who answers at a path; undefined where nothing is served. */
  at(path: string): Dispatch | undefined
  /** @throws RangeError for a name that is none, or is served already */
  add(chain: ServedChain): void
  /**
   * From now on its path leads nowhere; WebSockets at it end, so that nobody waits for news of it. What
   * was asked before is answered.
   */
  remove(name: string): void
}

/** @param chains each with a name of its own; the first one is also `/` */
export function createRoutes(chains: readonly ServedChain[]): Routes {
  const paths = new Map<string, Dispatch>()

  function add({ name, dispatch }: ServedChain): void {
    const path = pathOf(name)
    if (!CHAIN_NAME.test(name)) throw new RangeError(`${name} is no name for a chain`)
    if (paths.has(path)) throw new RangeError(`two chains are called ${name}`)
    if (paths.size === 0) paths.set('/', dispatch)
    paths.set(path, dispatch)
  }

  for (const chain of chains) add(chain)
  return {
    at: (path) => paths.get(path),
    add,
    remove: (name) => void paths.delete(pathOf(name)),
  }
}

function pathOf(name: string): string {
  return `/chain/${name}`
}
