/** eth_simulateV1: calls in blocks that never were. Spec: execution-apis `eth_simulateV1`. */

import {
  type BlockRequest,
  type BlockSimulation,
  revertReason,
  SIMULATED_BLOCKS_MAX,
  type SimulatedBlock,
  wordsOf,
} from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { requireHeight } from '../block.ts'
import { parseBlockOverrides, parseCallRequest, parseStateOverrides } from '../call-request.ts'
import {
  EXECUTION_REVERTED,
  invalidParams,
  ofSimulation,
  RESPONSE_TOO_LARGE,
  RpcError,
  VM_ERROR,
} from '../error.ts'
import {
  data,
  formatBlock,
  formatFullBlock,
  formatLog,
  type Place,
  placeIn,
  quantity,
} from '../format.ts'
import { type JsonText, jsonArray, jsonString } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  defaulting,
  LATEST,
  listOf,
  member,
  parseBlock,
  parseBoolean,
  parseRecord,
  required,
} from '../parse.ts'
import { beginTurn, type TurnPorts } from '../turn.ts'

export function simulateMethods(backend: Backend, limits: RpcLimits, ports: TurnPorts): Method[] {
  const { chain, simulator, node } = backend

  async function simulate(wanted: Wanted, reference: BlockReference): Promise<JsonText> {
    const { blocks, isValidating, isTracingTransfers, isWhole } = wanted
    const number = requireHeight(chain, reference)
    const show = isWhole ? formatFullBlock : formatBlock
    const texts: JsonText[] = []
    let room = limits.responseCharsMax
    const turn = beginTurn(ports, limits.turnMsMax)
    try {
      const simulation: BlockSimulation = simulator.simulateBlocks({
        number,
        blocks,
        isValidating,
        isTracingTransfers,
      })
      for (let made = simulation.next(); made !== undefined; made = simulation.next()) {
        const text = `${show(made.block).slice(0, -1)},"calls":${formatCalls(made)}}`
        texts.push(text)
        room -= text.length
        if (room < 0) throw new RpcError(RESPONSE_TOO_LARGE, 'response too large')
        if (turn.isOver()) await turn.pass()
      }
    } catch (error) {
      throw ofSimulation(error)
    }
    return jsonArray(texts)
  }

  return [
    method(
      'eth_simulateV1',
      [
        required((value) => parseWanted(value, limits, node.chainId)),
        defaulting(parseBlock, LATEST),
      ],
      simulate,
    ),
  ]
}

interface Wanted {
  readonly blocks: readonly BlockRequest[]
  readonly isValidating: boolean
  readonly isTracingTransfers: boolean
  /** Whole transactions, not their hashes alone. */
  readonly isWhole: boolean
}

function parseWanted(value: unknown, limits: RpcLimits, chainId: bigint): Wanted {
  const record = parseRecord(value)
  const flag = (name: string): boolean => member(record, name, parseBoolean) ?? false
  const parse = (each: unknown): BlockRequest => parseBlockRequest(each, limits, chainId)
  const blocks = member(record, 'blockStateCalls', (list) =>
    // One too many is enough for the error that says so.
    Array.isArray(list)
      ? list.slice(0, SIMULATED_BLOCKS_MAX + 1).map(parse)
      : listOf(parse, SIMULATED_BLOCKS_MAX)(list),
  )
  if (blocks === undefined || blocks.length === 0) throw invalidParams('empty input')
  return {
    blocks,
    isValidating: flag('validation'),
    isTracingTransfers: flag('traceTransfers'),
    isWhole: flag('returnFullTransactions'),
  }
}

function parseBlockRequest(value: unknown, limits: RpcLimits, chainId: bigint): BlockRequest {
  const record = parseRecord(value)
  const call = (each: unknown) => parseCallRequest(each, limits, chainId)
  return {
    overrides: member(record, 'blockOverrides', (each) => parseBlockOverrides(each, limits)) ?? {},
    stateOverrides: member(record, 'stateOverrides', (each) => parseStateOverrides(each, limits)),
    calls: member(record, 'calls', listOf(call, limits.simulatedCallsMax)) ?? [],
  }
}

/** What became of each call. */
function formatCalls({ block, calls }: SimulatedBlock): JsonText {
  const texts = calls.map(({ halt, output, gasUsed, gasSpent, logs }, index) => {
    const place: Place = placeIn(block, index)
    const { hash } = block.transactions[index]!
    const written = logs.map((log) => formatLog(log, place, hash, log.index))
    const isSuccess = halt === 'success'
    const head =
      `{"returnData":${isSuccess ? data(output) : '"0x"'},"logs":${jsonArray(written)}` +
      `,"gasUsed":${quantity(gasUsed)},"maxUsedGas":${quantity(gasSpent)}`
    if (isSuccess) return `${head},"status":"0x1"}`
    return `${head},"status":"0x0","error":${halt === 'revert' ? revertError(output) : haltError(wordsOf(halt))}}`
  })
  return jsonArray(texts)
}

function revertError(output: Uint8Array): JsonText {
  const reason = revertReason(output)
  const message = reason === undefined ? 'execution reverted' : `execution reverted: ${reason}`
  return `{"message":${jsonString(message)},"code":${EXECUTION_REVERTED},"data":${data(output)}}`
}

function haltError(words: string): JsonText {
  return `{"message":${jsonString(words)},"code":${VM_ERROR}}`
}
