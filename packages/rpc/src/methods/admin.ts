/**
 * What the operator asks of a node and its peers. Peers cannot be added here: who may connect is what the
 * validator set and the configuration say.
 */

import type { AdminPort, Backend } from '../backend.ts'
import { quantity } from '../format.ts'
import { type JsonText, jsonArray, jsonObject, jsonString, NULL } from '../json.ts'
import { type Method, method } from '../method.ts'

export function adminMethods({ chain, node }: Backend, admin: AdminPort): Method[] {
  return [
    // In the shape of go-ethereum, without the addresses of its own network protocol.
    method('admin_nodeInfo', [], () => {
      const { peerId, name, listen, validator } = admin.node()
      const head = chain.head()
      const protocol = jsonObject([
        ['network', node.chainId.toString()],
        ['difficulty', head.header.difficulty.toString()],
        ['genesis', textOrNull(chain.header(0)?.hash)],
        ['head', jsonString(head.hash)],
        ['height', quantity(head.header.number)],
      ])
      return jsonObject([
        ['id', textOrNull(peerId)],
        ['name', jsonString(name)],
        ['listenAddr', textOrNull(listen[0])],
        ['listenAddrs', jsonArray(listen.map(jsonString))],
        ['validator', textOrNull(validator)],
        ['protocols', jsonObject([['eth', protocol]])],
      ])
    }),
    method('admin_peers', [], () =>
      jsonArray(
        admin.peers().map((peer) =>
          jsonObject([
            ['id', jsonString(peer.peerId)],
            ['name', textOrNull(peer.name)],
            ['address', jsonString(peer.address)],
            [
              'network',
              jsonObject([
                ['remoteAddress', jsonString(peer.remote)],
                ['inbound', `${peer.direction === 'inbound'}`],
              ]),
            ],
            ['height', peer.height === undefined ? NULL : quantity(peer.height)],
            ['lastHeardMs', peer.heardMs === undefined ? NULL : `${peer.heardMs}`],
          ]),
        ),
      ),
    ),
  ]
}

function textOrNull(text: string | undefined): JsonText {
  return text === undefined ? NULL : jsonString(text)
}
