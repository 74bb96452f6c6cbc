/**
 * From the bytes of a request to the text of its answer, without a socket.
 *
 * Spec: JSON-RPC 2.0, with the words and codes of go-ethereum where the specification leaves a
 * choice. Synchronous methods are answered without a turn of the event loop.
 */

import { type Caller, isGranted, isGuarded } from './access.ts'
import { type AdmissionPorts, createAdmission } from './admission.ts'
import type { Later } from './backend.ts'
import {
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  invalidParams,
  LIMIT_EXCEEDED,
  METHOD_NOT_ENABLED,
  METHOD_NOT_FOUND,
  PARSE_ERROR,
  RESPONSE_TOO_LARGE,
  RpcError,
  toRpcError,
  UNAUTHORISED,
} from './error.ts'
import { type JsonText, jsonString, readJson } from './json.ts'
import type { RpcLimits } from './limits.ts'
import type { Method } from './method.ts'
import { costOf, isHeavy } from './method-cost.ts'
import { withPlace } from './parse.ts'

/**
 * Answers one request body, a single call or a batch.
 * @param caller who asks; default: somebody without token, limit and notifications
 * @returns JSON text; empty if the body held notifications only. Never throws or rejects.
 */
export type Dispatch = (body: Uint8Array, caller?: Caller) => Later<string>

export interface DispatchOptions {
  readonly methods: readonly Method[]
  readonly limits: RpcLimits
  readonly ports: DispatchPorts
  /** Guarded methods that need no token, or namespaces of them. Default: none. */
  readonly operatorMethods?: readonly string[]
  /** Who may use these. `direct`: not those who come through a proxy. Default: everybody. */
  readonly operatorCallers?: 'everybody' | 'direct'
}

