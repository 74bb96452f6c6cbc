/**
 * The records of one chain in a `KeyValue`: keys, checksums, schema version.
 *
 * A key is one letter for the kind of record, then what identifies it; heights are 6 bytes
 * big-endian, so that records of a kind lie in the order of blocks. Every value ends with the
 * CRC-32 of key and value: LevelDB gives back damaged values, and values of other keys, without an
 * error (reliability.md §2), so a record whose checksum does not hold is reported, never used.
 *
 * Absence proves nothing on a damaged disk. Readers that must tell "never was" from "lost" ask
 * something authenticated: blocks exist for every height up to the head, and the state is read
 * through tries whose nodes name one another by hash (`state.ts`).
 */

import { bytesToHex, type Hash, hexToBytes, writeHex } from '@vellum/evm'
import { LedgerError } from './error.ts'
import type { KeyValue, Write } from './key-value.ts'

/** Layout of records. A store of another version is refused, never guessed at. */
export const SCHEMA_VERSION = 2

/** CRC-32 (IEEE 802.3) of the bytes, continuing from the CRC of what came before. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number

/** Letters (ASCII) of the kinds of record. One kind never shares a letter with another. */
export const KIND = {
  /** What the store is: schema version, genesis hash, mode. */
  meta: 0x6d,
  /** The last block that is wholly on disk. */
  head: 0x7a,
  /** height -> RLP of the header as it was sealed. */
  header: 0x64,
  /** height -> RLP of the body. */
  body: 0x62,
  /** height -> 20 bytes for the sender of each transaction, recovered once. */
  senders: 0x66,
  /** height -> RLP list of receipts. */
  receipts: 0x72,
  /** block hash -> height. */
  blockHash: 0x68,
  /** transaction hash -> height and index. */
  transaction: 0x74,
  /** height -> head of the section of the index of logs that begins there. */
  logSection: 0x73,
  /** height of a section, number -> some of the keys of logs in it, and their blocks. */
  logRecord: 0x69,
  /** code hash -> code. */
  code: 0x63,
  /** path, hash -> height of writing and record (trie-node.ts) of a node of the account trie. */
  node: 0x6e,
  /** keccak(address), path, hash -> the same of a node of that account's storage trie. */
  storageNode: 0x4e,
  /** height -> what the block changed in the state, and the flush that it builds on. */
  diff: 0x67,
  /** height -> the flush before, and the state root: the tries were written at this height. */
  flush: 0x6b,
  /** Height of the last flush. */
  flushed: 0x6c,
  /** height of a flush -> keys of the trie nodes that it made obsolete. Pruned mode only. */
  obsolete: 0x6f,
  /** number -> 64 leaves of the status tree. */
  statusLeaves: 0x75,
  /** place in a ring -> two messages with which a validator contradicts itself. */
  evidence: 0x65,
  /** Two blocks that are sealed at one height, and through which height that is accepted. */
  fork: 0x79,
  /** Height of the snapshot that the chain goes on from, and whether what it replaced is removed. */
  snapshot: 0x70,
  /** How far a snapshot sync has come. */
  snapshotProgress: 0x71,
} as const

export type Kind = (typeof KIND)[keyof typeof KIND]

/** Key of a record that is identified by bytes. */
export function keyOf(kind: Kind, ...parts: readonly Uint8Array[]): Uint8Array {
  let size = 1
  for (const part of parts) size += part.length
  const key = new Uint8Array(size)
  key[0] = kind
  let at = 1
  for (const part of parts) {
    key.set(part, at)
    at += part.length
  }
  return key
}

/** Key of a record that belongs to a height. */
export function heightKey(kind: Kind, height: number): Uint8Array {
  const key = new Uint8Array(7)
  key[0] = kind
  writeHeight(key, 1, height)
  return key
}

/** Height as 6 bytes big-endian: enough for a block a microsecond for eight years. */
export function writeHeight(into: Uint8Array, at: number, height: number): void {
  const high = Math.floor(height / 2 ** 32)
  into[at] = high >>> 8
  into[at + 1] = high
  into[at + 2] = height >>> 24
  into[at + 3] = height >>> 16
  into[at + 4] = height >>> 8
  into[at + 5] = height
}

export function readHeight(from: Uint8Array, at: number): number {
  return (
    (from[at]! * 256 + from[at + 1]!) * 2 ** 32 +
    (((from[at + 2]! << 24) | (from[at + 3]! << 16) | (from[at + 4]! << 8) | from[at + 5]!) >>> 0)
  )
}

/** The last whole block, and where its chain leads. */
export interface HeadRecord {
  readonly height: number
  readonly hash: Hash
  readonly stateRoot: Hash
  /** Hash of the block before: a shortened or mixed store shows here. */
  readonly parentHash: Hash
  /** Transactions in all blocks up to this one. */
  readonly transactionCount: number
}

export interface StoreMeta {
  readonly schemaVersion: number
  readonly genesisHash: Hash
  /** Blocks whose state is retained behind the head; undefined keeps every state (archive). */
  readonly retainedBlocks: number | undefined
}

