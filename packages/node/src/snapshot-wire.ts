/**
 * Questions and answers of the snapshot, as bytes: RLP, each question a list that begins with its
 * kind, each answer one that begins with whether there is something to tell.
 * Spec: docs/protocol/network.md.
 */

import { bytesToHex, type Hash, hexToBytes } from '@vellum/evm'
import {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  LedgerError,
  type RlpItem,
  rlpBytes,
  rlpFixed,
  rlpList,
  rlpNumber,
  rlpScalar,
  splitRlpList,
  type TrieRange,
} from '@vellum/ledger'

/** The state after a block, named twice: the height finds it, the root says which it must be. */
export interface StateName {
  readonly height: number
  readonly root: Hash
}

export type SnapshotQuestion =
  /** Headers after a height, with their seals. */
  | { readonly kind: 'headers'; readonly after: number; readonly count: number }
  /** Accounts from one hashed address to another. */
  | {
      readonly kind: 'accounts'
      readonly state: StateName
      readonly from: Uint8Array
      readonly to: Uint8Array
    }
  /** Storage of accounts, by their hashed addresses: of the first one from a hashed slot on. */
  | {
      readonly kind: 'storage'
      readonly state: StateName
      readonly owners: readonly Uint8Array[]
      readonly from: Uint8Array
    }
  | { readonly kind: 'codes'; readonly hashes: readonly Hash[] }
  /** All receipts of a block. */
  | { readonly kind: 'receipts'; readonly number: number }

/** What the answer is worth; `busy` may be asked again later, `unheld` not for this state. */
export type SnapshotStatus = 'found' | 'unheld' | 'busy'

export const SNAPSHOT_WIRE_LIMITS = {
  /** Headers of one question. */
  headersMax: 512,
  /** Accounts whose storage is asked for at once. */
  ownersMax: 96,
  /** Codes asked for at once. */
  codesMax: 96,
  /** Entries of one range. */
  entriesMax: 8_192,
  /** Nodes of one proof: two ways of 65. */
  proofNodesMax: 130,
} as const

const KINDS = ['headers', 'accounts', 'storage', 'codes', 'receipts'] as const
const STATUSES: readonly SnapshotStatus[] = ['found', 'unheld', 'busy']
const KEY_SIZE = 32

export function encodeSnapshotQuestion(question: SnapshotQuestion): Uint8Array {
  const kind = rlpScalar(KINDS.indexOf(question.kind))
  switch (question.kind) {
    case 'headers':
      return encodeRlp([kind, rlpScalar(question.after), rlpScalar(question.count)])
    case 'accounts':
      return encodeRlp([kind, ...stateItems(question.state), question.from, question.to])
    case 'storage':
      return encodeRlp([kind, ...stateItems(question.state), question.owners, question.from])
    case 'codes':
      return encodeRlp([kind, question.hashes.map(hexToBytes)])
    case 'receipts':
      return encodeRlp([kind, rlpScalar(question.number)])
  }
}

/** @throws LedgerError LEDGER_RLP_INVALID; so do all decoders here */
export function decodeSnapshotQuestion(bytes: Uint8Array): SnapshotQuestion {
  const [kindItem, ...items] = rlpList(decodeRlp(bytes), 'question')
  const kind = KINDS[rlpNumber(kindItem, 'kind')]
  if (kind === undefined) throw invalid('a kind of question that is not known')
  const { ownersMax, codesMax } = SNAPSHOT_WIRE_LIMITS
  switch (kind) {
    case 'headers': {
      const [after, count] = exactly(items, 2)
      return { kind, after: rlpNumber(after, 'after'), count: rlpNumber(count, 'count') }
    }
    case 'accounts': {
      const [height, root, from, to] = exactly(items, 4)
      return { kind, state: stateOf(height, root), from: keyOf(from), to: keyOf(to) }
    }
    case 'storage': {
      const [height, root, owners, from] = exactly(items, 4)
      const keys = atMost(rlpList(owners, 'owners'), ownersMax).map(keyOf)
      return { kind, state: stateOf(height, root), owners: keys, from: keyOf(from) }
    }
    case 'codes': {
      const [hashes] = exactly(items, 1)
      const names = atMost(rlpList(hashes, 'hashes'), codesMax)
      return { kind, hashes: names.map((name) => bytesToHex(keyOf(name))) }
    }
    case 'receipts':
      return { kind, number: rlpNumber(exactly(items, 1)[0], 'number') }
  }
}

