/**
 * Recomputes a state from the disk: every trie node is hashed against the reference that named it,
 * from the root down. Nothing is cached, so that this says what the disk holds and not what memory
 * remembers.
 */

import { bytesToHex, equalBytes, type Hash, hexToBytes, keccak256, NO_BYTES } from '@vellum/evm'
import { decodeAccount, EMPTY_CODE_HASH } from './account.ts'
import { LedgerError } from './error.ts'
import { storedNodes } from './state-trie.ts'
import { KIND, keyOf, type Store } from './store.ts'
import { type NodeSource, openTrie, trieEntries } from './trie.ts'
import { childAt, decodeRecord, encodeNode, type LoadedNode, REF_BYTES } from './trie-node.ts'

export interface StateCount {
  readonly accounts: number
  readonly slots: number
}

/**
 * Walks the whole state with this root, which must have been written: `Chain.flush` does so for
 * that of the head.
 * @param onProgress told after each account, and often during large ones
 * @returns how much there was to walk
 * @throws LedgerError LEDGER_STORE_DAMAGED, or LEDGER_TRIE_NODE_MISSING, at the first difference
 */
export function verifyState(
  store: Store,
  root: Hash,
  onProgress: (count: StateCount) => void = () => {},
): StateCount {
  const steps = stepThroughState(store, root)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    onProgress(value)
  }
}

const SLOTS_IN_A_STEP = 256

/**
 * The same in short steps, for those who must give others a turn.
 * @param heightMin nodes that were written at a lower height count as missing
 */
export function* stepThroughState(
  store: Store,
  root: Hash,
  heightMin = 0,
): Generator<StateCount, StateCount, void> {
  const codes = new Set<Hash>()
  let accounts = 0
  let slots = 0
  const nodes = (owner: Uint8Array) => hashing(storedNodes(store, owner, heightMin))
  for (const [owner, leaf] of trieEntries(openTrie(root, nodes(NO_BYTES)))) {
    const { storageRoot, codeHash } = decodeAccount(leaf)
    if (codeHash !== EMPTY_CODE_HASH && !codes.has(codeHash)) {
      assertCode(store, codeHash)
      codes.add(codeHash)
    }
    const storage = openTrie(storageRoot, nodes(owner))
    for (const _ of trieEntries(storage)) {
      slots += 1
      if (slots % SLOTS_IN_A_STEP === 0) yield { accounts, slots }
    }
    accounts += 1
    yield { accounts, slots }
  }
  return { accounts, slots }
}

/** A source whose every node is what its reference says. */
function hashing(source: NodeSource): NodeSource {
  return {
    node: (path, hash) => {
      const record = source.node(path, hash)
      if (record === undefined) return undefined
      const node = decodeRecord(record, hash)
      assertHashed(node)
      if (node.kind === 'branch') {
        for (let i = 0; i < 16; i++) {
          const child = childAt(node, i)
          if (child?.kind === 'leaf') assertHashed(child)
        }
      }
      return record
    },
  }
}

function assertHashed(node: LoadedNode): void {
  const ref = node.ref!
  if (ref.length === REF_BYTES && !equalBytes(keccak256(encodeNode(node)), ref)) {
    throw different(`the trie node ${bytesToHex(ref)}`)
  }
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
