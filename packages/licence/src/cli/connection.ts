/** A node as commands speak to it: its RPC server, and the chain that it serves. */

import { FetchRequest, JsonRpcProvider, Network } from 'ethers'
import { isObject } from '../bytes.ts'
import { LicenceError } from '../error.ts'

export interface Connection {
  readonly provider: JsonRpcProvider
  readonly chainId: bigint
  close(): void
}

/** Most milliseconds until a node has said which chain it serves. */
const ANSWER_MS_MAX = 10_000
/** Between two questions whether a transaction is in its block: blocks come within milliseconds. */
const POLL_MS = 50

/**
 * @param url of an RPC server
 * @throws LicenceError LICENCE_NODE_UNREACHABLE
 */
export async function connect(url: string): Promise<Connection> {
  const chainId = await chainIdOf(url)
  const provider = new JsonRpcProvider(url, Network.from(chainId), {
    staticNetwork: true,
    // What is answered holds until the next block, and that one may be there already.
    cacheTimeout: -1,
    pollingInterval: POLL_MS,
    // One question at a time needs no waiting for others to go with it.
    batchMaxCount: 1,
  })
  return { provider, chainId, close: () => provider.destroy() }
}

/** Asked apart: the provider would ask again without end where nobody answers. */
async function chainIdOf(url: string): Promise<bigint> {
  try {
    const request = new FetchRequest(url)
    request.timeout = ANSWER_MS_MAX
    request.body = { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }
    const answer: unknown = (await request.send()).bodyJson
    return BigInt(isObject(answer) ? String(answer.result) : '')
  } catch (cause) {
    throw new LicenceError(
      'LICENCE_NODE_UNREACHABLE',
      `no node answers at ${url}; start one, or name another with --rpc`,
      { url },
      { cause },
    )
  }
}
