/**
 * One HTTP/1.1 connection: reads requests, has them answered in order, and goes over to WebSocket where
 * that is asked for. Who may connect and for how long is the server's (server.ts).
 */

import type { Socket } from 'node:net'
import type { Caller } from './access.ts'
import type { Later } from './backend.ts'
import type { Client } from './client.ts'
import type { Connection, ServerSetting } from './connection.ts'
import type { Dispatch } from './dispatch.ts'
import { corsLines, plainAnswer, preflightAnswer, rateLimitedAnswer } from './http-answer.ts'
import {
  type ByteBuffer,
  type ChunkReader,
  createByteBuffer,
  createChunkReader,
  type HttpFault,
  parseRequestHead,
  type RequestHead,
} from './http-request.ts'

/** How long a refused client may go on sending before the connection is cut, in milliseconds. */
const LINGER_MS = 1_000
/** Characters of answers gathered before they are written. */
const GATHERED_CHARS_MAX = 65_536
const CONTENT_TYPES = new Set([
  'application/json',
  'application/json-rpc',
  'application/jsonrequest',
])
const IP_HOST = /^(?:\[[0-9a-f:.]+\]|\d{1,3}(?:\.\d{1,3}){3})$/

/** A request that is to become a WebSocket. */
export interface Upgrade {
  readonly head: RequestHead
  readonly dispatch: Dispatch
  readonly caller: Caller
  /** What the client has sent behind its request. */
  readonly rest: Buffer
}

export interface HttpConnectionOptions {
  readonly socket: Socket
  readonly client: Client
  readonly setting: ServerSetting
  /** Takes the socket over. */
  readonly onUpgrade: (upgrade: Upgrade) => void
}

/** Who answers a request, or what is answered to one that is not for us. */
type Considered = string | { readonly dispatch: Dispatch; readonly caller: Caller }

