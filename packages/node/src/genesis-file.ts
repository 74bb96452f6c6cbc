/**
 * Genesis files with any number of accounts.
 *
 * As a JavaScript object an account takes a kilobyte while it is parsed, a million of them two
 * gigabytes. So `alloc` is never parsed as a whole: its entries are found in the bytes of the file,
 * and each is parsed when it is its turn, in the order in which the state trie wants them.
 */

import { hexToBytes, keccak256 } from '@vellum/evm'
import {
  type Genesis,
  type GenesisAccount,
  LedgerError,
  parseGenesis,
  parseGenesisAccount,
} from '@vellum/ledger'
import { NodeError } from './error.ts'

export interface GenesisFile {
  /** All of the file but its accounts: `alloc` is empty. */
  readonly genesis: Genesis
  /**
   * The accounts, parsed while they are walked, ordered by keccak256 of their addresses.
   * @throws NodeError NODE_FILE_INVALID at the first entry that is wrong
   */
  readonly allocation: Iterable<GenesisAccount>
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * @param bytes the file, which must not change as long as the allocation is used
 * @param path for messages
 * @throws NodeError NODE_FILE_INVALID naming the place
 */
export function parseGenesisFile(bytes: Uint8Array, path: string): GenesisFile {
  const reading = { bytes, path }
  return reported(path, () => {
    const alloc = findAlloc(reading)
    const rest =
      alloc === undefined
        ? decoder.decode(bytes)
        : `${decoder.decode(bytes.subarray(0, alloc.from))}{}${decoder.decode(bytes.subarray(alloc.to))}`
    return {
      genesis: parseGenesis(JSON.parse(rest)),
      allocation: { [Symbol.iterator]: () => orderedAccounts(reading, alloc) },
    }
  })
}

/** Bytes `[from, to)` of the file. */
interface Range {
  readonly from: number
  readonly to: number
}

interface Reading {
  readonly bytes: Uint8Array
  readonly path: string
}

/** Where the value of the top-level `alloc` is; its key in any case, as Besu takes it. */
function findAlloc({ bytes }: Reading): Range | undefined {
  let found: Range | undefined
  for (const { key, value } of members(bytes, skipSpace(bytes, 0))) {
    if (keyText(bytes, key).toLowerCase() !== 'alloc') continue
    if (bytes[value.from] === OPEN_OBJECT) found = value
  }
  return found
}

function* orderedAccounts(
  { bytes, path }: Reading,
  alloc: Range | undefined,
): Generator<GenesisAccount> {
  if (alloc === undefined) return
  const entries = reported(path, () => locateEntries(bytes, alloc))
  let before: GenesisAccount | undefined
  for (const at of entries.order) {
    const key: Range = { from: entries.keys[2 * at]!, to: entries.keys[2 * at + 1]! }
    const value: Range = { from: entries.values[2 * at]!, to: entries.values[2 * at + 1]! }
    const account = reported(path, () => parseEntry(bytes, key, value))
    if (account.address === before?.address) {
      throw invalid(path, `alloc.${keyText(bytes, key)} is there twice`)
    }
    before = account
    yield account
  }
}

function parseEntry(bytes: Uint8Array, key: Range, value: Range): GenesisAccount {
  const json: unknown = JSON.parse(decoder.decode(bytes.subarray(value.from, value.to)))
  return parseGenesisAccount(keyText(bytes, key), json)
}

interface Entries {
  /** Pairs of from and to. */
  readonly keys: Uint32Array
  readonly values: Uint32Array
  /** Entries by the hash of their address. */
  readonly order: Uint32Array
}

/** Every entry is parsed once here, so that a wrong one is found before anything is written. */
function locateEntries(bytes: Uint8Array, alloc: Range): Entries {
  const keys = new Numbers()
  const values = new Numbers()
  const places: number[] = []
  for (const { key, value } of members(bytes, alloc.from)) {
    keys.push(key.from, key.to)
    values.push(value.from, value.to)
    const { address } = parseEntry(bytes, key, value)
    const hash = keccak256(hexToBytes(address))
    // 48 bits of it: equal only for one address written twice, or once in 10^14 files of this size.
    places.push(
      (hash[0]! * 2 ** 16 + hash[1]! * 2 ** 8 + hash[2]!) * 2 ** 24 +
        (hash[3]! * 2 ** 16 + hash[4]! * 2 ** 8 + hash[5]!),
    )
  }
  const order = Uint32Array.from(places, (_, i) => i)
  order.sort((a, b) => places[a]! - places[b]!)
  return { keys: keys.taken(), values: values.taken(), order }
}

/** A growing list of 32-bit numbers: a quarter of what an array of numbers takes. A class, because it is hot. */
class Numbers {
  private all: Uint32Array = new Uint32Array(1024)
  private size = 0

