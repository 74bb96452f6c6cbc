/** Bounds on connections, whatever is asked on them. `docs/limits.md` lists them. */

import type { HttpLimits } from './http-request.ts'

export interface ServerLimits extends HttpLimits {
  readonly connectionsMax: number
  /** Connections of one address. Loopback and trusted proxies count only towards the whole. */
  readonly connectionsPerAddressMax: number
  /** Connections that have gone over to WebSocket, of `connectionsMax`. */
  readonly webSocketsMax: number
  /** Milliseconds from the first byte of a request to the end of its head. */
  readonly headMsMax: number
  /** Milliseconds from the first byte of a request to the end of its body. */
  readonly requestMsMax: number
  /** Milliseconds without a request. */
  readonly idleMsMax: number
  /** Milliseconds in which a client must take an answer. */
  readonly answerMsMax: number
  /** Milliseconds of silence after which a WebSocket is asked for a sign of life. */
  readonly pingMs: number
  /** Milliseconds in which it must give one. */
  readonly pongMsMax: number
  /** Messages of one WebSocket that are being answered; the rest waits with the client. */
  readonly messagesUnderWayMax: number
  /** Bytes that a WebSocket's client may leave lying before it is cut off. */
  readonly unsentBytesMax: number
  /** Budget that a client gets back in a second; an ordinary call costs one. 0: no limit. */
  readonly tokensPerSecond: number
  /** Budget of a client that has not asked for a while. */
  readonly tokensAtOnce: number
  /** Client addresses whose budgets are remembered. */
  readonly addressesMax: number
}

export const SERVER_LIMITS: ServerLimits = {
  headBytesMax: 16_384,
  headersMax: 64,
  bodyBytesMax: 1_048_576,
  connectionsMax: 256,
  connectionsPerAddressMax: 16,
  webSocketsMax: 128,
  headMsMax: 10_000,
  requestMsMax: 30_000,
  idleMsMax: 60_000,
  answerMsMax: 30_000,
  pingMs: 30_000,
  pongMsMax: 20_000,
  messagesUnderWayMax: 32,
  unsentBytesMax: 8_388_608,
  tokensPerSecond: 100,
  tokensAtOnce: 500,
  addressesMax: 4_096,
}
