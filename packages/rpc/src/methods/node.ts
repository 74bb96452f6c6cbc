/** What the node says about itself: chain id, clients, peers, progress. */

import { keccak256 } from '@vellum/evm'
import type { ForkConfig, ForkConfigs, SealedHeader } from '@vellum/ledger'
import type { Backend, HeldData } from '../backend.ts'
import { data, hex, quantity } from '../format.ts'
import { type JsonText, jsonObject, jsonString, NULL, TRUE } from '../json.ts'
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
    method('eth_config', [], () => formatForkConfigs(chain.forkConfigs(), chainId)),
    method('eth_capabilities', [], () => formatCapabilities(chain.head(), chain.held())),
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

/** EIP-7910. */
function formatForkConfigs({ current, next, last }: ForkConfigs, chainId: JsonText): JsonText {
  const orNull = (config: ForkConfig | undefined): JsonText =>
    config === undefined ? NULL : formatForkConfig(config, chainId)
  return `{"current":${orNull(current)},"next":${orNull(next)},"last":${orNull(last)}}`
}

function formatForkConfig(config: ForkConfig, chainId: JsonText): JsonText {
  const { target, max, baseFeeUpdateFraction } = config.blobSchedule
  const named = (entries: ForkConfig['precompiles']): JsonText =>
    jsonObject(entries.map(([name, address]) => [name, hex(address)]))
  return (
    `{"activationTime":${config.activationTime},"blobSchedule":{"target":${target},"max":${max}` +
    `,"baseFeeUpdateFraction":${baseFeeUpdateFraction}},"chainId":${chainId}` +
    `,"forkId":${hex(config.forkId)},"precompiles":${named(config.precompiles)}` +
    `,"systemContracts":${named(config.systemContracts)}}`
  )
}

/** What can be asked of which blocks, for those who route requests to one node or another. */
function formatCapabilities({ header, hash }: SealedHeader, held: HeldData): JsonText {
  const since = (oldest: number, window?: number): JsonText => {
    const strategy =
      window === undefined
        ? ''
        : `,"deleteStrategy":{"type":"window","retentionBlocks":${quantity(window)}}`
    return `{"disabled":false,"oldestBlock":${quantity(oldest)}${strategy}}`
  }
  const blocks = since(held.oldestBlock)
  const state = since(held.oldestState, held.stateBlocks)
  return (
    `{"head":{"number":${quantity(header.number)},"hash":${hex(hash)}},"state":${state}` +
    `,"tx":${blocks},"logs":${blocks},"receipts":${blocks},"blocks":${blocks}` +
    `,"stateproofs":${state}}`
  )
}
