/** What JSON-RPC asks about the peg; what answers is loaded with the first question. */

import type { PegPort } from '@vellum/rpc'
import type { VellumNode } from './node.ts'
import type { RelayHub } from './relay-hub.ts'

export interface PegPortChain {
  readonly name: string
  readonly node: Pick<VellumNode, 'backend' | 'chain'>
}

export interface PegPortSources {
  /** Of this process, main first. */
  readonly chains: () => readonly PegPortChain[]
  readonly relay?: (() => RelayHub | undefined) | undefined
}

export function createLatePegPort(self: PegPortChain, sources: PegPortSources): PegPort {
  let port: Promise<PegPort> | undefined
  const load = (): Promise<PegPort> => {
    port ??= import('./peg-port.ts').then(({ createPegPort }) => createPegPort(self, sources))
    return port
  }
  return {
    channels: async () => (await load()).channels(),
    message: async (id) => (await load()).message(id),
    proof: async (query) => (await load()).proof(query),
    audit: async () => (await load()).audit(),
  }
}
