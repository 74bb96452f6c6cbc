/** A bounded map that keeps what was used of late. */

export interface Cache<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
  clear(): void
  /** Entries held now; never more than twice the limit. */
  readonly size: number
}

/**
 * Two generations: entries used since the last turn, and those before. When the young one is full
 * the old one is dropped whole, so neither reading nor writing ever moves more than one entry.
 * @param limit entries of one generation, at least 1
 */
export function createCache<K, V>(limit: number): Cache<K, V> {
  let young = new Map<K, V>()
  let old = new Map<K, V>()

  function set(key: K, value: V): void {
    if (young.size >= limit && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }

  return {
    get: (key) => {
      const recent = young.get(key)
      if (recent !== undefined) return recent
      const value = old.get(key)
      if (value !== undefined) set(key, value)
      return value
    },
    set,
    delete: (key) => {
      young.delete(key)
      old.delete(key)
    },
    clear: () => {
      young = new Map()
      old = new Map()
    },
    get size() {
      return young.size + old.size
    },
  }
}
