/** A WebSocket of bare bytes: whole frames, and what comes of damaged ones. */

import { connect, type Socket } from 'node:net'

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

export interface WebSocketLine {
  send(bytes: Uint8Array): void
  /** The next message; undefined once the server has closed. */
  next(): Promise<string | undefined>
  close(): void
}

/** Opens one at a port of this machine. Rejects if the server does not agree. */
export async function openWebSocketLine(port: number): Promise<WebSocketLine> {
  const socket = connect({ port, host: '127.0.0.1' })
  const messages: string[] = []
  const wanted: ((message: string | undefined) => void)[] = []
  let bytes = Buffer.alloc(0)
  let isUpgraded = false
  let isClosed = false
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const end = (): void => {
    isClosed = true
    for (const want of wanted.splice(0)) want(undefined)
    reject(new Error(`the server did not open a WebSocket: ${bytes.toString('latin1')}`))
  }
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
    if (!isUpgraded) {
      const at = bytes.indexOf('\r\n\r\n')
      if (at < 0) return
      if (!bytes.toString('latin1').startsWith('HTTP/1.1 101 ')) return void socket.destroy()
      isUpgraded = true
      bytes = bytes.subarray(at + 4)
      resolve()
    }
    for (let frame = readFrame(bytes); frame !== undefined; frame = readFrame(bytes)) {
      bytes = bytes.subarray(frame.size)
      if (frame.opcode !== 1) continue
      const message = frame.payload.toString('utf8')
      const want = wanted.shift()
      if (want === undefined) messages.push(message)
      else want(message)
    }
  })
  socket.on('close', end)
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.destroy())
  socket.write(UPGRADE)
  await promise
  return {
    send: (data) => void (isClosed || socket.write(data)),
    next: () => {
      const message = messages.shift()
      if (message !== undefined || isClosed) return Promise.resolve(message)
      return new Promise((want) => void wanted.push(want))
    },
    close: () => closeHard(socket),
  }
}

function closeHard(socket: Socket): void {
  socket.destroy()
}

/** A whole message, masked as a client must. @param opcode 1 for text, 2 for bytes */
export function clientFrame(opcode: number, payload: Uint8Array, mask: Uint8Array): Uint8Array {
  const { length } = payload
  const head = [0x80 | opcode]
  if (length < 126) head.push(0x80 | length)
  else if (length < 65_536) head.push(0x80 | 126, length >> 8, length & 255)
  else head.push(0x80 | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((bits) => (length >>> bits) & 255))
  const masked = payload.map((byte, i) => byte ^ mask[i % 4]!)
  return Buffer.concat([Uint8Array.from(head), mask, masked])
}

function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes[1]! & 127
  const headSize = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < headSize) return undefined
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const size = headSize + length
  if (bytes.length < size) return undefined
  return { opcode: bytes[0]! & 15, payload: bytes.subarray(headSize, size), size }
}
