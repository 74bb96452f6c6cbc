/**
 * The tries of the head, in memory of their own: WebAssembly, of which the source is
 * `engine/trie.ts`. A block replaces some thousand nodes; as objects they cost more to collect than to
 * hash, and here they are freed by hand.
 *
 * There is the head, and at most one candidate: what `update` makes of tries of the head, or of the
 * candidate. It becomes the head by `commit`, or vanishes by `drop`. Proofs, ranges, lists and
 * states behind the head are for `trie.ts`, which reads nodes from here by `record`.
 */

import {
  bytesToHex,
  compileModule,
  type Hash,
  instantiate,
  LinearMemory,
  type WasmMemory,
  writeHex,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import { WASM_BASE64 } from './trie.generated.ts'
import { EMPTY_ROOT } from './trie.ts'
import type { NewNode, ReplacedNode, TrieUpdate } from './trie-batch.ts'
import { missingNode, type NodeSource } from './trie-source.ts'

/** A trie of the head or of the candidate. It ends when it is replaced by a commit, or released. */
export interface HeapTrie {
  readonly root: Hash
  readonly source: NodeSource
  /** Address of the root; 0 if it is not in memory, or there is none. Of no meaning elsewhere. */
  node: number
}

export interface TrieHeap {
  /** The trie of the head with this root; nothing is read until it is needed. */
  open(root: Hash, source: NodeSource): HeapTrie
  /**
   * The value at a key, copied; undefined if there is none.
   * @param key 32 bytes
   * @throws LedgerError LEDGER_TRIE_NODE_MISSING or LEDGER_TRIE_NODE_INVALID if the store is damaged,
   *   LEDGER_TRIE_MEMORY if nodes fill a gibibyte
   */
  value(trie: HeapTrie, key: Uint8Array): Uint8Array | undefined
  /** The value of a storage slot; 0n if there is none. @throws LedgerError as `value` */
  slot(trie: HeapTrie, slot: Hash): bigint
  /**
   * What updates make of a trie, as part of the candidate. Keys have 32 bytes and differ; values have
   * at most 128. The very same trie comes back if nothing changed.
   * @throws LedgerError as `value`; the candidate must then be dropped
   */
  update(trie: HeapTrie, updates: readonly TrieUpdate[]): HeapTrie
  /** The same for storage slots: 0n deletes. */
  updateSlots(trie: HeapTrie, slots: ReadonlyMap<Hash, bigint>): HeapTrie
  /** The candidate becomes the head. */
  commit(): void
  /** The candidate, if there is one, is forgotten. */
  drop(): void
  /**
   * The nodes of a trie of the head that are not stored, children before parents. They count as
   * stored from now on. What is handed to `write` is only valid during the call.
   */
  takeNew(trie: HeapTrie, write: (node: NewNode) => void): void
  /**
   * Record of a node of a trie of the head; undefined if it is not in memory.
   * @param path nibbles from the root
   */
  record(trie: HeapTrie, path: Uint8Array, hash: Uint8Array): Uint8Array | undefined
  /**
   * Frees the nodes that are stored and whose path is longer than `depth` nibbles: they must be in the
   * source by now. There must be no candidate, as it shares them.
   */
  trim(trie: HeapTrie, depth: number): void
  /** Frees all nodes. The trie can be used again if all were stored, or opened anew. */
  release(trie: HeapTrie): void
  /** Of all nodes in memory. */
  readonly bytes: number
}

export interface TrieHeapOptions {
  /** Called with each stored node that the candidate does not refer to, and the trie it is of. */
  readonly onReplaced?: (trie: HeapTrie, node: ReplacedNode) => void
}

interface Engine {
  readonly memory: WasmMemory
  inputAt(): number
  keyAt(): number
  rootAt(): number
  nibblesAt(): number
  outputAt(): number
  stagedAt(): number
  stagedMax(): number
  bytesUsed(): number
  openRoot(): number
  find(root: number): number
  foundBytes(): number
  hashKey(): void
  stageWords(count: number): void
  update(root: number, count: number): number
  sealRoot(root: number): void
  track(tracks: number): void
  commit(): void
  drop(): void
  takeNew(root: number): void
  recordAt(root: number, depth: number): number
  trim(root: number, depth: number): void
  release(root: number): void
}

// As in the engine.
const STAGED_BYTES = 168
const STAGED_SIZE = 32
const STAGED_VALUE = 40
const VALUE_MAX = 128
const RECORD_MAX = 8192
const HASH_BYTES = 32

let compiled: object | undefined

export function createTrieHeap(options: TrieHeapOptions = {}): TrieHeap {
  const { onReplaced } = options
  compiled ??= compileModule(WASM_BASE64)
  const engine = instantiate<Engine>(compiled, { host: { load, store, replaced, fail } })
  const [inputAt, keyAt, rootAt] = [engine.inputAt(), engine.keyAt(), engine.rootAt()]
  const [nibblesAt, outputAt] = [engine.nibblesAt(), engine.outputAt()]
  const [stagedAt, stagedMax] = [engine.stagedAt(), engine.stagedMax()]
  const memory = new LinearMemory(engine.memory)
  engine.track(onReplaced === undefined ? 0 : 1)

  /** The trie that the engine is at work on, and where its new nodes go. */
  let current!: HeapTrie
  let write: ((node: NewNode) => void) | undefined

  // What the engine calls.

  function load(key: number, depth: number, hash: number): number {
    memory.fresh()
    const path = pathAt(key, depth)
    const name = memory.u8.slice(hash, hash + HASH_BYTES)
    const record = current.source.node(path, name)
    if (record === undefined) throw missingNode(path, name)
    if (record.length > RECORD_MAX) fail(0)
    memory.u8.set(record, inputAt)
    return record.length
  }

  function store(path: number, depth: number, hash: number, record: number, size: number): void {
    memory.fresh()
    write!({
      path: memory.u8.slice(path, path + depth),
      hash: memory.u8.slice(hash, hash + HASH_BYTES),
      record: memory.u8.subarray(record, record + size),
    })
  }

  function replaced(key: number, depth: number, hash: number): void {
    memory.fresh()
    const path = pathAt(key, depth)
    onReplaced!(current, { path, hash: memory.u8.slice(hash, hash + HASH_BYTES) })
  }

  /** The first nibbles of a key. */
  function pathAt(key: number, depth: number): Uint8Array {
    const path = new Uint8Array(depth)
    for (let i = 0; i < depth; i++) {
      const byte = memory.u8[key + (i >> 1)]!
      path[i] = (i & 1) === 0 ? byte >> 4 : byte & 15
    }
    return path
  }

  function fail(reason: number): never {
    throw reason === 0
      ? new LedgerError('LEDGER_TRIE_NODE_INVALID', 'a record is no node of a state’s trie')
      : new LedgerError('LEDGER_TRIE_MEMORY', 'the nodes of the state’s tries fill their memory')
  }

  // Tries.

  /** Makes a trie the one that the engine works on, with its root in memory. */
  function enter(trie: HeapTrie): void {
    memory.fresh()
    current = trie
    writeHex(trie.root, memory.u8, rootAt)
    if (trie.node === 0 && trie.root !== EMPTY_ROOT) trie.node = engine.openRoot()
    memory.fresh()
  }

  function value(trie: HeapTrie, key: Uint8Array): Uint8Array | undefined {
    enter(trie)
    memory.u8.set(key, keyAt)
    const at = engine.find(trie.node)
    memory.fresh()
    return at === 0 ? undefined : memory.u8.slice(at, at + engine.foundBytes())
  }

  function slot(trie: HeapTrie, name: Hash): bigint {
    enter(trie)
    writeHex(name, memory.u8, keyAt)
    engine.hashKey()
    const at = engine.find(trie.node)
    memory.fresh()
    if (at === 0) return 0n
    const first = memory.u8[at]!
    return first < 0x80 ? BigInt(first) : integerAt(at + 1, first - 0x80)
  }

  function integerAt(at: number, size: number): bigint {
    if (size <= 6) {
      let small = 0
      for (let i = 0; i < size; i++) small = small * 256 + memory.u8[at + i]!
      return BigInt(small)
    }
    return BigInt(bytesToHex(memory.u8.subarray(at, at + size)))
  }

  function update(trie: HeapTrie, updates: readonly TrieUpdate[]): HeapTrie {
    return changed(trie, updates.length, (from, count) => {
      for (let i = 0; i < count; i++) {
        const { key, value } = updates[from + i]!
        const at = stagedAt + i * STAGED_BYTES
        const size = value?.length ?? 0
        if (key.length !== HASH_BYTES || size > VALUE_MAX) {
          throw new RangeError('an update has a key of 32 bytes and a value of at most 128')
        }
        memory.u8.set(key, at)
        memory.u32[(at + STAGED_SIZE) >> 2] = size
        if (size > 0) memory.u8.set(value!, at + STAGED_VALUE)
      }
    })
  }

  function updateSlots(trie: HeapTrie, slots: ReadonlyMap<Hash, bigint>): HeapTrie {
    const entries = slots.entries()
    return changed(trie, slots.size, (_, count) => {
      for (let i = 0; i < count; i++) {
        const [name, word] = entries.next().value!
        const at = stagedAt + i * STAGED_BYTES
        writeHex(name, memory.u8, at)
        memory.writeWord(at + STAGED_VALUE, word)
      }
      engine.stageWords(count)
    })
  }

  /** @param stage places `count` updates, those from `from` on */
  function changed(
    trie: HeapTrie,
    total: number,
    stage: (from: number, count: number) => void,
  ): HeapTrie {
    enter(trie)
    let node = trie.node
    for (let from = 0; from < total; from += stagedMax) {
      const count = Math.min(stagedMax, total - from)
      stage(from, count)
      node = engine.update(node, count)
      memory.fresh()
    }
    if (node === trie.node) return trie
    const { source } = trie
    if (node === 0) return { root: EMPTY_ROOT, source, node }
    engine.sealRoot(node)
    return { root: bytesToHex(memory.u8.subarray(rootAt, rootAt + HASH_BYTES)), source, node }
  }

  return {
    open: (root, source) => ({ root, source, node: 0 }),
    value,
    slot,
    update,
    updateSlots,
    commit: () => engine.commit(),
    drop: () => engine.drop(),
    takeNew: (trie, writeNode) => {
      if (trie.node === 0) return
      enter(trie)
      write = writeNode
      engine.takeNew(trie.node)
    },
    record: (trie, path, hash) => {
      if (trie.node === 0) return undefined
      enter(trie)
      memory.u8.set(path, nibblesAt)
      memory.u8.set(hash, keyAt)
      const size = engine.recordAt(trie.node, path.length)
      return size === 0 ? undefined : memory.u8.slice(outputAt, outputAt + size)
    },
    trim: (trie, depth) => engine.trim(trie.node, depth),
    release: (trie) => {
      engine.release(trie.node)
      trie.node = 0
    },
    get bytes() {
      return engine.bytesUsed()
    },
  }
}
