/**
 * What the operator asks of a node, its chains and its peers. Peers cannot be added here: who may connect is
 * what the validator set and the configuration say; a new chain comes with the places of its own.
 */

import type { AdminPort, Backend, ChainFacts, ChainsPort, Outcome } from '../backend.ts'
import { invalidParams, RpcError, SERVER_ERROR } from '../error.ts'
import { quantity } from '../format.ts'
import { type JsonText, jsonArray, jsonObject, jsonString, NULL, TRUE } from '../json.ts'
import { type Method, method } from '../method.ts'
import {
  defaulting,
  listOf,
  member,
  parseBoolean,
  parseRecord,
  parseText,
  required,
} from '../parse.ts'

/** Places of peers that a new chain may come with. */
const BOOTNODES_MAX = 64

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
    ...(admin.chains === undefined ? [] : chainMethods(admin.chains)),
  ]
}

function chainMethods(chains: ChainsPort): Method[] {
  return [
    method('admin_chains', [], () => jsonArray(chains.all().map(chainText))),
    method('admin_addChain', [required(parseNewChain)], async (chain) =>
      chainText(granted(await chains.add(chain))),
    ),
    method(
      'admin_removeChain',
      [required(parseText), defaulting(parseBoolean, false)],
      async (name, discard) => {
        granted(await chains.remove(name, discard))
        return TRUE
      },
    ),
  ]
}

function parseNewChain(value: unknown): Parameters<ChainsPort['add']>[0] {
  const record = parseRecord(value)
  const name = member(record, 'name', parseText)
  if (name === undefined) throw invalidParams('name is missing')
  const genesis = member(record, 'genesis', parseRecord)
  const bootnodes = member(record, 'bootnodes', listOf(parseText, BOOTNODES_MAX)) ?? []
  return { name, genesis, bootnodes }
}

/** @throws RpcError with the reason of a refusal */
function granted<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new RpcError(SERVER_ERROR, outcome.reason)
  return outcome.value
}

function chainText(chain: ChainFacts): JsonText {
  const { name, state, reason, chainId, genesisHash, height, isValidator } = chain
  return jsonObject([
    ['name', jsonString(name)],
    ['path', jsonString(`/chain/${name}`)],
    ['state', jsonString(state)],
    ['reason', textOrNull(reason)],
    ['chainId', chainId === undefined ? NULL : quantity(chainId)],
    ['genesis', textOrNull(genesisHash)],
    ['height', height === undefined ? NULL : quantity(height)],
    ['isValidator', `${isValidator}`],
  ])
}

function textOrNull(text: string | undefined): JsonText {
  return text === undefined ? NULL : jsonString(text)
}
