/** From a block as a client names it to a height of the chain. */

import type { ChainReader } from './backend.ts'
import { RpcError, SERVER_ERROR } from './error.ts'
import type { BlockReference } from './parse.ts'

/**
 * Height of the block; undefined if the chain has none such.
 *
 * A block is final as soon as it is in the chain, so `safe` and `finalized` are the head. So is
 * `pending`: nothing is promised about a block before the validators agree on it.
 */
export function heightOf(chain: ChainReader, reference: BlockReference): number | undefined {
  switch (reference.type) {
    case 'tag':
      return reference.tag === 'earliest' ? 0 : chain.head().header.number
    case 'number':
      return reference.number <= chain.head().header.number ? reference.number : undefined
    case 'hash':
      return chain.numberOf(reference.hash)
  }
}

/** @throws RpcError -32000 `header not found` if the chain has no such block */
export function requireHeight(chain: ChainReader, reference: BlockReference): number {
  const height = heightOf(chain, reference)
  if (height === undefined) throw new RpcError(SERVER_ERROR, 'header not found')
  return height
}
