/** A `KeyValue` in memory, for tests and for state that is thrown away. Keeps nothing on disk. */

import { bytesToHex, type Hex, hexToBytes } from '@vellum/evm'
import type { KeyRange, KeyValue, KeyValueSnapshot, Write } from './key-value.ts'

/** Values as they were before later batches, by key; undefined for what was not there. */
type Former = Map<Hex, Uint8Array | undefined>

export function createMemoryKeyValue(): KeyValue {
  const values = new Map<Hex, Uint8Array>()
  // A snapshot costs what changes after it, not what is there.
  const snapshots = new Set<Former>()
  return {
    get: (key) => values.get(bytesToHex(key)),
    batch: (writes: readonly Write[]) => {
      for (const { key, value } of writes) {
        const name = bytesToHex(key)
        for (const former of snapshots) {
          if (!former.has(name)) former.set(name, values.get(name))
        }
        if (value === undefined) values.delete(name)
        else values.set(name, value)
      }
      return Promise.resolve()
    },
    snapshot: (): KeyValueSnapshot => {
      const former: Former = new Map()
      snapshots.add(former)
      return {
        get: (key) => {
          const name = bytesToHex(key)
          return former.has(name) ? former.get(name) : values.get(name)
        },
        close: () => {
          snapshots.delete(former)
        },
      }
    },
    iterate: async function* (range: KeyRange) {
      const from = bytesToHex(range.from)
      const to = bytesToHex(range.to)
      const keys = [...values.keys()].filter((key) => key >= from && key < to).sort()
      if (range.reverse) keys.reverse()
      for (const key of keys.slice(0, range.limit)) {
        const value = values.get(key)
        if (value !== undefined) yield [hexToBytes(key), value] as const
      }
    },
  }
}
