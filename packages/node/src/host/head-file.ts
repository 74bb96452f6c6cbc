/**
 * The head's second witness, outside the database.
 *
 * The database's last log may lose whole batches at its end and still look like a crash during a
 * write (reliability.md §2). So the last durable head is also written here, in place, into one of two
 * slots in turn: 64 bytes to the page cache for each block, synced every few seconds and on close.
 * A process that is killed leaves it exact; after a loss of power it may be some blocks behind, never
 * ahead, because a head is written only after its batch was synced. A database below it was cut.
 *
 * A slot: magic (8), counter (6), height (6), head hash (32), zero (8), CRC-32 of all before (4).
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { bytesToHex, type Hash, hexToBytes } from '@vellum/evm'
import { NodeError } from '../error.ts'

export interface HeadMark {
  readonly height: number
  readonly hash: Hash
}

export interface HeadFile {
  /** Newest mark found when the file was opened; undefined for one just created. */
  readonly found: HeadMark | undefined
  /** Marks a head whose block is on disk. */
  write(mark: HeadMark): void
  /** Forces what was marked to the disk. */
  sync(): void
  /** Syncs and closes. */
  close(): void
}

const SLOT_BYTES = 64
/** Slots lie in different sectors, so that a torn write of one leaves the other. */
const SLOT_DISTANCE = 4096
const MAGIC = new TextEncoder().encode('vlmhead1')
const CRC_AT = SLOT_BYTES - 4

interface Slot extends HeadMark {
  readonly counter: number
}

export function headFileExists(path: string): boolean {
  return existsSync(path)
}

/** Creates the file, which must not exist, and makes its directory entry durable. */
export function createHeadFile(path: string): HeadFile {
  const descriptor = openSync(path, 'wx', 0o600)
  writeSync(descriptor, new Uint8Array(SLOT_DISTANCE + SLOT_BYTES), 0, undefined, 0)
  fsyncSync(descriptor)
  syncDirectory(dirname(path))
  return handle(descriptor, undefined)
}

/**
 * Opens an existing file.
 * @param acceptDamage start anew instead of refusing a file without a valid slot
 * @throws NodeError NODE_STORE_DAMAGED if it holds neither a valid slot nor the zeros of creation
 */
export function openHeadFile(path: string, acceptDamage = false): HeadFile {
  const bytes = readFileSync(path)
  const slots = [slotAt(bytes, 0), slotAt(bytes, SLOT_DISTANCE)]
  const newest = slots
    .filter((slot) => slot !== undefined)
    .sort((a, b) => b.counter - a.counter)
    .at(0)
  const isFresh = bytes.length === SLOT_DISTANCE + SLOT_BYTES && bytes.every((byte) => byte === 0)
  if (newest === undefined && !isFresh && !acceptDamage) {
    throw new NodeError(
      'NODE_STORE_DAMAGED',
      `${path} is damaged: it should hold the last head of the chain; if the database beside it is known to be whole, run \`vellum verify --accept-head\`, else restore a backup of the data directory`,
      { file: path },
    )
  }
  return handle(openSync(path, 'r+'), newest)
}

function handle(descriptor: number, newest: Slot | undefined): HeadFile {
  let counter = newest?.counter ?? 0
  let isSynced = true
  const slot = new Uint8Array(SLOT_BYTES)
  const view = new DataView(slot.buffer)
  slot.set(MAGIC)
  const sync = (): void => {
    if (isSynced) return
    fsyncSync(descriptor)
    isSynced = true
  }
  return {
    found: newest && { height: newest.height, hash: newest.hash },
    write: ({ height, hash }) => {
      counter += 1
      writeUint48(view, 8, counter)
      writeUint48(view, 14, height)
      slot.set(hexToBytes(hash), 20)
      view.setUint32(CRC_AT, crc32(slot.subarray(0, CRC_AT)))
      writeSync(descriptor, slot, 0, SLOT_BYTES, (counter % 2) * SLOT_DISTANCE)
      isSynced = false
    },
    sync,
    close: () => {
      sync()
      closeSync(descriptor)
    },
  }
}

function slotAt(bytes: Buffer, at: number): Slot | undefined {
  if (bytes.length < at + SLOT_BYTES) return undefined
  const slot = bytes.subarray(at, at + SLOT_BYTES)
  if (MAGIC.some((byte, i) => slot[i] !== byte)) return undefined
  if (crc32(slot.subarray(0, CRC_AT)) !== slot.readUInt32BE(CRC_AT)) return undefined
  return {
    counter: slot.readUIntBE(8, 6),
    height: slot.readUIntBE(14, 6),
    hash: bytesToHex(slot.subarray(20, 52)),
  }
}

function writeUint48(view: DataView, at: number, value: number): void {
  view.setUint16(at, Math.floor(value / 2 ** 32))
  view.setUint32(at + 2, value >>> 0)
}

/** Makes a created or renamed entry survive a loss of power. Not possible, and not needed, on Windows. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
