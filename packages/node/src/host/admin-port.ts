/** What the node tells its operator of itself and its peers. */

import type { AdminPort, ChainsPort } from '@vellum/rpc'
import type { LocalNode } from './local-node.ts'
import { systemClock } from './machine.ts'
import { CLIENT_VERSION } from './version.ts'

/** @param chains of the process; undefined: it has one for ever */
export function createAdminPort(
  { node, network, address }: LocalNode,
  chains: ChainsPort | undefined,
): AdminPort {
  return {
    chains,
    node: () => ({
      peerId: network?.peerId,
      name: CLIENT_VERSION,
      listen: network?.listenAddresses() ?? [],
      validator: address,
    }),
    peers: () => {
      const views = node.consensus?.network?.peers()
      const links = network?.connections() ?? []
      return links.map(({ peer, peerId, remote, direction }) => {
        const view = views?.get(peer)
        return {
          peerId,
          address: peer,
          remote,
          direction,
          ...(view && {
            name: view.clientVersion,
            height: view.height,
            heardMs: Math.round(systemClock.elapsed() - view.heardAt),
          }),
        }
      })
    },
  }
}