  push(a: number, b: number): void {
    if (this.size + 2 > this.all.length) {
      const larger = new Uint32Array(2 * this.all.length)
      larger.set(this.all)
      this.all = larger
    }
    this.all[this.size++] = a
    this.all[this.size++] = b
  }

  taken(): Uint32Array {
    return this.all.subarray(0, this.size)
  }
}

/** Members of the object that begins at `at`. Shape is checked as far as it is needed to find them. */
function* members(bytes: Uint8Array, at: number): Generator<{ key: Range; value: Range }> {
  if (bytes[at] !== OPEN_OBJECT) throw new SyntaxError(`no object begins at byte ${at}`)
  let next = skipSpace(bytes, at + 1)
  if (bytes[next] === CLOSE_OBJECT) return
  for (;;) {
    if (bytes[next] !== QUOTE) throw new SyntaxError(`no name begins at byte ${next}`)
    const key = { from: next, to: endOfString(bytes, next) }
    next = skipSpace(bytes, key.to)
    if (bytes[next] !== COLON) throw new SyntaxError(`no colon at byte ${next}`)
    const from = skipSpace(bytes, next + 1)
    const value = { from, to: endOfValue(bytes, from) }
    yield { key, value }
    next = skipSpace(bytes, value.to)
    if (bytes[next] === CLOSE_OBJECT) return
    if (bytes[next] !== COMMA) throw new SyntaxError(`no comma at byte ${next}`)
    next = skipSpace(bytes, next + 1)
  }
}

function keyText(bytes: Uint8Array, { from, to }: Range): string {
  return JSON.parse(decoder.decode(bytes.subarray(from, to))) as string
}

function skipSpace(bytes: Uint8Array, at: number): number {
  let next = at
  for (;;) {
    const byte = bytes[next]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return next
    next += 1
  }
}

function endOfString(bytes: Uint8Array, at: number): number {
  for (let next = at + 1; next < bytes.length; next++) {
    if (bytes[next] === BACKSLASH) next += 1
    else if (bytes[next] === QUOTE) return next + 1
  }
  throw new SyntaxError(`the text at byte ${at} does not end`)
}

function endOfValue(bytes: Uint8Array, at: number): number {
  let depth = 0
  for (let next = at; next < bytes.length; next++) {
    const byte = bytes[next]!
    if (byte === QUOTE) {
      next = endOfString(bytes, next) - 1
      if (depth === 0) return next + 1
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) return next
      depth -= 1
      if (depth === 0) return next + 1
    } else if (depth === 0 && byte === COMMA) return next
  }
  throw new SyntaxError(`the value at byte ${at} does not end`)
}

function reported<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const isForeseen = cause instanceof SyntaxError || cause instanceof LedgerError
    if (!isForeseen && !(cause instanceof TypeError)) throw cause
    throw invalid(path, cause.message, cause)
  }
}

function invalid(path: string, reason: string, cause?: unknown): NodeError {
  return new NodeError(
    'NODE_FILE_INVALID',
    `the genesis file ${path} cannot be used: ${reason}`,
    { path, reason },
    cause === undefined ? undefined : { cause },
  )
}
