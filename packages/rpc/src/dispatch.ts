/**
 * From the bytes of a request to the text of its answer, without a socket.
 *
 * Spec: JSON-RPC 2.0, with the words and codes of go-ethereum where the specification leaves a
 * choice. Synchronous methods are answered without a turn of the event loop.
 */

import type { Later } from './backend.ts'
import {
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  invalidParams,
  LIMIT_EXCEEDED,
  METHOD_NOT_FOUND,
  PARSE_ERROR,
  RESPONSE_TOO_LARGE,
  RpcError,
  toRpcError,
} from './error.ts'
import { type JsonText, jsonString, readJson } from './json.ts'
import type { RpcLimits } from './limits.ts'
import type { Method } from './method.ts'
import { withPlace } from './parse.ts'
import { beginTurn, type TurnPorts } from './turn.ts'

/**
 * Answers one request body, a single call or a batch.
 * @returns JSON text; empty if the body held notifications only. Never throws or rejects.
 */
export type Dispatch = (body: Uint8Array) => Later<string>

export interface DispatchOptions {
  readonly methods: readonly Method[]
  readonly limits: RpcLimits
  readonly ports: DispatchPorts
}

export interface DispatchPorts extends TurnPorts {
  /** Hears of mistakes of ours, of which the client learns nothing. Must not throw. */
  onInternalError(error: unknown, method: string): void
  /**
   * Hears of each call that was answered; `code`: of the error. An unknown method is `unknown`, so
   * that clients cannot make up names. Must not throw.
   */
  onAnswered?(call: AnsweredCall): void
}

export interface AnsweredCall {
  readonly method: string
  readonly durationMs: number
  readonly code: number | undefined
}

/** One request of the batch, or the whole body. */
interface Call {
  readonly method: Method
  readonly params: readonly unknown[]
  /** JSON text of the id; undefined for a notification. */
  readonly id: JsonText | undefined
  /** Milliseconds; 0 where nobody asks. */
  readonly beganMs: number
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { limits, ports } = options
  const methods = new Map<string, Method>()
  for (const method of options.methods) methods.set(method.name, method)
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  function dispatch(body: Uint8Array): Later<string> {
    if (body.length > limits.bodyBytesMax) {
      return failure('null', INVALID_REQUEST, 'request body too large')
    }
    let text: string
    try {
      text = decoder.decode(body)
    } catch {
      return failure('null', PARSE_ERROR, 'parse error: not UTF-8')
    }
    const read = readJson(text, limits.depthMax)
    if (!read.ok) {
      if (read.fault === 'syntax') return failure('null', PARSE_ERROR, 'parse error')
      const fault =
        read.fault === 'depth' ? 'nested too deeply' : 'a name stands twice in an object'
      return failure('null', INVALID_REQUEST, `invalid request: ${fault}`)
    }
    return Array.isArray(read.value) ? answerBatch(read.value) : answerOne(read.value)
  }

  function answerOne(request: unknown): Later<string> {
    const call = readCall(request)
    if (typeof call === 'string') return call
    const answer = perform(call)
    if (typeof answer === 'string') return bounded(answer, call)
    return answer.then((text) => bounded(text, call))
  }

  async function answerBatch(requests: readonly unknown[]): Promise<string> {
    if (requests.length === 0) return failure('null', INVALID_REQUEST, 'empty batch')
    if (requests.length > limits.batchItemsMax) {
      const message = `batch too large, want at most ${limits.batchItemsMax} requests`
      return failure('null', LIMIT_EXCEEDED, message)
    }
    // Started in order and gathered in order; those that wait for something wait together.
    const answers: { readonly answer: Later<string>; readonly id: JsonText | undefined }[] = []
    const waiting: Promise<string>[] = []
    let room = limits.responseCharsMax
    const turn = beginTurn(ports, limits.turnMsMax)
    for (const request of requests) {
      const call = readCall(request)
      if (typeof call === 'string') {
        if (call !== '') answers.push({ answer: call, id: 'null' })
        continue
      }
      const answer = room < 0 ? tooLarge(call.id ?? 'null') : perform(call)
      answers.push({ answer, id: call.id })
      if (typeof answer === 'string') room -= answer.length
      else waiting.push(answer)
      if (waiting.length === limits.batchWaitingMax) {
        for (const text of await Promise.all(waiting)) room -= text.length
        waiting.length = 0
      }
      if (turn.isOver()) await turn.pass()
    }
    let text = ''
    for (const { answer, id } of answers) {
      const part = await answer
      if (id === undefined) continue
      const fits = text.length + part.length <= limits.responseCharsMax
      text += `${text === '' ? '[' : ','}${fits ? part : tooLarge(id)}`
    }
    return text === '' ? '' : `${text}]`
  }

