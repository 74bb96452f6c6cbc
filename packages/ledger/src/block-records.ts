/** A block as records on disk. */

import { type Hash, hexToBytes, writeHex } from '@vellum/evm'
import { type Block, decodeHeader } from './block.ts'
import type { SealedHeader } from './chain.ts'
import type { Write } from './key-value.ts'
import { encodeRlp, rlpHeadSize, rlpListPositions } from './rlp.ts'
import type { SealScheme } from './seal.ts'
import { CRC_BYTES, heightKey, KIND, keyOf, type Store, writeHeight } from './store.ts'
import type { SignedTransaction } from './transaction.ts'

/** Bytes of a block's RLP. @param headerBytes those of its header's */
export function blockSize(headerBytes: number, body: Uint8Array): number {
  const items = rlpListPositions(body)
  const size = headerBytes + items.at(-1)! - items[0]!
  return rlpHeadSize(size) + size
}

/** @throws LedgerError LEDGER_STORE_DAMAGED */
export function readHeader(store: Store, number: number, scheme: SealScheme): SealedHeader {
  const bytes = store.mustRead(heightKey(KIND.header, number), `header of block ${number}`)
  const header = decodeHeader(bytes.slice())
  return { header, hash: scheme.hash(header) }
}

/** RLP of a block's parts, of each receipt as EIP-2718 has it. */
export interface EncodedBlock {
  readonly header: Uint8Array
  readonly body: Uint8Array
  readonly receipts: readonly Uint8Array[]
}

/** All records of a block but those of its state. */
export function blockWrites(
  store: Store,
  block: Block,
  hash: Hash,
  encoded: EncodedBlock,
): Write[] {
  const { number } = block.header
  const place = new Uint8Array(6)
  writeHeight(place, 0, number)
  const senders = new Uint8Array(20 * block.transactions.length)
  for (const [index, { sender }] of block.transactions.entries()) {
    writeHex(sender, senders, 20 * index)
  }
  return [
    store.write(heightKey(KIND.header, number), encoded.header),
    store.write(heightKey(KIND.body, number), encoded.body),
    store.write(heightKey(KIND.receipts, number), encodeRlp(encoded.receipts)),
    store.write(keyOf(KIND.blockHash, hexToBytes(hash)), place),
    ...transactionWrites(store, block.transactions, number),
    store.write(heightKey(KIND.senders, number), senders),
  ]
}

const TRANSACTION_KEY_BYTES = 33
const TRANSACTION_RECORD_BYTES = TRANSACTION_KEY_BYTES + 12 + CRC_BYTES

/** Where each transaction is. They are many and small: all lie in one piece of memory. */
function transactionWrites(
  store: Store,
  transactions: readonly SignedTransaction[],
  number: number,
): Write[] {
  const records = new Uint8Array(TRANSACTION_RECORD_BYTES * transactions.length)
  return transactions.map(({ hash }, index) => {
    const from = TRANSACTION_RECORD_BYTES * index
    records[from] = KIND.transaction
    writeHex(hash, records, from + 1)
    writeHeight(records, from + TRANSACTION_KEY_BYTES, number)
    writeHeight(records, from + TRANSACTION_KEY_BYTES + 6, index)
    const record = records.subarray(from, from + TRANSACTION_RECORD_BYTES)
    return store.writeWhole(record, TRANSACTION_KEY_BYTES)
  })
}
