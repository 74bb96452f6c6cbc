/**
 * The head of an HTTP/1.1 request and the framing of its body, read strictly.
 *
 * Two readers of one byte stream must find the same requests in it, or one can be smuggled past
 * the other. So whatever RFC 9112 leaves to the taste of the reader is refused here: a length said
 * twice or in two ways, a line that ends in a bare CR or LF, folded lines, space before a colon.
 */

export interface HttpLimits {
  /** Bytes of the request line and all headers. */
  readonly headBytesMax: number
  readonly headersMax: number
  readonly bodyBytesMax: number
}

/** Bytes of a chunk's size line with its extensions, and of all trailers. */
const CHUNK_LINE_BYTES_MAX = 256
const TRAILER_BYTES_MAX = 4_096

export interface RequestHead {
  readonly method: string
  /** Path without query; starts with `/`. */
  readonly path: string
  /** Lower case, without port; empty only in HTTP/1.0. */
  readonly host: string
  /** Lower case, without parameters. */
  readonly contentType: string | undefined
  readonly origin: string | undefined
  /** What stands in the Authorization header behind `Bearer`; empty for another scheme. */
  readonly token: string | undefined
  /** All of X-Forwarded-For, in order. */
  readonly forwardedFor: string | undefined
  /** A proxy says that it stands between. */
  readonly isForwarded: boolean
  /** What the client wants to go over to WebSocket with. */
  readonly webSocket: WebSocketWish | undefined
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** How the body is framed; `none` if neither a length nor an encoding is given. */
  readonly framing: 'none' | 'length' | 'chunked'
  /** Bytes of the body if it is framed by length, else 0. */
  readonly contentLength: number
}

/** Headers of a request to go over to WebSocket (RFC 6455 section 4.1). */
export interface WebSocketWish {
  readonly key: string
  readonly version: string
  readonly protocols: string | undefined
}

/** Why a request is refused before anybody looked at what it wants. */
export interface HttpFault {
  readonly status: 400 | 413 | 417 | 431 | 501 | 505
  readonly reason: string
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Visible ASCII, obs-text, space and tab (RFC 9110 section 5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const REQUEST_LINE = /^([A-Z]{1,16}) ([\x21-\x7e]{1,8000}) HTTP\/(\d)\.(\d)$/

/**
 * Reads a head.
 * @param text the head as Latin-1, without the empty line that ends it
 */
export function parseRequestHead(text: string, limits: HttpLimits): RequestHead | HttpFault {
  const lines = text.split('\r\n')
  const request = REQUEST_LINE.exec(lines[0]!)
  if (request === null) return bad('malformed request line')
  const [, method = '', target = '', major, minor] = request
  if (major !== '1') return { status: 505, reason: 'only HTTP/1.1 is spoken here' }
  const isModern = minor !== '0'
  if (lines.length - 1 > limits.headersMax) return { status: 431, reason: 'too many headers' }

  const once = new Map<string, string>()
  let connection = ''
  let forwardedFor: string | undefined
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (colon < 1 || !TOKEN.test(name)) return bad('malformed header name')
    const value = line.slice(colon + 1).trim()
    if (!FIELD_VALUE.test(value)) return bad('malformed header value')
    if (name === 'connection') connection += `,${value.toLowerCase()}`
    else if (name === 'x-forwarded-for') {
      forwardedFor = forwardedFor === undefined ? value : `${forwardedFor},${value}`
    } else if (!once.has(name)) once.set(name, value)
    else if (SINGLE.has(name)) return bad(`header ${name} is given twice`)
  }

  const host = hostOf(once.get('host'))
  if (host === undefined || (isModern && !once.has('host'))) return bad('missing or malformed host')
  const path = pathOf(target)
  if (path === undefined) return bad('malformed request target')
  const framing = framingOf(once, isModern, limits)
  if ('status' in framing) return framing
  const expect = once.get('expect')?.toLowerCase()
  if (expect !== undefined && expect !== '100-continue') {
    return { status: 417, reason: 'unknown expectation' }
  }
  const wishes = connection.split(',').map((wish) => wish.trim())
  const authorisation = once.get('authorization')
  return {
    method,
    path,
    host,
    contentType: once.get('content-type')?.split(';')[0]?.trim().toLowerCase(),
    origin: once.get('origin'),
    token:
      authorisation === undefined
        ? undefined
        : (/^bearer +([^ ]+)$/i.exec(authorisation)?.[1] ?? ''),
    forwardedFor,
    isForwarded: forwardedFor !== undefined || PROXY_HEADERS.some((name) => once.has(name)),
    // HTTP/1.0 knows no upgrades (RFC 9110 section 7.8).
    webSocket: isModern && wishes.includes('upgrade') ? webSocketWish(once) : undefined,
    keepAlive: isModern && !wishes.includes('close'),
    expectsContinue: isModern && expect !== undefined,
    ...framing,
  }
}

/** Headers that frame or route a request: a second one is an attack or a mistake. */
const SINGLE = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'origin',
  'authorization',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
])
/** Beside X-Forwarded-For. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto']

function webSocketWish(headers: ReadonlyMap<string, string>): WebSocketWish | undefined {
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return undefined
  return {
    key: headers.get('sec-websocket-key') ?? '',
    version: headers.get('sec-websocket-version') ?? '',
    protocols: headers.get('sec-websocket-protocol'),
  }
}

function framingOf(
  headers: ReadonlyMap<string, string>,
  isModern: boolean,
  limits: HttpLimits,
): Pick<RequestHead, 'framing' | 'contentLength'> | HttpFault {
  const encoding = headers.get('transfer-encoding')
  const length = headers.get('content-length')
  if (encoding !== undefined) {
    if (length !== undefined) return bad('both a content length and a transfer encoding')
    if (!isModern) return bad('a transfer encoding in HTTP/1.0')
    if (encoding.toLowerCase() !== 'chunked') {
      return { status: 501, reason: 'unknown transfer encoding' }
    }
    return { framing: 'chunked', contentLength: 0 }
  }
  if (length === undefined) return { framing: 'none', contentLength: 0 }
  if (!/^[0-9]{1,15}$/.test(length)) return bad('malformed content length')
  const contentLength = Number(length)
  if (contentLength > limits.bodyBytesMax) return { status: 413, reason: 'request body too large' }
  return { framing: 'length', contentLength }
}

/** Host without port; undefined if it is malformed. */
function hostOf(value: string | undefined): string | undefined {
  if (value === undefined) return ''
  const host = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?$/.exec(value)?.[1]
  return host?.toLowerCase()
}

