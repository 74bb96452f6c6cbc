/** Files of blocks as go-ethereum, Besu and hive write them: RLP of blocks, one after another. */

import { concatBytes } from '@vellum/evm'
import { LIMITS } from '@vellum/ledger'
import { NodeError } from './error.ts'

/**
 * Cuts a stream of bytes into its RLP items, each handed over with its head.
 * @param chunks the file's bytes in order, in pieces of any size
 * @throws NodeError NODE_FILE_INVALID if an item is no list, is over 8 MiB, or is cut off
 */
export function* splitBlocks(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0)
  let offset = 0
  for (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : concatBytes(rest, chunk)
    for (;;) {
      const size = itemSize(rest, offset)
      if (size === undefined || size > rest.length) break
      yield rest.slice(0, size)
      rest = rest.subarray(size)
      offset += size
    }
    // What is kept must not change when the caller reads its next chunk into the same memory.
    rest = rest.slice()
  }
  if (rest.length > 0) throw invalid(offset, 'the last block is cut off')
}

/** Bytes of the item that begins here, its head included; undefined while the head is incomplete. */
function itemSize(bytes: Uint8Array, offset: number): number | undefined {
  const first = bytes[0]
  if (first === undefined) return undefined
  if (first < 0xc0) throw invalid(offset, 'no block begins here')
  if (first < 0xf8) return first - 0xc0 + 1
  const sizeBytes = first - 0xf7
  if (bytes.length < 1 + sizeBytes) return undefined
  let size = 0
  for (let i = 1; i <= sizeBytes; i++) size = size * 256 + bytes[i]!
  if (size > LIMITS.blockBytesMax) throw invalid(offset, 'a block is over 8 MiB')
  return 1 + sizeBytes + size
}

function invalid(offset: number, reason: string): NodeError {
  return new NodeError(
    'NODE_FILE_INVALID',
    `the file is not one of blocks: at byte ${offset}, ${reason}`,
    { offset, reason },
  )
}