export interface DispatchPorts extends AdmissionPorts {
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

/** A method and what is known of it before anybody calls. */
interface Entry {
  readonly method: Method
  /** Tokens. */
  readonly cost: number
  readonly isHeavy: boolean
  readonly isGuarded: boolean
  /** It is guarded, and served without a token. */
  readonly isForOperator: boolean
}

/** One request of the batch, or the whole body. */
interface Call {
  readonly entry: Entry
  readonly caller: Caller
  readonly params: readonly unknown[]
  /** JSON text of the id; undefined for a notification. */
  readonly id: JsonText | undefined
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { limits, ports } = options
  const admission = createAdmission(limits, ports)
  const operatorMethods = new Set(options.operatorMethods)
  const isForDirectOnes = options.operatorCallers === 'direct'
  const entries = new Map<string, Entry>()
  for (const method of options.methods) {
    const { name } = method
    const cost = costOf(name)
    const guarded = isGuarded(name)
    entries.set(name, {
      method,
      cost,
      isHeavy: isHeavy(cost),
      isGuarded: guarded,
      isForOperator: guarded && isGranted(operatorMethods, name),
    })
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  function dispatch(body: Uint8Array, caller: Caller = ANYBODY): Later<string> {
    if (body.length > limits.bodyBytesMax) {
      return failure('null', INVALID_REQUEST, 'request body too large')
    }
    // Long bodies cost their reading, whatever they ask.
    caller.budget?.take(body.length / BYTES_PER_TOKEN)
    let text: string
    try {
      text = decoder.decode(body)
    } catch {
      caller.budget?.take(1)
      return failure('null', PARSE_ERROR, 'parse error: not UTF-8')
    }
    const read = readJson(text, limits.depthMax)
    if (!read.ok) {
      caller.budget?.take(1)
      if (read.fault === 'syntax') return failure('null', PARSE_ERROR, 'parse error')
      const fault =
        read.fault === 'depth' ? 'nested too deeply' : 'a name stands twice in an object'
      return failure('null', INVALID_REQUEST, `invalid request: ${fault}`)
    }
    return Array.isArray(read.value)
      ? answerBatch(read.value, caller)
      : answerOne(read.value, caller)
  }

  function answerOne(request: unknown, caller: Caller): Later<string> {
    const call = readCall(request, caller)
    if (typeof call === 'string') return call
    const answer = perform(call)
    if (typeof answer === 'string') return bounded(answer, call)
    return answer.then((text) => bounded(text, call))
  }

  async function answerBatch(requests: readonly unknown[], caller: Caller): Promise<string> {
    if (requests.length === 0) return failure('null', INVALID_REQUEST, 'empty batch')
    if (requests.length > limits.batchItemsMax) {
      const message = `batch too large, want at most ${limits.batchItemsMax} requests`
      return failure('null', LIMIT_EXCEEDED, message)
    }
    // Gathered in order; those that wait for something, or for their turn, wait together.
    const answers: { readonly answer: Later<string>; readonly id: JsonText | undefined }[] = []
    const waiting: Promise<string>[] = []
    let room = limits.responseCharsMax
    for (const request of requests) {
      const call = readCall(request, caller)
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
  function readCall(request: unknown, caller: Caller): Call | string {
    const { budget } = caller
    if (typeof request !== 'object' || request === null || Array.isArray(request)) {
      budget?.take(1)
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
    if (budget?.hasLeft() === false) {
      ports.onAnswered?.({ method: 'unknown', durationMs: 0, code: LIMIT_EXCEEDED })
      return idText === undefined ? '' : rateLimited(idText, budget.waitMs())
    }
    const entry = entries.get(name)
    budget?.take(entry?.cost ?? 1)
    if (entry === undefined) {
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
    const refusal = entry.isGuarded || caller.isBoundToGrants ? refusalOf(entry, caller) : undefined
    if (refusal !== undefined) {
      ports.onAnswered?.({ method: name, durationMs: 0, code: refusal.code })
      return idText === undefined ? '' : failure(idText, refusal.code, refusal.message)
    }
    return { entry, caller, params: params ?? NO_PARAMS, id: idText }
  }

  /** Why the caller may not use the method; undefined if it may. */
  function refusalOf(entry: Entry, caller: Caller): RpcError | undefined {
    const { grants } = caller
    if (grants !== undefined && isGranted(grants, entry.method.name)) return undefined
    if (!caller.isBoundToGrants) {
      if (!entry.isGuarded) return undefined
      if (entry.isForOperator && !(isForDirectOnes && caller.isForwarded)) return undefined
    }
    return grants === undefined
      ? new RpcError(METHOD_NOT_ENABLED, 'Method not enabled')
      : new RpcError(UNAUTHORISED, 'Unauthorized: the token does not grant this method')
  }

  function perform(call: Call): Later<string> {
    const { entry, caller, params } = call
    let tookMs = 0
    try {
      const result = admission.run(
        entry.isHeavy,
        () => invoke(entry.method, params, caller),
        (heldMs) => {
          tookMs = heldMs
          caller.budget?.take(heldMs / limits.msPerToken)
        },
      )
      if (typeof result === 'string') return succeed(result, call, tookMs)
      const beganMs = ports.nowMs() - tookMs
      return result.then(
        (text) => succeed(text, call, ports.nowMs() - beganMs),
        (error: unknown) => explain(error, call, ports.nowMs() - beganMs),
      )
    } catch (error) {
      return explain(error, call, tookMs)
    }
  }

  function succeed(result: JsonText, call: Call, durationMs: number): string {
    answered(call, durationMs, undefined)
    return success(call.id, result)
  }

  function answered({ entry }: Call, durationMs: number, code: number | undefined): void {
    ports.onAnswered?.({ method: entry.method.name, durationMs, code })
  }

  function explain(error: unknown, call: Call, durationMs: number): string {
    const known = toRpcError(error)
    if (known === undefined) ports.onInternalError(error, call.entry.method.name)
    answered(call, durationMs, known?.code ?? INTERNAL_ERROR)
    if (call.id === undefined) return ''
    if (known === undefined) return failure(call.id, INTERNAL_ERROR, 'internal error')
    return failure(call.id, known.code, known.message, known.data)
  }

  function bounded(text: string, call: Call): string {
    return text.length > limits.responseCharsMax ? tooLarge(call.id ?? 'null') : text
  }

  return dispatch
}

/** Bytes of a request body that cost one token of a client's budget: a megabyte takes some 10 ms to read. */
const BYTES_PER_TOKEN = 65_536
const NO_PARAMS: readonly unknown[] = []
const ANYBODY: Caller = {}

/** Parses the parameters and calls the handler. */
function invoke(method: Method, params: readonly unknown[], caller: Caller): Later<JsonText> {
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
  if (!method.isForSubscribers) return method.handler(...(args as never[]))
  const { subscriber } = caller
  if (subscriber === undefined) throw new RpcError(METHOD_NOT_FOUND, 'notifications not supported')
  return method.handler(...([subscriber, ...args] as never[]))
}

function success(id: JsonText | undefined, result: JsonText): string {
  return id === undefined ? '' : `{"jsonrpc":"2.0","id":${id},"result":${result}}`
}

function failure(id: JsonText, code: number, message: string, data?: JsonText): string {
  const tail = data === undefined ? '' : `,"data":${data}`
  return `{"jsonrpc":"2.0","id":${id},"error":{"code":${code},"message":${jsonString(message)}${tail}}}`
}

/** What a client is told that asked too much; with the HTTP status 429, or within a batch. */
export function rateLimited(id: JsonText, waitMs: number): string {
  return failure(id, LIMIT_EXCEEDED, `rate limit exceeded, try again in ${waitMs} ms`)
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
