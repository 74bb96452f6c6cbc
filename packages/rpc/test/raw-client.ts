/** Bytes sent to a server as they are, and what comes back. */

import { connect, type Socket } from 'node:net'

export interface RawClient {
  readonly socket: Socket
  /** @param bytes text is sent as Latin-1 */
  send(bytes: string | Uint8Array): void
  /** Everything received as UTF-8, once it matches or the connection is closed. */
  until(pattern: RegExp): Promise<string>
  /** Everything received, once the server has closed. */
  closed(): Promise<string>
}

/** @param through a socket to use in place of a plain connection to the port of this machine */
export function openRaw(port: number, through?: Socket): RawClient {
  const socket = through ?? connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let received = ''
  let isClosed = false
  const checks = new Set<() => void>()
  const check = (): void => {
    for (const each of checks) each()
  }
  socket.on('data', (chunk) => {
    received += chunk.toString('utf8')
    check()
  })
  const finish = (): void => {
    isClosed = true
    check()
  }
  socket.on('end', () => {
    socket.end()
    finish()
  })
  socket.on('close', finish)
  socket.on('error', finish)
  const when = (isThere: () => boolean): Promise<string> =>
    new Promise((resolve) => {
      const each = (): void => {
        if (!isThere()) return
        checks.delete(each)
        resolve(received)
      }
      checks.add(each)
      each()
    })
  return {
    socket,
    send: (bytes) => {
      if (typeof bytes === 'string') socket.write(bytes, 'latin1')
      else socket.write(bytes)
    },
    until: (pattern) => when(() => pattern.test(received) || isClosed),
    closed: () => when(() => isClosed),
  }
}

/** A request with a body. @param headers lines, each with its end */
export function post(body: string, headers = '', path = '/'): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

/** A request to go over to WebSocket. @param headers lines, each with its end */
export function upgradeRequest(headers = '', path = '/'): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n` +
    `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`
  )
}

export function statusOf(answer: string): number {
  return Number(answer.split(' ')[1])
}
