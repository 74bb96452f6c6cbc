/**
 * JSON-RPC over WebSocket (RFC 6455): each message is a request or a batch, answered when it is ready, and
 * between answers come the notifications of eth_subscribe. `ws` shakes hands, reads all frames, and writes
 * those of control. Messages we write ourselves, in one piece: `ws` hands the head of a frame and its text to
 * the socket apart, which costs an eighth of the processor time of a small answer.
 *
 * A client that sends faster than it is answered is not read from; one that takes less than it is told
 * is cut off, as nothing it has missed may be left out without a word.
 */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { Line, Subscriber } from './access.ts'
import type { Connection, ServerSetting } from './connection.ts'
import type { Upgrade } from './http-connection.ts'

/** Milliseconds that a client has to take leave. */
const FAREWELL_MS = 1_000
/** Bytes unsent beyond which no further request is read. */
const UNSENT_READ_BYTES = 1_048_576
/** Bits of a frame's first byte. */
const FINAL = 0x80
const TEXT = 0x01
/** Status codes of RFC 6455 section 7.4.1. */
const GOING_AWAY = 1001

/** Takes sockets over whose clients asked for it. */
export interface WebSocketDoor {
  /**
   * @param address of the client
   * @param onOpen gets the connection once the client was told that it is open
   */
  enter(
    socket: Socket,
    address: string,
    upgrade: Upgrade,
    onOpen: (connection: Connection) => void,
  ): void
}

export function createWebSocketDoor(setting: ServerSetting): WebSocketDoor {
  const door = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // What compresses well on the wire takes a window of memory for each client.
    perMessageDeflate: false,
    maxPayload: setting.limits.bodyBytesMax,
    // No subprotocol is spoken, whichever the client offers.
    handleProtocols: () => false,
  })
  return {
    enter(socket, address, upgrade, onOpen) {
      const { key, version, protocols } = upgrade.head.webSocket!
      const headers = {
        upgrade: 'websocket',
        'sec-websocket-key': key,
        'sec-websocket-version': version,
        ...(protocols !== undefined && { 'sec-websocket-protocol': protocols }),
      }
      // All of the request that `ws` looks at; the rest was looked at before.
      const request = { method: 'GET', headers } as unknown as IncomingMessage
      door.handleUpgrade(request, socket, upgrade.rest, (webSocket) => {
        onOpen(openWebSocket(webSocket, socket, address, upgrade, setting))
      })
    },
  }
}

function openWebSocket(
  webSocket: WebSocket,
  socket: Socket,
  address: string,
  { head, dispatch, caller }: Upgrade,
  setting: ServerSetting,
): Connection {
  const { limits } = setting
  const { budget } = caller
  /** Messages that are being answered. */
  let underWay = 0
  let heardMs = setting.nowMs
  let askedMs = setting.nowMs
  let pingedMs: number | undefined
  let closingMs: number | undefined
  /** Bytes that lay unsent at the last sweep, and since when they have not become fewer. */
  let unsent = 0
  let stuckMs = setting.nowMs
  let isOver = false
  const onClose: (() => void)[] = []

  const line: Line = {
    send,
    onClose: (callback) => void onClose.push(callback),
    cut: () => webSocket.terminate(),
  }

  webSocket.on('message', (data) => {
    heard()
    askedMs = setting.nowMs
    if (closingMs === undefined) receive(bytesOf(data))
  })
  webSocket.on('pong', heard)
  webSocket.on('ping', () => {
    heard()
    budget?.take(1)
    readOn()
  })
  // `ws` closes the connection by itself, with the status code that the fault has.
  webSocket.on('error', () => {})
  webSocket.on('close', () => {
    isOver = true
    for (const callback of onClose) callback()
  })

  function heard(): void {
    heardMs = setting.nowMs
    pingedMs = undefined
  }

  /** The chain that this connection speaks to may be served no more. */
  function isChainGone(): boolean {
    return setting.route(head.path) !== dispatch
  }

  function receive(body: Uint8Array): void {
    if (isChainGone()) return stop()
    const answered: (() => void)[] = []
    const subscriber: Subscriber = { line, onAnswered: (callback) => void answered.push(callback) }
    if (budget?.hasLeft() === false) setting.onRefused('rate')
    const answer = dispatch(body, { ...caller, subscriber })
    const tell = (text: string): void => {
      if (text !== '') send(text)
      for (const callback of answered) callback()
    }
    if (typeof answer === 'string') tell(answer)
    else {
      underWay++
      answer.then(
        (text) => {
          underWay--
          tell(text)
          readOn()
        },
        () => webSocket.terminate(),
      )
    }
    readOn()
  }

  /** Reads from the client as long as it leaves room, and is not in debt. */
  function readOn(): void {
    if (isOver) return
    const isFull =
      underWay >= limits.messagesUnderWayMax || webSocket.bufferedAmount > UNSENT_READ_BYTES
    if (isFull || budget?.hasLeft() === false) {
      if (!webSocket.isPaused) webSocket.pause()
    } else if (webSocket.isPaused) webSocket.resume()
  }

  function send(text: string): void {
    if (webSocket.readyState !== webSocket.OPEN) return
    if (webSocket.bufferedAmount > limits.unsentBytesMax) {
      setting.onRefused('slow')
      webSocket.terminate()
      return
    }
    socket.write(textFrame(text))
  }

  function stop(): void {
    if (closingMs !== undefined) return
    closingMs = setting.nowMs
    webSocket.resume()
    webSocket.close(GOING_AWAY)
  }

  return {
    address,
    waitingSinceMs: () => (onClose.length > 0 || underWay > 0 ? undefined : askedMs),
    sweep() {
      const { nowMs } = setting
      if (isChainGone()) stop()
      const left = webSocket.bufferedAmount
      if (left === 0 || left < unsent) stuckMs = nowMs
      unsent = left
      if (closingMs !== undefined) {
        if (nowMs - closingMs > FAREWELL_MS) webSocket.terminate()
      } else if (nowMs - stuckMs > limits.answerMsMax) {
        setting.onRefused('slow')
        webSocket.terminate()
      } else if (pingedMs !== undefined) {
        if (nowMs - pingedMs > limits.pongMsMax) webSocket.terminate()
      } else if (nowMs - heardMs > limits.pingMs) {
        pingedMs = nowMs
        webSocket.ping()
      }
      readOn()
    },
    stop,
    destroy: () => webSocket.terminate(),
  }
}

/** A whole text message in one frame, unmasked as from every server (RFC 6455 section 5.2). */
function textFrame(text: string): Buffer {
  const size = Buffer.byteLength(text, 'utf8')
  const headSize = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headSize + size)
  frame[0] = FINAL | TEXT
  if (headSize === 2) frame[1] = size
  else if (headSize === 4) {
    frame[1] = 126
    frame.writeUInt16BE(size, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  frame.write(text, headSize, 'utf8')
  return frame
}

/** A message's bytes; `ws` gives them in one piece unless it is told otherwise. */
function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}
