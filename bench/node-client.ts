/**
 * The client of `pnpm bench node`, in a process of its own: it sends ready-made requests over raw
 * keep-alive connections, one at a time on each, and looks at no more of an answer than its length
 * and whether it is a result. It is the same for both servers and cheap, because it shares the
 * machine's cores with them.
 *
 * Reads one job as JSON on standard input, answers one line of JSON on standard output.
 */

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

export interface ClientJob {
  readonly port: number
  readonly connections: number
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

export interface ClientResult {
  readonly answered: number
  readonly milliseconds: number
  /** Answers without a result. */
  readonly failures: number
  readonly firstFailure: string | undefined
}

const HEAD_END = Buffer.from('\r\n\r\n')

async function runJob(job: ClientJob): Promise<ClientResult> {
  const queues = queuesOf(job)
  const sockets = await Promise.all(queues.map(() => open(job.port)))
  const until =
    job.requests.kind === 'repeat'
      ? performance.now() + job.requests.forMs
      : Number.POSITIVE_INFINITY
  const startedAt = performance.now()
  const results = await Promise.all(queues.map((queue, i) => drive(sockets[i]!, queue, until)))
  const milliseconds = performance.now() - startedAt
  return {
    answered: results.reduce((sum, { answered }) => sum + answered, 0),
    failures: results.reduce((sum, { failures }) => sum + failures, 0),
    firstFailure: results.find(({ firstFailure }) => firstFailure !== undefined)?.firstFailure,
    milliseconds,
  }
}

/** Next request of a connection, undefined at its end. */
type Queue = () => Buffer | undefined

function queuesOf({ requests, connections }: ClientJob): Queue[] {
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

function requestOf(body: string): Buffer {
  return Buffer.from(
    `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  )
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

function drive(
  socket: Socket,
  queue: Queue,
  until: number,
): Promise<Omit<ClientResult, 'milliseconds'>> {
  let answered = 0
  let failures = 0
  let firstFailure: string | undefined
  let rest: Buffer | undefined
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const request = performance.now() < until ? queue() : undefined
      if (request !== undefined) {
        socket.write(request)
        return
      }
      socket.destroy()
      resolve({ answered, failures, firstFailure })
    }
    socket.on('error', reject)
    socket.on('data', (data: Buffer) => {
      const bytes = rest === undefined ? data : Buffer.concat([rest, data])
      rest = bytes
      const headEnd = bytes.indexOf(HEAD_END)
      if (headEnd === -1) return
      const head = bytes.toString('latin1', 0, headEnd)
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (length === undefined) {
        reject(new Error(`an answer without length: ${head}`))
        return
      }
      if (bytes.length < headEnd + 4 + Number(length)) return
      rest = undefined
      answered += 1
      if (bytes.indexOf('"result"', headEnd) === -1) {
        failures += 1
        firstFailure ??= bytes.toString('latin1', headEnd + 4)
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
