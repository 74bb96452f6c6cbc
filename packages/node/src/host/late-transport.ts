/**
 * A `Transport` before its chain is known. Which protocols a chain speaks depends on its genesis hash,
 * which is known when the chain is open; the node that opens it asks for the transport beforehand.
 */

import type { Transport } from '../ports.ts'

export interface LateTransport {
  /** Says that nobody is there until `provide` was called. Must not be started before. */
  readonly transport: Transport
  provide(transport: Transport): void
}

export function createLateTransport(): LateTransport {
  let inner: Transport | undefined
  const provided = (): Transport => {
    if (inner === undefined) throw new Error('the network is asked before its chain is open')
    return inner
  }
  return {
    transport: {
      start: (handlers) => provided().start(handlers),
      stop: async () => inner?.stop(),
      peers: () => inner?.peers() ?? [],
      send: (...message) => inner?.send(...message) ?? false,
      ask: (...question) => provided().ask(...question),
      penalise: (...fault) => inner?.penalise(...fault),
      admit: (peers) => provided().admit(peers),
    },
    provide: (transport) => {
      inner = transport
    },
  }
}
