/** What the node tells its operator of itself and its peers. */

import type { AdminPort } from '@vellum/rpc'
import type { LocalNode } from './local-node.ts'
import { systemClock } from './machine.ts'
import { CLIENT_VERSION } from './version.ts'

export function createAdminPort({ node, network, address }: LocalNode): AdminPort {
  return {
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
