/** Answers of the server itself, and the header lines that all answers share. */

import { rateLimited } from './dispatch.ts'
import type { RequestHead } from './http-request.ts'

export interface AnswerSetting {
  /** The Date header's line. */
  readonly dateLine: string
  /** Origins whose pages may read answers; `*` for any. */
  readonly origins: ReadonlySet<string>
}

const PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  411: 'Length Required',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
}

/** An answer that is not JSON-RPC. Those in `KEPT_STATUSES` leave the connection open. */
export function plainAnswer(
  setting: AnswerSetting,
  status: number,
  reason: string,
  lines = '',
): string {
  const text = `${reason}\n`
  const connection = KEPT_STATUSES.has(status) ? '' : 'connection: close\r\n'
  return (
    `HTTP/1.1 ${status} ${PHRASES[status]}\r\n${setting.dateLine}${lines}${connection}` +
    `content-type: text/plain\r\ncontent-length: ${text.length}\r\n\r\n${text}`
  )
}

const KEPT_STATUSES = new Set([401, 403, 404, 405, 411, 415])

/** An answer to a client that is in debt: JSON-RPC as well, for clients that look at nothing else. */
export function rateLimitedAnswer(
  setting: AnswerSetting,
  request: RequestHead,
  waitMs: number,
): string {
  const body = rateLimited('null', waitMs)
  return (
    `HTTP/1.1 429 ${PHRASES[429]}\r\n${setting.dateLine}content-type: application/json\r\n` +
    `${corsLines(setting, request.origin)}retry-after: ${Math.ceil(waitMs / 1_000)}\r\n` +
    `content-length: ${body.length}\r\n\r\n${body}`
  )
}

/** What a page is told that asks whether it may ask. */
export function preflightAnswer(setting: AnswerSetting, request: RequestHead): string {
  const cors = corsLines(setting, request.origin)
  const allowed =
    cors === ''
      ? ''
      : 'access-control-allow-methods: POST\r\naccess-control-allow-headers: content-type, authorization\r\n' +
        'access-control-max-age: 600\r\n'
  return `HTTP/1.1 204 No Content\r\n${setting.dateLine}allow: POST, OPTIONS\r\n${cors}${allowed}\r\n`
}

/** Header lines for a page of an origin that may read the answer; none for others. */
export function corsLines({ origins }: AnswerSetting, origin: string | undefined): string {
  if (origins.size === 0) return ''
  if (origins.has('*')) return 'access-control-allow-origin: *\r\n'
  if (origin === undefined || !origins.has(origin)) return 'vary: origin\r\n'
  return `access-control-allow-origin: ${origin}\r\nvary: origin\r\n`
}

/** The Date header's line for now. */
export function dateLine(): string {
  return `date: ${new Date().toUTCString()}\r\n`
}
