/**
 * HTTP/1.1 in front of a dispatch: the one file of this package that touches sockets and time (what
 * it reads is taken apart in http-request.ts).
 *
 * Written on `node:net`: node's own HTTP server spends several times as long on a small request as
 * the request itself takes. It speaks the little that JSON-RPC needs (POST with a body, keep-alive,
 * pipelining, chunked bodies, 100-continue, CORS) and refuses the rest.
 *
 * Limits: connections in all and per address, deadlines for head, request and idleness. When all
 * places are taken, whoever has waited longest without a request makes room, so that idle sockets
 * cannot keep clients out. WebSocket will take over a connection where an upgrade is asked for;
 * until then the header is passed over, as RFC 9110 allows.
 */

import { createServer, type Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Dispatch } from './dispatch.ts'
import {
  type AnswerSetting,
  corsLines,
  dateLine,
  plainAnswer,
  preflightAnswer,
} from './http-answer.ts'
import {
  type ByteBuffer,
  type ChunkReader,
  createByteBuffer,
  createChunkReader,
  type HttpFault,
  type HttpLimits,
  parseRequestHead,
  type RequestHead,
} from './http-request.ts'

export interface ServerLimits extends HttpLimits {
  readonly connectionsMax: number
  /** Connections of one address. Loopback counts only towards the whole: proxies live there. */
  readonly connectionsPerAddressMax: number
  /** Milliseconds from the first byte of a request to the end of its head. */
  readonly headMsMax: number
  /** Milliseconds from the first byte of a request to the end of its body. */
  readonly requestMsMax: number
  /** Milliseconds without a request. */
  readonly idleMsMax: number
  /** Milliseconds in which a client must take an answer. */
  readonly answerMsMax: number
}

export const SERVER_LIMITS: ServerLimits = {
  headBytesMax: 16_384,
  headersMax: 64,
  bodyBytesMax: 1_048_576,
  connectionsMax: 256,
  connectionsPerAddressMax: 16,
  headMsMax: 10_000,
  requestMsMax: 30_000,
  idleMsMax: 60_000,
  answerMsMax: 30_000,
}

export interface ServerOptions {
  /** 0 to 65535; 0 takes a free one. */
  readonly port: number
  /** Address to listen at. Default: 127.0.0.1. */
  readonly address?: string
  /** What answers at a path; undefined: 404. */
  readonly route: (path: string) => Dispatch | undefined
  /**
   * Names under which clients may speak to this server, against DNS rebinding; `*` for any. IP addresses
   * are always taken. Default: localhost.
   */
  readonly hosts?: readonly string[]
  /** Origins of web pages that may read answers; `*` for any. Default: none. */
  readonly origins?: readonly string[]
  readonly limits?: Partial<ServerLimits>
}

export interface RpcServer {
  readonly address: string
  readonly port: number
  /** Open connections. */
  readonly connections: number
  /** Takes no new requests, lets those under way end, closes. */
  stop(): Promise<void>
}

/** How often deadlines are looked at, in milliseconds. */
const SWEEP_MS = 500
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

/** Settings of one server, as its connections see them. */
interface Setting extends AnswerSetting {
  readonly limits: ServerLimits
  readonly route: ServerOptions['route']
  readonly hosts: ReadonlySet<string>
  /** Made anew every sweep. */
  dateLine: string
  /** Milliseconds, as of the last sweep: exact enough for deadlines of seconds. */
  nowMs: number
  isStopping: boolean
}

/** What the server sees of a connection. */
interface Connection {
  readonly address: string
  /** Since when it has waited for a request or the rest of one; undefined while it is answered. */
  waitingSinceMs(): number | undefined
  /** Cuts or warns a connection whose time is up. */
  sweep(): void
  stop(): void
  destroy(): void
}

/**
 * Listens.
 * @throws the error of the socket, such as EADDRINUSE or EACCES, with its `code`
 */
