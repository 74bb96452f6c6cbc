/**
 * Searching for logs: the index names blocks, their receipts say what is in them.
 *
 * The work is cut into small steps, for the caller decides when others get a turn. Blocks never
 * change once they are in the chain, so a search may rest between steps for as long as it likes.
 */

import type { Hash } from '@vellum/evm'
import { LedgerError } from './error.ts'
import { createLogMatcher, type LogCriteria, type LogMatcher } from './log-criteria.ts'
import type { LogIndex, LogLookup } from './log-index.ts'
import { ANY_LOG, addressKey, type LogKey, slotOf, topicKey } from './log-key.ts'
import type { FoundLog } from './stored-logs.ts'

export interface LogSearch {
  /** First and last block, both of the chain. */
  readonly from: number
  readonly to: number
  readonly criteria: LogCriteria
  /** Beyond any of these the search ends with LEDGER_LOG_QUERY_LIMIT. */
  readonly limits: LogSearchLimits
}

export interface LogSearchLimits {
  /** Blocks that have no index and are looked at one by one. */
  readonly blocksMax: number
  /** Questions to the index: sections times addresses and topics. */
  readonly lookupsMax: number
  /** Blocks that the index names, whose receipts are read. */
  readonly readsMax: number
}

/** What a search found in one block: at least one log. */
export interface BlockLogs {
  readonly number: number
  readonly hash: Hash
  /** Seconds since 1970. */
  readonly timestamp: number
  readonly logs: readonly PlacedLog[]
}

export interface PlacedLog extends FoundLog {
  readonly transactionHash: Hash
}

export interface LogSearchPorts {
  readonly index: LogIndex
  /** First block whose receipts are held. */
  first(): number
  /** Filter of the block's logs, from its header. */
  bloom(number: number): Uint8Array | undefined
  /** @throws LedgerError LEDGER_BLOCK_PRUNED below the snapshot */
  logsOf(number: number, matcher: LogMatcher): BlockLogs | undefined
}

/** Lookups of one step: some 10 µs each. */
const STEP_LOOKUPS = 32

/**
 * Logs that fit, block by block in their order. Yields undefined after a piece of work without a result.
 * @throws LedgerError LEDGER_LOG_QUERY_LIMIT, LEDGER_BLOCK_PRUNED, LEDGER_STORE_DAMAGED
 */
export function* searchLogs(
  { index, first, bloom, logsOf }: LogSearchPorts,
  { from, to, criteria, limits }: LogSearch,
): Generator<BlockLogs | undefined, void, void> {
  const matcher = createLogMatcher(criteria)
  const wanted = keysOf(criteria)
  let blocks = 0
  let lookups = 0
  let reads = 0

  /** Offsets in a section, from `low` to `high`, of blocks that may fit. */
  function* candidates(
    section: LogLookup,
    low: number,
    high: number,
  ): Generator<undefined, readonly number[]> {
    let offsets: readonly number[] | undefined
    for (const keys of wanted) {
      const found: number[][] = []
      for (const key of keys) {
        lookups += 1
        if (lookups > limits.lookupsMax) throw tooWide('questions to the index', limits.lookupsMax)
        const some = section.offsets(key, offsets)
        if (some.length > 0) found.push(some)
        if (lookups % STEP_LOOKUPS === 0) yield undefined
      }
      const all = found.length === 1 ? found[0]! : union(found)
      offsets = offsets ? all : all.filter((offset) => offset >= low && offset <= high)
      if (offsets.length === 0) break
    }
    return offsets ?? []
  }

  for (let height = from; height <= to; ) {
    const range = index.rangeAt(height)
    const end = Math.min(range.to, to)
    if (range.section === undefined) {
      blocks += end - height + 1
      if (blocks > limits.blocksMax) throw withoutIndex(height, end, first(), limits.blocksMax)
      for (; height <= end; height++) {
        const filter = bloom(height)
        yield filter !== undefined && matcher.mayMatch(filter) ? logsOf(height, matcher) : undefined
      }
      continue
    }
    const { section } = range
    let offsets: readonly number[]
    try {
      offsets = yield* candidates(section, height - section.from, end - section.from)
    } catch (error) {
      if (!(error instanceof LedgerError) || error.code !== 'LEDGER_STORE_DAMAGED') throw error
      // The next look at this range finds no index, until the section is made again.
      section.lose()
      continue
    }
    for (const offset of offsets) {
      reads += 1
      if (reads > limits.readsMax) throw tooWide('blocks that may fit', limits.readsMax)
      yield logsOf(section.from + offset, matcher)
    }
    yield undefined
    height = end + 1
  }
}

/**
 * For each criterion the keys of which a block must have one. The later topics mostly say who, the first
 * one what: so they come first, that few blocks are left for the others. Ordered by slot, so that keys of
 * one record follow one another.
 */
function keysOf({ addresses, topics }: LogCriteria): LogKey[][] {
  const byTopic = topics.map((choices, i) => choices.map((topic) => topicKey(topic, i)))
  const [what = [], ...who] = byTopic
  const wanted = [...who, addresses.map(addressKey), what]
    .filter((keys) => keys.length > 0)
    .map((keys) => [...new Set(keys)].sort((a, b) => slotOf(a) - slotOf(b)))
  return wanted.length === 0 ? [[ANY_LOG]] : wanted
}

function union(lists: readonly (readonly number[])[]): number[] {
  return [...new Set(lists.flat())].sort((a, b) => a - b)
}

function tooWide(what: string, limit: number): LedgerError {
  return new LedgerError(
    'LEDGER_LOG_QUERY_LIMIT',
    `query looks at more than ${limit} ${what}: ask for fewer blocks, addresses or topics`,
    { limit },
  )
}

function withoutIndex(from: number, to: number, first: number, limit: number): LedgerError {
  if (from > 0 && from < first) {
    return new LedgerError(
      'LEDGER_BLOCK_PRUNED',
      `blocks below ${first} are not held here: ask another node`,
      { oldest: first },
    )
  }
  return new LedgerError(
    'LEDGER_LOG_QUERY_LIMIT',
    `query looks at more than ${limit} blocks without an index: the logs of blocks ${from} to ${to} ` +
      'are still being indexed; ask for fewer blocks, or again later',
    { limit },
  )
}