/** Path of a target in origin or absolute form. */
function pathOf(target: string): string | undefined {
  const path = target.replace(/^http:\/\/[^/?#]+/i, '').replace(/[?#].*$/, '')
  if (path === '') return target === '*' ? undefined : '/'
  return path.startsWith('/') ? path : path === '*' ? '/' : undefined
}

function bad(reason: string): HttpFault {
  return { status: 400, reason }
}

/** Bytes that grow at the end; grows by doubling, so that single bytes cost no more than many. */
export interface ByteBuffer {
  readonly length: number
  append(bytes: Uint8Array): void
  /** What was appended. A view: valid until the next change. */
  view(): Buffer
  /** Drops bytes from the front. */
  drop(count: number): void
}

export function createByteBuffer(): ByteBuffer {
  let storage: Buffer = Buffer.alloc(0)
  let start = 0
  let end = 0
  return {
    get length() {
      return end - start
    },
    append(bytes) {
      if (end + bytes.length > storage.length) {
        const size = end - start
        const larger = Buffer.allocUnsafe(Math.max(1_024, 2 * (size + bytes.length)))
        storage.copy(larger, 0, start, end)
        storage = larger
        start = 0
        end = size
      }
      storage.set(bytes, end)
      end += bytes.length
    },
    view: () => storage.subarray(start, end),
    drop(count) {
      start += count
      if (start !== end) return
      start = 0
      end = 0
      // An idle connection keeps no room for the largest body it once had.
      if (storage.length > 65_536) storage = Buffer.alloc(0)
    },
  }
}

/** Takes a chunked body apart (RFC 9112 section 7.1). */
export interface ChunkReader {
  /**
   * Reads on.
   * @param input unread bytes of the connection
   * @returns how many of them were consumed, or why the body is refused
   */
  read(input: Buffer): number | HttpFault
  /** True once the last chunk and the trailers were read. */
  readonly isDone: boolean
  readonly body: ByteBuffer
}

export function createChunkReader(limits: HttpLimits): ChunkReader {
  const body = createByteBuffer()
  let state: 'size' | 'data' | 'dataEnd' | 'trailer' | 'done' = 'size'
  let left = 0
  let trailerBytes = 0

  /** Length of the line that starts at `from`, without CRLF; undefined if it is not whole yet. */
  function lineLength(input: Buffer, from: number, most: number): number | undefined | HttpFault {
    const end = input.indexOf('\r\n', from, 'latin1')
    if (end < 0 ? input.length - from > most : end - from > most) {
      return bad('line of a chunked body is too long')
    }
    return end < 0 ? undefined : end - from
  }

  function read(input: Buffer): number | HttpFault {
    let at = 0
    while (state !== 'done') {
      if (state === 'data') {
        const take = Math.min(left, input.length - at)
        body.append(input.subarray(at, at + take))
        at += take
        left -= take
        if (left > 0) return at
        state = 'dataEnd'
      } else if (state === 'dataEnd') {
        if (input.length - at < 2) return at
        if (input[at] !== 13 || input[at + 1] !== 10) return bad('chunk does not end where it says')
        at += 2
        state = 'size'
      } else {
        const isSize = state === 'size'
        const most = isSize ? CHUNK_LINE_BYTES_MAX : TRAILER_BYTES_MAX - trailerBytes
        const length = lineLength(input, at, most)
        if (length === undefined) return at
        if (typeof length === 'object') return length
        const line = input.toString('latin1', at, at + length)
        at += length + 2
        const fault = isSize ? beginChunk(line) : readTrailer(line)
        if (fault !== undefined) return fault
      }
    }
    return at
  }

  function beginChunk(line: string): HttpFault | undefined {
    const size = /^([0-9a-fA-F]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line)?.[1]
    if (size === undefined) return bad('malformed chunk size')
    left = Number.parseInt(size, 16)
    if (body.length + left > limits.bodyBytesMax) {
      return { status: 413, reason: 'request body too large' }
    }
    state = left === 0 ? 'trailer' : 'data'
    return undefined
  }

  function readTrailer(line: string): HttpFault | undefined {
    trailerBytes += line.length + 2
    if (line === '') state = 'done'
    // Trailers are passed over, but what stands there must be one.
    else if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*$/.test(line)) {
      return bad('malformed trailer')
    }
    return undefined
  }

  return {
    read,
    get isDone() {
      return state === 'done'
    },
    body,
  }
}
