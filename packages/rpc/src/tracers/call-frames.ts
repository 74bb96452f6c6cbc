/** `callTracer` of go-ethereum: the calls and creations of a transaction, each inside its caller. */

import type { FrameEnd, FrameStart, Log } from '@vellum/evm'
import { revertReason } from '@vellum/ledger'
import { data, hex, quantity } from '../format.ts'
import { type JsonText, jsonArray, jsonString } from '../json.ts'
import { failureOf, type Recorder, type Room } from './recorder.ts'

export interface CallFramesOptions {
  /** Only the outermost call. */
  readonly isTopOnly: boolean
  /** Events too. */
  readonly isWithLogs: boolean
}

interface Frame {
  readonly start: FrameStart
  readonly calls: Frame[]
  readonly logs: EmittedLog[]
  /** Events of the block before the frame. */
  readonly logsBefore: number
  /** undefined while it runs. */
  end: FrameEnd | undefined
}

interface EmittedLog extends Log {
  /** Among the events of the block. */
  readonly index: number
  /** How many calls of its frame were made before it. */
  readonly position: number
}

/** Characters of a frame's text beside its input and output. */
const FRAME_CHARS = 250
/** Characters of an event's text beside its data. */
const LOG_CHARS = 500

export function createCallFrames(options: CallFramesOptions, room: Room): Recorder {
  const open: Frame[] = []
  let gasLimit = 0n
  let logCount = 0
  let text: JsonText = 'null'

  /** Depth beyond which nothing is told. */
  const depthMax = options.isTopOnly ? 1 : Number.POSITIVE_INFINITY

  function enter(start: FrameStart): void {
    if (start.depth > depthMax) return
    room.take(FRAME_CHARS + 2 * start.input.length)
    const frame: Frame = { start, calls: [], logs: [], logsBefore: logCount, end: undefined }
    open.at(-1)?.calls.push(frame)
    open.push(frame)
  }

  function exit(end: FrameEnd): void {
    if (end.depth > depthMax) return
    room.take(2 * end.output.length)
    const frame = open.at(-1)!
    frame.end = end
    if (end.status !== 'success') logCount = frame.logsBefore
    // The outermost frame waits for what the whole transaction used.
    if (end.depth > 1) open.pop()
  }

  function log(emitted: Log): void {
    room.take(LOG_CHARS + 2 * emitted.data.length)
    const { logs, calls } = open.at(-1)!
    logs.push({ ...emitted, index: logCount++, position: calls.length })
  }

  return {
    start(transaction) {
      gasLimit = transaction.gasLimit
      logCount = transaction.logsBefore
      return { enter, exit, ...(options.isWithLogs ? { log } : {}) }
    },
    end({ gasUsed }) {
      const { start, end, ...rest } = open[0]!
      text = formatFrame(
        { ...rest, start: { ...start, gas: gasLimit }, end: { ...end!, gasUsed } },
        false,
      )
    },
    result: () => text,
  }
}

/** @param isUndone a frame around it failed: its events never were */
function formatFrame({ start, end, calls, logs }: Frame, isUndone: boolean): JsonText {
  const { type, from, to, value, input, gas } = start
  const { status, output, gasUsed } = end!
  const isCreation = type === 'CREATE' || type === 'CREATE2'
  let text =
    `{"from":"${from}","gas":${quantity(gas)},"gasUsed":${quantity(gasUsed)}` +
    `,"input":${data(input)},"type":"${type}"`
  if (status === 'success' || !isCreation) text += `,"to":"${to}"`
  if (output.length > 0 && (status === 'success' || status === 'revert')) {
    text += `,"output":${data(output)}`
  }
  if (status !== 'success') {
    text += `,"error":${jsonString(failureOf(status))}`
    const reason = status === 'revert' ? revertReason(output) : undefined
    if (reason !== undefined) text += `,"revertReason":${jsonString(reason)}`
  }
  const isGone = isUndone || status !== 'success'
  if (calls.length > 0) {
    text += `,"calls":${jsonArray(calls.map((call) => formatFrame(call, isGone)))}`
  }
  if (logs.length > 0 && !isGone) text += `,"logs":${jsonArray(logs.map(formatLog))}`
  if (type !== 'STATICCALL') text += `,"value":${quantity(value)}`
  return `${text}}`
}

function formatLog({ address, topics, data: bytes, index, position }: EmittedLog): JsonText {
  return (
    `{"address":"${address}","topics":${jsonArray(topics.map(hex))}` +
    `,"data":${data(bytes)},"index":${quantity(index)},"position":${quantity(position)}}`
  )
}
