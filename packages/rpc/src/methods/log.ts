/** Logs: queries over the chain, and filters that are polled. */

import type { Hash } from '@vellum/evm'
import { createLogMatcher, type LogCriteria } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { heightOf } from '../block.ts'
import { invalidParams, limitExceeded, RpcError, SERVER_ERROR } from '../error.ts'
import { createFilters, type FilterPorts } from '../filters.ts'
import { FALSE, type JsonText, jsonArray, TRUE } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { formatFound, type LogQuery, logsOfBlock } from '../logs.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  listOf,
  member,
  optional,
  parseAddress,
  parseBlockNumber,
  parseBoolean,
  parseHash,
  parseRecord,
  required,
} from '../parse.ts'
import { beginTurn, type TurnPorts } from '../turn.ts'

export interface LogPorts extends FilterPorts, TurnPorts {}

export function logMethods(backend: Backend, limits: RpcLimits, ports: LogPorts): Method[] {
  const { chain } = backend
  const filters = createFilters(backend, limits, ports)
  const query = required((value) => parseLogQuery(value, limits))
  const id = required(parseFilterId)

  async function find(wanted: LogQuery): Promise<JsonText> {
    if (wanted.type === 'block') {
      const height = chain.numberOf(wanted.hash)
      if (height === undefined) throw new RpcError(SERVER_ERROR, 'unknown block')
      return jsonArray(logsOfBlock(chain, height, createLogMatcher(wanted.criteria)))
    }
    const head = chain.head().header.number
    const from = wanted.from ?? head
    const to = wanted.to ?? head
    if (from > to) throw invalidParams('invalid block range params')
    if (to > head) throw invalidParams('block range extends beyond current head block')
    const found: JsonText[] = []
    let chars = 0
    const turn = beginTurn(ports, limits.turnMsMax)
    const endMs = ports.nowMs() + limits.logMsMax
    for (const logs of search(wanted.criteria, from, to)) {
      for (const log of logs) {
        found.push(log)
        chars += log.length
      }
      assertBounded(found.length, chars)
      if (!turn.isOver()) continue
      if (ports.nowMs() > endMs) {
        throw limitExceeded(
          `query takes longer than ${limits.logMsMax} ms: ask for fewer blocks, addresses or topics`,
        )
      }
      await turn.pass()
    }
    return jsonArray(found)
  }

  /** Logs of each block that has some, with pauses (no logs) between pieces of work. */
  function* search(criteria: LogCriteria, from: number, to: number): Generator<JsonText[]> {
    if (chain.searchLogs === undefined) {
      if (to - from >= limits.logBlocksMax) {
        throw limitExceeded(`block range too large, want at most ${limits.logBlocksMax} blocks`)
      }
      const matcher = createLogMatcher(criteria)
      for (let height = from; height <= to; height++) yield logsOfBlock(chain, height, matcher)
      return
    }
    const bounds = {
      blocksMax: limits.logBlocksMax,
      lookupsMax: limits.logLookupsMax,
      readsMax: limits.logReadsMax,
    }
    for (const found of chain.searchLogs({ from, to, criteria, limits: bounds })) {
      yield found === undefined ? [] : formatFound(found)
    }
  }

  function assertBounded(count: number, chars: number): void {
    if (count > limits.logResultsMax) {
      throw limitExceeded(
        `query returned more than ${limits.logResultsMax} results: ask for fewer blocks`,
      )
    }
    if (chars > limits.responseCharsMax) {
      throw limitExceeded(
        `query returned more than ${limits.responseCharsMax} characters: ask for fewer blocks`,
      )
    }
  }

  /** Heights as far as they are known now; tags of the head stay open. */
  function parseLogQuery(value: unknown, bounds: RpcLimits): LogQuery {
    const record = parseRecord(value)
    // go-ethereum, and so its clients, take the name in any case.
    const hash = member(record, 'blockHash', parseHash) ?? member(record, 'blockhash', parseHash)
    const from = member(record, 'fromBlock', parseBlockNumber)
    const to = member(record, 'toBlock', parseBlockNumber)
    const criteria = parseCriteria(record, bounds)
    if (hash === undefined) return { type: 'range', from: fixed(from), to: fixed(to), criteria }
    if (from !== undefined || to !== undefined) {
      throw invalidParams(
        'cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other',
      )
    }
    return { type: 'block', hash, criteria }
  }

  function fixed(reference: BlockReference | undefined): number | undefined {
    if (reference === undefined) return undefined
    if (reference.type === 'number') return reference.number
    return reference.type === 'tag' && reference.tag !== 'earliest'
      ? undefined
      : heightOf(chain, reference)
  }

  return [
    method('eth_getLogs', [query], find),
    method('eth_newFilter', [query], (wanted) => `"${filters.openLogs(wanted)}"`),
    method('eth_newBlockFilter', [], () => `"${filters.openBlocks()}"`),
    // go-ethereum takes a flag for whole transactions; hashes are what the specification knows.
    method('eth_newPendingTransactionFilter', [optional(parseBoolean)], () => {
      return `"${filters.openPendingTransactions()}"`
    }),
    method('eth_getFilterChanges', [id], (filter) => filters.changes(filter)),
    method('eth_getFilterLogs', [id], (filter) => find(filters.logQuery(filter))),
    method('eth_uninstallFilter', [id], (filter) => (filters.close(filter) ? TRUE : FALSE)),
  ]
}

/** Addresses and topics of a query or subscription; heights are passed over. */
export function parseCriteria(
  record: Readonly<Record<string, unknown>>,
  limits: RpcLimits,
): LogCriteria {
  const addresses = member(record, 'address', (value) =>
    typeof value === 'string'
      ? [parseAddress(value)]
      : listOf(parseAddress, limits.logCriteriaMax)(value),
  )
  const topics = member(
    record,
    'topics',
    listOf((value) => parseTopic(value, limits), 4),
  )
  return { addresses: addresses ?? [], topics: topics ?? [] }
}

/** One topic, a choice of topics, or null for any; a null inside a choice makes it any as well. */
function parseTopic(value: unknown, limits: RpcLimits): readonly Hash[] {
  if (value === null) return []
  if (typeof value === 'string') return [parseHash(value)]
  const choices = listOf((choice) => choice, limits.logCriteriaMax)(value)
  return choices.includes(null) ? [] : choices.map(parseHash)
}

/** Hex digits of an id, at most; those given out have 32. */
const FILTER_ID_DIGITS_MAX = 64

/** A filter's id: any hex text, which names a filter only in the form in which it was given out. */
function parseFilterId(value: unknown): string {
  if (typeof value === 'string' && FILTER_ID.test(value)) return value.toLowerCase()
  throw invalidParams('a filter id must be a hex string of at most 64 digits')
}

const FILTER_ID = new RegExp(`^0x[0-9a-f]{1,${FILTER_ID_DIGITS_MAX}}$`, 'i')
