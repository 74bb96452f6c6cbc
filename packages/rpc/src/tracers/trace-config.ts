/** Which tracer a client asks for: the `TraceConfig` of execution-apis and go-ethereum. */

import { invalidParams } from '../error.ts'
import { type JsonText, jsonObject } from '../json.ts'
import { member, parseBoolean, parseRecord } from '../parse.ts'
import { createCallFrames } from './call-frames.ts'
import { createPrestate } from './prestate.ts'
import type { Recorder, Room } from './recorder.ts'
import { createSelectors } from './selectors.ts'
import { createStructLog } from './struct-log.ts'

export interface TraceConfig {
  /** A tracer for one transaction. */
  readonly create: (room: Room) => Recorder
  /** Milliseconds for a transaction that the client is ready to wait; undefined: as long as may be. */
  readonly timeMsMax: number | undefined
}

type Members = Readonly<Record<string, unknown>>

const EMPTY: Members = {}

/** The tracer of a request that says nothing about it. */
export const DEFAULT_TRACE: TraceConfig = parseTraceConfig(EMPTY)

export function parseTraceConfig(value: unknown): TraceConfig {
  const record = parseRecord(value)
  const tracer = member(record, 'tracer', parseName)
  const timeMsMax = member(record, 'timeout', parseDuration)
  const own = member(record, 'tracerConfig', parseRecord) ?? EMPTY
  return { create: tracerOf(tracer, record, own), timeMsMax }
}

function tracerOf(name: string | undefined, record: Members, own: Members): TraceConfig['create'] {
  const flag = (from: Members, wanted: string): boolean =>
    member(from, wanted, parseBoolean) ?? false
  switch (name) {
    case undefined:
    case 'structLog': {
      const options = {
        isStackShown: !flag(record, 'disableStack'),
        isStorageShown: !flag(record, 'disableStorage'),
        isMemoryShown: flag(record, 'enableMemory'),
        isReturnDataShown: flag(record, 'enableReturnData'),
        entriesMax: member(record, 'limit', parseLimit) ?? 0,
      }
      return (room) => createStructLog(options, room)
    }
    case 'callTracer': {
      const options = { isTopOnly: flag(own, 'onlyTopCall'), isWithLogs: flag(own, 'withLog') }
      return (room) => createCallFrames(options, room)
    }
    case 'prestateTracer': {
      const options = {
        isDiff: flag(own, 'diffMode'),
        isCodeShown: !flag(own, 'disableCode'),
        isStorageShown: !flag(own, 'disableStorage'),
        isEmptyShown: flag(own, 'includeEmpty'),
      }
      return (room) => createPrestate(options, room)
    }
    case '4byteTracer':
      return createSelectors
    case 'noopTracer':
      return createNothing
    default:
      throw invalidParams(`tracer: there is no such tracer; there are ${TRACERS.join(', ')}`)
  }
}

const TRACERS = ['structLog', 'callTracer', 'prestateTracer', '4byteTracer', 'noopTracer']

/** Sees nothing: what running the transaction again costs by itself. */
function createNothing(): Recorder {
  const nothing: JsonText = jsonObject([])
  return { start: () => ({}), end: () => {}, result: () => nothing }
}

function parseName(value: unknown): string {
  if (typeof value !== 'string') throw invalidParams('must be the name of a tracer')
  return value
}

function parseLimit(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalidParams('must be a count')
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

/** A duration as go-ethereum writes it: `500ms`, `5s`, `1m`. */
function parseDuration(value: unknown): number {
  const [, count, unit] = /^([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)$/.exec(String(value)) ?? []
  if (count === undefined || unit === undefined) {
    throw invalidParams('must be a duration such as 500ms or 5s')
  }
  return Number(count) * UNITS_MS[unit]!
}
