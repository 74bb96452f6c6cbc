/** A state as it is served to nodes that follow by snapshot: ranges of its tries, by hashed keys. */

import {
  type Address,
  bytesToHex,
  equalBytes,
  type Hash,
  hexToBytes,
  keccak256,
  NO_BYTES,
} from '@vellum/evm'
import { decodeAccount } from './account.ts'
import { LedgerError } from './error.ts'
import { readDiff, readFlush } from './state.ts'
import { storedNodes } from './state-trie.ts'
import { storedTries, triesAfter } from './state-view.ts'
import type { Store } from './store.ts'
import { EMPTY_ROOT, openTrie, type Trie, trieEntries } from './trie.ts'
import { type RangeBounds, readRange, type TrieRange } from './trie-range.ts'

export interface SnapshotSource {
  readonly height: number
  readonly root: Hash
  /** Accounts in order of the hashes of their addresses. */
  accounts(bounds: RangeBounds): TrieRange
  /**
   * Slots of an account in order of the hashes of their keys; undefined if it has no storage.
   * @param owner keccak256 of its address
   */
  storage(owner: Uint8Array, bounds: RangeBounds): TrieRange | undefined
}

/**
 * Opens the state of a block that is retained. Blocks behind the last flush are applied one by one;
 * the generator pauses after each, so that the caller can give others a turn. The caller also makes
 * sure, after each pause and at each question, that the state is still retained.
 * @throws LedgerError LEDGER_STORE_DAMAGED or LEDGER_TRIE_NODE_MISSING
 */
export function* openSnapshot(
  store: Store,
  height: number,
  root: Hash,
): Generator<void, SnapshotSource, void> {
  const nodes = (holder: { readonly owner: Uint8Array } | undefined) =>
    storedNodes(store, holder?.owner ?? NO_BYTES)
  const owners = new Map<string, Address>()
  let tries = storedTries(nodes, root)
  if (readFlush(store, height)?.root !== root) {
    const { base } = readDiff(store, height)
    const flush = readFlush(store, base)
    if (flush === undefined) throw damaged(`the state of block ${base} is lost`)
    tries = storedTries(nodes, flush.root)
    for (let next = base + 1; next <= height; next++) {
      const diff = readDiff(store, next)
      tries = triesAfter(tries, diff)
      for (const { address } of diff.accounts) {
        owners.set(bytesToHex(keccak256(hexToBytes(address))), address)
      }
      yield
    }
    if (tries.trie.root !== root) throw damaged(`the diffs do not lead to block ${height}`)
  }

  /** Storage that changed since the flush is in memory only, under the address that changed it. */
  function storageTrie(owner: Uint8Array): Trie | undefined {
    const leaf = valueAt(tries.trie, owner)
    if (leaf === undefined) return undefined
    const account = decodeAccount(leaf)
    if (account.storageRoot === EMPTY_ROOT) return undefined
    const address = owners.get(bytesToHex(owner))
    return address === undefined
      ? openTrie(account.storageRoot, nodes({ owner }))
      : tries.storageTrie({ ...account, address, owner })
  }

  return {
    height,
    root,
    accounts: (bounds) => readRange(tries.trie, bounds),
    storage: (owner, bounds) => {
      const trie = storageTrie(owner)
      return trie && readRange(trie, bounds)
    },
  }
}

/** The value at a key, without keeping the nodes on the way. */
function valueAt(trie: Trie, key: Uint8Array): Uint8Array | undefined {
  for (const [found, value] of trieEntries(trie, key)) {
    return equalBytes(found, key) ? value : undefined
  }
  return undefined
}

function damaged(what: string): LedgerError {
  return new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `${what}: restore the directory from a backup, ` +
      'or delete it and import or synchronise the chain anew',
  )
}