export async function startServer(options: ServerOptions): Promise<RpcServer> {
  const limits: ServerLimits = { ...SERVER_LIMITS, ...options.limits }
  const setting: Setting = {
    limits,
    route: options.route,
    hosts: new Set((options.hosts ?? ['localhost']).map((host) => host.toLowerCase())),
    origins: new Set(options.origins ?? []),
    dateLine: dateLine(),
    nowMs: performance.now(),
    isStopping: false,
  }
  const connections = new Set<Connection>()

  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const address = socket.remoteAddress ?? ''
    if (!isLoopback(address) && countOf(connections, address) >= limits.connectionsPerAddressMax) {
      return turnAway(socket, setting, 429, 'too many connections from this address')
    }
    if (connections.size >= limits.connectionsMax && !makeRoom(connections)) {
      return turnAway(socket, setting, 503, 'too many connections')
    }
    const connection = openConnection(socket, address, setting)
    connections.add(connection)
    socket.on('close', () => connections.delete(connection))
  })

  const sweeper = setInterval(() => {
    setting.nowMs = performance.now()
    setting.dateLine = dateLine()
    for (const connection of connections) connection.sweep()
  }, SWEEP_MS)
  sweeper.unref()

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.address ?? '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    clearInterval(sweeper)
    throw error
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port')

  return {
    address: bound.address,
    port: bound.port,
    get connections() {
      return connections.size
    },
    stop: () =>
      new Promise((resolve) => {
        setting.isStopping = true
        server.close(() => {
          clearInterval(sweeper)
          resolve()
        })
        for (const connection of connections) connection.stop()
      }),
  }
}

/** Ends the connection that has waited longest; false if all are being answered. */
function makeRoom(connections: ReadonlySet<Connection>): boolean {
  let longest: Connection | undefined
  let since = Number.POSITIVE_INFINITY
  for (const connection of connections) {
    const waiting = connection.waitingSinceMs()
    if (waiting !== undefined && waiting < since) {
      longest = connection
      since = waiting
    }
  }
  longest?.destroy()
  return longest !== undefined
}

function countOf(connections: ReadonlySet<Connection>, address: string): number {
  let count = 0
  for (const connection of connections) if (connection.address === address) count++
  return count
}

function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\./.test(address) || address === '::1'
}

function turnAway(socket: Socket, setting: Setting, status: number, reason: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(plainAnswer(setting, status, reason), 'latin1', () => socket.destroy())
}

function openConnection(socket: Socket, address: string, setting: Setting): Connection {
  const { limits } = setting
  const held: ByteBuffer = createByteBuffer()
  /** What the connection waits for. `busy`: an answer; `closing`: the client to hang up. */
  let state: 'head' | 'body' | 'busy' | 'closing' = 'head'
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
  socket.on('drain', () => {
    if (state !== 'busy') resume()
  })
  socket.on('error', () => socket.destroy())
  socket.on('end', () => {
    // A client may say that it will send no more and still wait for its answer.
    hasEnded = true
    if (state !== 'busy' && state !== 'closing') close()
  })

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
    const answer = consider(request)
    if (typeof answer === 'string') {
      send(answer, request.keepAlive)
      return
    }
    const text = answer(body)
    if (typeof text === 'string') {
      reply(text, request)
      return
    }
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

  /** Who answers the request, or the answer to one that is not for us. */
  function consider(request: RequestHead): Dispatch | string {
    const { hosts } = setting
    if (!hosts.has('*') && !hosts.has(request.host) && !IP_HOST.test(request.host)) {
      return plainAnswer(setting, 403, 'invalid host specified')
    }
    const dispatch = setting.route(request.path)
    if (dispatch === undefined) return plainAnswer(setting, 404, 'nothing is served at this path')
    if (request.method === 'OPTIONS') return preflightAnswer(setting, request)
    if (request.method !== 'POST') {
      return plainAnswer(setting, 405, 'only POST is served here', 'allow: POST, OPTIONS\r\n')
    }
    if (request.framing === 'none') return plainAnswer(setting, 411, 'a body is needed')
    if (request.contentType === undefined || !CONTENT_TYPES.has(request.contentType)) {
      return plainAnswer(setting, 415, 'invalid content type, only application/json is supported')
    }
    return dispatch
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
  function send(answer: string, keepAlive: boolean): void {
    gathered = gathered === '' ? answer : gathered + answer
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
    address,
    waitingSinceMs: () => (state === 'head' || state === 'body' ? sinceMs : undefined),
    sweep() {
      const waitedMs = setting.nowMs - sinceMs
      if (state === 'closing') {
        if (waitedMs > LINGER_MS && socket.writableLength === 0) socket.destroy()
        if (waitedMs > limits.answerMsMax) socket.destroy()
      } else if (socket.writableLength > 0) {
        if (waitedMs > limits.answerMsMax) socket.destroy()
      } else if (isIdle && state === 'head') {
        if (waitedMs > limits.idleMsMax) socket.destroy()
      } else if (state !== 'busy') {
        const most = state === 'head' ? limits.headMsMax : limits.requestMsMax
        if (waitedMs > most) send(plainAnswer(setting, 408, 'the request took too long'), false)
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