export interface Store {
  /** @throws LedgerError LEDGER_STORE_DAMAGED if a record is there but its checksum does not hold */
  read(key: Uint8Array): Uint8Array | undefined
  /** As `read`, for a record that must be there. @throws LedgerError LEDGER_STORE_DAMAGED */
  mustRead(key: Uint8Array, what: string): Uint8Array
  /** The change that sets (or, without value, deletes) a record, checksum included. */
  write(key: Uint8Array, value: Uint8Array | undefined): Write
  /** Bytes for a value that is going to be written: small ones lie side by side in one piece of memory. */
  room(size: number): Uint8Array
  /** The same without a copy: the last `CRC_BYTES` of `stored` are room for the checksum. */
  writeInPlace(key: Uint8Array, stored: Uint8Array): Write
  /** The same for a record whose value lies right behind its key, of `keyBytes`. */
  writeWhole(record: Uint8Array, keyBytes: number): Write
  /** What the store is; undefined for an empty one. @throws LEDGER_STORE_SCHEMA */
  meta(): StoreMeta | undefined
  head(): HeadRecord | undefined
  writeMeta(meta: StoreMeta): Write
  writeHead(head: HeadRecord): Write
  readonly disk: KeyValue
}

/** Behind every value. */
export const CRC_BYTES = 4
/** Values up to this size lie side by side in one piece of memory: a piece for each costs more than its bytes. */
const POOLED_BYTES_MAX = 4_096
const POOL_BYTES = 65_536

const META_KEY = keyOf(KIND.meta)
const HEAD_KEY = keyOf(KIND.head)
const NO_RETENTION = 2 ** 48 - 1

export function createStore(disk: KeyValue, crc32: Crc32): Store {
  function read(key: Uint8Array): Uint8Array | undefined {
    const stored = disk.get(key)
    if (stored === undefined) return undefined
    const size = stored.length - CRC_BYTES
    if (size < 0) throw damaged(key, 'is shorter than its checksum')
    const value = stored.subarray(0, size)
    const crc =
      ((stored[size]! << 24) |
        (stored[size + 1]! << 16) |
        (stored[size + 2]! << 8) |
        stored[size + 3]!) >>>
      0
    if (crc32(value, crc32(key)) >>> 0 !== crc) throw damaged(key, 'does not match its checksum')
    return value
  }

  let pool = new ArrayBuffer(0)
  let poolAt = 0

  function room(size: number): Uint8Array {
    if (size > POOLED_BYTES_MAX) return new Uint8Array(size)
    if (poolAt + size > pool.byteLength) {
      pool = new ArrayBuffer(POOL_BYTES)
      poolAt = 0
    }
    poolAt += size
    return new Uint8Array(pool, poolAt - size, size)
  }

  function write(key: Uint8Array, value: Uint8Array | undefined): Write {
    if (value === undefined) return { key, value }
    const stored = room(value.length + CRC_BYTES)
    stored.set(value)
    return writeInPlace(key, stored)
  }

  function writeInPlace(key: Uint8Array, stored: Uint8Array): Write {
    const at = stored.length - CRC_BYTES
    writeUint32(stored, at, crc32(stored.subarray(0, at), crc32(key)))
    return { key, value: stored }
  }

  function writeWhole(record: Uint8Array, keyBytes: number): Write {
    const at = record.length - CRC_BYTES
    // The checksum of the one behind the other is that of both together.
    writeUint32(record, at, crc32(record.subarray(0, at)))
    return { key: record.subarray(0, keyBytes), value: record.subarray(keyBytes) }
  }

  return {
    disk,
    read,
    write,
    room,
    writeInPlace,
    writeWhole,
    mustRead: (key, what) => {
      const value = read(key)
      if (value === undefined) throw damaged(key, `is missing: ${what}`)
      return value
    },
    meta: () => {
      const value = read(META_KEY)
      if (value === undefined) return undefined
      const version = value[0]
      if (version !== SCHEMA_VERSION || value.length !== 39) {
        throw new LedgerError(
          'LEDGER_STORE_SCHEMA',
          `the store has schema version ${version}, this program reads ${SCHEMA_VERSION}: ` +
            'export the blocks with the program that wrote it, and import them into a new directory',
          { found: version, expected: SCHEMA_VERSION },
        )
      }
      const retained = readHeight(value, 33)
      return {
        schemaVersion: version,
        genesisHash: bytesToHex(value.subarray(1, 33)),
        retainedBlocks: retained === NO_RETENTION ? undefined : retained,
      }
    },
    writeMeta: (meta) => {
      const value = new Uint8Array(39)
      value[0] = meta.schemaVersion
      value.set(hexToBytes(meta.genesisHash), 1)
      writeHeight(value, 33, meta.retainedBlocks ?? NO_RETENTION)
      return write(META_KEY, value)
    },
    head: () => {
      const value = read(HEAD_KEY)
      if (value === undefined) return undefined
      if (value.length !== 108) throw damaged(HEAD_KEY, 'has the wrong size')
      return {
        height: readHeight(value, 0),
        hash: bytesToHex(value.subarray(6, 38)),
        stateRoot: bytesToHex(value.subarray(38, 70)),
        parentHash: bytesToHex(value.subarray(70, 102)),
        transactionCount: readHeight(value, 102),
      }
    },
    writeHead: (head) => {
      const value = new Uint8Array(108)
      writeHeight(value, 0, head.height)
      writeHex(head.hash, value, 6)
      writeHex(head.stateRoot, value, 38)
      writeHex(head.parentHash, value, 70)
      writeHeight(value, 102, head.transactionCount)
      return write(HEAD_KEY, value)
    },
  }
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
}

function damaged(key: Uint8Array, what: string): LedgerError {
  const kind = String.fromCharCode(key[0] ?? 63)
  return new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `a record on disk (kind ${kind}) ${what}: restore the directory from a backup, ` +
      'or delete it and import or synchronise the chain anew',
    { key: bytesToHex(key) },
  )
}
