/** ethers on a node of a test: calls go to its JSON-RPC, and a block follows each transaction. */

import {
  JsonRpcApiProvider,
  type JsonRpcError,
  type JsonRpcPayload,
  type JsonRpcResult,
  Network,
} from 'ethers'
import type { Chain } from '../contracts/chain.ts'

export class ChainProvider extends JsonRpcApiProvider {
  readonly #chain: Chain

  constructor(chain: Chain) {
    const network = Network.from(chain.chainId)
    super(network, { staticNetwork: network, cacheTimeout: -1, batchMaxCount: 1 })
    this.#chain = chain
    this._start()
  }

  override async _send(
    payload: JsonRpcPayload | JsonRpcPayload[],
  ): Promise<(JsonRpcResult | JsonRpcError)[]> {
    const calls = Array.isArray(payload) ? payload : [payload]
    const answers: (JsonRpcResult | JsonRpcError)[] = []
    for (const { id, method, params } of calls) {
      try {
        const result = await this.#chain.rpc(method, params as unknown[])
        if (method === 'eth_sendRawTransaction') await this.#chain.pass(1)
        answers.push({ id, result })
      } catch (error) {
        answers.push({ id, error: errorOf(error) })
      }
    }
    return answers
  }
}

/** The chain of the tests has the error as JSON behind the method's name. */
function errorOf(error: unknown): JsonRpcError['error'] {
  const text = (error as Error).message
  return JSON.parse(text.slice(text.indexOf(': ') + 2))
}
