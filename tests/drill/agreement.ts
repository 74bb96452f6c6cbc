/** Whether nodes hold the same chain, and every receipt that a client has seen. */

import type { Hash } from '@vellum/evm'
import type { SeenReceipt } from './drill-load.ts'
import { demand, type NetworkProcess } from './running-network.ts'

/** What must be equal everywhere. Seals may differ: each node keeps those that it collected. */
interface BlockFacts {
  readonly hash: string
  readonly stateRoot: string
  readonly receiptsRoot: string
  readonly transactionsRoot: string
}

const BATCH = 100

/** @returns heights from one to another at which not all nodes hold the same block and receipts */
export async function findForks(
  nodes: readonly NetworkProcess[],
  from: number,
  to: number,
): Promise<number[]> {
  const forks: number[] = []
  for (let first = from; first <= to; first += BATCH) {
    const count = Math.min(BATCH, to - first + 1)
    const held = await Promise.all(nodes.map((node) => factsOf(node, first, count)))
    for (let i = 0; i < count; i++) {
      if (new Set(held.map((facts) => facts[i])).size > 1) forks.push(first + i)
    }
  }
  return forks
}

async function factsOf(
  node: NetworkProcess,
  first: number,
  count: number,
): Promise<readonly string[]> {
  const heights = Array.from({ length: count }, (_, i) => `0x${(first + i).toString(16)}`)
  const blocks = await demand<BlockFacts>(
    node,
    'eth_getBlockByNumber',
    heights.map((height) => [height, false]),
  )
  const receipts = await demand<object[]>(node, 'eth_getBlockReceipts', heights)
  return heights.map((height, i) => {
    const block = blocks[i]
    if (!block || !receipts[i]) return `${node.name} has no block ${height}`
    const { hash, stateRoot, receiptsRoot, transactionsRoot } = block
    return JSON.stringify([hash, stateRoot, receiptsRoot, transactionsRoot, receipts[i]])
  })
}

/** @returns transactions of which a node has another receipt than a client was given, or none */
export async function findLost(
  nodes: readonly NetworkProcess[],
  expected: readonly SeenReceipt[],
): Promise<Set<Hash>> {
  const lost = new Set<Hash>()
  for (let at = 0; at < expected.length; at += BATCH) {
    const part = expected.slice(at, at + BATCH)
    for (const node of nodes) {
      const found = await demand<SeenReceipt>(
        node,
        'eth_getTransactionReceipt',
        part.map(({ transactionHash }) => transactionHash),
      )
      const blocks = new Map(found.map((each) => [each?.transactionHash, each?.blockHash]))
      for (const { transactionHash, blockHash } of part) {
        if (blocks.get(transactionHash) !== blockHash) lost.add(transactionHash)
      }
    }
  }
  return lost
}
