/**
 * GET /metrics, /liveness and /readiness, on a port of their own: a proxy that opens the JSON-RPC port to
 * clients does not open these with it. Asked a few times a minute, so node's own HTTP server will do.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readiness } from '../health.ts'

export interface MetricsServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Text of all metrics. */
  readonly metrics: () => string
  /** Why the node cannot go on; undefined while it can. */
  readonly failure: () => string | undefined
  /** Of a chain, or of the process; undefined: there is no such chain. */
  readonly readiness: (chain: string | undefined) => Readiness | undefined
}

export interface MetricsServer {
  readonly port: number
  stop(): Promise<void>
}

const LIMITS = {
  /** Connections at one time; further ones are closed. */
  connectionsMax: 16,
  /** Bytes of a request's head. */
  headBytesMax: 8_192,
  /** Milliseconds for a whole request, and of idleness. */
  requestMsMax: 5_000,
} as const

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/** Listens. @throws the error of the socket, with its `code` */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer(
    {
      maxHeaderSize: LIMITS.headBytesMax,
      headersTimeout: LIMITS.requestMsMax,
      requestTimeout: LIMITS.requestMsMax,
      keepAliveTimeout: LIMITS.requestMsMax,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => answer(options, request, response),
  )
  server.maxConnections = LIMITS.connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  // What monitors must not keep a process alive.
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function answer(
  options: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  // A body is of no use here, and nobody reads it.
  request.resume()
  const send = (status: number, type: string, text: string): void => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return send(405, 'text/plain', 'only GET is served here\n')
  }
  const path = request.url?.split('?', 1)[0] ?? ''
  switch (path) {
    case '/metrics':
      return send(200, TEXT, options.metrics())
    case '/liveness': {
      const failure = options.failure()
      return failure === undefined
        ? send(200, 'application/json', '{"alive":true}\n')
        : send(503, 'application/json', `${JSON.stringify({ alive: false, reason: failure })}\n`)
    }
    default: {
      const asked = /^\/readiness(?:\/([^/]+))?$/.exec(path)
      const found = asked === null ? undefined : options.readiness(asked[1])
      if (found === undefined) {
        return send(
          404,
          'text/plain',
          'here are /metrics, /liveness, /readiness, /readiness/CHAIN\n',
        )
      }
      return send(found.ready ? 200 : 503, 'application/json', `${JSON.stringify(found)}\n`)
    }
  }
}
