/** The debug namespace: transactions run once more and watched, and encodings as they are hashed. */

import type { Hash } from '@vellum/evm'
import {
  encodeBlock,
  encodeHeader,
  encodeReceipt,
  type Replay,
  type SealedBlock,
} from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { heightOf, requireHeight } from '../block.ts'
import { parseBlockOverrides, parseCallRequest, parseStateOverrides } from '../call-request.ts'
import { limitExceeded, RpcError, SERVER_ERROR } from '../error.ts'
import { data } from '../format.ts'
import { type JsonText, jsonArray } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  defaulting,
  LATEST,
  member,
  parseBlock,
  parseBlockNumber,
  parseHash,
  parseRecord,
  required,
} from '../parse.ts'
import { createRoom, type Room } from '../tracers/recorder.ts'
import { DEFAULT_TRACE, parseTraceConfig, type TraceConfig } from '../tracers/trace-config.ts'
import { beginTurn, type TurnPorts } from '../turn.ts'

export function debugMethods(backend: Backend, limits: RpcLimits, ports: TurnPorts): Method[] {
  const { chain, simulator, node } = backend
  const hash = required(parseHash)
  const block = required(parseBlock)
  const config = defaulting(parseTraceConfig, DEFAULT_TRACE)

  /** Runs the block's transactions in order, in turns; those wanted are traced. */
  async function trace(
    replay: Replay,
    { create, timeMsMax }: TraceConfig,
    isWanted: (index: number) => boolean,
  ): Promise<{ readonly hash: Hash; readonly text: JsonText }[]> {
    const { transactions } = replay.block
    const room: Room = createRoom(limits.responseCharsMax)
    const traces: { hash: Hash; text: JsonText }[] = []
    const turn = beginTurn(ports, limits.turnMsMax)
    const forEachMs = Math.min(timeMsMax ?? limits.traceMsMax, limits.traceMsMax)
    let heldMs = 0
    for (const [index, tx] of transactions.entries()) {
      if (turn.isOver()) await turn.pass()
      const beganMs = ports.nowMs()
      if (isWanted(index)) {
        const recorder = create(room)
        replay.next(recorder, forEachMs)
        traces.push({ hash: tx.hash, text: recorder.result() })
      } else replay.next()
      heldMs += ports.nowMs() - beganMs
      if (heldMs > limits.traceBlockMsMax) {
        throw limitExceeded(`the block takes over ${limits.traceBlockMsMax} ms to trace`)
      }
    }
    return traces
  }

  async function traceBlock(reference: BlockReference, wanted: TraceConfig): Promise<JsonText> {
    const height = heightOf(chain, reference)
    if (height === undefined) {
      const name = reference.type === 'hash' ? reference.hash : `#${nameOf(reference)}`
      throw new RpcError(SERVER_ERROR, `block ${name} not found`)
    }
    const traces = await trace(openReplay(height), wanted, () => true)
    return jsonArray(traces.map(({ hash, text }) => `{"txHash":"${hash}","result":${text}}`))
  }

  function openReplay(height: number): Replay {
    if (height === 0) throw new RpcError(SERVER_ERROR, 'genesis is not traceable')
    return simulator.openReplay(height)
  }

  async function traceTransaction(wanted: Hash, how: TraceConfig): Promise<JsonText> {
    const location = chain.locate(wanted)
    if (location === undefined) throw new RpcError(SERVER_ERROR, 'transaction not found')
    const [found] = await trace(openReplay(location.number), how, (i) => i === location.index)
    return found!.text
  }

  function wholeBlock(reference: BlockReference): SealedBlock {
    const found = chain.block(requireHeight(chain, reference))
    if (found === undefined) throw new RpcError(SERVER_ERROR, 'block not found')
    return found
  }

  return [
    method('debug_traceTransaction', [hash, config], traceTransaction),
    method('debug_traceBlockByNumber', [required(parseBlockNumber), config], traceBlock),
    method('debug_traceBlockByHash', [required(parseHashReference), config], traceBlock),
    method(
      'debug_traceCall',
      [
        required((value) => parseCallRequest(value, limits, node.chainId)),
        defaulting(parseBlock, LATEST),
        defaulting((value) => parseCallTrace(value, limits), NO_OVERRIDES),
      ],
      (request, reference, { stateOverrides, blockOverrides, trace: how }) => {
        const recorder = how.create(createRoom(limits.responseCharsMax))
        const number = requireHeight(chain, reference)
        simulator.trace({ request, number, stateOverrides, blockOverrides }, recorder)
        return recorder.result()
      },
    ),
    method('debug_getRawHeader', [block], (at) =>
      data(encodeHeader(chain.header(requireHeight(chain, at))!.header)),
    ),
    method('debug_getRawBlock', [block], (at) => data(encodeBlock(wholeBlock(at)))),
    method('debug_getRawReceipts', [block], (at) => {
      const receipts = chain.receipts(requireHeight(chain, at)) ?? []
      return jsonArray(receipts.map((receipt) => data(encodeReceipt(receipt))))
    }),
    method('debug_getRawTransaction', [hash], (wanted) => {
      const location = chain.locate(wanted)
      const found =
        location === undefined
          ? backend.pool.get(wanted)
          : chain.block(location.number)?.transactions[location.index]
      return found === undefined ? '"0x"' : data(found.encoded)
    }),
    // A block that is not valid is refused and forgotten: only its reason is logged.
    method('debug_getBadBlocks', [], () => '[]'),
  ]
}

const NO_OVERRIDES: CallTrace = {
  stateOverrides: undefined,
  blockOverrides: undefined,
  trace: DEFAULT_TRACE,
}

/** go-ethereum's `TraceCallConfig`: which tracer, and what the call is to meet. */
type CallTrace = ReturnType<typeof parseCallTrace>

function parseCallTrace(value: unknown, limits: RpcLimits) {
  const record = parseRecord(value)
  return {
    stateOverrides: member(record, 'stateOverrides', (each) => parseStateOverrides(each, limits)),
    blockOverrides: member(record, 'blockOverrides', (each) => parseBlockOverrides(each, limits)),
    trace: parseTraceConfig(value),
  }
}

function parseHashReference(value: unknown): BlockReference {
  return { type: 'hash', hash: parseHash(value) }
}

function nameOf(reference: Exclude<BlockReference, { type: 'hash' }>): string {
  return reference.type === 'number' ? `${reference.number}` : reference.tag
}
