/**
 * Filters that clients poll.
 *
 * Blocks never change once they are in the chain, so a filter for blocks or logs is no more than
 * the height up to which its owner was told: nothing is gathered while nobody asks. Only hashes of
 * pending transactions must be kept as they come.
 */

import { bytesToHex, type Hash } from '@vellum/evm'
import { createLogMatcher, type LogMatcher } from '@vellum/ledger'
import type { Backend } from './backend.ts'
import { limitExceeded, RpcError, SERVER_ERROR } from './error.ts'
import { hex } from './format.ts'
import { type JsonText, jsonArray } from './json.ts'
import type { RpcLimits } from './limits.ts'
import { type LogQuery, logsOfBlock } from './logs.ts'

export interface Filters {
  /** @returns the id, a quantity of 128 random bits: ids are all that protects a filter */
  openLogs(query: LogQuery): string
  openBlocks(): string
  openPendingTransactions(): string
  /** What is new since the last time. @throws RpcError -32000 `filter not found` */
  changes(id: string): JsonText
  /** The query of a filter for logs. @throws RpcError -32000 `filter not found` */
  logQuery(id: string): LogQuery
  /** @returns whether there was such a filter */
  close(id: string): boolean
}

export interface FilterPorts {
  /** Milliseconds from any fixed point, never falling. */
  nowMs(): number
  randomBytes(size: number): Uint8Array
}

type Filter = { lastAskedMs: number } & (
  | { readonly type: 'logs'; readonly query: LogQuery; readonly matcher: LogMatcher; next: number }
  | { readonly type: 'blocks'; next: number }
  | { readonly type: 'pending'; hashes: Hash[] }
)

export function createFilters(backend: Backend, limits: RpcLimits, ports: FilterPorts): Filters {
  const { chain, pool } = backend
  const filters = new Map<string, Filter>()
  let forgetPool: (() => void) | undefined

  function open(filter: Filter): string {
    dropIdle()
    if (filters.size >= limits.filtersMax) throw limitExceeded('too many filters are open')
    const id = `0x${BigInt(bytesToHex(ports.randomBytes(16))).toString(16)}`
    filters.set(id, filter)
    watchPool()
    return id
  }

  function find(id: string): Filter {
    dropIdle()
    const filter = filters.get(id)
    if (filter === undefined) throw new RpcError(SERVER_ERROR, 'filter not found')
    filter.lastAskedMs = ports.nowMs()
    // The map's order is that of the last question, so that idle filters come first.
    filters.delete(id)
    filters.set(id, filter)
    return filter
  }

  function dropIdle(): void {
    const oldest = ports.nowMs() - limits.filterIdleMsMax
    for (const [id, filter] of filters) {
      if (filter.lastAskedMs >= oldest) break
      filters.delete(id)
    }
    watchPool()
  }

  /** Listens to the pool as long as a filter for pending transactions is open. */
  function watchPool(): void {
    const wanted = [...filters.values()].some(({ type }) => type === 'pending')
    if (wanted && forgetPool === undefined) {
      forgetPool = pool.onTransaction(({ hash }) => {
        for (const filter of filters.values()) {
          if (filter.type !== 'pending') continue
          filter.hashes.push(hash)
          // Half is dropped at a time: one by one would shift the list at each transaction.
          if (filter.hashes.length > limits.filterPendingMax) {
            filter.hashes = filter.hashes.slice(limits.filterPendingMax / 2)
          }
        }
      })
    } else if (!wanted && forgetPool !== undefined) {
      forgetPool()
      forgetPool = undefined
    }
  }

  const nextHeight = (): number => chain.head().header.number + 1

  /** As many blocks as one query may span and as many logs as it may answer; the rest next time. */
  function newLogs(filter: Extract<Filter, { type: 'logs' }>): JsonText {
    const from = filter.query.type === 'range' ? (filter.query.from ?? 0) : 0
    const to = filter.query.type === 'range' ? filter.query.to : undefined
    const end = Math.min(nextHeight(), filter.next + limits.logBlocksMax, (to ?? Infinity) + 1)
    const found: JsonText[] = []
    let chars = 0
    while (filter.next < end && found.length < limits.logResultsMax) {
      const logs = filter.next < from ? [] : logsOfBlock(chain, filter.next, filter.matcher)
      chars += logs.reduce((sum, log) => sum + log.length, 0)
      // What would make the answer too long waits for the next one; a block alone must be told.
      if (chars > limits.responseCharsMax && found.length > 0) break
      for (const log of logs) found.push(log)
      filter.next++
    }
    return jsonArray(found)
  }

  function newBlocks(filter: Extract<Filter, { type: 'blocks' }>): JsonText {
    const end = Math.min(nextHeight(), filter.next + limits.logBlocksMax)
    const hashes: JsonText[] = []
    for (; filter.next < end; filter.next++) {
      const sealed = chain.header(filter.next)
      if (sealed !== undefined) hashes.push(hex(sealed.hash))
    }
    return jsonArray(hashes)
  }

  return {
    openLogs: (query) =>
      open({
        type: 'logs',
        query,
        matcher: createLogMatcher(query.criteria),
        next: nextHeight(),
        lastAskedMs: ports.nowMs(),
      }),
    openBlocks: () => open({ type: 'blocks', next: nextHeight(), lastAskedMs: ports.nowMs() }),
    openPendingTransactions: () =>
      open({ type: 'pending', hashes: [], lastAskedMs: ports.nowMs() }),
    changes(id) {
      const filter = find(id)
      if (filter.type === 'logs') return newLogs(filter)
      if (filter.type === 'blocks') return newBlocks(filter)
      const texts = filter.hashes.map(hex)
      filter.hashes = []
      return jsonArray(texts)
    },
    logQuery(id) {
      const filter = find(id)
      if (filter.type !== 'logs') throw new RpcError(SERVER_ERROR, 'filter not found')
      return filter.query
    },
    close(id) {
      const existed = filters.delete(id)
      dropIdle()
      return existed
    },
  }
}