export function openHttpConnection(options: HttpConnectionOptions): Connection {
  const { socket, client, setting, onUpgrade } = options
  const { limits } = setting
  const held: ByteBuffer = createByteBuffer()
  /** What the connection waits for. `busy`: an answer; `closing`: the client to hang up. */
  let state: 'head' | 'body' | 'busy' | 'closing' | 'gone' = 'head'
  /** When the request under way began, or the connection became idle. */
  let sinceMs = setting.nowMs
  let isIdle = true
  let hasEnded = false
  let head: RequestHead | undefined
  let chunks: ChunkReader | undefined
  /** The last head and its text: most clients send the same one again and again. */
  let lastHeadText = ''
  let lastHead: RequestHead | undefined
  /** Answers not yet written, ASCII only. */
  let gathered = ''

  socket.on('data', receive)
  socket.on('drain', drained)
  socket.on('error', failed)
  socket.on('end', ended)

  function drained(): void {
    if (state !== 'busy') resume()
  }

  function failed(): void {
    socket.destroy()
  }

  function ended(): void {
    // A client may say that it will send no more and still wait for its answer.
    hasEnded = true
    if (state !== 'busy' && state !== 'closing') close()
  }

  function receive(chunk: Buffer): void {
    if (state === 'closing') return
    if (isIdle) {
      isIdle = false
      sinceMs = setting.nowMs
    }
    if (held.length > 0 || state === 'busy') {
      held.append(chunk)
      if (state === 'busy') {
        // One request ahead may wait here; the rest waits with the client.
        if (held.length > limits.headBytesMax) socket.pause()
        return
      }
      held.drop(process(held.view()))
    } else {
      const used = process(chunk)
      if (used < chunk.length && !isClosing()) held.append(chunk.subarray(used))
    }
    flush()
  }

  function resume(): void {
    socket.resume()
    isIdle = held.length === 0
    if (!isIdle) held.drop(process(held.view()))
    flush()
  }

  /** Reads requests and answers them until more bytes or an answer is needed. Returns bytes used. */
  function process(input: Buffer): number {
    let at = 0
    while (at < input.length) {
      if (state === 'head') {
        const used = readHead(input, at)
        if (used === 0) break
        at += used
      }
      if (state === 'body') {
        const used = readBody(input, at)
        if (used < 0) break
        at += used
        if (isReadingBody()) break
      }
      if (state !== 'head') break
      if (socket.writableNeedDrain) break
    }
    isIdle = state === 'head' && at >= input.length
    return at
  }

  /** Bytes of the head at this place; 0 if it is not whole, or was refused. */
  function readHead(input: Buffer, at: number): number {
    // One empty line before a request is passed over (RFC 9112 section 2.2).
    const start = input[at] === 13 && input[at + 1] === 10 ? at + 2 : at
    const end = input.indexOf('\r\n\r\n', start, 'latin1')
    if (end < 0 ? input.length - start > limits.headBytesMax : end - start > limits.headBytesMax) {
      refuse({ status: 431, reason: 'request head too large' })
      return 0
    }
    if (end < 0) return 0
    const text = input.toString('latin1', start, end)
    if (text !== lastHeadText || lastHead === undefined) {
      const parsed = parseRequestHead(text, limits)
      if ('status' in parsed) {
        refuse(parsed)
        return 0
      }
      lastHeadText = text
      lastHead = parsed
    }
    head = lastHead
    chunks = head.framing === 'chunked' ? createChunkReader(limits) : undefined
    state = 'body'
    const bodyStart = end + 4
    if (head.expectsContinue && bodyStart === input.length && head.framing !== 'none') {
      flush()
      socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    }
    // A request without body is whole already: there may be no further byte to drive the loop.
    if (head.framing !== 'chunked' && head.contentLength === 0) finish(EMPTY)
    return bodyStart - at
  }

  /** Bytes of the body at this place; negative if it was refused or is not whole. */
  function readBody(input: Buffer, at: number): number {
    if (chunks !== undefined) {
      const used = chunks.read(at === 0 ? input : input.subarray(at))
      if (typeof used === 'object') {
        refuse(used)
        return -1
      }
      if (chunks.isDone) finish(chunks.body.view())
      return used
    }
    const size = head!.contentLength
    if (input.length - at < size) return -1
    finish(input.subarray(at, at + size))
    return size
  }

  function finish(body: Buffer): void {
    const request = head!
    const refusal = refusalOf(request)
    if (refusal !== undefined) return send(refusal, request.keepAlive)
    const considered = consider(request)
    if (!(considered instanceof Promise)) return answer(request, considered, body)
    // What comes meanwhile is kept behind this request, whose bytes must not change.
    state = 'busy'
    const copy = Buffer.from(body)
    considered.then(
      (settled) => {
        if (socket.destroyed) return
        answer(request, settled, copy)
        if (state === 'head') resume()
        else flush()
      },
      () => socket.destroy(),
    )
  }

  function answer(request: RequestHead, considered: Considered, body: Buffer): void {
    if (typeof considered === 'string') return send(considered, request.keepAlive)
    const { dispatch, caller } = considered
    if (request.webSocket !== undefined) return upgrade({ head: request, dispatch, caller })
    const text = dispatch(body, caller)
    if (typeof text === 'string') return reply(text, request)
    state = 'busy'
    text.then(
      (late) => {
        if (socket.destroyed) return
        reply(late, request)
        if (state === 'head') resume()
        else flush()
      },
      () => socket.destroy(),
    )
  }

  /** The answer to a request that is wrong whoever asks; undefined if it is not. */
  function refusalOf(request: RequestHead): string | undefined {
    const { hosts } = setting
    if (!hosts.has('*') && !hosts.has(request.host) && !IP_HOST.test(request.host)) {
      return refused('host', plainAnswer(setting, 403, 'invalid host specified'))
    }
    if (setting.route(request.path) === undefined) {
      return plainAnswer(setting, 404, 'nothing is served at this path')
    }
    if (request.webSocket !== undefined && setting.takesWebSockets) return webSocketRefusal(request)
    if (request.method === 'OPTIONS') return preflightAnswer(setting, request)
    if (request.method !== 'POST') {
      return plainAnswer(setting, 405, 'only POST is served here', 'allow: POST, OPTIONS\r\n')
    }
    if (request.framing === 'none') return plainAnswer(setting, 411, 'a body is needed')
    if (request.contentType === undefined || !CONTENT_TYPES.has(request.contentType)) {
      return plainAnswer(setting, 415, 'invalid content type, only application/json is supported')
    }
    return undefined
  }

  /** Pages of any origin can open a WebSocket: no browser asks the server before it does so. */
  function webSocketRefusal(request: RequestHead): string | undefined {
    const { origins } = setting
    if (request.origin !== undefined && !origins.has('*') && !origins.has(request.origin)) {
      return refused('origin', plainAnswer(setting, 403, 'origin not allowed'))
    }
    const { key, version } = request.webSocket!
    if (request.method !== 'GET' || request.framing === 'chunked' || request.contentLength > 0) {
      return plainAnswer(setting, 405, 'a WebSocket begins with GET', 'allow: GET\r\n')
    }
    if (version !== '13' || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
      return plainAnswer(
        setting,
        400,
        'malformed WebSocket request',
        'sec-websocket-version: 13\r\n',
      )
    }
    if (!setting.hasRoomForWebSocket()) {
      return refused('places', plainAnswer(setting, 503, 'too many WebSockets'))
    }
    return undefined
  }

  /** Who asks, and whether that one may. */
  function consider(request: RequestHead): Later<Considered> {
    const dispatch = setting.route(request.path)!
    const caller = client.callerOf(request)
    if (caller instanceof Promise) {
      return caller.then((known) => considerCaller(request, dispatch, known))
    }
    return considerCaller(request, dispatch, caller)
  }

  function considerCaller(
    request: RequestHead,
    dispatch: Dispatch,
    caller: Caller | undefined,
  ): Considered {
    if (caller === undefined) {
      const lines = 'www-authenticate: Bearer\r\n'
      return refused('token', plainAnswer(setting, 401, 'a valid token is needed', lines))
    }
    const { budget } = caller
    if (budget?.hasLeft() === false) {
      return refused('rate', rateLimitedAnswer(setting, request, budget.waitMs()))
    }
    return { dispatch, caller }
  }

  function refused(reason: Parameters<ServerSetting['onRefused']>[0], text: string): string {
    setting.onRefused(reason)
    return text
  }

  function upgrade(wish: Omit<Upgrade, 'rest'>): void {
    flush()
    state = 'gone'
    socket.off('data', receive)
    socket.off('drain', drained)
    socket.off('error', failed)
    socket.off('end', ended)
    // The bytes behind the request are still being read: they are whole when this turn is over.
    socket.pause()
    queueMicrotask(() => onUpgrade({ ...wish, rest: Buffer.from(held.view()) }))
  }

  function reply(text: string, request: RequestHead): void {
    const keepAlive = request.keepAlive && !setting.isStopping && !hasEnded
    const size = Buffer.byteLength(text, 'utf8')
    const start =
      `HTTP/1.1 200 OK\r\n${setting.dateLine}content-type: application/json\r\n` +
      `${corsLines(setting, request.origin)}${keepAlive ? '' : 'connection: close\r\n'}` +
      `content-length: ${size}\r\n\r\n`
    if (size === text.length) {
      send(start + text, keepAlive)
      return
    }
    send(start, true)
    flush()
    socket.write(text, 'utf8')
    send('', keepAlive)
  }

  /** Takes an ASCII answer to be written, and makes ready for the next request or the end. */
  function send(text: string, keepAlive: boolean): void {
    gathered = gathered === '' ? text : gathered + text
    if (gathered.length > GATHERED_CHARS_MAX) flush()
    head = undefined
    chunks = undefined
    if (keepAlive && !setting.isStopping && !hasEnded) {
      state = 'head'
      sinceMs = setting.nowMs
    } else {
      close()
    }
  }

  function flush(): void {
    if (gathered === '') return
    const text = gathered
    gathered = ''
    if (!socket.write(text, 'latin1') && state !== 'closing') socket.pause()
  }

  function refuse(fault: HttpFault): void {
    send(plainAnswer(setting, fault.status, fault.reason), false)
  }

  /** Says all there is to say, then waits a little for the client: a reset would lose the answer. */
  function close(): void {
    state = 'closing'
    sinceMs = setting.nowMs
    flush()
    socket.resume()
    socket.end()
  }

  const isClosing = (): boolean => state === 'closing'
  const isReadingBody = (): boolean => state === 'body'

  return {
    address: client.address,
    waitingSinceMs: () => (state === 'head' || state === 'body' ? sinceMs : undefined),
    sweep() {
      const waitedMs = setting.nowMs - sinceMs
      if (state === 'closing') {
        if (waitedMs > LINGER_MS && socket.writableLength === 0) socket.destroy()
        if (waitedMs > limits.answerMsMax) socket.destroy()
      } else if (socket.writableLength > 0) {
        if (waitedMs > limits.answerMsMax) {
          setting.onRefused('slow')
          socket.destroy()
        }
      } else if (isIdle && state === 'head') {
        if (waitedMs > limits.idleMsMax) socket.destroy()
      } else if (state !== 'busy') {
        const most = state === 'head' ? limits.headMsMax : limits.requestMsMax
        if (waitedMs > most) {
          setting.onRefused('slow')
          send(plainAnswer(setting, 408, 'the request took too long'), false)
        }
      }
    },
    stop() {
      if (state === 'busy') return
      if (isIdle) close()
      else send(plainAnswer(setting, 503, 'the server stops'), false)
    },
    destroy: () => socket.destroy(),
  }
}

const EMPTY = Buffer.alloc(0)
