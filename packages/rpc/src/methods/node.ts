/** What the node says about itself: chain id, clients, peers, progress. */

import { keccak256 } from '@vellum/evm'
import type { Backend } from '../backend.ts'
import { data, quantity } from '../format.ts'
import { type JsonText, jsonString, TRUE } from '../json.ts'
import { type Method, method } from '../method.ts'
import { parseBytes, required } from '../parse.ts'
import { formatSyncing } from '../syncing.ts'

export function nodeMethods({ node, chain }: Backend): Method[] {
  const chainId = quantity(node.chainId)
  // The network id is the chain id in decimal: they differ on no chain of ours.
  const networkId: JsonText = `"${node.chainId}"`
  return [
    method('eth_chainId', [], () => chainId),
    method('net_version', [], () => networkId),
    method('net_listening', [], () => TRUE),
    method('net_peerCount', [], () => quantity(node.peerCount())),
    method('eth_blockNumber', [], () => quantity(chain.head().header.number)),
    method('eth_syncing', [], () => formatSyncing(node.syncing())),
    // The node holds no keys for its clients: accounts live in wallets.
    method('eth_accounts', [], () => '[]'),
    method('web3_clientVersion', [], () => jsonString(node.clientVersion)),
    method('web3_sha3', [required(parseBytes)], (bytes) => data(keccak256(bytes))),
  ]
}

/** rpc_modules: the namespaces of the methods that are served, each in version 1.0. */
export function modulesMethod(served: readonly Method[]): Method {
  const names = new Set(served.map(({ name }) => name.slice(0, name.indexOf('_'))))
  const text = [...names, 'rpc'].sort().map((name) => `"${name}":"1.0"`)
  const answer: JsonText = `{${text.join(',')}}`
  return method('rpc_modules', [], () => answer)
}
