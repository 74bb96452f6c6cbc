/**
 * Recomputes a state from the disk: every trie node is hashed against the reference that named it,
 * from the root down, and every flat row is compared with the trie. Nothing is cached, so that this
 * says what the disk holds and not what memory remembers.
 */

import {
  bytesToHex,
  concatBytes,
  equalBytes,
  type Hash,
  hexToBytes,
  keccak256,
  NO_BYTES,
} from '@vellum/evm'
import { decodeAccount, EMPTY_CODE_HASH } from './account.ts'
import { LedgerError } from './error.ts'
import { decodeRlp } from './rlp.ts'
import { storedNodes } from './state-trie.ts'
import { KIND, type Kind, keyOf, type Store } from './store.ts'
import { EMPTY_ROOT, type NodeSource, openTrie, trieEntries } from './trie.ts'

export interface StateCount {
  readonly accounts: number
  readonly slots: number
}

/**
 * Walks the whole state with this root and compares it with the flat rows. Both must have been
 * brought up to it: `Chain.flush` does so.
 * @param onProgress told after each account
 * @returns how much there was to compare
 * @throws LedgerError LEDGER_STORE_DAMAGED, or LEDGER_TRIE_NODE_MISSING, at the first difference
 */
export async function verifyState(
  store: Store,
  root: Hash,
  onProgress: (count: StateCount) => void = () => {},
): Promise<StateCount> {
  const codes = new Set<Hash>()
  let accounts = 0
  let slots = 0
  const rows = flatRows(store, KIND.account, new Uint8Array(0))
  for (const [owner, leaf] of trieEntries(openTrie(root, hashing(storedNodes(store, NO_BYTES))))) {
    assertRow(await rows.next(), owner, leaf, 'account')
    const { storageRoot, codeHash } = decodeAccount(leaf)
    if (codeHash !== EMPTY_CODE_HASH && !codes.has(codeHash)) {
      assertCode(store, codeHash)
      codes.add(codeHash)
    }
    slots += await verifyStorage(store, owner, storageRoot)
    accounts += 1
    onProgress({ accounts, slots })
  }
  assertNoRow(await rows.next(), 'account')
  return { accounts, slots }
}

async function verifyStorage(store: Store, owner: Uint8Array, root: Hash): Promise<number> {
  if (root === EMPTY_ROOT) return 0
  let slots = 0
  const rows = flatRows(store, KIND.slot, owner)
  for (const [place, leaf] of trieEntries(openTrie(root, hashing(storedNodes(store, owner))))) {
    assertRow(await rows.next(), place, decodeRlp(leaf) as Uint8Array, 'slot')
    slots += 1
  }
  assertNoRow(await rows.next(), 'slot')
  return slots
}

/** A source whose every node is what its reference says. */
function hashing(source: NodeSource): NodeSource {
  return {
    node: (path, hash) => {
      const encoded = source.node(path, hash)
      if (encoded !== undefined && !equalBytes(keccak256(encoded), hash)) {
        throw different(`the trie node ${bytesToHex(hash)}`)
      }
      return encoded
    },
  }
}

type Row = readonly [place: Uint8Array, value: Uint8Array]

/** Rows of a kind below a prefix, in order: what follows the prefix in the key, and the value. */
async function* flatRows(
  store: Store,
  kind: Kind,
  prefix: Uint8Array,
): AsyncGenerator<Row, undefined> {
  const from = keyOf(kind, prefix)
  const to = concatBytes(from, new Uint8Array(33).fill(0xff))
  for await (const [key] of store.disk.iterate({ from, to })) {
    // Read again through the store, which checks the record's checksum.
    yield [key.subarray(from.length), store.mustRead(key, 'a row that was listed')]
  }
  return undefined
}

function assertRow(
  row: IteratorResult<Row, undefined>,
  place: Uint8Array,
  value: Uint8Array,
  what: string,
): void {
  if (row.done) throw different(`the ${what} row ${bytesToHex(place)}, which is missing,`)
  const [foundPlace, foundValue] = row.value
  if (!equalBytes(foundPlace, place) || !equalBytes(foundValue, value)) {
    throw different(`the ${what} row ${bytesToHex(foundPlace)}`)
  }
}

function assertNoRow(row: IteratorResult<Row, undefined>, what: string): void {
  if (!row.done) throw different(`the ${what} row ${bytesToHex(row.value[0])}, which is too many,`)
}

function assertCode(store: Store, codeHash: Hash): void {
  const code = store.mustRead(keyOf(KIND.code, hexToBytes(codeHash)), `code ${codeHash}`)
  if (bytesToHex(keccak256(code)) !== codeHash) throw different(`the code ${codeHash}`)
}

function different(what: string): LedgerError {
  return new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `${what} is not what the state root proves: restore the directory from a backup, or delete it ` +
      'and import or synchronise the chain anew',
  )
}
