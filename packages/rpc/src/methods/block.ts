/** Blocks, their transactions by position, their receipts and uncles. */

import type { SealedBlock } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { heightOf } from '../block.ts'
import {
  formatBlock,
  formatFullBlock,
  formatHeader,
  formatOmmer,
  formatReceipts,
  formatTransaction,
  placeIn,
  quantity,
} from '../format.ts'
import { type JsonText, NULL } from '../json.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  defaulting,
  parseBlock,
  parseBlockNumber,
  parseBoolean,
  parseHash,
  parseIndex,
  required,
} from '../parse.ts'

export function blockMethods({ chain }: Backend): Method[] {
  const hash = required(hashReference)
  const number = required(parseBlockNumber)
  const index = required(parseIndex)
  const full = defaulting(parseBoolean, false)

  /** What `tell` says of the block; null if the chain has no such block. */
  function ofBlock(reference: BlockReference, tell: (block: SealedBlock) => JsonText): JsonText {
    const height = heightOf(chain, reference)
    const block = height === undefined ? undefined : chain.block(height)
    return block === undefined ? NULL : tell(block)
  }

  const show = (reference: BlockReference, whole: boolean): JsonText =>
    ofBlock(reference, whole ? formatFullBlock : formatBlock)
  const header = (reference: BlockReference): JsonText => {
    const height = heightOf(chain, reference)
    const sealed = height === undefined ? undefined : chain.header(height)
    return sealed === undefined ? NULL : formatHeader(sealed)
  }
  const countTransactions = (reference: BlockReference): JsonText =>
    ofBlock(reference, (block) => quantity(block.transactions.length))
  const countOmmers = (reference: BlockReference): JsonText =>
    ofBlock(reference, (block) => quantity(block.ommers.length))
  const transactionAt = (reference: BlockReference, at: number): JsonText =>
    ofBlock(reference, (block) => {
      const transaction = block.transactions[at]
      if (transaction === undefined) return NULL
      return formatTransaction(transaction, placeIn(block, at), block.header.baseFeePerGas)
    })
  const ommerAt = (reference: BlockReference, at: number): JsonText =>
    ofBlock(reference, ({ ommers }) => {
      const ommer = ommers[at]
      return ommer === undefined ? NULL : formatOmmer(ommer)
    })

  return [
    method('eth_getBlockByHash', [hash, full], show),
    method('eth_getBlockByNumber', [number, full], show),
    method('eth_getHeaderByHash', [hash], header),
    method('eth_getHeaderByNumber', [number], header),
    method('eth_getBlockTransactionCountByHash', [hash], countTransactions),
    method('eth_getBlockTransactionCountByNumber', [number], countTransactions),
    method('eth_getTransactionByBlockHashAndIndex', [hash, index], transactionAt),
    method('eth_getTransactionByBlockNumberAndIndex', [number, index], transactionAt),
    method('eth_getUncleCountByBlockHash', [hash], countOmmers),
    method('eth_getUncleCountByBlockNumber', [number], countOmmers),
    method('eth_getUncleByBlockHashAndIndex', [hash, index], ommerAt),
    method('eth_getUncleByBlockNumberAndIndex', [number, index], ommerAt),
    method('eth_getBlockReceipts', [required(parseBlock)], (reference) =>
      ofBlock(reference, (block) => {
        const receipts = chain.receipts(block.header.number)
        if (receipts === undefined) return block.transactions.length === 0 ? '[]' : NULL
        return formatReceipts({ block, receipts, fees: chain.fees(block.header) })
      }),
    ),
  ]
}

function hashReference(value: unknown): BlockReference {
  return { type: 'hash', hash: parseHash(value) }
}