  /** The call that a JSON value asks for, or the text of the error that answers it. */
  function readCall(request: unknown): Call | string {
    if (typeof request !== 'object' || request === null || Array.isArray(request)) {
      return failure('null', INVALID_REQUEST, 'invalid request')
    }
    const { jsonrpc, id, method: name, params } = request as Record<string, unknown>
    const idText = writeId(id)
    if (idText === undefined && id !== undefined) {
      return failure('null', INVALID_REQUEST, 'invalid request: id must be a string or a number')
    }
    const echo = idText ?? 'null'
    if (jsonrpc !== '2.0' || typeof name !== 'string') {
      return failure(echo, INVALID_REQUEST, 'invalid request')
    }
    const method = methods.get(name)
    if (method === undefined) {
      ports.onAnswered?.({ method: 'unknown', durationMs: 0, code: METHOD_NOT_FOUND })
      if (idText === undefined) return ''
      return failure(
        echo,
        METHOD_NOT_FOUND,
        `the method ${shown(name)} does not exist/is not available`,
      )
    }
    if (params !== undefined && params !== null && !Array.isArray(params)) {
      if (idText === undefined) return ''
      return failure(echo, INVALID_PARAMS, 'non-array args')
    }
    const beganMs = ports.onAnswered === undefined ? 0 : ports.nowMs()
    return { method, params: params ?? NO_PARAMS, id: idText, beganMs }
  }

  function perform(call: Call): Later<string> {
    try {
      const result = invoke(call.method, call.params)
      if (typeof result === 'string') return succeed(result, call)
      return result.then(
        (text) => succeed(text, call),
        (error: unknown) => explain(error, call),
      )
    } catch (error) {
      return explain(error, call)
    }
  }

  function succeed(result: JsonText, call: Call): string {
    answered(call, undefined)
    return success(call.id, result)
  }

  function answered({ method, beganMs }: Call, code: number | undefined): void {
    ports.onAnswered?.({ method: method.name, durationMs: ports.nowMs() - beganMs, code })
  }

  function explain(error: unknown, call: Call): string {
    const known = toRpcError(error)
    if (known === undefined) ports.onInternalError(error, call.method.name)
    answered(call, known?.code ?? INTERNAL_ERROR)
    if (call.id === undefined) return ''
    if (known === undefined) return failure(call.id, INTERNAL_ERROR, 'internal error')
    return failure(call.id, known.code, known.message, known.data)
  }

  function bounded(text: string, call: Call): string {
    return text.length > limits.responseCharsMax ? tooLarge(call.id ?? 'null') : text
  }

  return dispatch
}

const NO_PARAMS: readonly unknown[] = []

/** Parses the parameters and calls the handler. */
function invoke(method: Method, params: readonly unknown[]): Later<JsonText> {
  const { params: expected } = method
  if (params.length > expected.length) {
    throw invalidParams(`too many arguments, want at most ${expected.length}`)
  }
  const args: unknown[] = []
  for (let i = 0; i < expected.length; i++) {
    const param = expected[i]!
    const value = params[i] ?? undefined
    if (value === undefined && param.required) {
      throw invalidParams(`missing value for required argument ${i}`)
    }
    try {
      args.push(param.parse(value))
    } catch (error) {
      if (error instanceof RpcError) throw withPlace(error, `invalid argument ${i}`)
      throw error
    }
  }
  return method.handler(...(args as never[]))
}

function success(id: JsonText | undefined, result: JsonText): string {
  return id === undefined ? '' : `{"jsonrpc":"2.0","id":${id},"result":${result}}`
}

function failure(id: JsonText, code: number, message: string, data?: JsonText): string {
  const tail = data === undefined ? '' : `,"data":${data}`
  return `{"jsonrpc":"2.0","id":${id},"error":{"code":${code},"message":${jsonString(message)}${tail}}}`
}

function tooLarge(id: JsonText): string {
  return failure(id, RESPONSE_TOO_LARGE, 'response too large')
}

/** JSON text of an id; undefined if there is none or it may not be one. */
function writeId(id: unknown): JsonText | undefined {
  if (typeof id === 'number') return Number.isFinite(id) ? `${id}` : undefined
  if (typeof id === 'string') return jsonString(id)
  return id === null ? 'null' : undefined
}

/** A name as an error message repeats it: never long. */
function shown(name: string): string {
  return name.length <= 64 ? name : `${name.slice(0, 64)}...`
}
