/**
 * The client of `pnpm bench node` and `pnpm bench rpc`, in a process of its own: it sends ready-made
 * requests over raw keep-alive connections or WebSockets, one at a time on each, and looks at no more
 * of an answer than its length and whether it is a result. It is the same for both servers and cheap,
 * because it shares the machine's cores with them.
 *
 * Reads one job as JSON on standard input, answers one line of JSON on standard output.
 */

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

export interface ClientJob {
  readonly port: number
  readonly connections: number
  /** HTTP unless given. */
  readonly protocol?: Protocol
  readonly requests:
    | {
        /** Each connection sends its part of the file once: bodies, one a line. */
        readonly kind: 'file'
        readonly path: string
      }
    | {
        /** All send these bodies in turn for so long. */
        readonly kind: 'repeat'
        readonly bodies: readonly string[]
        readonly forMs: number
      }
}

export type Protocol = 'http' | 'websocket'

export interface ClientResult {
  readonly answered: number
  readonly milliseconds: number
  /** Milliseconds from a request to the whole of its answer, of which 99 % are not above it. */
  readonly p99Ms: number
  /** Answers without a result, or with an error. */
  readonly failures: number
  readonly firstFailure: string | undefined
}

const HEAD_END = Buffer.from('\r\n\r\n')

async function runJob(job: ClientJob): Promise<ClientResult> {
  const protocol = PROTOCOLS[job.protocol ?? 'http']
  const queues = queuesOf(job, protocol)
  const sockets = await Promise.all(queues.map(() => protocol.open(job.port)))
  const until =
    job.requests.kind === 'repeat'
      ? performance.now() + job.requests.forMs
      : Number.POSITIVE_INFINITY
  const startedAt = performance.now()
  const results = await Promise.all(
    queues.map((queue, i) => drive(sockets[i]!, protocol, queue, until)),
  )
  const milliseconds = performance.now() - startedAt
  const times = results.flatMap(({ times }) => times).sort((a, b) => a - b)
  return {
    answered: times.length,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    failures: results.reduce((sum, { failures }) => sum + failures, 0),
    firstFailure: results.find(({ firstFailure }) => firstFailure !== undefined)?.firstFailure,
    milliseconds,
  }
}

/** How requests and answers lie on a connection. */
interface Wire {
  open(port: number): Promise<Socket>
  requestOf(body: string): Buffer
  /** Where the body of an answer begins and ends; undefined: its head is not whole. @throws Error */
  answerIn(bytes: Buffer): { readonly from: number; readonly to: number } | undefined
}

const PROTOCOLS: Readonly<Record<Protocol, Wire>> = {
  http: {
    open,
    requestOf: (body) =>
      Buffer.from(
        `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        'latin1',
      ),
    answerIn(bytes) {
      const headEnd = bytes.indexOf(HEAD_END)
      if (headEnd === -1) return undefined
      const head = bytes.toString('latin1', 0, headEnd)
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (length === undefined) throw new Error(`an answer without length: ${head}`)
      return { from: headEnd + 4, to: headEnd + 4 + Number(length) }
    },
  },
  websocket: {
    open: openWebSocket,
    requestOf: frameOf,
    answerIn(bytes) {
      if (bytes.length < 2) return undefined
      // Whole texts only, in one frame: neither server cuts them.
      if (bytes[0] !== 0x81) throw new Error(`a frame that is no text: ${bytes[0]}`)
      const short = bytes[1]! & 127
      const from = short < 126 ? 2 : short === 126 ? 4 : 10
      if (bytes.length < from) return undefined
      if (short < 126) return { from, to: from + short }
      const size = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
      return { from, to: from + size }
    },
  },
}

/** A text in one frame, masked with zeros: so that it costs the client nothing, and the server the same. */
function frameOf(body: string): Buffer {
  const size = body.length
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10)
  head[0] = 0x81
  if (size < 126) head[1] = 128 | size
  else if (size < 65_536) {
    head[1] = 128 | 126
    head.writeUInt16BE(size, 2)
  } else {
    head[1] = 128 | 127
    head.writeBigUInt64BE(BigInt(size), 2)
  }
  return Buffer.concat([head, Buffer.alloc(4), Buffer.from(body, 'latin1')])
}

async function openWebSocket(port: number): Promise<Socket> {
  const socket = await open(port)
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  const head = ['GET / HTTP/1.1', 'Host: localhost', ...upgrade].join('\r\n')
  socket.write(`${head}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`)
  return new Promise((resolve, reject) => {
    socket.once('data', (data: Buffer) => {
      const answer = data.toString('latin1')
      if (answer.startsWith('HTTP/1.1 101') && answer.endsWith('\r\n\r\n')) resolve(socket)
      else reject(new Error(`no WebSocket: ${answer}`))
    })
  })
}

/** Next request of a connection, undefined at its end. */
type Queue = () => Buffer | undefined

function queuesOf({ requests, connections }: ClientJob, { requestOf }: Wire): Queue[] {
  if (requests.kind === 'repeat') {
    const ready = requests.bodies.map(requestOf)
    return Array.from({ length: connections }, (_, i) => {
      let next = i
      return () => ready[next++ % ready.length]
    })
  }
  const bodies = readFileSync(requests.path, 'latin1').trimEnd().split('\n')
  // Neighbours in the file go to different connections; one sender's stay on one, in order.
  const parts = Array.from({ length: connections }, (): Buffer[] => [])
  for (const [i, body] of bodies.entries()) parts[i % connections]!.push(requestOf(body))
  return parts.map((part) => {
    let next = 0
    return () => part[next++]
  })
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

interface Driven {
  readonly times: readonly number[]
  readonly failures: number
  readonly firstFailure: string | undefined
}

function drive(socket: Socket, wire: Wire, queue: Queue, until: number): Promise<Driven> {
  const times: number[] = []
  let failures = 0
  let firstFailure: string | undefined
  let rest: Buffer | undefined
  let askedAt = 0
  return new Promise((resolve, reject) => {
    const next = (): void => {
      askedAt = performance.now()
      const request = askedAt < until ? queue() : undefined
      if (request !== undefined) {
        socket.write(request)
        return
      }
      socket.destroy()
      resolve({ times, failures, firstFailure })
    }
    socket.on('error', reject)
    socket.on('data', (data: Buffer) => {
      const bytes = rest === undefined ? data : Buffer.concat([rest, data])
      rest = bytes
      const answer = wire.answerIn(bytes)
      if (answer === undefined || bytes.length < answer.to) return
      rest = undefined
      times.push(performance.now() - askedAt)
      const isResult =
        bytes.indexOf('"result"', answer.from) !== -1 &&
        bytes.indexOf('"error"', answer.from) === -1
      if (!isResult) {
        failures += 1
        firstFailure ??= bytes.toString('latin1', answer.from)
      }
      next()
    })
    next()
  })
}

if (process.argv[1] === import.meta.filename) {
  const job = JSON.parse(readFileSync(0, 'utf8')) as ClientJob
  process.stdout.write(`${JSON.stringify(await runJob(job))}\n`)
  process.exit(0)
}
