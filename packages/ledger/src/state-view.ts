/** States for reading: accounts, slots, code and proofs at one root. */

import {
  type Address,
  bytesToBigInt,
  type Hash,
  NO_BYTES,
  type WorldChanges,
  type WorldReader,
} from '@vellum/evm'
import { type Account, decodeAccount } from './account.ts'
import { decodeRlp, rlpBytes } from './rlp.ts'
import type { StateDiff } from './state-diff.ts'
import {
  applyChanges,
  encodeSlot,
  type Holder,
  placeOf,
  type StoredAccount,
  type TrieState,
} from './state-trie.ts'
import {
  EMPTY_ROOT,
  getTrie,
  type NodeSource,
  openTrie,
  proveTrie,
  type Trie,
  updateTrie,
} from './trie.ts'

/** EIP-1186: an account and some of its slots with the trie nodes that prove them. */
export interface StateProof {
  readonly address: Address
  readonly account: Account | undefined
  /** From the state root down. */
  readonly accountProof: readonly Uint8Array[]
  readonly storage: readonly StorageProof[]
}

export interface StorageProof {
  readonly slot: Hash
  readonly value: bigint
  /** From the account's storage root down; empty if the account has no storage. */
  readonly proof: readonly Uint8Array[]
}

/** State at one height, for reading. Valid as long as that height is retained. */
export interface StateView {
  readonly root: Hash
  /** For a `World` to execute on. */
  readonly reader: WorldReader
  account(address: Address): Account | undefined
  storage(address: Address, slot: Hash): bigint
  code(address: Address): Uint8Array
  /** @throws LedgerError LEDGER_TRIE_NODE_MISSING if the disk lost a node */
  prove(address: Address, slots: readonly Hash[]): StateProof
  /** Root of what these changes would make of this state. */
  rootAfter(changes: WorldChanges): Hash
}

/** A reader that asks the view of the moment. */
export function readerThrough(view: () => StateView): WorldReader {
  return {
    account: (address) => view().reader.account(address),
    storage: (address, slot) => view().reader.storage(address, slot),
    hasStorage: (address) => view().reader.hasStorage(address),
    code: (codeHash) => view().reader.code(codeHash),
  }
}

/** A reader that also knows where in the tries an account stands. */
export interface StoredReader extends WorldReader {
  account(address: Address): StoredAccount | undefined
}

/** Where a view has what single reads do not give. */
export interface ViewSources {
  /** For proofs. */
  tries(): TrieState<Trie>
  rootAfter(changes: WorldChanges): Hash
}

/** A view whose single reads come from `reader`. */
export function createView(
  root: Hash,
  reader: StoredReader,
  { tries, rootAfter }: ViewSources,
): StateView {
  return {
    root,
    reader,
    account: (address) => reader.account(address),
    storage: (address, slot) => reader.storage(address, slot),
    code: (address) => {
      const found = reader.account(address)
      return found === undefined ? NO_BYTES : reader.code(found.codeHash)
    },
    prove: (address, slots) => {
      const { trie, account, storageTrie } = tries()
      const found = account(address)
      const holder = found?.storageRoot === EMPTY_ROOT ? undefined : found
      const storage = slots.map((slot): StorageProof => {
        const place = placeOf(slot)
        const proof = holder ? proveTrie(storageTrie(holder), place) : []
        return { slot, value: reader.storage(address, slot), proof }
      })
      const accountProof = proveTrie(trie, placeOf(address))
      return { address, account: found, accountProof, storage }
    },
    rootAfter,
  }
}

/** A view of tries alone. */
export function viewOfTries(
  tries: TrieState<Trie>,
  code: (codeHash: Hash) => Uint8Array,
): StateView {
  return createView(tries.trie.root, trieReader(tries, code), {
    tries: () => tries,
    rootAfter: ({ accounts }) => applyChanges(tries, accounts).trie.root,
  })
}

/**
 * The state of tries whose nodes all have a source.
 * @param nodes of an account's storage trie; of the account trie without holder
 */
export function storedTries(
  nodes: (holder: Holder | undefined) => NodeSource,
  root: Hash,
): TrieState<Trie> {
  const trie = openTrie(root, nodes(undefined))
  const opened = new Map<Address, Trie>()
  return {
    trie,
    ...UPDATES,
    emptyTrie: (holder) => openTrie(EMPTY_ROOT, nodes(holder)),
    account: (address) => {
      const owner = placeOf(address)
      const leaf = getTrie(trie, owner)
      return leaf && { ...decodeAccount(leaf), address, owner }
    },
    storageTrie: (holder) => {
      const known = opened.get(holder.address)
      if (known !== undefined) return known
      const found = openTrie(holder.storageRoot, nodes(holder))
      opened.set(holder.address, found)
      return found
    },
  }
}

/** How tries of objects are updated. */
const UPDATES: Pick<TrieState<Trie>, 'update' | 'updateSlots'> = {
  update: (trie, updates) => updateTrie(trie, updates).trie,
  updateSlots: (trie, slots) => {
    const updates = Array.from(slots, ([slot, value]) => ({
      key: placeOf(slot),
      value: encodeSlot(value),
    }))
    return updateTrie(trie, updates).trie
  },
}

/** The same after a block's changes. */
export function triesAfter(before: TrieState<Trie>, { accounts }: StateDiff): TrieState<Trie> {
  const applied = applyChanges(before, accounts)
  return {
    ...before,
    trie: applied.trie,
    account: (address) =>
      applied.accounts.has(address) ? applied.accounts.get(address) : before.account(address),
    storageTrie: (holder) => {
      const changed = applied.storageTries.get(holder.address)
      // An account that was destroyed and made anew may have had another trie in between.
      return changed?.root === holder.storageRoot ? changed : before.storageTrie(holder)
    },
  }
}

/** Reads through tries alone. */
function trieReader(tries: TrieState<Trie>, code: (codeHash: Hash) => Uint8Array): StoredReader {
  return {
    account: tries.account,
    storage: (address, slot) => {
      const holder = tries.account(address)
      if (holder === undefined || holder.storageRoot === EMPTY_ROOT) return 0n
      const leaf = getTrie(tries.storageTrie(holder), placeOf(slot))
      return leaf === undefined ? 0n : bytesToBigInt(rlpBytes(decodeRlp(leaf), 'slot'))
    },
    hasStorage: (address) => (tries.account(address)?.storageRoot ?? EMPTY_ROOT) !== EMPTY_ROOT,
    code,
  }
}
