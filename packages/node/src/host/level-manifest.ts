/**
 * What LevelDB believes its files to be: CURRENT names a MANIFEST, whose records, applied in order,
 * give the live tables and the log. Formats: `doc/impl.md`, `db/version_edit.cc` of google/leveldb.
 */

import { type Cursor, damaged, readSlice, readVarint } from './level-damage.ts'
import { readLog } from './level-log.ts'
import type { ReadAt, TableFile } from './level-table.ts'

export interface Manifest {
  readonly tables: readonly TableFile[]
  /** Logs with this number or a higher one are not in tables yet; 0: there is none. */
  readonly logNumber: number
  /** A log older than `logNumber` that is still needed; 0: there is none. */
  readonly previousLogNumber: number
  /** Highest sequence number of a change when the last record was written. */
  readonly lastSequence: number
}

const COMPARATOR = 'leveldb.BytewiseComparator'
const LEVELS = 7
/** A record names at most all tables; one table takes under 300 bytes of it. */
const RECORD_BYTES_MAX = 64 << 20

/** @throws NodeError NODE_STORE_DAMAGED unless the text names a MANIFEST as LevelDB writes it */
export function parseCurrent(text: string): string {
  const match = /^(MANIFEST-\d{6,})\n$/.exec(text)
  if (match === null) throw damaged('CURRENT', undefined, 'does not name a MANIFEST')
  return match[1]!
}

/** @throws NodeError NODE_STORE_DAMAGED */
export function readManifest(file: string, size: number, readAt: ReadAt): Manifest {
  const tables = new Map<string, TableFile>()
  let comparator: string | undefined
  let logNumber: number | undefined
  let previousLogNumber = 0
  let lastSequence: number | undefined

  readLog(file, { size, readAt, headBytesMax: RECORD_BYTES_MAX }, (bytes, offset) => {
    const cursor: Cursor = { bytes, at: 0, fail: (_, reason) => damaged(file, offset, reason) }
    const key = (level: number, number: number): string => `${level}/${number}`
    const readLevel = (): number => {
      const level = readVarint(cursor)
      if (level >= LEVELS) throw damaged(file, offset, 'names a level that does not exist')
      return level
    }
    while (cursor.at < bytes.length) {
      const tag = readVarint(cursor)
      switch (tag) {
        case 1:
          comparator = new TextDecoder().decode(readSlice(cursor))
          break
        case 2:
          logNumber = readVarint(cursor)
          break
        case 3:
          readVarint(cursor)
          break
        case 4:
          lastSequence = readVarint(cursor)
          break
        case 5:
          readLevel()
          readSlice(cursor)
          break
        case 6: {
          const level = readLevel()
          tables.delete(key(level, readVarint(cursor)))
          break
        }
        case 7: {
          const level = readLevel()
          const number = readVarint(cursor)
          const bytesInFile = readVarint(cursor)
          const smallest = readSlice(cursor).slice()
          const largest = readSlice(cursor).slice()
          if (smallest.length < 8 || largest.length < 8) {
            throw damaged(file, offset, 'names a table with an impossible key')
          }
          tables.set(key(level, number), { number, level, size: bytesInFile, smallest, largest })
          break
        }
        case 9:
          previousLogNumber = readVarint(cursor)
          break
        default:
          throw damaged(file, offset, `has an unknown field ${tag}`)
      }
    }
  })

  if (comparator !== COMPARATOR) throw damaged(file, undefined, 'is of another kind of database')
  if (logNumber === undefined || lastSequence === undefined) {
    throw damaged(file, undefined, 'does not say which log is current')
  }
  return { tables: [...tables.values()], logNumber, previousLogNumber, lastSequence }
}
