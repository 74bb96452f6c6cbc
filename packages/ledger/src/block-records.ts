/** A block as records on disk. */

import { type Hash, hexToBytes } from '@vellum/evm'
import { type Block, decodeHeader, encodeHeader, type Header } from './block.ts'
import type { SealedHeader } from './chain.ts'
import type { Write } from './key-value.ts'
import { encodeRlp, rlpHeadSize, rlpListPositions } from './rlp.ts'
import type { SealScheme } from './seal.ts'
import { heightKey, KIND, keyOf, type Store, writeHeight } from './store.ts'

/** Bytes of a block's RLP. */
export function blockSize(header: Header, body: Uint8Array): number {
  const items = rlpListPositions(body)
  const size = encodeHeader(header).length + items.at(-1)! - items[0]!
  return rlpHeadSize(size) + size
}

/** @throws LedgerError LEDGER_STORE_DAMAGED */
export function readHeader(store: Store, number: number, scheme: SealScheme): SealedHeader {
  const bytes = store.mustRead(heightKey(KIND.header, number), `header of block ${number}`)
  const header = decodeHeader(bytes.slice())
  return { header, hash: scheme.hash(header) }
}

/** All records of a block but those of its state. */
export function blockWrites(
  store: Store,
  block: Block,
  hash: Hash,
  body: Uint8Array,
  encodedReceipts: readonly Uint8Array[],
): Write[] {
  const { number } = block.header
  const place = new Uint8Array(6)
  writeHeight(place, 0, number)
  const senders = new Uint8Array(20 * block.transactions.length)
  const writes = [
    store.write(heightKey(KIND.header, number), encodeHeader(block.header)),
    store.write(heightKey(KIND.body, number), body),
    store.write(heightKey(KIND.receipts, number), encodeRlp(encodedReceipts)),
    store.write(keyOf(KIND.blockHash, hexToBytes(hash)), place),
  ]
  block.transactions.forEach((tx, index) => {
    senders.set(hexToBytes(tx.sender), 20 * index)
    const location = new Uint8Array(12)
    location.set(place)
    writeHeight(location, 6, index)
    writes.push(store.write(keyOf(KIND.transaction, hexToBytes(tx.hash)), location))
  })
  writes.push(store.write(heightKey(KIND.senders, number), senders))
  return writes
}
