/**
 * Brings the headers of a chain, from genesis to the head of the peers: each is verified as that of a
 * block would be, seals of a quorum of the validators in force included. What the last one says of
 * the state is so trusted by nothing but the genesis block.
 */

import { highestClaim } from '@vellum/consensus'
import {
  type Chain,
  decodeHeader,
  type Header,
  headerWrites,
  progressWrite,
  readBroughtHeader,
  type Store,
  verifyHeader,
  type Write,
} from '@vellum/ledger'
import { AnswerRefused, type SnapshotPeers } from './snapshot-peers.ts'
import { decodeEncodedItems, SNAPSHOT_WIRE_LIMITS } from './snapshot-wire.ts'

/** Headers verified before others get a turn: some 4 ms with four validators. */
const HEADERS_IN_A_ROW = 16

/**
 * Brings headers after the ones that are there, as long as a peer claims more.
 * @param after the last header that is on disk and verified
 * @returns the last one now
 * @throws SnapshotStopped
 */
export async function bringHeaders(
  after: number,
  ports: { readonly chain: Chain; readonly store: Store; readonly peers: SnapshotPeers },
): Promise<number> {
  const { chain, store, peers } = ports
  const { headersMax } = SNAPSHOT_WIRE_LIMITS
  let last = after
  while (highestClaim(peers.plan()) > last) {
    const from = last
    last = await peers.ask({
      question: { kind: 'headers', after: from, count: headersMax },
      height: from + 1,
      isState: false,
      accept: async (content, peer) => {
        const encoded = decodeEncodedItems(content, headersMax)
        if (encoded.length === 0) {
          // It claimed to have more.
          peers.tell({ type: 'headersEnd', peer, height: from })
          return from
        }
        const { height, writes } = await verifyHeaders(from, encoded)
        await store.disk.batch([
          ...writes,
          progressWrite(store, { headers: height, pivot: undefined }),
        ])
        return height
      },
    })
  }
  return last

  async function verifyHeaders(
    from: number,
    encoded: readonly Uint8Array[],
  ): Promise<{ readonly height: number; readonly writes: readonly Write[] }> {
    const brought = new Map<number, Header>()
    const ancestor = (number: number): Header => {
      const found = brought.get(number) ?? readBroughtHeader(store, number)
      if (found === undefined) throw new Error(`header ${number} is not on disk`)
      return found
    }
    const writes: Write[] = []
    let parent = ancestor(from)
    let parentHash = chain.scheme.hash(parent)
    for (const [i, bytes] of encoded.entries()) {
      if (i % HEADERS_IN_A_ROW === HEADERS_IN_A_ROW - 1) await peers.rest(0)
      const header = decodeHeader(bytes.slice())
      if (header.parentHash !== parentHash) throw lied(header, 'does not follow the one before')
      const rules = chain.rulesAt(header.number, header.timestamp)
      for (const verdict of [
        verifyHeader(header, parent, rules),
        chain.scheme.verify(header, parent, ancestor),
      ]) {
        if (!verdict.ok) throw lied(header, verdict.reason)
      }
      brought.set(header.number, header)
      parent = header
      parentHash = chain.scheme.hash(header)
      writes.push(...headerWrites(store, header, parentHash))
    }
    return { height: parent.number, writes }
  }
}

function lied({ number }: Header, reason: string): AnswerRefused {
  return new AnswerRefused('lied', `header ${number}: ${reason}`)
}
