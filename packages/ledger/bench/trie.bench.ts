/**
 * Times the trie: `node --conditions=source packages/ledger/bench/trie.bench.ts`.
 * One line a measurement, `name key=value ...: mean`, over fresh batches of random keys.
 */

import { keccak256 } from '@vellum/evm'
import {
  EMPTY_ROOT,
  NO_NODES,
  type NodeSource,
  openTrie,
  rootOfList,
  type TrieUpdate,
  updateTrie,
} from '../src/trie.ts'
import { createTrieHeap } from '../src/trie-heap.ts'

const ACCOUNT_BYTES = 70
const BATCH = 1_000
const ROUNDS = 20

const sizes = (process.argv[2] ?? '100000,1000000').split(',').map(Number)
for (const accounts of sizes) measureUpdates(accounts)
measureRootOfList(200)

function measureUpdates(accounts: number): void {
  // Keyed by 48 bits of the hash: what is timed is the trie and not the map.
  const nodes = new Map<number, Uint8Array>()
  const source: NodeSource = { node: (_, hash) => nodes.get(shortKey(hash)) }
  const heap = createTrieHeap({ onReplaced: (_, { hash }) => nodes.delete(shortKey(hash)) })
  let trie = heap.open(EMPTY_ROOT, source)
  /** The updates, written and committed; how many nodes that took. */
  const apply = (updates: readonly TrieUpdate[]): number => {
    let written = 0
    trie = heap.update(trie, updates)
    heap.commit()
    heap.takeNew(trie, ({ hash, record }) => {
      nodes.set(shortKey(hash), record.slice())
      written += 1
    })
    return written
  }
  const built = timed(() => {
    for (let from = 0; from < accounts; from += 50_000) {
      const updates: TrieUpdate[] = []
      for (let i = from; i < Math.min(accounts, from + 50_000); i++) updates.push(update(i, 0))
      apply(updates)
      heap.trim(trie, 4)
    }
  })
  report(`trie.build accounts=${accounts}`, [built])

  const updating: number[] = []
  const trimming: number[] = []
  let written = 0
  let random = 12345
  const next = (): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    return random
  }
  for (let round = 1; round <= ROUNDS; round++) {
    const updates = new Map<number, TrieUpdate>()
    while (updates.size < BATCH) {
      const i = Math.floor((next() / 2 ** 32) * accounts)
      updates.set(i, update(i, round))
    }
    const batch = [...updates.values()]
    updating.push(timed(() => (written += apply(batch))))
    trimming.push(timed(() => heap.trim(trie, 4)))
  }
  report(`trie.update accounts=${accounts} batch=${BATCH} loaded=4`, updating)
  report(`trie.trim accounts=${accounts} depth=4`, trimming)
  console.log(`trie.written accounts=${accounts}: ${Math.round(written / ROUNDS)} nodes a batch`)
}

function measureRootOfList(count: number): void {
  const values = Array.from({ length: count }, (_, i) => {
    const value = new Uint8Array(120).fill(i)
    value[0] = i >> 8
    return value
  })
  const times = Array.from({ length: 200 }, () => timed(() => rootOfList(values)))
  report(`trie.rootOfList count=${count} bytes=120`, times)
  const updates = values.map((value, i) => ({ key: Uint8Array.of(i >> 8, i), value }))
  const plain = Array.from({ length: 200 }, () =>
    timed(() => updateTrie(openTrie(EMPTY_ROOT, NO_NODES), updates)),
  )
  report(`trie.update empty batch=${count} bytes=120`, plain)
}

function shortKey(hash: Uint8Array): number {
  return (
    ((hash[0]! << 16) | (hash[1]! << 8) | hash[2]!) * 2 ** 24 +
    ((hash[3]! << 16) | (hash[4]! << 8) | hash[5]!)
  )
}

/** Key and value of an account, both spread as real ones are. */
function update(i: number, round: number): TrieUpdate {
  const name = new Uint8Array(8)
  new DataView(name.buffer).setUint32(0, i)
  const key = keccak256(name)
  const value = new Uint8Array(ACCOUNT_BYTES)
  value.set(key, 0)
  value[ACCOUNT_BYTES - 1] = round + 1
  return { key, value }
}

/**
 * Milliseconds of this thread on a processor: other work on the machine does not count. The clock
 * may tick in steps of 4 ms; the mean over many rounds is finer.
 */
function timed(work: () => unknown): number {
  const start = process.threadCpuUsage()
  work()
  const { user, system } = process.threadCpuUsage(start)
  return (user + system) / 1_000
}

function report(name: string, times: readonly number[]): void {
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  console.log(`${name}: ${mean.toFixed(2)} ms`)
}
