/** A `KeyValue` in memory, for tests and for state that is thrown away. Keeps nothing on disk. */

import { bytesToHex, type Hex, hexToBytes } from '@vellum/evm'
import type { KeyRange, KeyValue, KeyValueSnapshot, Write } from './key-value.ts'

export function createMemoryKeyValue(): KeyValue {
  const values = new Map<Hex, Uint8Array>()
  return {
    get: (key) => values.get(bytesToHex(key)),
    batch: (writes: readonly Write[]) => {
      for (const { key, value } of writes) {
        if (value === undefined) values.delete(bytesToHex(key))
        else values.set(bytesToHex(key), value)
      }
      return Promise.resolve()
    },
    snapshot: (): KeyValueSnapshot => {
      const frozen = new Map(values)
      return { get: (key) => frozen.get(bytesToHex(key)), close: () => frozen.clear() }
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