/** An answer without content. */
export function encodeSnapshotStatus(status: Exclude<SnapshotStatus, 'found'>): Uint8Array {
  return encodeRlp([rlpScalar(STATUSES.indexOf(status))])
}

/**
 * Splits an answer into its status and its content.
 * @returns content: the encoding of each item behind the status
 */
export function decodeSnapshotAnswer(bytes: Uint8Array): {
  readonly status: SnapshotStatus
  readonly content: Uint8Array
} {
  const items = splitRlpList(bytes)
  const status = STATUSES[items[0] === undefined ? -1 : rlpNumber(decodeRlp(items[0]), 'status')]
  if (status === undefined) throw invalid('a status that is not known')
  if (items.length !== (status === 'found' ? 2 : 1)) throw invalid('an answer of another length')
  return { status, content: items[1] ?? new Uint8Array(0) }
}

/** @param items encoded already: headers */
export function encodeEncodedItems(items: readonly Uint8Array[]): Uint8Array {
  return found(encodeRlpList(items))
}

/** Encoded items, views of the input. */
export function decodeEncodedItems(content: Uint8Array, countMax: number): Uint8Array[] {
  return [...atMost(splitRlpList(content), countMax)]
}

/** @param strings codes, or receipts as EIP-2718 encodes them */
export function encodeStrings(strings: readonly Uint8Array[]): Uint8Array {
  return found(encodeRlp(strings))
}

export function decodeStrings(content: Uint8Array, countMax: number): Uint8Array[] {
  const items = atMost(rlpList(decodeRlp(content), 'answer'), countMax)
  return items.map((item) => rlpBytes(item, 'item').slice())
}

/** @param ranges of one account trie, or of the storage of several accounts in order */
export function encodeRanges(ranges: readonly TrieRange[]): Uint8Array {
  return found(
    encodeRlp(
      ranges.map(
        ({ entries, end, proof }): RlpItem => [
          entries.map(([key, value]) => [key, value]),
          end,
          proof,
        ],
      ),
    ),
  )
}

export function decodeRanges(content: Uint8Array, countMax: number): TrieRange[] {
  // A copy: what is kept of it must not be a view of a buffer that is used again.
  const items = atMost(rlpList(decodeRlp(content.slice()), 'ranges'), countMax)
  return items.map((item) => {
    const [entries, end, proof] = exactly(rlpList(item, 'range'), 3)
    return {
      entries: atMost(rlpList(entries, 'entries'), SNAPSHOT_WIRE_LIMITS.entriesMax).map((entry) => {
        const [key, value] = exactly(rlpList(entry, 'entry'), 2)
        return [keyOf(key), rlpBytes(value, 'value')] as const
      }),
      end: keyOf(end),
      proof: atMost(rlpList(proof, 'proof'), SNAPSHOT_WIRE_LIMITS.proofNodesMax).map((node) =>
        rlpBytes(node, 'node'),
      ),
    }
  })
}

function found(content: Uint8Array): Uint8Array {
  return encodeRlpList([encodeRlp(rlpScalar(STATUSES.indexOf('found'))), content])
}

function stateItems({ height, root }: StateName): RlpItem[] {
  return [rlpScalar(height), hexToBytes(root)]
}

function stateOf(height: RlpItem | undefined, root: RlpItem | undefined): StateName {
  return { height: rlpNumber(height, 'height'), root: bytesToHex(rlpFixed(root, 32, 'root')) }
}

function keyOf(item: RlpItem | undefined): Uint8Array {
  return rlpFixed(item, KEY_SIZE, 'key')
}

function exactly(items: readonly RlpItem[], count: number): readonly RlpItem[] {
  if (items.length !== count) throw invalid(`${count} items were expected`)
  return items
}

function atMost<Item>(items: readonly Item[], count: number): readonly Item[] {
  if (items.length > count) throw invalid('more items than there may be')
  return items
}

function invalid(what: string): LedgerError {
  return new LedgerError('LEDGER_RLP_INVALID', what)
}
